package membership_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// trouble is one thing that happens to a node for a while.
type trouble struct {
	at, lasts time.Duration
	kind      string
	node      int
}

var kinds = []string{"pause", "deaf", "mute", "blind", "deaf and mute", "kill", "start again", "second process", "store down"}

func drawTroubles(t *rapid.T, nodes int) []trouble {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) trouble {
		return trouble{
			at:    time.Duration(rapid.IntRange(30, 500).Draw(t, "at")) * step,
			lasts: time.Duration(rapid.IntRange(5, 200).Draw(t, "lasts")) * step,
			kind:  rapid.SampledFrom(kinds).Draw(t, "kind"),
			node:  rapid.IntRange(0, nodes-1).Draw(t, "node"),
		}
	}), 0, 8).Draw(t, "troubles")
}

// befall lets a trouble happen.
func (w *world) befall(c trouble) {
	until := w.now.Add(c.lasts)
	var n *node
	var p *workerNode
	if c.node < len(w.masters) {
		n = &w.masters[c.node].node
	} else {
		p = w.workers[c.node-len(w.masters)]
		n = &p.node
	}
	w.logf("%s: %s for %v", n.name, c.kind, c.lasts)
	switch c.kind {
	case "pause":
		n.paused = until
	case "deaf":
		n.deafUntil = until
	case "mute":
		n.muteUntil = until
	case "deaf and mute":
		n.deafUntil, n.muteUntil = until, until
	case "blind":
		n.blind = until
	case "store down":
		w.reachable = false
		w.later(&node{}, c.lasts, func() { w.reachable = true })
	case "second process":
		if p != nil {
			w.start(p.name)
		}
	case "kill", "start again":
		if p == nil {
			w.masters[c.node].reign = nil // it is started again at once, and knows nothing
			return
		}
		n.dead = true
		if c.kind == "start again" {
			w.start(p.name)
		}
	}
}

// heal ends all troubles.
func (w *world) heal() {
	w.logf("healed")
	w.loss, w.twice, w.slow, w.reachable = 0, 0, 0, true
	for _, m := range w.masters {
		m.paused, m.deafUntil, m.muteUntil, m.blind = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	}
	for _, p := range w.workers {
		p.paused, p.deafUntil, p.muteUntil, p.blind = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	}
}

// whole looks whether every living worker is a member, and every log has one owner.
func (w *world) whole() string {
	youngest := map[string]*workerNode{}
	for _, p := range w.workers {
		if !p.dead && !p.link.Refused() {
			youngest[p.name] = p
			if !p.link.Member() {
				return p.String() + " is not a member"
			}
		}
	}
	for _, log := range w.logs {
		owners := 0
		for _, p := range w.workers {
			if !p.dead && p.holds[log] != nil {
				owners++
			}
		}
		if owners != min(1, len(youngest)) {
			return log.String() + " has the wrong number of owners"
		}
	}
	return ""
}

func (w *world) run(d time.Duration, troubles []trouble) {
	begin := w.now
	for w.now.Sub(begin) < d && w.fault == "" {
		for _, c := range troubles {
			if at := w.now.Sub(begin); c.at <= at && at < c.at+step {
				w.befall(c)
			}
		}
		w.advance()
	}
}

func TestNoPartitionIsGivenAwayWhileAWorkerStillHasIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(rapid.Uint64().Draw(t, "seed"), rapid.IntRange(1, 3).Draw(t, "masters"), rapid.IntRange(1, 4).Draw(t, "workers"), 6)
		unkind := rapid.SampledFrom([]float64{0, 0.05, 0.3})
		w.loss, w.twice, w.slow = unkind.Draw(t, "loss"), unkind.Draw(t, "twice"), unkind.Draw(t, "slow")
		w.run(60*time.Second, drawTroubles(t, len(w.masters)+len(w.workers)))
		w.heal()
		w.run(45*time.Second, nil)
		if w.fault == "" {
			w.fault = w.whole()
		}
		if w.fault != "" {
			t.Fatalf("%s\n%s", w.fault, strings.Join(w.trace, "\n"))
		}
	})
}

func TestAChangeOfLeaderMakesNoWorkerGiveUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(rapid.Uint64().Draw(t, "seed"), 2, 3, 6)
		w.hasty = true // an answer must be here between the end of the lease and that of patience
		w.run(20*time.Second, nil)
		leader := w.leader()
		if fault := w.whole(); fault != "" {
			t.Fatal(fault)
		}
		// Without a leader for some time, and with one that holds the lease and does not reign yet: at most about ten seconds together.
		gap := rapid.IntRange(0, 80).Draw(t, "gap")
		for _, m := range w.masters {
			m.slow = time.Duration(rapid.IntRange(0, 80-gap).Draw(t, "slow")) * step
			m.blind = w.now.Add(time.Duration(gap) * step)
		}
		leader.dead, leader.reign = true, nil
		w.run(40*time.Second, nil)
		if w.fault == "" {
			w.fault = w.whole()
		}
		for _, p := range w.workers {
			if p.abandoned > 0 {
				w.fail("%v gave up", p)
			}
		}
		if w.leader() == leader || w.fault != "" {
			t.Fatalf("%s\n%s", w.fault, strings.Join(w.trace, "\n"))
		}
	})
}
