package actors

import (
	"citystream/cluster/assign"
	"citystream/engine/commitlog"
	"citystream/engine/record"
	"citystream/messages"
)

// placement says which worker may own a log. It stays until the worker has released the log or is dead.
type placement struct {
	log      commitlog.Log
	worker   string // "" while nobody may
	version  int64
	revoking bool
	revoked  int64  // order of the word that revokes it
	zone     string // of the worker that had it last
	failed   string // why it was stopped by an error that does not pass; it is not given away again in this reign
	status   *messages.PartitionStatus
}

// placements are the logs that are to have owners, by name and by worker.
//
// Owned by the master's actor; not safe for concurrent use.
type placements struct {
	all      map[commitlog.Log]*placement
	byWorker map[string]map[*placement]bool
	version  int64
	moves    int64 // from one living worker to another
}

func newPlacements() *placements {
	return &placements{all: map[commitlog.Log]*placement{}, byWorker: map[string]map[*placement]bool{}}
}

// of returns the placement of a log, and makes it where there is none.
func (s *placements) of(log commitlog.Log) *placement {
	p := s.all[log]
	if p == nil {
		p = &placement{log: log}
		s.all[log] = p
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
	p.worker, p.zone, p.version, p.status = worker, zone, version, nil
	if s.byWorker[worker] == nil {
		s.byWorker[worker] = map[*placement]bool{}
	}
	s.byWorker[worker][p] = true
}

// take makes a log nobody's.
func (s *placements) take(p *placement) {
	if p.worker != "" {
		delete(s.byWorker[p.worker], p)
	}
	p.worker, p.revoking, p.revoked, p.status = "", false, 0, nil
}

// bury frees what a worker had.
func (s *placements) bury(worker string) {
	for p := range s.byWorker[worker] {
		s.take(p)
	}
	delete(s.byWorker, worker)
}

// adopt takes over what a worker brings along from the reign before. Of two that hold the same log, the one that wrote the newer slot
// is right; the other is named nothing in its answer, and finds its next slot taken.
func (s *placements) adopt(worker, zone string, owned []*messages.PartitionStatus) {
	for _, o := range owned {
		p := s.of(fromLog(o.Log))
		if p.worker == "" || p.worker != worker && p.status != nil && p.status.Slot < o.Slot {
			s.put(p, worker, zone, o.Version)
			p.status = o
		}
		s.version = max(s.version, o.Version)
	}
}

// plan brings the placements into line with what the workers can carry: what is free is given away, what is to move is revoked first, and
// given away when its worker has committed and released it. While a new master settles nothing moves, and only what mayGive lets pass is given
// away. It returns the workers whose placements have changed.
func (s *placements) plan(workers []assign.Worker, settling bool, mayGive func(commitlog.Log) bool, o assign.Options) map[string]bool {
	changed := map[string]bool{}
	placed := make([]*placement, 0, len(s.all))
	partitions := make([]assign.Partition, 0, len(s.all))
	for _, p := range s.all {
		if p.failed != "" || p.worker == "" && !mayGive(p.log) {
			continue
		}
		placed = append(placed, p)
		partitions = append(partitions, assign.Partition{
			Log: p.log, Owner: p.worker, Zone: p.zone, Rate: p.status.GetRate(), Lag: max(0, p.status.GetEnd()-p.status.GetPosition()),
		})
	}
	zones := map[string]string{}
	for _, w := range workers {
		zones[w.Name] = w.Zone
	}
	for i, owner := range assign.Plan(partitions, workers, o) {
		p := placed[i]
		switch {
		case owner == "" || owner == p.worker && !p.revoking:
		case p.worker == "":
			s.give(p, owner, zones[owner])
			changed[owner] = true
		case owner == p.worker: // it was to move, and need not any more: the worker has begun to drain it, and is given it again when it has
		case !settling && !p.revoking:
			p.revoking, p.revoked = true, 0
			s.moves++
			changed[p.worker] = true
		}
	}
	return changed
}

// answer says all that a worker is to own, as the master's word of that order.
func (s *placements) answer(worker string, order int64) []*messages.Assign {
	assigned := make([]*messages.Assign, 0, len(s.byWorker[worker]))
	for p := range s.byWorker[worker] {
		switch {
		case !p.revoking:
			assigned = append(assigned, &messages.Assign{Version: p.version, Log: toLog(p.log)})
		case p.revoked == 0:
			p.revoked = order
		}
	}
	return assigned
}

// heard takes note of how a worker's partitions stand that follows the master's words up to order. It reports whether something became free:
// a log that is being moved, and that the worker does not report although it knows of the move, was released before it ever ran.
func (s *placements) heard(worker string, order int64, statuses []*messages.PartitionStatus) (freed bool) {
	reported := make(map[commitlog.Log]bool, len(statuses))
	for _, st := range statuses {
		log := fromLog(st.Log)
		reported[log] = true
		if p := s.all[log]; p != nil && p.worker == worker && p.version == st.Version {
			p.status = st
		}
	}
	for p := range s.byWorker[worker] {
		if p.revoking && p.revoked > 0 && order >= p.revoked && !reported[p.log] {
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
		p.failed = r.Error
	}
	return p, true
}

// grow makes placements for the partitions of a topic.
func (s *placements) grow(table, topic string, partitions int) {
	for n := range partitions {
		s.of(commitlog.Log{Table: table, TopicPartition: record.TopicPartition{Topic: topic, Partition: record.Partition(n)}})
	}
}
