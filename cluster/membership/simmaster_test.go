package membership_test

import (
	"maps"
	"slices"
	"time"

	"citystream/cluster/assign"
	"citystream/cluster/membership"
	"citystream/engine/commitlog"
)

// A masterNode is a candidate for the lease, and a master while it has it.
type masterNode struct {
	node
	world   *world
	slow    time.Duration // between winning the lease and reigning
	renewed time.Time
	reign   *masterState // nil = it does not lead
}

// masterState is what a master knows in one reign.
type masterState struct {
	epoch      int64
	begins     time.Time
	order      int64
	version    int64
	roster     *membership.Roster
	settlement *membership.Settlement
	members    map[string]*workerNode
	assigned   map[commitlog.Log]*assignment
	planned    time.Time
}

type assignment struct {
	worker   string
	version  int64
	revoking int64 // the first order that did not name it any more; 0 = it is not revoked
}

// wake lets a master look at its lease, before it does anything else, and at its workers.
func (m *masterNode) wake() {
	w := m.world
	if m.reign != nil && w.now.Sub(m.renewed) >= leaseTTL {
		w.logf("%s steps down", m.name)
		m.reign = nil
	}
	reaches := w.reachable && !w.now.Before(m.blind)
	switch {
	case m.reign != nil && reaches && w.lease.holder == m && w.lease.reign == m.reign.epoch:
		m.renewed, w.lease.until = w.now, w.now.Add(leaseTTL)
	case m.reign == nil && reaches && w.leader() == nil:
		m.win()
	}
	if m.reign == nil || w.now.Before(m.reign.begins) {
		return
	}
	s := m.reign
	changed := false
	for _, name := range s.roster.Expire(w.now) {
		w.logf("%s: %s is dead", m.name, name)
		s.bury(name, false)
		changed = true
	}
	if changed || w.now.Sub(s.planned) >= heartbeat {
		m.replan()
	}
}

func (m *masterNode) win() {
	w := m.world
	fresh := w.lease.holder == nil
	w.reign++
	w.lease = leaseRecord{m, w.reign, w.now.Add(leaseTTL)}
	m.renewed = w.now
	begins := w.now.Add(m.slow)
	m.reign = &masterState{
		epoch: w.reign, begins: begins, roster: membership.NewRoster(deadAfter), settlement: membership.NewSettlement(begins, orphaned, fresh),
		members: map[string]*workerNode{}, assigned: map[commitlog.Log]*assignment{}, planned: begins,
	}
	w.logf("%s leads, epoch %d", m.name, w.reign)
}

// serves says whether it takes messages of workers.
func (m *masterNode) serves() bool { return m.reign != nil && !m.world.now.Before(m.reign.begins) }

func (s *masterState) bury(worker string, stopped bool) {
	delete(s.members, worker)
	s.settlement.Died(worker, stopped)
	maps.DeleteFunc(s.assigned, func(_ commitlog.Log, a *assignment) bool { return a.worker == worker })
}

func (m *masterNode) onRegister(in report) {
	if !m.serves() {
		return
	}
	s := m.reign
	verdict := s.roster.Register(in.worker, in.incarnation, in.number, m.world.now)
	switch verdict {
	case membership.Late:
		return
	case membership.Refused:
		m.answer(in, true, true, nil)
		return
	case membership.Replaced:
		s.bury(in.worker, true)
		for _, p := range m.world.workers {
			if p.name == in.worker && p.incarnation < in.incarnation && p.replaced.IsZero() {
				p.replaced = m.world.now
			}
		}
	}
	m.world.logf("%s: %v is %v", m.name, in.from, verdict)
	s.members[in.worker] = in.from
	if !in.from.replaced.IsZero() {
		in.from.replaced = m.world.now // a new master knows nothing of the one before, and has the older life until the younger comes
	}
	for log, version := range in.owned {
		if verdict == membership.Known {
			break
		}
		s.settlement.Adopt(in.worker, log) // also what another says to have: only when both have ended is it free
		if s.assigned[log] == nil {
			s.assigned[log] = &assignment{worker: in.worker, version: version}
			s.version = max(s.version, version)
		}
	}
	m.answer(in, true, false, nil)
	m.replan()
}

func (m *masterNode) onHeartbeat(in report) {
	if !m.serves() {
		return
	}
	s := m.reign
	switch s.roster.Heartbeat(in.worker, in.incarnation, in.number, m.world.now) {
	case membership.Late:
		return
	case membership.Refused:
		m.answer(in, false, true, nil)
		return
	case membership.Unknown:
		m.answer(in, false, false, nil)
		return
	}
	if in.epoch == s.epoch {
		s.settlement.Confirm(in.worker)
	}
	for _, r := range in.released {
		if a := s.assigned[r.log]; a != nil && a.worker == in.worker && a.version == r.version {
			delete(s.assigned, r.log)
		}
		if _, has := in.owned[r.log]; !has { // it may have an old release to tell of a log that it has again
			s.settlement.Released(in.worker, r.log)
		}
	}
	// What was revoked and is not there was released before it ever ran, if this heartbeat was sent by one who knew that. An older one, or a
	// Register, may have crossed with the order to start it.
	for log, a := range s.assigned {
		if _, has := in.owned[log]; a.worker == in.worker && a.revoking > 0 && !has && in.epoch == s.epoch && in.order >= a.revoking {
			delete(s.assigned, log)
			s.settlement.Released(in.worker, log)
		}
	}
	m.answer(in, false, false, s.of(in.worker))
	m.replan()
}

// of returns what a worker is to own.
func (s *masterState) of(worker string) map[commitlog.Log]int64 {
	all := map[commitlog.Log]int64{}
	for log, a := range s.assigned {
		if a.worker == worker && a.revoking == 0 {
			all[log] = a.version
		}
	}
	return all
}

// answer answers a report; assigned is nil for one who is not known.
func (m *masterNode) answer(in report, registered, refused bool, assigned map[commitlog.Log]int64) {
	s, to := m.reign, in.from
	s.order++
	out := word{membership.Answer{
		Epoch: s.epoch, Incarnation: in.incarnation, Number: in.number, Order: s.order, Known: assigned != nil, Refused: refused,
	}, assigned}
	m.world.send(&m.node, &to.node, func() {
		if registered {
			to.onRegistered(out)
		} else {
			to.onAck(out)
		}
	})
}

// replan gives away what is free, revokes what is to move, and tells those for whom something has changed.
func (m *masterNode) replan() {
	w, s := m.world, m.reign
	s.planned = w.now
	var workers []assign.Worker
	for _, name := range s.roster.All() {
		workers = append(workers, assign.Worker{Name: name})
	}
	partitions := make([]assign.Partition, len(w.logs))
	for i, log := range w.logs {
		partitions[i].Log = log
		if a := s.assigned[log]; a != nil {
			partitions[i].Owner = a.worker
		}
	}
	told := map[string]bool{}
	for i, owner := range assign.Plan(partitions, workers, assign.Options{DeadBand: 0.2}) {
		log := w.logs[i]
		switch a := s.assigned[log]; {
		case a == nil && owner != "" && s.settlement.MayGive(log, w.now):
			s.version++
			s.assigned[log] = &assignment{worker: owner, version: s.version}
			told[owner] = true
			w.given(log, owner)
		case a != nil && a.worker != owner && a.revoking == 0:
			a.revoking = s.order + 1
			told[a.worker] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(told)) {
		to := s.members[name]
		s.order++
		out := word{membership.Answer{Epoch: s.epoch, Incarnation: to.incarnation, Order: s.order, Known: true}, s.of(name)}
		w.send(&m.node, &to.node, func() { to.onAck(out) })
	}
}
