package actors

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"citystream/cluster/assign"
	"citystream/cluster/reign"
	"citystream/engine/commitlog"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/schema"
	"citystream/engine/window"
	"citystream/messages"
)

// master discovers topics and assigns their partitions to the workers that are alive. It keeps nothing that cannot be asked for
// again: which records are committed is in the logs, and who may write them is decided there.
//
// Owned by its actor; not safe for concurrent use.
type master struct {
	node    *Node
	epoch   commitlog.Epoch
	raising bool // a higher epoch is being taken
	catalog *actor.PID

	members  map[string]*member
	topics   map[string]port.Topic // by table
	asking   bool                  // a discovery is under way
	assigned map[commitlog.Log]assignment
	failed   map[commitlog.Log]string // stopped by an error that does not pass; not assigned again in this reign
	version  int64

	endOfStream time.Duration
	drain       *actor.PID // who is told when all workers are drained
	ticking     chan struct{}
}

// member is a worker that has registered.
type member struct {
	pid         *actor.PID
	incarnation string
	heard       time.Time
	draining    bool
	partitions  map[commitlog.Log]*messages.PartitionStatus
}

// assignment says which worker may own a log. It stays until the worker has released the log or is dead.
type assignment struct {
	worker   string
	version  int64
	revoking bool
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
)

// MasterProps makes a master that reigns with the given epoch. catalog may be nil.
func MasterProps(node *Node, epoch commitlog.Epoch, catalog *actor.PID) *actor.Props {
	return actor.PropsFromProducer(func() actor.Actor {
		return &master{
			node: node, epoch: epoch, catalog: catalog, endOfStream: node.EndOfStream,
			members: map[string]*member{}, topics: map[string]port.Topic{},
			assigned: map[commitlog.Log]assignment{}, failed: map[commitlog.Log]string{},
		}
	})
}

// discover asks for the topics.
type discover struct{}

// Receive implements actor.Actor.
func (m *master) Receive(ctx actor.Context) {
	switch in := ctx.Message().(type) {
	case *actor.Started:
		m.ticking = tickTo(ctx, m.node.Heartbeat, tick{})
		discovering := tickTo(ctx, m.node.Discovery, discover{})
		go func() { <-m.ticking; close(discovering) }()
		m.discover(ctx)
	case *actor.Stopping:
		close(m.ticking)
	case tick:
		m.buryTheDead(ctx)
	case discover:
		m.discover(ctx)
	case topicsFound:
		m.onTopics(ctx, in)
	case epochRaised:
		m.onEpoch(ctx, in)
	case *messages.Register:
		m.onRegister(ctx, in)
	case *messages.Heartbeat:
		m.onHeartbeat(ctx, in)
	case *messages.EndOfStream:
		m.endOfStream = time.Duration(in.IdleMillis) * time.Millisecond
	case *messages.GetStatus:
		ctx.Respond(m.status())
	case *messages.Drain:
		m.onDrain(ctx)
	case *messages.Drained:
		m.onDrained(ctx)
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
		m.node.Log.Warn("topics cannot be listed; what is known goes on", "error", in.err)
		return
	}
	grown := false
	for _, topic := range in.topics {
		for _, t := range m.node.Tables {
			if t.Topic == topic.Name && m.topics[t.Name].Partitions < topic.Partitions {
				m.topics[t.Name] = topic
				grown = true
				m.node.Log.Info("topic found", "table", t.Name, "topic", topic.Name, "partitions", topic.Partitions)
			}
		}
	}
	if grown {
		m.replan(ctx)
	}
}

// logs returns every log that is to have an owner.
func (m *master) logs() []commitlog.Log {
	var all []commitlog.Log
	for table, topic := range m.topics {
		for p := range topic.Partitions {
			log := commitlog.Log{Table: table, TopicPartition: record.TopicPartition{Topic: topic.Name, Partition: record.Partition(p)}}
			if _, broken := m.failed[log]; !broken {
				all = append(all, log)
			}
		}
	}
	return all
}

func (m *master) onRegister(ctx actor.Context, in *messages.Register) {
	old := m.members[in.Worker]
	if old == nil || old.incarnation != in.Incarnation {
		m.bury(in.Worker)
		m.members[in.Worker] = &member{incarnation: in.Incarnation, partitions: map[commitlog.Log]*messages.PartitionStatus{}}
		m.node.Log.Info("worker registered", "worker", in.Worker)
	}
	w := m.members[in.Worker]
	w.pid, w.heard = ctx.Sender(), time.Now()
	m.node.Metrics.Workers.Set(float64(len(m.members)))
	answer := &messages.Registered{Epoch: int64(m.epoch), Incarnation: in.Incarnation}
	if m.catalog != nil {
		answer.Catalog = &messages.Address{Host: m.catalog.Address, Id: m.catalog.Id}
	}
	ctx.Respond(answer)
	m.replan(ctx)
}

func (m *master) onHeartbeat(ctx actor.Context, in *messages.Heartbeat) {
	w := m.members[in.Worker]
	if w == nil || w.incarnation != in.Incarnation {
		ctx.Respond(&messages.HeartbeatAck{Epoch: int64(m.epoch), Incarnation: in.Incarnation})
		return
	}
	w.heard = time.Now()
	w.partitions = map[commitlog.Log]*messages.PartitionStatus{}
	for _, s := range in.Partitions {
		w.partitions[fromLog(s.Log)] = s
	}
	changed := false
	for _, r := range in.Released {
		changed = m.onReleased(ctx, r) || changed
	}
	// A log that is being moved and that the worker no longer reports was released before it ever ran.
	for log, a := range m.assigned {
		if a.revoking && a.worker == in.Worker && w.partitions[log] == nil {
			delete(m.assigned, log)
			changed = true
		}
	}
	if changed {
		m.replan(ctx)
		return // which answers all
	}
	ctx.Respond(m.ack(in.Worker))
}

// onReleased takes note of the end of a partition's life at a worker; it reports whether that is news.
func (m *master) onReleased(ctx actor.Context, r *messages.Released) bool {
	log := fromLog(r.Log)
	if a, ok := m.assigned[log]; !ok || a.worker != r.Worker || a.version != r.Version {
		return false
	}
	delete(m.assigned, log)
	switch r.Cause {
	case messages.Released_FAILED:
		m.failed[log] = r.Error
	case messages.Released_LOST:
		if commitlog.Epoch(r.SeenEpoch) >= m.epoch {
			m.raise(ctx, commitlog.Epoch(r.SeenEpoch))
		}
	}
	return true
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
		epoch, err := reign.Begin(timed, m.node.Store, seen)
		root.Send(self, epochRaised{epoch, err})
	}()
}

func (m *master) onEpoch(ctx actor.Context, in epochRaised) {
	m.raising = false
	if in.err != nil {
		m.node.Log.Warn("a higher epoch could not be taken; it is tried again when the next claim is refused", "error", in.err)
		m.replan(ctx)
		return
	}
	m.node.Log.Info("epoch raised", "epoch", in.epoch)
	m.epoch = max(m.epoch, in.epoch)
	m.replan(ctx)
}

// buryTheDead gives away what silent workers had.
func (m *master) buryTheDead(ctx actor.Context) {
	dead := false
	for name, w := range m.members {
		if silence := time.Since(w.heard); silence > m.node.WorkerDead {
			m.node.Log.Warn("worker is dead", "worker", name, "silence", silence.Round(time.Millisecond))
			m.bury(name)
			dead = true
		}
	}
	if dead {
		m.node.Metrics.Workers.Set(float64(len(m.members)))
		m.replan(ctx)
	}
}

func (m *master) bury(worker string) {
	delete(m.members, worker)
	maps.DeleteFunc(m.assigned, func(_ commitlog.Log, a assignment) bool { return a.worker == worker })
}

// replan brings the assignments into line with the plan: what is free is given away, what is to move is revoked first, and given
// away when its worker has committed and released it. All workers are told.
func (m *master) replan(ctx actor.Context) {
	if m.raising {
		return // claims under the old epoch would be refused
	}
	plan := m.plan()
	for log, a := range m.assigned {
		if plan[log] != a.worker {
			a.revoking = true
			m.assigned[log] = a
		}
	}
	for log, name := range plan {
		if _, held := m.assigned[log]; !held {
			m.version++
			m.assigned[log] = assignment{worker: name, version: m.version}
		}
	}
	for name, w := range m.members {
		ctx.Request(w.pid, m.ack(name))
	}
}

// plan returns the intended owner of every log, if there are workers.
func (m *master) plan() map[commitlog.Log]string {
	var alive []assign.Worker
	for name, w := range m.members {
		if !w.draining {
			alive = append(alive, assign.Worker{Name: name})
		}
	}
	plan := map[commitlog.Log]string{}
	if len(alive) == 0 {
		return plan
	}
	var partitions []assign.Partition
	for _, log := range m.logs() {
		partitions = append(partitions, assign.Partition{Log: log, Owner: m.assigned[log].worker})
	}
	for i, owner := range assign.Plan(partitions, alive, assign.Options{}) {
		plan[partitions[i].Log] = owner
	}
	return plan
}

// ack says to a worker all that it is to own, and the time that idle partitions follow.
func (m *master) ack(worker string) proto.Message {
	a := &messages.HeartbeatAck{Epoch: int64(m.epoch), Incarnation: m.members[worker].incarnation, Known: true, Times: m.times()}
	for log, as := range m.assigned {
		if as.worker == worker && !as.revoking {
			a.Assigned = append(a.Assigned, &messages.Assign{Version: as.version, Log: toLog(log)})
		}
	}
	return a
}

// times returns for each table the watermark that its idle partitions follow: the least of those that are not idle; or, when all
// partitions of all tables have been at the end of their logs for long enough, the end of the last window.
func (m *master) times() []*messages.TableTime {
	byTable, ended := m.standing()
	var times []*messages.TableTime
	for _, t := range m.node.Tables {
		if s := byTable[t.Name]; len(s) > 0 {
			if mark := follow(s, t, ended); mark > 0 {
				times = append(times, &messages.TableTime{Table: t.Name, Watermark: int64(mark), EndOfStream: ended})
			}
		}
	}
	return times
}

// standing returns the newest status of every owned partition, and whether the stream has ended.
func (m *master) standing() (byTable map[string][]*messages.PartitionStatus, ended bool) {
	byTable = map[string][]*messages.PartitionStatus{}
	ended = m.endOfStream > 0
	for log, a := range m.assigned {
		w := m.members[a.worker]
		if w == nil || w.partitions[log] == nil || !w.partitions[log].Owned {
			ended = false
			continue
		}
		s := w.partitions[log]
		byTable[log.Table] = append(byTable[log.Table], s)
		ended = ended && s.AtEnd >= m.endOfStream.Microseconds()
	}
	return byTable, ended
}

// follow returns the watermark for the idle partitions of a table, 0 if there is none to follow.
func follow(partitions []*messages.PartitionStatus, t *schema.Table, ended bool) record.Micros {
	least, most := record.Micros(0), record.Micros(0)
	for _, s := range partitions {
		most = max(most, record.Micros(s.EventMax))
		if !s.Idle && (least == 0 || record.Micros(s.Watermark) < least) {
			least = record.Micros(s.Watermark)
		}
	}
	switch {
	case !ended:
		return least
	case most == 0:
		return 0
	default:
		return window.Start(most, t.Window).Add(t.Window)
	}
}

func (m *master) onDrain(ctx actor.Context) {
	m.drain = ctx.Sender()
	for _, w := range m.members {
		w.draining = true
		ctx.Request(w.pid, &messages.Drain{})
	}
	m.drainedWhenEmpty(ctx)
}

// onDrained takes note of a worker that has ended.
func (m *master) onDrained(ctx actor.Context) {
	for name, w := range m.members {
		if w.pid.Equal(ctx.Sender()) {
			m.bury(name)
		}
	}
	m.drainedWhenEmpty(ctx)
}

func (m *master) drainedWhenEmpty(ctx actor.Context) {
	if m.drain != nil && len(m.members) == 0 {
		ctx.Send(m.drain, &messages.Drained{Clean: len(m.failed) == 0})
	}
}

func (m *master) status() *messages.Status {
	s := &messages.Status{Epoch: int64(m.epoch)}
	for _, name := range slices.Sorted(maps.Keys(m.members)) {
		w := m.members[name]
		ws := &messages.WorkerStatus{Worker: name, Incarnation: w.incarnation, Alive: true}
		for _, p := range w.partitions {
			ws.Partitions = append(ws.Partitions, p)
		}
		s.Workers = append(s.Workers, ws)
	}
	for _, log := range m.logs() {
		if _, ok := m.assigned[log]; !ok {
			s.Unassigned = append(s.Unassigned, toLog(log))
		}
	}
	for log, reason := range m.failed {
		s.Failed = append(s.Failed, &messages.PartitionStatus{Log: toLog(log), Error: reason})
	}
	for _, t := range m.node.Tables {
		s.Topics = append(s.Topics, &messages.Topic{Table: t.Name, Topic: t.Topic, Partitions: int32(m.topics[t.Name].Partitions)})
	}
	return s
}
