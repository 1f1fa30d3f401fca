package actors

import (
	"slices"
	"testing"
	"time"

	"citystream/cluster/assign"
	"citystream/engine/commitlog"
	"citystream/messages"
)

// book is what the master's placements are tried with: everything is free to be given.
type book struct {
	*placements
	order int64
}

func newBook(partitions int) *book {
	b := &book{placements: newPlacements()}
	b.grow("table", "topic", partitions)
	return b
}

func (b *book) planFor(workers ...string) {
	var all []assign.Worker
	for _, w := range workers {
		all = append(all, assign.Worker{Name: w})
	}
	b.plan(all, false, func(commitlog.Log) bool { return true }, assign.Options{DeadBand: loadBand})
}

// told returns the partitions that a worker is named, in order.
func (b *book) told(worker string) (partitions []int32) {
	b.order++
	for _, a := range b.answer(worker, b.order) {
		partitions = append(partitions, a.Log.Partition)
	}
	slices.Sort(partitions)
	return partitions
}

// report lets a worker say how what it is named stands, at that rate.
func (b *book) report(worker string, rate float64) {
	b.order++
	var all []*messages.PartitionStatus
	for _, a := range b.answer(worker, b.order) {
		all = append(all, &messages.PartitionStatus{Log: a.Log, Version: a.Version, Owned: true, Rate: rate})
	}
	b.heard(worker, b.order, all)
}

func TestWhatIsToMoveStaysChosenUntilItHasMoved(t *testing.T) {
	b := newBook(30)
	b.planFor("a", "b")
	b.report("a", 100)
	b.report("b", 100)
	b.planFor("a", "b", "c")
	chosen, still := b.moves, map[string][]int32{"a": b.told("a"), "b": b.told("b")}
	if chosen == 0 || chosen > 10 {
		t.Fatalf("%d of 30 partitions are to move to the third worker", chosen)
	}
	for round := range 5 { // a little more or less of load makes other choices
		for i, p := range b.list {
			p.rate = float64(95 + (7*i+13*round)%10)
		}
		b.planFor("a", "b", "c")
	}
	for w, before := range still {
		if now := b.told(w); b.moves != chosen || !slices.Equal(now, before) {
			t.Errorf("%s keeps %v, and before the move began %v; %d moves, and %d were chosen", w, now, before, b.moves, chosen)
		}
	}
	if got := b.told("c"); len(got) > 0 {
		t.Errorf("c is given %v, which others have not released", got)
	}
	for _, p := range b.list {
		if p.revoking {
			b.released(&messages.Released{Worker: p.worker, Version: p.version, Log: p.wire})
		}
	}
	b.planFor("a", "b", "c")
	if got := b.told("c"); len(got) != int(chosen) || b.moves != chosen {
		t.Errorf("c is given %v after %d moves, and %d were chosen", got, b.moves, chosen)
	}
}

func TestAnAnswerFollowsEveryChange(t *testing.T) {
	b := newBook(3)
	b.planFor("a")
	b.expect(t, "given", []int32{0, 1, 2}, nil)
	b.released(&messages.Released{Worker: "a", Version: b.list[2].version, Log: b.list[2].wire, Cause: messages.Released_FAILED, Error: "broken"})
	b.expect(t, "failed", []int32{0, 1}, nil)
	b.report("a", 1)
	b.planFor("b") // a is draining
	b.expect(t, "revoked", nil, nil)
	b.released(&messages.Released{Worker: "a", Version: b.list[0].version, Log: b.list[0].wire})
	b.planFor("b")
	b.expect(t, "released, and given to another", nil, []int32{0})
	b.heard("a", b.order, nil) // the other never ran
	b.planFor("b")
	b.expect(t, "not reported any more", nil, []int32{0, 1})
	b.bury("b")
	b.expect(t, "buried", nil, nil)
	b.adopt("a", "", []*messages.PartitionStatus{{Log: b.list[1].wire, Version: 7}})
	b.expect(t, "adopted", []int32{1}, nil)
}

func (b *book) expect(t *testing.T, when string, first, second []int32) {
	t.Helper()
	for _, w := range []struct {
		name string
		want []int32
	}{{"a", first}, {"b", second}} {
		if got := b.told(w.name); !slices.Equal(got, w.want) {
			t.Errorf("%s: %s is named %v, want %v", when, w.name, got, w.want)
		}
	}
}

func TestAPartitionThatMovesKeepsItsRate(t *testing.T) {
	b := newBook(1)
	b.planFor("a")
	b.report("a", 100)
	b.bury("a")
	b.planFor("b")
	p := b.list[0]
	b.heard("b", b.order, []*messages.PartitionStatus{{Log: p.wire, Version: p.version}}) // the claim is not in the log yet
	if p.worker != "b" || p.rate != 100 {
		t.Errorf("with %s at a rate of %v, want b and 100", p.worker, p.rate)
	}
}

func TestARateBeginsWithTheMeanOfWhatWasSeen(t *testing.T) {
	var r rate
	now := time.Unix(1, 0)
	r.note(5_000_000, now)
	for i := range 5 {
		now = now.Add(200 * time.Millisecond)
		r.note(5_000_000+int64(i+1)*20, now)
		if r.perSecond < 99 || r.perSecond > 101 {
			t.Fatalf("after %d looks at 100 records a second: %v", i+1, r.perSecond)
		}
	}
	now = now.Add(time.Minute)
	r.note(5_000_100, now)
	if r.perSecond > 2 {
		t.Errorf("after a minute of silence: %v", r.perSecond)
	}
}
