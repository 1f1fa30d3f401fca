package actors

import (
	"cmp"
	"slices"

	"citystream/cluster/assign"
	"citystream/engine/commitlog"
	"citystream/engine/record"
	"citystream/messages"
)

// placement says which worker may own a log. It stays until the worker has released the log or is dead.
type placement struct {
	log      commitlog.Log
	wire     *messages.Log // the same for messages, which share it: nobody changes it
	worker   string        // "" while nobody may
	version  int64
	revoking bool
	revoked  int64  // order of the word that revokes it
	to       string // who is to have it when it is released, as the last plan has it; "" if it is not to move
	zone     string // of the worker that had it last
	failed   string // why it was stopped by an error that does not pass; it is given away again when the worker that said so has left
	failedBy string // that worker
	status   *messages.PartitionStatus
	rate     float64 // and lag: the last that are known, whoever had it then
	lag      int64
	reported int64 // number of the last report that named it
}

// stands takes note of how a log stands at its worker.
func (p *placement) stands(st *messages.PartitionStatus) {
	p.status = st
	if st.Owned && st.Retrying == "" { // one that waits for a device reads less than it has to
		p.rate, p.lag = st.Rate, max(0, st.End-st.Position)
	}
}

// placements are the logs that are to have owners, by name and by worker.
//
// Owned by the master's actor; not safe for concurrent use.
type placements struct {
	all      map[commitlog.Log]*placement
	list     []*placement // all of them: a walk is many times as fast as one through the map
	byWorker map[string]map[*placement]bool
	answers  map[string][]*messages.Assign // what a worker is to own, until that changes
	version  int64
	moves    int64 // from one living worker to another
	reports  int64

	placed     []*placement // of the last plan, for their memory
	partitions []assign.Partition
}

func newPlacements() *placements {
	return &placements{
		all: map[commitlog.Log]*placement{}, byWorker: map[string]map[*placement]bool{}, answers: map[string][]*messages.Assign{},
	}
}

// of returns the placement of a log, and makes it where there is none.
func (s *placements) of(log commitlog.Log) *placement {
	p := s.all[log]
	if p == nil {
		p = &placement{log: log, wire: toLog(log)}
		s.all[log] = p
		s.list = append(s.list, p)
	}
	return p
}

// give places a log with a worker, under a version of its own.
func (s *placements) give(p *placement, worker, zone string) {
	s.version++
	s.put(p, worker, zone, s.version)
}

// put places a log with a worker under a version that the worker has it by.
func (s *placements) put(p *placement, worker, zone string, version int64) {
	s.take(p)
	s.version = max(s.version, version)
	p.worker, p.zone, p.version, p.status, p.to = worker, zone, version, nil, ""
	if s.byWorker[worker] == nil {
		s.byWorker[worker] = map[*placement]bool{}
	}
	s.byWorker[worker][p] = true
	delete(s.answers, worker)
}

// take makes a log nobody's. Who was to have it next still is.
func (s *placements) take(p *placement) {
	if p.worker != "" {
		delete(s.byWorker[p.worker], p)
		delete(s.answers, p.worker)
	}
	p.worker, p.revoking, p.revoked, p.status = "", false, 0, nil
}

// hasFailed says whether a worker has stopped a partition with an error.
func (s *placements) hasFailed(worker string) bool {
	return slices.ContainsFunc(s.list, func(p *placement) bool { return p.failedBy == worker })
}

// bury frees what a worker had, and what it could not go on with: somebody may have mended the cause, and started it again.
func (s *placements) bury(worker string) {
	for _, p := range s.list {
		if p.failedBy == worker {
			p.failed, p.failedBy = "", ""
		}
	}
	for p := range s.byWorker[worker] {
		s.take(p)
	}
	delete(s.byWorker, worker)
	delete(s.answers, worker)
}

// adopt takes over what a worker brings along from the reign before. Of two that hold the same log, the one that wrote the newer slot
// is right; the other is named nothing in its answer, and finds its next slot taken.
func (s *placements) adopt(worker, zone string, owned []*messages.PartitionStatus) {
	for _, o := range owned {
		p := s.of(fromLog(o.Log))
		if p.worker == "" || p.worker != worker && p.status != nil && p.status.Slot < o.Slot {
			s.put(p, worker, zone, o.Version)
			p.stands(o)
		}
		s.version = max(s.version, o.Version)
	}
}

// plan brings the placements into line with what the workers can carry: what is free is given away, what is to move is revoked first, and
// given away when its worker has committed and released it. Until then it counts as its next worker's, or the plans in between would choose anew
// what to move there. While a new master settles nothing moves, and only what mayGive lets pass is given away. It returns the workers whose
// placements have changed.
func (s *placements) plan(workers []assign.Worker, settling bool, mayGive func(commitlog.Log) bool, o assign.Options) map[string]bool {
	changed := map[string]bool{}
	s.placed, s.partitions = s.placed[:0], s.partitions[:0]
	for _, p := range s.list {
		if p.failed != "" || p.worker == "" && !mayGive(p.log) {
			continue
		}
		s.placed = append(s.placed, p)
		s.partitions = append(s.partitions, assign.Partition{
			Log: p.log, Owner: cmp.Or(p.to, p.worker), Zone: p.zone, Rate: p.rate, Lag: p.lag,
		})
	}
	zones := map[string]string{}
	for _, w := range workers {
		zones[w.Name] = w.Zone
	}
	for i, owner := range assign.Plan(s.partitions, workers, o) {
		p := s.placed[i]
		switch {
		case owner == "" || owner == p.worker && !p.revoking:
		case p.worker == "":
			s.give(p, owner, zones[owner])
			changed[owner] = true
		case p.revoking: // to its own worker, too: that has begun to drain it, and is given it again when it has
			p.to = owner
		case !settling:
			p.revoking, p.revoked, p.to = true, 0, owner
			delete(s.answers, p.worker)
			s.moves++
			changed[p.worker] = true
		}
	}
	return changed
}

// answer says all that a worker is to own, as the master's word of that order. Messages share what it returns: nobody changes it.
func (s *placements) answer(worker string, order int64) []*messages.Assign {
	if assigned, ok := s.answers[worker]; ok {
		return assigned
	}
	assigned := make([]*messages.Assign, 0, len(s.byWorker[worker]))
	for p := range s.byWorker[worker] {
		switch {
		case !p.revoking:
			assigned = append(assigned, &messages.Assign{Version: p.version, Log: p.wire})
		case p.revoked == 0:
			p.revoked = order
		}
	}
	s.answers[worker] = assigned
	return assigned
}

// heard takes note of how a worker's partitions stand that follows the master's words up to order. It reports whether something became free:
// a log that is being moved, and that the worker does not report although it knows of the move, was released before it ever ran.
func (s *placements) heard(worker string, order int64, statuses []*messages.PartitionStatus) (freed bool) {
	s.reports++
	for _, st := range statuses {
		if p := s.all[fromLog(st.Log)]; p != nil && p.worker == worker {
			p.reported = s.reports
			if p.version == st.Version {
				p.stands(st)
			}
		}
	}
	for p := range s.byWorker[worker] {
		if p.revoking && p.revoked > 0 && order >= p.revoked && p.reported != s.reports {
			s.take(p)
			freed = true
		}
	}
	return freed
}

// released frees a log that its worker has given back; it reports whether that is news.
func (s *placements) released(r *messages.Released) (p *placement, news bool) {
	p = s.all[fromLog(r.Log)]
	if p == nil || p.worker != r.Worker || p.version != r.Version {
		return nil, false
	}
	s.take(p)
	if r.Cause == messages.Released_FAILED {
		p.failed, p.failedBy = r.Error, r.Worker
	}
	return p, true
}

// grow makes placements for the partitions of a topic.
func (s *placements) grow(table, topic string, partitions int) {
	for n := range partitions {
		s.of(commitlog.Log{Table: table, TopicPartition: record.TopicPartition{Topic: topic, Partition: record.Partition(n)}})
	}
}
