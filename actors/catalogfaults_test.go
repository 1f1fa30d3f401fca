package actors

import (
	"flag"
	"slices"
	"sync"
	"testing"

	"citystream/engine/enginetest"
)

var everyFault = flag.Bool("catalog.faults", false, "let each call of the catalog go wrong in each way, not only in a few")

// mishap is a way in which a call of a catalog goes wrong.
type mishap struct {
	name  string
	after bool // it takes effect
	crash bool // its catalog is killed at that moment
	pass  bool // it goes on as if nothing were
	other bool // another catalog does everything at that moment
	late  bool // late files come at that moment
	last  bool // its catalog is killed when it is over
}

var mishaps = []mishap{
	{name: "fails"},
	{name: "answer lost", after: true},
	{name: "killed before", crash: true},
	{name: "killed after", after: true, crash: true},
	{name: "fails, another does all", other: true},
	{name: "answer lost, another does all", after: true, other: true},
	{name: "killed before, another does all", crash: true, other: true},
	{name: "killed after, another does all", after: true, crash: true, other: true},
	{name: "another does all before", pass: true, other: true},
	{name: "another does all after", pass: true, after: true, other: true},
	{name: "late files before", pass: true, late: true},
	{name: "late files after", pass: true, after: true, late: true},
	{name: "late files, another does all", pass: true, late: true, other: true},
	{name: "late files, another does all, and this word comes last", pass: true, late: true, other: true, last: true},
}

// suffer goes through a catalog's life with one call going wrong, and lets another make what is left whole.
func suffer(t *testing.T, operation string, call int, m mishap) *enginetest.Faults {
	var l *ledger
	fault := enginetest.Fault{On: operation, Call: call, After: m.after, Pass: m.pass}
	fault.Then = func() {
		if m.crash {
			l.crash()
		}
		if m.late {
			l.commit(1, 0, 0)
			l.tell()
		}
		if m.other {
			l.byAnother()
		}
	}
	if m.last {
		fault.Finally = func() { l.crash() }
	}
	l = newLedger(t, enginetest.NewFaults(fault))
	l.commit(0, hourOf(1), 0)
	l.commit(1, hourOf(0), 0)
	first := l.follow()
	first.settled()
	l.commit(1, hourOf(2), 1)
	first.told()
	first.settled()
	l.commit(0, hourOf(2), 0, 1)
	first.told()
	first.settled()
	first.die()
	l.faults.Heal()
	last := l.follow()
	last.settled()
	last.die()
	if l.failed {
		t.Logf("it was %s, call %d: %s", operation, call, m.name)
	}
	return l.faults
}

// tell tells the present catalog of late files.
func (l *ledger) tell() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.present != nil {
		l.present.told()
	}
}

// byAnother lets a catalog without faults do everything that there is to do.
func (l *ledger) byAnother() {
	well := *l.node
	well.Store, well.Source, well.Catalog, well.Query, well.Warehouse = l.store, l.source, l.catalog, l.query, l.warehouse
	f := &follower{l: l, life: enginetest.NewFaults().Life(), pid: l.system.Root.Spawn(CatalogProps(&well))}
	f.settled()
	f.die()
}

// TestEachCallOfTheCatalogMayGoWrong lets each call to the store, Kafka, Glue, Athena and Redshift go wrong, one in each run: afterwards each
// Hive partition is registered once and announced, each transform is current, and each commit is loaded once. A call that is new in the
// code is found by itself. Without the flag each call goes wrong in two of the ways, in turn.
func TestEachCallOfTheCatalogMayGoWrong(t *testing.T) {
	operations := suffer(t, "", 0, mishap{}).Operations()
	places := make(chan struct{}, 16)
	tried := 0
	for i := 0; i < len(operations); i++ {
		operation := operations[i]
		var mu sync.Mutex
		var running sync.WaitGroup
		for way, m := range mishaps {
			running.Go(func() {
				for call := 1; ; call++ {
					if !*everyFault && (call+way)%6 != 0 && call > 1 {
						if call > 60 {
							return
						}
						continue
					}
					places <- struct{}{}
					faults := suffer(t, operation, call, m)
					<-places
					mu.Lock()
					for _, o := range faults.Operations() {
						if !slices.Contains(operations, o) {
							operations = append(operations, o)
						}
					}
					tried += faults.Fired()
					mu.Unlock()
					if faults.Fired() == 0 || t.Failed() {
						return
					}
				}
			})
		}
		running.Wait()
	}
	t.Logf("%d calls went wrong, of %v", tried, operations)
}
