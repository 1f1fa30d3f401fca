package actors

import (
	"context"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"citystream/cluster/assign"
	"citystream/cluster/membership"
	"citystream/cluster/reign"
	"citystream/engine/commitlog"
	"citystream/engine/port"
	"citystream/messages"
)

// loadBand is how far the load of a worker may lie from the mean before partitions move: rates are never quite even.
const loadBand = 0.25

// A plan looks at every partition, and so does what it changes. In a large cluster it waits for more news: workers that start together then
// share from the beginning, instead of taking from the first one by one.
const (
	newsTime = 10 * time.Microsecond // a partition, from the first news to the plan
	newsSoon = time.Millisecond      // less is not waited for
	loadTime = 5                     // heartbeats between plans without news: rates and lags change without anybody saying so
)

// master discovers topics and assigns their partitions to the workers that are alive. It keeps nothing that cannot be asked for
// again: which records are committed is in the logs, and who may write them is decided there. A new one learns from its workers what they
// own, and goes on from that.
//
// Owned by its actor; not safe for concurrent use.
type master struct {
	node    *Node
	log     *slog.Logger
	options MasterOptions
	epoch   commitlog.Epoch
	raising bool // a higher epoch is being taken

	roster  *membership.Roster
	members map[string]*member
	topics  map[string]port.Topic // by table
	asking  bool                  // a discovery is under way
	places  *placements

	settlement *membership.Settlement // with what the workers of the master before may still have
	finishing  bool                   // no move is begun any more
	planning   bool                   // a plan is due
	quiet      int                    // heartbeats since the last plan
	times      *tableTimes            // what idle partitions follow
	firstOrder int64                  // of the words to a worker
	drain      *actor.PID             // who is told when all workers are drained
	unclean    bool                   // a worker has been drained that had stopped a partition with an error
	lonely     bool                   // the last worker has died, which has been told
	ticking    chan struct{}
	gauges     *placementGauges
}

// member is a worker that has registered.
type member struct {
	pid      *actor.PID
	zone     string
	draining bool
	order    int64     // of the last word to it
	follows  int64     // order of the newest word that it is known to follow
	followed time.Time // when that was heard
	deaf     bool      // it speaks but does not hear: nothing is assigned to it
}

// MasterOptions say how a master reigns.
type MasterOptions struct {
	Epoch   commitlog.Epoch
	Catalog *actor.PID // nil without one
	Name    string     // of its node
	// Settle is for how long workers of the master before are waited for, before what nobody has named is given away; 0 where there was none.
	Settle time.Duration
	// Raised is told of a higher epoch that the master had to take; nil if nobody needs to know.
	Raised func(commitlog.Epoch)
	// Lonely is told when every worker that the master had is silent: perhaps it is the master that cannot be reached. nil if nobody needs to know.
	Lonely func()
}

// Messages within a process, from the master's goroutines to itself.
type (
	topicsFound struct {
		topics []port.Topic
		err    error
	}
	epochRaised struct {
		epoch commitlog.Epoch
		err   error
	}
	discover    struct{} // asks for the topics
	finishMoves struct{} // begins no move any more: this reign is about to end
	replan      struct{} // behind all that has arrived before it: a burst of news makes one plan
)

// MasterProps makes a master. One that comes after a crash waits for the workers as a new one does.
func MasterProps(node *Node, o MasterOptions) *actor.Props {
	lives := 0
	raised := o.Raised
	o.Raised = func(e commitlog.Epoch) {
		o.Epoch = e // for the next life: workers have heard of it
		if raised != nil {
			raised(e)
		}
	}
	return actor.PropsFromProducer(func() actor.Actor {
		if lives++; lives > 1 {
			o.Settle = node.Orphaned
		}
		return &master{
			firstOrder: int64(lives) << 32, // above those of the lives before: workers pass over older words
			node:       node, log: node.Log.With("role", "master", "epoch", o.Epoch), options: o, epoch: o.Epoch,
			roster: membership.NewRoster(node.WorkerDead), members: map[string]*member{},
			topics: map[string]port.Topic{}, places: newPlacements(), times: newTableTimes(node), gauges: newPlacementGauges(node.Metrics),
		}
	})
}

// Receive implements actor.Actor.
func (m *master) Receive(ctx actor.Context) {
	switch in := ctx.Message().(type) {
	case *actor.Started:
		m.start(ctx)
	case *actor.Stopping, *actor.Restarting:
		close(m.ticking)
		m.gauges.clear()
	case tick:
		m.onTick(ctx)
	case discover:
		m.discover(ctx)
	case topicsFound:
		m.onTopics(ctx, in)
	case epochRaised:
		m.onEpoch(ctx, in)
	case finishMoves:
		m.finishing = true
	case replan:
		m.planning, m.quiet = false, 0
		m.plan(ctx)
	case *messages.Register:
		m.onRegister(ctx, in)
	case *messages.Heartbeat:
		m.onHeartbeat(ctx, in)
	case *messages.Leave:
		m.onLeave(ctx, in)
	case *messages.EndOfStream:
		m.times.end = time.Duration(in.IdleMillis) * time.Millisecond
	case *messages.GetStatus:
		if ctx.Sender() != nil {
			ctx.Respond(m.status())
		}
	case *messages.Drain:
		m.onDrain(ctx)
	}
}

func (m *master) start(ctx actor.Context) {
	m.ticking = tickTo(ctx, m.node.Heartbeat, tick{})
	discovering := tickTo(ctx, m.node.Discovery, discover{})
	go func() { <-m.ticking; close(discovering) }()
	m.settlement = membership.NewSettlement(time.Now(), m.options.Settle, m.options.Settle == 0)
	if m.options.Settle > 0 {
		m.log.Info("waiting for the workers of the master before; what they own stays theirs", "at_most", m.options.Settle)
		go func(self *actor.PID, root *actor.RootContext) {
			timer := time.NewTimer(m.options.Settle)
			defer timer.Stop()
			select {
			case <-m.ticking:
			case <-timer.C:
				root.Send(self, replan{})
			}
		}(ctx.Self(), ctx.ActorSystem().Root)
	}
	m.discover(ctx)
}

func (m *master) onTick(ctx actor.Context) {
	m.buryTheDead(ctx)
	m.buryTheDeaf(ctx)
	m.times.refresh(m.places)
	m.gauges.set(m.places, m.settlement.Left(time.Now()))
	if m.quiet++; m.quiet >= loadTime {
		m.replan(ctx)
	}
}

// discover asks the source for the topics of all tables, outside of Receive.
func (m *master) discover(ctx actor.Context) {
	if m.asking {
		return
	}
	m.asking = true
	self, root := ctx.Self(), ctx.ActorSystem().Root
	names := make([]string, len(m.node.Tables))
	for i, t := range m.node.Tables {
		names[i] = t.Topic
	}
	go func() {
		timed, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		topics, err := m.node.Source.Topics(timed, names)
		root.Send(self, topicsFound{topics, err})
	}()
}

func (m *master) onTopics(ctx actor.Context, in topicsFound) {
	m.asking = false
	if in.err != nil {
		m.node.Metrics.Retries.WithLabelValues("discover").Inc()
		m.log.Warn("topics cannot be listed; what is known goes on", "error", in.err)
		return
	}
	for _, topic := range in.topics {
		for _, t := range m.node.Tables {
			if t.Topic == topic.Name && m.topics[t.Name].Partitions < topic.Partitions {
				m.topics[t.Name] = topic
				m.places.grow(t.Name, topic.Name, topic.Partitions)
				m.log.Info("topic found", "table", t.Name, "topic", topic.Name, "partitions", topic.Partitions)
				m.replan(ctx)
			}
		}
	}
}

// raise takes an epoch above one that was seen in a log: without it every claim would be refused there.
func (m *master) raise(ctx actor.Context, seen commitlog.Epoch) {
	if m.raising {
		return
	}
	m.raising = true
	self, root := ctx.Self(), ctx.ActorSystem().Root
	go func() {
		timed, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		begun, err := reign.Begin(timed, m.node.Store, seen)
		root.Send(self, epochRaised{begun.Epoch, err})
	}()
}

func (m *master) onEpoch(ctx actor.Context, in epochRaised) {
	m.raising = false
	if in.err != nil {
		m.log.Warn("a higher epoch could not be taken; it is tried again when the next claim is refused", "error", in.err)
	} else {
		m.epoch = max(m.epoch, in.epoch)
		m.log = m.node.Log.With("role", "master", "epoch", m.epoch)
		m.log.Info("epoch raised")
		m.options.Raised(m.epoch)
	}
	m.replan(ctx)
}

// replan lets a plan be made when everything that has arrived is taken note of.
func (m *master) replan(ctx actor.Context) {
	if m.planning {
		return
	}
	m.planning = true
	self, root := ctx.Self(), ctx.ActorSystem().Root
	if wait := newsTime * time.Duration(len(m.places.list)); wait > newsSoon {
		time.AfterFunc(wait, func() { root.Send(self, replan{}) })
		return
	}
	root.Send(self, replan{})
}

// plan brings the placements into line, and tells the workers whose have changed.
func (m *master) plan(ctx actor.Context) {
	if m.raising {
		return // claims under the old epoch would be refused
	}
	workers := make([]assign.Worker, 0, len(m.members))
	for name, w := range m.members {
		if !w.draining && !w.deaf {
			workers = append(workers, assign.Worker{Name: name, Zone: w.zone})
		}
	}
	now := time.Now()
	mayGive := func(log commitlog.Log) bool { return m.settlement.MayGive(log, now) }
	for name := range m.places.plan(workers, m.finishing || !m.settlement.Over(now), mayGive, assign.Options{DeadBand: loadBand}) {
		if w := m.members[name]; w != nil {
			ctx.Request(w.pid, m.ack(name, 0))
		}
	}
}
