package membership_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"citystream/cluster/membership"
)

var begin = time.Unix(1e9, 0)

func at(seconds float64) time.Time {
	return begin.Add(time.Duration(seconds * float64(time.Second)))
}

func TestIncarnationsSortByTheirStart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Int64Range(0, 1<<62).Draw(t, "a"), rapid.Int64Range(0, 1<<62).Draw(t, "b")
		one := membership.NewIncarnation(time.Unix(0, a), rapid.Uint64().Draw(t, "nonce"))
		two := membership.NewIncarnation(time.Unix(0, b), rapid.Uint64().Draw(t, "nonce"))
		if a < b && one >= two || a > b && one <= two {
			t.Fatal(one, two)
		}
	})
	if now := time.Unix(5, 0); membership.NewIncarnation(now, 1) == membership.NewIncarnation(now, 2) {
		t.Fatal("two lives of one instant have the same name")
	}
}

func TestWhatARosterMakesOfMessages(t *testing.T) {
	type message struct {
		kind        string // register, heartbeat, leave, expire
		at          float64
		incarnation string
		number      int64
		want        membership.Verdict
	}
	for _, c := range []struct {
		name     string
		messages []message
		members  int
	}{
		{"a new worker registers and beats", []message{{"register", 0, "b", 1, membership.Joined}, {"heartbeat", 1, "b", 2, membership.Known}}, 1},
		{"one that has not registered is told to", []message{{"heartbeat", 0, "b", 1, membership.Unknown}}, 0},
		{"registering again is no news", []message{{"register", 0, "b", 1, membership.Joined}, {"register", 1, "b", 2, membership.Known}}, 1},
		{"a younger life takes the name over", []message{
			{"register", 0, "b", 7, membership.Joined},
			{"register", 1, "c", 1, membership.Replaced},
			{"heartbeat", 2, "b", 8, membership.Refused},
			{"register", 3, "b", 9, membership.Refused},
			{"heartbeat", 4, "c", 2, membership.Known},
		}, 1},
		{"a younger life's heartbeat takes nothing over", []message{
			{"register", 0, "b", 1, membership.Joined}, {"heartbeat", 1, "c", 1, membership.Unknown}, {"heartbeat", 2, "b", 2, membership.Known},
		}, 1},
		{"a message that was overtaken, or comes twice, says nothing", []message{
			{"register", 0, "b", 1, membership.Joined},
			{"heartbeat", 1, "b", 4, membership.Known},
			{"heartbeat", 2, "b", 3, membership.Late},
			{"heartbeat", 3, "b", 4, membership.Late},
			{"register", 3, "b", 1, membership.Late},
			{"heartbeat", 4, "b", 5, membership.Known},
		}, 1},
		{"messages without numbers are never late", []message{
			{"register", 0, "b", 0, membership.Joined}, {"heartbeat", 1, "b", 0, membership.Known}, {"heartbeat", 2, "b", 0, membership.Known},
		}, 1},
		{"a dead one comes back by registering, with a message sent since", []message{
			{"register", 0, "b", 5, membership.Joined},
			{"expire", 6, "", 0, 0},
			{"heartbeat", 7, "b", 6, membership.Unknown},
			{"register", 8, "b", 4, membership.Late},
			{"register", 8, "b", 7, membership.Joined},
		}, 1},
		{"the life before one that is dead stays refused", []message{
			{"register", 0, "b", 1, membership.Joined},
			{"expire", 6, "", 0, 0},
			{"register", 7, "a", 9, membership.Refused},
			{"heartbeat", 7, "a", 10, membership.Refused},
			{"register", 8, "c", 1, membership.Replaced},
		}, 1},
		{"one that has left does not come back by a message still under way", []message{
			{"register", 0, "b", 1, membership.Joined},
			{"leave", 1, "b", 0, 0},
			{"register", 2, "b", 9, membership.Refused},
			{"heartbeat", 2, "b", 9, membership.Refused},
		}, 0},
		{"an older life cannot leave for a younger", []message{
			{"register", 0, "b", 1, membership.Joined}, {"leave", 1, "a", 0, 0}, {"heartbeat", 2, "b", 2, membership.Known},
		}, 1},
		{"names are forgotten in the end", []message{
			{"register", 0, "b", 1, membership.Joined}, {"leave", 1, "b", 0, 0}, {"expire", 700, "", 0, 0}, {"register", 701, "a", 1, membership.Joined},
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := membership.NewRoster(deadAfter)
			for i, m := range c.messages {
				got := m.want
				switch m.kind {
				case "register":
					got = r.Register("w", m.incarnation, m.number, at(m.at))
				case "heartbeat":
					got = r.Heartbeat("w", m.incarnation, m.number, at(m.at))
				case "leave":
					r.Leave("w", m.incarnation, at(m.at))
				case "expire":
					r.Expire(at(m.at))
				}
				if got != m.want {
					t.Errorf("message %d, %+v: %v", i+1, m, got)
				}
			}
			if r.Len() != c.members {
				t.Errorf("%d members", r.Len())
			}
		})
	}
}

func TestWhoIsSilentForLongEnoughIsDead(t *testing.T) {
	r := membership.NewRoster(deadAfter)
	r.Register("b", "1", 1, at(0))
	r.Register("a", "1", 1, at(0))
	r.Register("c", "1", 1, at(0))
	r.Heartbeat("c", "1", 2, at(3))
	if dead := r.Expire(at(5.999)); len(dead) > 0 {
		t.Fatal(dead)
	}
	if dead := r.Expire(at(6)); !slices.Equal(dead, []string{"a", "b"}) {
		t.Fatal(dead)
	}
	if heard, ok := r.Heard("c"); !ok || !heard.Equal(at(3)) || !slices.Equal(r.All(), []string{"c"}) || r.Incarnation("c") != "1" {
		t.Fatal(heard, ok, r.All())
	}
	if _, ok := r.Heard("a"); ok || r.Incarnation("a") != "" {
		t.Fatal("a dead worker is still heard of")
	}
}

func TestMessagesOfOlderLivesChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		with, without := membership.NewRoster(deadAfter), membership.NewRoster(deadAfter)
		youngest := map[string]string{}
		now := at(0)
		for number := int64(1); number < 60; number++ {
			now = now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond)
			worker := rapid.SampledFrom([]string{"v", "w"}).Draw(t, "worker")
			life := rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "life")
			beat := rapid.Bool().Draw(t, "beat")
			say := func(r *membership.Roster) membership.Verdict {
				if beat {
					return r.Heartbeat(worker, life, number, now)
				}
				return r.Register(worker, life, number, now)
			}
			got := say(with)
			if life < youngest[worker] {
				if got != membership.Refused {
					t.Fatalf("life %s of %s after %s is %v", life, worker, youngest[worker], got)
				}
			} else {
				if !beat {
					youngest[worker] = life
				}
				if want := say(without); got != want {
					t.Fatalf("%v, and without the messages of older lives %v", got, want)
				}
			}
			if a, b := with.Expire(now), without.Expire(now); !slices.Equal(a, b) || !slices.Equal(with.All(), without.All()) {
				t.Fatalf("%v are dead, and without the messages of older lives %v", a, b)
			}
		}
	})
}

func TestWhatANewMasterMayGiveAway(t *testing.T) {
	w := newWorld(1, 0, 0, 2)
	log, other := w.logs[0], w.logs[1]
	for _, c := range []struct {
		name string
		do   func(s *membership.Settlement)
		want bool
	}{
		{"nothing is known of it", func(*membership.Settlement) {}, false},
		{"it is released by the member that had it", func(s *membership.Settlement) { s.Adopt("w", log); s.Released("w", log) }, true},
		{"another log is released", func(s *membership.Settlement) { s.Adopt("w", log); s.Adopt("w", other); s.Released("w", other) }, false},
		{"it is released by one that was not known to have it", func(s *membership.Settlement) { s.Released("w", log) }, false},
		{"two say that they have it, and one releases it", func(s *membership.Settlement) {
			s.Adopt("w", log)
			s.Adopt("v", log)
			s.Released("w", log)
		}, false},
		{"its owner has followed this master and died", func(s *membership.Settlement) { s.Adopt("w", log); s.Confirm("w"); s.Died("w", false) }, true},
		{"its owner has only registered before it died", func(s *membership.Settlement) { s.Adopt("w", log); s.Died("w", false) }, false},
		{"its owner has left", func(s *membership.Settlement) { s.Adopt("w", log); s.Died("w", true) }, true},
		{"another member has died", func(s *membership.Settlement) { s.Adopt("w", log); s.Confirm("v"); s.Died("v", false) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := membership.NewSettlement(at(0), orphaned, false)
			c.do(s)
			if got := s.MayGive(log, at(11.999)); got != c.want {
				t.Errorf("%v while it waits", got)
			}
			if !s.MayGive(log, at(12)) {
				t.Error("not even after the wait")
			}
		})
	}
	if s := membership.NewSettlement(at(0), orphaned, true); !s.MayGive(log, at(0)) || s.Left(at(0)) != 0 {
		t.Error("a fresh master waits")
	}
	if s := membership.NewSettlement(at(0), orphaned, false); s.Left(at(5)) != 7*time.Second || s.Over(at(5)) || !s.Over(at(12)) {
		t.Error("the wait has another length")
	}
}
