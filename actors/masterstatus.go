package actors

import (
	"time"

	"citystream/messages"
)

// status is the state of everything, as the master has last heard. The partition statuses in it are what arrived: nobody changes them.
func (m *master) status() *messages.Status {
	s := &messages.Status{
		Epoch: int64(m.epoch), Leader: m.options.Name, Moves: m.places.moves, SettlingMillis: m.settlement.Left(time.Now()).Milliseconds(),
	}
	now := time.Now()
	for _, name := range m.roster.All() {
		w := m.members[name]
		ws := &messages.WorkerStatus{
			Worker: name, Incarnation: m.roster.Incarnation(name), Deaf: w.deaf, Zone: w.zone, Address: w.pid.Address, Draining: w.draining,
			Assigned: int64(len(m.places.byWorker[name])),
		}
		if heard, ok := m.roster.Heard(name); ok {
			ws.SilenceMillis = now.Sub(heard).Milliseconds()
		}
		for p := range m.places.byWorker[name] {
			if p.status != nil {
				ws.Partitions = append(ws.Partitions, p.status)
			}
		}
		s.Workers = append(s.Workers, ws)
	}
	for _, p := range m.places.list {
		switch {
		case p.failed != "":
			s.Failed = append(s.Failed, &messages.PartitionStatus{Log: p.wire, Error: p.failed})
		case p.worker == "":
			s.Unassigned = append(s.Unassigned, p.wire)
		case p.revoking:
			s.Moving++
		}
	}
	for _, t := range m.node.Tables {
		s.Topics = append(s.Topics, &messages.Topic{Table: t.Name, Topic: t.Topic, Partitions: int32(m.topics[t.Name].Partitions)})
	}
	return s
}

// placementGauges show how many partitions have an owner.
type placementGauges struct{ metrics *Metrics }

func newPlacementGauges(m *Metrics) *placementGauges { return &placementGauges{m} }

func (g *placementGauges) set(s *placements, settling time.Duration) {
	unassigned, failed, moving := 0, 0, 0
	for _, p := range s.list {
		switch {
		case p.failed != "":
			failed++
		case p.worker == "":
			unassigned++
		case p.revoking:
			moving++
		}
	}
	for state, n := range map[string]int{"assigned": len(s.list) - unassigned - failed - moving, "unassigned": unassigned, "moving": moving, "stopped": failed} {
		g.metrics.Placed.WithLabelValues(state).Set(float64(n))
	}
	g.metrics.Moves.Set(float64(s.moves))
	g.metrics.Settling.Set(max(0, settling.Seconds()))
}

// clear takes the measures of a reign that is over away, so that no two masters show partitions.
func (g *placementGauges) clear() {
	g.metrics.Placed.Reset()
	g.metrics.Workers.Set(0)
	g.metrics.Settling.Set(0)
}
