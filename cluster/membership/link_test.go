package membership_test

import (
	"testing"
	"time"

	"citystream/cluster/membership"
)

// A tied link is one that is a member with epoch 5 since second 0, and has asked at each second since, without an answer.
func tied(t *testing.T) *membership.Link {
	t.Helper()
	l := membership.NewLink("me", membership.LinkLimits{Heartbeat: heartbeat, StopAfter: stopAfter, OrphanedAfter: orphaned, LookAfter: lookAfter}, at(-1))
	if do := l.Tick(at(-1)); do != (membership.Do{Look: true}) {
		t.Fatalf("at first: %+v", do)
	}
	l.Leader(true, 5, true, at(-0.5))
	if do := l.Tick(at(0)); do != (membership.Do{Register: true, Number: 1}) {
		t.Fatalf("with a leader: %+v", do)
	}
	if !l.Registered(membership.Answer{Epoch: 5, Incarnation: "me", Number: 1, Order: 1}, at(0.1)) || !l.Member() {
		t.Fatal("the answer is not accepted")
	}
	return l
}

// until ticks every tenth of a second, from after one second to another, and returns when everything is given up, or 0. Looks end
// at once, as given.
func until(l *membership.Link, from, to float64, look func(l *membership.Link, now time.Time)) float64 {
	for s := from + 0.1; s <= to+0.01; s += 0.1 {
		do := l.Tick(at(s))
		if do.Abandon {
			return s
		}
		if do.Look && look != nil {
			look(l, at(s))
		}
	}
	return 0
}

func lives(l *membership.Link, now time.Time)   { l.Leader(true, 5, false, now) }
func nobody(l *membership.Link, now time.Time)  { l.Leader(false, 0, false, now) }
func another(l *membership.Link, now time.Time) { l.Leader(true, 6, true, now) }
func beginner(l *membership.Link, now time.Time) {
	l.Leader(true, 0, l.Silence(now) < 2*time.Second, now) // changed only once
}

func TestHowLongAWorkerGoesOnWithoutAnAnswer(t *testing.T) {
	for _, c := range []struct {
		name string
		look func(*membership.Link, time.Time)
		want float64
	}{
		{"its leader lives", lives, 4},
		{"no look has ended", nil, 4},
		{"nobody leads, or the store cannot be asked", nobody, 12},
		{"another leads, who has not answered", another, 12},
		{"another holds the lease, who has not begun", beginner, 12},
		{"nobody leads for a moment, then the same leader is seen", func(l *membership.Link, now time.Time) {
			l.Leader(l.Silence(now) >= 6*time.Second, 5, false, now)
		}, 6.5},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := tied(t)
			got := until(l, 0, 20, c.look)
			if got < c.want-0.05 || got > c.want+0.15 && c.want != 6.5 || got > 7.5 && c.want == 6.5 {
				t.Errorf("it gives up after %.1f s, want %v", got, c.want)
			}
			if l.Member() {
				t.Error("it still takes itself for a member")
			}
			if do := l.Tick(at(30)); do.Abandon || !do.Register {
				t.Errorf("after that: %+v", do)
			}
		})
	}
}

func TestPatienceBeginsWhenTheAnsweredMessageWasSent(t *testing.T) {
	l := tied(t)
	do := l.Tick(at(1))
	if !do.Beat || do.Number != 2 {
		t.Fatalf("%+v", do)
	}
	if !l.Acked(membership.Answer{Epoch: 5, Incarnation: "me", Number: 2, Known: true}, at(3)) {
		t.Fatal("the answer is not accepted")
	}
	if got := until(l, 3, 20, lives); got < 4.95 || got > 5.15 {
		t.Errorf("it gives up at %.1f s, want 5", got)
	}
}

func TestWordsThatAreNotAcceptedChangeNothing(t *testing.T) {
	good := membership.Answer{Epoch: 5, Incarnation: "me", Number: 2, Known: true, Order: 2}
	change := func(f func(*membership.Answer)) membership.Answer {
		a := good
		f(&a)
		return a
	}
	for _, c := range []struct {
		name   string
		at     float64
		answer membership.Answer
		want   bool
		until  float64 // when it gives up after it
	}{
		{"a good one", 2, good, true, 5},
		{"unasked: it counts, and patience stays", 2, change(func(a *membership.Answer) { a.Number = 0 }), true, 4},
		{"of an older master", 2, change(func(a *membership.Answer) { a.Epoch = 4 }), false, 4},
		{"of a newer epoch", 2, change(func(a *membership.Answer) { a.Epoch, a.Order = 6, 1 }), true, 5},
		{"for another life", 2, change(func(a *membership.Answer) { a.Incarnation = "other"; a.Refused = true }), false, 4},
		{"to a message that was never sent", 2, change(func(a *membership.Answer) { a.Number = 9 }), false, 4},
		{"to one before the last answered", 2, change(func(a *membership.Answer) { a.Number = 0; a.Order = 1 }), false, 4},
		{"that comes when patience is over", 5.05, good, false, 0},
		{"unasked, when patience is over", 4.05, change(func(a *membership.Answer) { a.Number = 0 }), false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := tied(t)
			l.Tick(at(1))
			if got := l.Acked(c.answer, at(c.at)); got != c.want {
				t.Errorf("accepted: %v", got)
			}
			if c.until == 0 {
				if do := l.Tick(at(c.at)); !do.Abandon {
					t.Errorf("%+v", do)
				}
			} else if got := until(l, c.at, 20, lives); got < c.until-0.05 || got > c.until+0.15 {
				t.Errorf("it gives up at %.1f s, want %v", got, c.until)
			}
		})
	}
}

func TestAnAnswerThatWasOvertakenIsNotAccepted(t *testing.T) {
	l := tied(t)
	l.Tick(at(1))
	l.Tick(at(2))
	if !l.Acked(membership.Answer{Epoch: 5, Incarnation: "me", Number: 3, Known: true}, at(2.1)) {
		t.Fatal("the newer answer is not accepted")
	}
	if l.Acked(membership.Answer{Epoch: 5, Incarnation: "me", Number: 2, Known: true}, at(2.2)) {
		t.Fatal("the older answer is accepted after it")
	}
}

func TestWhoIsNotKnownRegistersAtOnceAndKeepsWhatItHas(t *testing.T) {
	l := tied(t)
	l.Tick(at(1))
	l.Acked(membership.Answer{Epoch: 6, Incarnation: "me", Number: 2}, at(1.1))
	if do := l.Tick(at(1.2)); !do.Register || do.Abandon {
		t.Fatalf("%+v", do)
	}
	if l.Acked(membership.Answer{Epoch: 6, Incarnation: "me", Known: true}, at(1.3)) {
		t.Fatal("a word before the registration is accepted")
	}
	if got := until(l, 1.3, 20, lives); got < 3.95 || got > 4.15 {
		t.Fatalf("it gives up at %.1f s: to be unknown is no answer that counts", got)
	}
}

func TestAnswersOfTheLeaderBeforeAreNotAcceptedAfterAChange(t *testing.T) {
	for _, epoch := range []int64{0, 6} {
		l := tied(t)
		l.Tick(at(1))
		l.Leader(true, epoch, true, at(1.1))
		do := l.Tick(at(1.2))
		if !do.Register || do.Number != 3 {
			t.Fatalf("%+v", do)
		}
		if l.Registered(membership.Answer{Epoch: 5, Incarnation: "me", Number: 2}, at(1.3)) || l.Acked(membership.Answer{Epoch: 5, Incarnation: "me", Known: true}, at(1.3)) {
			t.Fatal("the leader before is obeyed")
		}
		if !l.Registered(membership.Answer{Epoch: 6, Incarnation: "me", Number: 3}, at(1.4)) || l.Epoch() != 6 {
			t.Fatal("the new leader is not obeyed")
		}
	}
}

func TestALookThatTellsOfALeaderWhoHasAnsweredAlready(t *testing.T) {
	l := tied(t)
	l.Leader(true, 5, true, at(0.5))
	if !l.Member() {
		t.Fatal("it is no member any more")
	}
	if got := until(l, 0.5, 20, lives); got < 3.95 || got > 4.15 {
		t.Fatalf("it gives up at %.1f s", got)
	}
}

func TestWhoIsRefusedGivesUpAndIsSilent(t *testing.T) {
	for _, registered := range []bool{false, true} {
		l := tied(t)
		l.Tick(at(1))
		a := membership.Answer{Epoch: 5, Incarnation: "me", Number: 2, Refused: true}
		if registered && l.Registered(a, at(1.1)) || !registered && l.Acked(a, at(1.1)) || !l.Refused() {
			t.Fatal("it is not refused")
		}
		if do := l.Tick(at(1.2)); do != (membership.Do{Abandon: true}) {
			t.Fatalf("%+v", do)
		}
		if do := l.Tick(at(9)); do != (membership.Do{}) {
			t.Fatalf("then: %+v", do)
		}
	}
}

func TestAPausedWorkerGivesUpBeforeAllElse(t *testing.T) {
	l := tied(t)
	if do := l.Tick(at(60)); !do.Abandon || do.Beat {
		t.Fatalf("%+v", do)
	}
}

func TestOldNumbersAreForgotten(t *testing.T) {
	l := membership.NewLink("me", membership.LinkLimits{Heartbeat: time.Millisecond, StopAfter: stopAfter, OrphanedAfter: orphaned, LookAfter: lookAfter}, at(0))
	l.Leader(true, 1, true, at(0))
	for i := range 100 {
		l.Tick(at(float64(i) / 100))
	}
	if l.Registered(membership.Answer{Epoch: 1, Incarnation: "me", Number: 36}, at(1)) {
		t.Fatal("a number that is not remembered is accepted")
	}
	if !l.Registered(membership.Answer{Epoch: 1, Incarnation: "me", Number: 37}, at(1)) {
		t.Fatal("the oldest number is not remembered")
	}
}

func TestALateAnswerDoesNotEndThePatienceWithoutALeader(t *testing.T) {
	for _, registered := range []bool{false, true} {
		l := tied(t)
		l.Tick(at(1))
		until(l, 1, 5.5, nobody)
		a := membership.Answer{Epoch: 5, Incarnation: "me", Number: 2, Known: true}
		if registered && l.Registered(a, at(5.55)) || !registered && l.Acked(a, at(5.55)) {
			t.Error("it is accepted")
		}
		if do := l.Tick(at(5.6)); do.Abandon {
			t.Error("it ends the patience")
		}
	}
}

func TestHowOftenTheLeaseIsLookedAt(t *testing.T) {
	for _, c := range []struct {
		name        string
		look        func(*membership.Link, time.Time)
		until       float64
		least, most int
	}{
		{"closely while the leader seems to live", lives, 4, 8, 11},
		{"with each heartbeat while nobody leads", nobody, 11, 9, 10},
		{"with each heartbeat while another has not answered", another, 11, 9, 10},
		{"not again before a look has ended", nil, 3.9, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			looks := 0
			l := tied(t)
			until(l, 0, 1.45, func(*membership.Link, time.Time) { t.Error("it looks too early") })
			until(l, 1.4, c.until, func(l *membership.Link, now time.Time) {
				looks++
				if c.look != nil {
					c.look(l, now)
				}
			})
			if looks < c.least || looks > c.most {
				t.Errorf("%d looks", looks)
			}
		})
	}
}
