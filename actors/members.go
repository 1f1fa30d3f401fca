package actors

import (
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"citystream/cluster/membership"
	"citystream/engine/commitlog"
	"citystream/messages"
)

// onRegister takes a worker in. What it owns from the reign before stays its own.
func (m *master) onRegister(ctx actor.Context, in *messages.Register) {
	if ctx.Sender() == nil {
		return // nobody could be told
	}
	answer := &messages.Registered{Epoch: int64(m.epoch), Incarnation: in.Incarnation, Beat: in.Beat}
	switch m.roster.Register(in.Worker, in.Incarnation, in.Beat, time.Now()) {
	case membership.Late:
		return
	case membership.Refused:
		answer.Refused = true
		ctx.Respond(answer)
		m.log.Warn("a worker was refused: a younger one has its name, or it has left; give each worker a name of its own", "worker", in.Worker, "incarnation", in.Incarnation)
		return
	case membership.Replaced:
		m.settlement.Died(in.Worker, true)
		m.places.bury(in.Worker)
		m.members[in.Worker] = &member{order: m.firstOrder}
		m.log.Info("worker has been started again", "worker", in.Worker, "incarnation", in.Incarnation)
	case membership.Joined:
		m.members[in.Worker] = &member{order: m.firstOrder}
		m.log.Info("worker registered", "worker", in.Worker, "incarnation", in.Incarnation, "brings", len(in.Owned))
	}
	w := m.members[in.Worker]
	w.pid, w.zone, m.lonely = ctx.Sender(), in.Zone, false
	if w.followed.IsZero() {
		w.followed = time.Now()
	}
	owned := m.configured(in.Owned)
	for _, o := range owned {
		if p := m.places.of(fromLog(o.Log)); p.worker != in.Worker {
			m.settlement.Adopt(in.Worker, p.log)
		}
	}
	m.places.adopt(in.Worker, in.Zone, owned)
	w.order++
	answer.Order = w.order
	m.node.Metrics.Workers.Set(float64(m.roster.Len()))
	if m.options.Catalog != nil {
		answer.Catalog = &messages.Address{Host: m.options.Catalog.Address, Id: m.options.Catalog.Id}
	}
	ctx.Respond(answer)
	w.draining = w.draining || in.Draining
	if m.drain != nil {
		w.draining = true
		ctx.Request(w.pid, &messages.Drain{})
	}
	m.replan(ctx)
}

// configured returns those of the statuses whose tables are in the configuration: what a table had that is there no more, its worker commits and gives
// back.
func (m *master) configured(all []*messages.PartitionStatus) []*messages.PartitionStatus {
	return slices.DeleteFunc(slices.Clone(all), func(s *messages.PartitionStatus) bool { return m.node.Table(s.GetLog().GetTable()) == nil })
}

func (m *master) onHeartbeat(ctx actor.Context, in *messages.Heartbeat) {
	if ctx.Sender() == nil {
		return
	}
	w := m.members[in.Worker]
	switch verdict := m.roster.Heartbeat(in.Worker, in.Incarnation, in.Beat, time.Now()); {
	case verdict == membership.Late:
		return
	case verdict == membership.Refused:
		ctx.Respond(&messages.HeartbeatAck{Epoch: int64(m.epoch), Incarnation: in.Incarnation, Beat: in.Beat, Refused: true})
		return
	case verdict != membership.Known || w == nil:
		ctx.Respond(&messages.HeartbeatAck{Epoch: int64(m.epoch), Incarnation: in.Incarnation, Beat: in.Beat})
		return
	}
	if in.Draining && !w.draining {
		w.draining = true
		m.log.Info("worker is draining: what it commits is given to others", "worker", in.Worker)
		m.replan(ctx)
	}
	if in.Epoch == int64(m.epoch) {
		m.settlement.Confirm(in.Worker)
	}
	follows := in.Order
	if in.Epoch != int64(m.epoch) {
		follows = 0 // it counts another reign's words
	}
	m.hears(ctx, w, follows)
	if m.places.heard(in.Worker, follows, in.Partitions) {
		m.replan(ctx)
	}
	for _, r := range in.Released {
		if m.onReleased(ctx, r) {
			m.replan(ctx)
		}
	}
	ctx.Respond(m.ack(in.Worker, in.Beat))
}

// onReleased takes note of the end of a partition's life at a worker; it reports whether that is news.
func (m *master) onReleased(ctx actor.Context, r *messages.Released) bool {
	m.settlement.Released(r.Worker, fromLog(r.Log))
	_, news := m.places.released(r)
	if news && r.Cause == messages.Released_LOST && commitlog.Epoch(r.SeenEpoch) >= m.epoch {
		m.raise(ctx, commitlog.Epoch(r.SeenEpoch))
	}
	return news
}

// ack says to a worker all that it is to own, and the time that idle partitions follow. beat is what it answers, 0 for none.
func (m *master) ack(worker string, beat int64) *messages.HeartbeatAck {
	w := m.members[worker]
	w.order++
	return &messages.HeartbeatAck{
		Epoch: int64(m.epoch), Incarnation: m.roster.Incarnation(worker), Beat: beat, Order: w.order, Known: true,
		Times: m.times.now, Assigned: m.places.answer(worker, w.order),
	}
}

// buryTheDead gives away what silent workers had.
func (m *master) buryTheDead(ctx actor.Context) {
	dead := m.roster.Expire(time.Now())
	for _, name := range dead {
		m.log.Warn("worker is dead: nothing was heard of it", "worker", name, "for", m.node.WorkerDead, "partitions", len(m.places.byWorker[name]))
		m.settlement.Died(name, false)
		m.forget(ctx, name)
	}
	if len(dead) > 0 {
		m.lonelyIfAllAreLost()
	}
}

// lonelyIfAllAreLost tells that not one worker is left of those that there were.
func (m *master) lonelyIfAllAreLost() {
	for _, w := range m.members {
		if !w.deaf {
			return
		}
	}
	if m.lonely {
		return
	}
	m.lonely = true
	m.log.Warn("no worker is left that speaks and hears")
	if m.options.Lonely != nil {
		m.options.Lonely()
	}
}

// hears takes note of how far a worker follows this master's words.
func (m *master) hears(ctx actor.Context, w *member, follows int64) {
	if follows <= w.follows {
		return
	}
	w.follows, w.followed = follows, time.Now()
	if w.deaf {
		w.deaf = false
		m.replan(ctx)
	}
}

// buryTheDeaf gives away what workers had that speak, but have not heard an answer for as long as makes a silent one dead: by then they have given
// everything up.
func (m *master) buryTheDeaf(ctx actor.Context) {
	for name, w := range m.members {
		if w.deaf || time.Since(w.followed) < m.node.WorkerDead {
			continue
		}
		m.log.Warn("worker does not hear this master, whom it speaks to: look at the network from here to there", "worker", name, "address", w.pid.Address,
			"partitions", len(m.places.byWorker[name]))
		w.deaf = true
		m.settlement.Died(name, false)
		m.places.bury(name)
		m.replan(ctx)
		m.lonelyIfAllAreLost()
	}
}

// onLeave takes note of a worker that has ended.
func (m *master) onLeave(ctx actor.Context, in *messages.Leave) {
	if m.roster.Leave(in.Worker, in.Incarnation, time.Now()) {
		m.settlement.Died(in.Worker, true)
		m.log.Info("worker has left", "worker", in.Worker)
		m.forget(ctx, in.Worker)
	}
	if ctx.Sender() != nil {
		ctx.Respond(&messages.Left{})
	}
}

// forget takes a worker out, and frees what it had.
func (m *master) forget(ctx actor.Context, name string) {
	delete(m.members, name)
	m.unclean = m.unclean || m.drain != nil && m.places.hasFailed(name)
	m.places.bury(name)
	m.node.Metrics.Workers.Set(float64(m.roster.Len()))
	m.replan(ctx)
	m.drainedWhenEmpty(ctx)
}

func (m *master) onDrain(ctx actor.Context) {
	m.drain = ctx.Sender()
	for _, w := range m.members {
		w.draining = true
		ctx.Request(w.pid, &messages.Drain{})
	}
	m.drainedWhenEmpty(ctx)
}

func (m *master) drainedWhenEmpty(ctx actor.Context) {
	if m.drain == nil || len(m.members) > 0 {
		return
	}
	ctx.Send(m.drain, &messages.Drained{Clean: !m.unclean})
}
