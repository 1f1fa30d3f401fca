package membership

import (
	"time"

	"citystream/engine/commitlog"
)

// A Settlement says what a new master may give away. Workers of the master before it may still have partitions and go on with them for
// OrphanedAfter without any master, so it waits that long with every log of which it does not know that it is free.
//
// Owned by the master's actor; not safe for concurrent use.
type Settlement struct {
	until     time.Time
	confirmed map[string]bool // workers that have followed a word of this master
	holders   map[commitlog.Log]map[string]bool
	free      map[commitlog.Log]bool
}

// NewSettlement begins the wait of a master. A fresh one has none before it, or one whose workers had all ended, and waits for nobody.
func NewSettlement(begin time.Time, wait time.Duration, fresh bool) *Settlement {
	if fresh {
		wait = 0
	}
	return &Settlement{
		until: begin.Add(wait), confirmed: map[string]bool{},
		holders: map[commitlog.Log]map[string]bool{}, free: map[commitlog.Log]bool{},
	}
}

// Adopt takes note that a member says to have a log that this master has not given to it. Two may say so of one log, when one of them
// has not heard yet that it lost it: then both must have ended before it is free.
func (s *Settlement) Adopt(worker string, log commitlog.Log) {
	if s.holders[log] == nil {
		s.holders[log] = map[string]bool{}
	}
	s.holders[log][worker] = true
}

// Confirm takes note of a heartbeat that carries this master's epoch: from then on the worker counts this master's silence, and stops
// before its own is taken for death. One that has only registered may not have had the answer, and go on as an orphan.
func (s *Settlement) Confirm(worker string) { s.confirmed[worker] = true }

// Released takes note that a member has ended a log, and has not begun it again. That of a log which it was not known to have says nothing: the master before may
// have given it to another since.
func (s *Settlement) Released(worker string, log commitlog.Log) {
	if s.holders[log][worker] {
		delete(s.holders[log], worker)
		s.free[log] = true
	}
}

// Died takes note of a member that is silent for too long, was replaced or has left: what it had is free if it is known to have stopped.
// stopped says so of one that has left, or whose place a younger incarnation has taken.
func (s *Settlement) Died(worker string, stopped bool) {
	for log, holders := range s.holders {
		if holders[worker] && (stopped || s.confirmed[worker]) {
			delete(holders, worker)
			s.free[log] = true
		}
	}
	delete(s.confirmed, worker)
}

// Over says whether the wait has ended.
func (s *Settlement) Over(now time.Time) bool { return !now.Before(s.until) }

// Left returns how long the wait still lasts.
func (s *Settlement) Left(now time.Time) time.Duration { return max(0, s.until.Sub(now)) }

// MayGive says whether nobody can still have a log from before this master's time. What it has given itself is not known here.
func (s *Settlement) MayGive(log commitlog.Log, now time.Time) bool {
	return s.Over(now) || s.free[log] && len(s.holders[log]) == 0
}
