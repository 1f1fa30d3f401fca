package membership

import "time"

// LinkLimits are the limits of a worker's patience.
type LinkLimits struct {
	Heartbeat     time.Duration // between two messages to the master
	StopAfter     time.Duration // silence of a living master after which everything is given up; less than the roster's deadAfter
	OrphanedAfter time.Duration // silence after which everything is given up in any case
	LookAfter     time.Duration // silence after which the lease is looked at; a look is to end, with or without success, before StopAfter
}

// Do says what a worker is to do now. Abandon comes before all else.
type Do struct {
	Abandon  bool  // stop all partitions at once, without committing
	Register bool  // send Register, with Number
	Beat     bool  // send Heartbeat, with Number
	Number   int64 // of the message, which the answer repeats
	Look     bool  // ask the lease who leads; Leader is told the outcome, whatever it is
}

// Answer is what a master's message says besides its content.
type Answer struct {
	Epoch       int64  // of the master
	Incarnation string // that is meant
	Number      int64  // of the message that is answered; 0 where it is sent unasked
	Order       int64  // counts the messages of one epoch to this worker, from 1; 0 = the network keeps the order
	Known       bool   // the worker is a member
	Refused     bool   // it is to end: a younger one has its name, or it has left
}

// unanswered is how many messages without an answer are remembered. Older ones have no use: an answer to them would come too late.
const unanswered = 64

// A Link is a worker's tie to its master.
//
// Owned by the worker's actor; not safe for concurrent use.
type Link struct {
	incarnation string
	limits      LinkLimits

	number   int64 // of the last message
	sentAt   time.Time
	sent     [unanswered]time.Time // by number, the last ones
	heard    time.Time             // when the newest message was sent that has been answered
	answered int64                 // its number

	epoch int64 // of the master that was accepted last
	least int64 // epochs below it are of masters that have been replaced
	since int64 // answers to messages up to this number are of the leader before
	order int64 // of the newest message in this epoch

	registered bool
	holding    bool // may have partitions: has been a member since it last gave everything up
	refused    bool

	target  bool // somebody is known to send to
	strange bool // who leads has not answered yet: it has not begun to count this worker's silence
	looking bool
	looked  time.Time
	outlook outlook
}

// outlook is what the last look at the lease has said, since the master was last heard of.
type outlook uint8

const (
	unseen outlook = iota
	led
	leaderless
)

// NewLink makes the link of a worker that knows of no master yet.
func NewLink(incarnation string, l LinkLimits, now time.Time) *Link {
	return &Link{incarnation: incarnation, limits: l, heard: now}
}

// Tick says what is to be done now.
func (l *Link) Tick(now time.Time) Do {
	var do Do
	if l.holding && (l.refused || l.over(now)) {
		do.Abandon = true
		l.holding, l.registered = false, false
	}
	if l.refused {
		return do
	}
	if l.target && (l.number == 0 || now.Sub(l.sentAt) >= l.limits.Heartbeat) {
		l.number++
		l.sentAt, l.sent[l.number%unanswered] = now, now
		do.Number, do.Register, do.Beat = l.number, !l.registered, l.registered
	}
	if l.shouldLook(now) {
		l.looking, do.Look = true, true
	}
	return do
}

// over says whether the master may have given away what this worker has.
//
// A master that leads does so some time after StopAfter. One that no longer leads gives nothing away, and who follows it waits for
// OrphanedAfter from a beginning that is later than the last answer of the one before. Without a look that says how it is, a leader must
// be taken for alive.
func (l *Link) over(now time.Time) bool {
	silence := now.Sub(l.heard)
	return silence >= l.limits.OrphanedAfter || silence >= l.limits.StopAfter && !l.strange && l.outlook != leaderless
}

// shouldLook says whether it is time for a look. Where a leader seems to live, it may have died a moment ago, with its lease still running:
// then looks follow each other closely, so that the end of the lease is seen before patience ends.
func (l *Link) shouldLook(now time.Time) bool {
	again := l.limits.Heartbeat
	if l.outlook == led && !l.strange {
		again /= 4
	}
	if l.looking || !l.looked.IsZero() && now.Sub(l.looked) < again {
		return false
	}
	return !l.target || now.Sub(l.heard) >= l.limits.LookAfter
}

// Leader takes the outcome of a look at the lease. found is false when nobody holds it or it could not be looked at. changed says that
// the holder is not the one that was found before: the worker's messages go to it from now on. epoch is 0 while it has not begun.
func (l *Link) Leader(found bool, epoch int64, changed bool, now time.Time) {
	l.looking, l.looked = false, now
	if !found {
		l.outlook = leaderless
		return
	}
	l.outlook = led
	l.target = true
	if epoch > 0 && epoch == l.epoch {
		l.strange = false // it has answered, perhaps before this look told of it
		return
	}
	if changed {
		l.strange, l.registered = true, false
		l.least, l.since = max(l.least, epoch), l.number
		l.sentAt = now.Add(-l.limits.Heartbeat) // it is told at the next Tick
	}
}

// Registered takes the answer to a Register, and reports whether it is accepted: the worker is a member then, and its patience begins
// anew when that Register was sent.
func (l *Link) Registered(a Answer, now time.Time) (accepted bool) {
	if !l.current(a) || l.refuse(a) {
		return false
	}
	if a.Number == 0 || !l.answeredInTime(a.Number, now) {
		return false
	}
	l.accept(a)
	l.registered, l.holding = true, true
	return true
}

// Acked takes the answer to a heartbeat, or what a master says unasked, and reports whether its content counts. Only an answer proves
// that the master has heard this worker: a word unasked leaves its patience as it is.
func (l *Link) Acked(a Answer, now time.Time) (accepted bool) {
	if !l.current(a) || l.refuse(a) || !l.registered {
		return false
	}
	if !a.Known {
		l.registered = false
		l.sentAt = now.Add(-l.limits.Heartbeat) // it registers at the next Tick
		return false
	}
	if a.Number != 0 && !l.answeredInTime(a.Number, now) || now.Sub(l.heard) >= l.limits.StopAfter {
		return false // its master may have given up meanwhile what it says
	}
	l.accept(a)
	return true
}

// current says whether a message is meant for this life, and is not older than what has been heard.
func (l *Link) current(a Answer) bool {
	switch {
	case l.refused || a.Incarnation != l.incarnation || a.Epoch < max(l.epoch, l.least):
		return false
	case a.Number != 0 && (a.Number <= l.since || a.Number < l.answered || a.Number > l.number):
		return false
	case a.Epoch == l.epoch && a.Order != 0 && a.Order <= l.order:
		return false
	}
	return true
}

func (l *Link) refuse(a Answer) bool {
	l.refused = l.refused || a.Refused
	return l.refused
}

// answeredInTime moves the beginning of the silence to when a message was sent, unless that is too long ago to be of use.
func (l *Link) answeredInTime(number int64, now time.Time) bool {
	if l.number-number >= unanswered {
		return false
	}
	at := l.sent[number%unanswered]
	if now.Sub(at) >= l.limits.StopAfter {
		return false
	}
	l.heard, l.answered, l.outlook = at, number, unseen
	return true
}

func (l *Link) accept(a Answer) {
	if a.Epoch > l.epoch {
		l.order = 0
	}
	l.epoch, l.order = a.Epoch, max(l.order, a.Order)
	l.strange = false
}

// Epoch returns the epoch of the master that was accepted last, and Order the newest message of it: with a heartbeat they tell a master
// which of its words this worker has followed.
func (l *Link) Epoch() int64 { return l.epoch }

// Order returns the Order of the newest message that was accepted in this epoch.
func (l *Link) Order() int64 { return l.order }

// Member says whether the worker is a member as far as it knows.
func (l *Link) Member() bool { return l.registered }

// Refused says that this incarnation is to end.
func (l *Link) Refused() bool { return l.refused }

// Silence returns how long ago the last message was sent that has been answered.
func (l *Link) Silence(now time.Time) time.Duration { return now.Sub(l.heard) }
