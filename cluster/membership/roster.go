// Package membership decides who belongs to the cluster, and for how long a worker may trust that it does.
//
// Master and workers only ever know of each other what messages told some time ago. The Roster is the master's side: it counts a worker
// as dead when it has been silent for deadAfter. The Link is the worker's side: it gives everything up when its master may have done so.
// Both measure from the same message, the last one that was answered: the worker from when it sent it, the master from when it received
// it, which is later. So with the worker's limit below the master's, and clocks of about equal speed, a worker has stopped before its
// partitions are given away (I9), however long messages are under way. The Settlement is a new master's patience with the workers of the
// master before it.
//
// I9 is a matter of waste, not of safety; the commit log decides who may write. It has three gaps, on purpose:
//   - A process that was paused learns so at its first Tick, which gives everything up before anything else is done.
//   - A worker that can ask neither its master nor the lease's store goes on until OrphanedAfter. An outage of the store also ends the
//     lease, and if workers stopped for it, all would stop at once and lose what they have read.
//   - Of two processes with one name the younger takes over at once, and the older ends at its next message or by its own limit.
//
// The package reads no clock: time is an input, and must have a monotonic reading.
package membership

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// NewIncarnation names one life of a worker. Texts of one worker sort by when it was started; the nonce tells lives apart that began in
// the same instant.
func NewIncarnation(started time.Time, nonce uint64) string {
	return fmt.Sprintf("%016x-%016x", uint64(max(started.UnixNano(), 0)), nonce)
}

// Verdict is what a roster makes of a message.
type Verdict uint8

const (
	// Joined is a worker that was not a member: it is one now, and has nothing.
	Joined Verdict = iota
	// Replaced is a member with a younger incarnation than was known by its name: whatever the older one had is free.
	Replaced
	// Known is a message of a member, which is heard.
	Known
	// Unknown is a heartbeat of one who is not a member: it is to register first.
	Unknown
	// Refused is a message of an incarnation that has been replaced or has left: it is to end.
	Refused
	// Late is a message that was sent before another that is here already: it says nothing new, and is not answered.
	Late
)

var verdicts = [...]string{"joined", "replaced", "known", "unknown", "refused", "late"}

func (v Verdict) String() string { return verdicts[v] }

// rememberFor says for how many times deadAfter a name is remembered that is no member's any more: longer than a message can be
// under way, or a process that was replaced be paused in any likelihood, and short enough that names do not pile up.
const rememberFor = 100

// A Roster is a master's list of the workers that are alive.
//
// Owned by the master's actor; not safe for concurrent use.
type Roster struct {
	deadAfter time.Duration
	members   map[string]*life
	past      map[string]*life // the last life of names that are no members now
}

// life is one incarnation of a worker.
type life struct {
	incarnation string
	heard       time.Time // its last message, or its end
	number      int64     // of the newest message
	left        bool      // by its own word: nothing more will come of it
}

// NewRoster makes an empty roster.
func NewRoster(deadAfter time.Duration) *Roster {
	return &Roster{deadAfter: deadAfter, members: map[string]*life{}, past: map[string]*life{}}
}

// Register takes note of a worker that wants to be a member. number is the message's, counted by the worker through one incarnation; 0
// is a message without number, which is never late.
func (r *Roster) Register(worker, incarnation string, number int64, now time.Time) Verdict {
	before, member := r.members[worker], true
	if before == nil {
		before, member = r.past[worker], false
	}
	switch {
	case before == nil:
		r.members[worker] = &life{incarnation: incarnation, heard: now, number: number}
		return Joined
	case incarnation > before.incarnation:
		delete(r.past, worker)
		r.members[worker] = &life{incarnation: incarnation, heard: now, number: number}
		return Replaced
	case incarnation < before.incarnation || before.left:
		return Refused
	case late(before, number):
		return Late
	}
	before.heard, before.number = now, max(number, before.number)
	if member {
		return Known
	}
	delete(r.past, worker)
	r.members[worker] = before
	return Joined
}

// Heartbeat takes note that a member lives.
func (r *Roster) Heartbeat(worker, incarnation string, number int64, now time.Time) Verdict {
	l := r.members[worker]
	if l == nil || incarnation > l.incarnation {
		if p := r.past[worker]; p != nil && (incarnation < p.incarnation || incarnation == p.incarnation && p.left) {
			return Refused
		}
		return Unknown
	}
	switch {
	case incarnation < l.incarnation:
		return Refused
	case late(l, number):
		return Late
	}
	l.heard, l.number = now, max(number, l.number)
	return Known
}

// late says whether a life has sent a newer message that is here already. A duplicate is late too.
func late(l *life, number int64) bool { return number != 0 && number <= l.number }

// Leave takes a member off the list that has said that it ends, and reports whether it was on it. Its messages that are still under way
// do not bring it back.
func (r *Roster) Leave(worker, incarnation string, now time.Time) bool {
	l := r.members[worker]
	if l == nil || l.incarnation != incarnation {
		return false
	}
	l.left = true
	r.end(worker, now)
	return true
}

// Expire takes the members off the list that have been silent for deadAfter, and returns their names in order.
func (r *Roster) Expire(now time.Time) []string {
	var dead []string
	for name, l := range r.members {
		if now.Sub(l.heard) >= r.deadAfter {
			dead = append(dead, name)
		}
	}
	for _, name := range dead {
		r.end(name, now)
	}
	maps.DeleteFunc(r.past, func(_ string, l *life) bool { return now.Sub(l.heard) >= rememberFor*r.deadAfter })
	slices.Sort(dead)
	return dead
}

func (r *Roster) end(worker string, now time.Time) {
	l := r.members[worker]
	delete(r.members, worker)
	l.heard = now
	r.past[worker] = l
}

// Heard returns when a member was last heard of.
func (r *Roster) Heard(worker string) (time.Time, bool) {
	if l := r.members[worker]; l != nil {
		return l.heard, true
	}
	return time.Time{}, false
}

// Incarnation returns the incarnation of a member, or nothing.
func (r *Roster) Incarnation(worker string) string {
	if l := r.members[worker]; l != nil {
		return l.incarnation
	}
	return ""
}

// Len returns the number of members.
func (r *Roster) Len() int { return len(r.members) }

// All returns the members' names in order.
func (r *Roster) All() []string { return slices.Sorted(maps.Keys(r.members)) }
