package actors

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"citystream/engine/enginetest"
)

var update = flag.Bool("update", false, "write docs/faults.md anew")

// A trial is one way in which a call goes wrong.
type trial struct {
	name  string
	after bool // it takes effect
	crash bool // and its owner is killed at that moment
}

var trials = []trial{
	{"fails", false, false},
	{"answer lost", true, false},
	{"killed before", false, true},
	{"killed after", true, true},
}

// misfortune is a trial at one call.
type misfortune struct {
	operation string
	call      int
	trial     trial
}

// try goes through a stretch with misfortunes, proves what is left, and returns the injector.
func try(t *testing.T, all ...misfortune) *enginetest.Faults {
	t.Helper()
	var s *stretch
	var plan []enginetest.Fault
	for _, m := range all {
		f := enginetest.Fault{On: m.operation, Call: m.call, After: m.trial.after}
		if m.trial.crash {
			f.Then = func() { s.crash() }
		}
		plan = append(plan, f)
	}
	s = newStretch(t, enginetest.NewFaults(plan...))
	s.run()
	if err := s.prove(); err != nil {
		t.Errorf("%v: %v", all, err)
	}
	return s.faults
}

// fetchesTried bounds the calls to Fetch: at the end of a partition there is no end to them.
const fetchesTried = 12

// tried counts, by operation and trial, the calls that went wrong. Safe for concurrent use.
type tried struct {
	mu    sync.Mutex
	calls map[string]map[string]int
}

func (d *tried) add(m misfortune) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.calls[m.operation] == nil {
		d.calls[m.operation] = map[string]int{}
	}
	d.calls[m.operation][m.trial.name]++
}

// TestEachCallMayGoWrong lets each call to store and broker go wrong in each way, one in each run: a call that is new in the code is
// found by itself. An operation that only a fault brings about (a look at a slot whose write was not answered) is found by its fault.
func TestEachCallMayGoWrong(t *testing.T) {
	done := &tried{calls: map[string]map[string]int{}}
	operations := try(t).Operations()
	for i := 0; i < len(operations); i++ {
		var mu sync.Mutex
		t.Run(operations[i], func(t *testing.T) {
			for _, trial := range trials {
				t.Run(trial.name, func(t *testing.T) {
					t.Parallel()
					for call := 1; operations[i] != "Fetch" || call <= fetchesTried; call++ {
						m := misfortune{operations[i], call, trial}
						faults := try(t, m)
						if faults.Fired() == 0 {
							return
						}
						done.add(m)
						mu.Lock()
						for _, o := range faults.Operations() {
							if !slices.Contains(operations, o) {
								operations = append(operations, o)
							}
						}
						mu.Unlock()
					}
				})
			}
		})
	}
	t.Log("calls that went wrong: ", done.calls)
	compareFaultTable(t, done)
}

// pairs is how many pairs of misfortunes are tried.
const pairs = 50

func TestPairsOfCallsMayGoWrong(t *testing.T) {
	t.Parallel()
	operations := try(t).Operations()
	const seed = 1
	random := rand.New(rand.NewPCG(seed, 0))
	draw := func() misfortune {
		return misfortune{operations[random.IntN(len(operations))], 1 + random.IntN(4), trials[random.IntN(len(trials))]}
	}
	fired := 0
	for range pairs {
		if try(t, draw(), draw()).Fired() == 2 {
			fired++
		}
	}
	if fired < pairs/4 {
		t.Errorf("of %d pairs only %d happened both", pairs, fired)
	}
}

// compareFaultTable holds docs/faults.md against what was tried, or writes it.
func compareFaultTable(t *testing.T, done *tried) {
	const path = "../docs/faults.md"
	var b strings.Builder
	b.WriteString(faultsIntroduction)
	for _, operation := range slices.Sorted(maps.Keys(done.calls)) {
		fmt.Fprintf(&b, "| %s |", operation)
		for _, trial := range trials {
			cell := "not reached"
			if done.calls[operation][trial.name] > 0 {
				cell = "exactly once"
			}
			fmt.Fprintf(&b, " %s |", cell)
		}
		b.WriteString("\n")
	}
	if t.Failed() {
		return
	}
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	written, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(written) != b.String() {
		t.Errorf("docs/faults.md is not what was tried; go test ./actors -run TestEachCallMayGoWrong -update writes:\n%s", b.String())
	}
}

const faultsIntroduction = `# Faults tried

<!-- Written by go test ./actors -run TestEachCallMayGoWrong -update; do not edit. -->

One partition is read by three owners, one after another. The first is killed with open files, and all open uploads of the bucket are aborted
then; the second takes over and drains; the third finds out what is left. In each run one call to the store or to the broker goes wrong:
every call of every operation, in four ways. It *fails* without effect; it takes effect and its *answer is lost*; its owner is *killed
before* it takes effect, or *killed after*. "Exactly once": afterwards each record was in one file, and no record in two. The test
ends when no call is left, so a call that is new in the code is tried without being named here. Pairs of faults are tried by sample.

| operation | fails | answer lost | killed before | killed after |
|---|---|---|---|---|
`
