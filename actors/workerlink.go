package actors

import (
	"context"
	"errors"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"citystream/cluster/membership"
	"citystream/engine/commitlog"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/messages"
)

// FindLeader says who leads, as port.Lease.Leader does.
type FindLeader func(context.Context) (port.Leader, error)

// leaderFound is what a look in the lease store has shown.
type leaderFound struct {
	leader port.Leader
	err    error
}

// lookAfter is after how many halves of a heartbeat without an answer the lease is looked at.
const lookAfter = 3

func (w *worker) start(ctx actor.Context) {
	now := time.Now()
	w.link = membership.NewLink(w.options.Incarnation, membership.LinkLimits{
		Heartbeat: w.node.Heartbeat, StopAfter: w.node.WorkerSelfStop, OrphanedAfter: w.node.Orphaned, LookAfter: w.node.Heartbeat * lookAfter / 2,
	}, now)
	if w.options.Find == nil {
		w.link.Leader(true, 0, true, now)
	}
	w.offsets.start(ctx)
	w.ticking = tickTo(ctx, min(tickEvery, w.node.Heartbeat), tick{})
	w.onTick(ctx)
}

func (w *worker) onTick(ctx actor.Context) {
	now := time.Now()
	for _, o := range w.owned {
		ctx.Request(o.pid, askStatus{record.MicrosOf(now)})
	}
	do := w.link.Tick(now)
	if do.Abandon && w.drain == nil { // a drain goes on: what it commits nobody commits twice
		w.abandon(ctx, "no word from a master for too long")
		w.membership()
	}
	if do.Look {
		w.look(ctx)
	}
	switch {
	case w.master == nil:
	case do.Register:
		w.register(ctx, do.Number)
	case do.Beat:
		w.sendBeat(ctx, do.Number)
	}
	w.drainTicks(ctx, now)
}

// look asks the lease store who leads, outside of Receive.
func (w *worker) look(ctx actor.Context) {
	if w.looking {
		return
	}
	if w.options.Find == nil {
		w.link.Leader(true, w.link.Epoch(), false, time.Now()) // there is no other
		return
	}
	w.looking = true
	self, root, find := ctx.Self(), ctx.ActorSystem().Root, w.options.Find
	patience := w.node.WorkerSelfStop - w.node.Heartbeat*lookAfter/2 // a later outcome would be of no use
	go func() {
		timed, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		leader, err := find(timed)
		root.Send(self, leaderFound{leader, err})
	}()
}

func (w *worker) onLeader(ctx actor.Context, m leaderFound) {
	w.looking = false
	now := time.Now()
	switch {
	case errors.Is(m.err, port.ErrNoLeader), m.err == nil && m.leader.Epoch == 0:
		w.link.Leader(false, 0, false, now)
		return
	case m.err != nil:
		w.node.Metrics.Retries.WithLabelValues("find leader").Inc()
		w.log.Warn("the lease cannot be looked at; what runs goes on", "error", m.err)
		w.link.Leader(false, 0, false, now)
		return
	}
	pid := actor.NewPID(m.leader.Address, masterName)
	changed := w.master == nil || !w.master.Equal(pid)
	if changed {
		w.log.Info("found the leader", "leader", m.leader.Name, "address", m.leader.Address, "epoch", m.leader.Epoch)
		w.master = pid
	}
	w.link.Leader(true, m.leader.Epoch, changed, now)
	if changed {
		w.onTick(ctx)
	}
}

func (w *worker) register(ctx actor.Context, number int64) {
	ctx.Request(w.master, &messages.Register{
		Worker: w.options.Name, Incarnation: w.options.Incarnation, Zone: w.options.Zone, Beat: number, Draining: w.drain != nil, Owned: w.statuses(),
	})
}

// beat reports at once, whenever the next report is due: there is news.
func (w *worker) beat(ctx actor.Context) {
	if w.master != nil {
		w.sendBeat(ctx, 0)
	}
}

// sendBeat reports. The number is 0 where no answer is counted on.
func (w *worker) sendBeat(ctx actor.Context, number int64) {
	ctx.Request(w.master, &messages.Heartbeat{
		Worker: w.options.Name, Incarnation: w.options.Incarnation, Epoch: w.link.Epoch(), Beat: number,
		Order: w.link.Order(), Partitions: w.statuses(), Released: w.released, Draining: w.drain != nil,
	})
}

func (w *worker) statuses() []*messages.PartitionStatus {
	all := make([]*messages.PartitionStatus, 0, len(w.owned))
	for log, o := range w.owned {
		all = append(all, toStatus(log, o))
	}
	return all
}

// abandon stops all partitions at once: what is not committed is read again by their next owners.
func (w *worker) abandon(ctx actor.Context, why string) {
	if len(w.owned) > 0 {
		w.log.Warn(why+": giving the partitions up; their next owners go on from the last commits", "silence", w.link.Silence(time.Now()).Round(time.Millisecond), "partitions", len(w.owned))
		w.node.Metrics.Abandoned.Add(float64(len(w.owned)))
	}
	for log, o := range w.owned {
		ctx.Stop(o.pid)
		o.gauges.clear()
		w.offsets.forget(log)
		delete(w.owned, log)
	}
	w.released = nil
}

func (w *worker) onRegistered(ctx actor.Context, m *messages.Registered) {
	answer := membership.Answer{Epoch: m.Epoch, Incarnation: m.Incarnation, Number: m.Beat, Order: m.Order, Refused: m.Refused}
	before := w.link.Epoch()
	if !w.link.Registered(answer, time.Now()) {
		w.endIfRefused(ctx)
		return
	}
	if before != m.Epoch {
		w.log.Info("registered with the master", "epoch", m.Epoch, "partitions", len(w.owned))
	}
	w.membership()
	if m.Catalog != nil {
		w.catalog = actor.NewPID(m.Catalog.Host, m.Catalog.Id)
	}
	w.beat(ctx)
}

// onAck brings what runs here into line with what is assigned.
func (w *worker) onAck(ctx actor.Context, m *messages.HeartbeatAck) {
	answer := membership.Answer{Epoch: m.Epoch, Incarnation: m.Incarnation, Number: m.Beat, Order: m.Order, Known: m.Known, Refused: m.Refused}
	if !w.link.Acked(answer, time.Now()) {
		w.endIfRefused(ctx)
		w.membership()
		return
	}
	assigned := map[commitlog.Log]int64{}
	for _, a := range m.Assigned {
		assigned[fromLog(a.Log)] = a.Version
	}
	w.forgetReleased(assigned)
	for log, o := range w.owned {
		if assigned[log] != o.version {
			w.release(ctx, o, commitlog.ReasonRevoked)
		}
	}
	if w.drain == nil {
		for log, version := range assigned {
			w.own(ctx, log, version)
		}
	}
	w.passTimes(ctx, m.Times)
	w.drainGoesOn(ctx)
}

// membership shows whether the worker is registered with a master.
func (w *worker) membership() {
	member := w.link.Member()
	w.node.Metrics.Registered.Set(map[bool]float64{true: 1}[member])
	if w.options.registered != nil {
		w.options.registered(member)
	}
}

// endIfRefused ends a worker whose name a younger one has: two of one name would take each other's partitions.
func (w *worker) endIfRefused(ctx actor.Context) {
	if w.link.Refused() {
		w.abandon(ctx, "a younger worker has the same name")
		w.ended(ErrNamesake)
		w.drainGoesOn(ctx)
	}
}

func (w *worker) ended(err error) {
	if w.options.Ended != nil {
		w.options.Ended(err)
	}
}

// forgetReleased drops the releases that the master has taken note of.
func (w *worker) forgetReleased(assigned map[commitlog.Log]int64) {
	var kept []*messages.Released // a new list: the old one may be in a message that is still under way
	for _, r := range w.released {
		if assigned[fromLog(r.Log)] == r.Version {
			kept = append(kept, r)
		}
	}
	w.released = kept
}
