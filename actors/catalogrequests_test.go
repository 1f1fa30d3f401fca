package actors

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"citystream/engine/enginetest"
)

// TestWhatACommitCostsTheCatalog is the bill of docs/performance.md: the calls for one commit, and what more it costs when it completes a Hive
// partition.
func TestWhatACommitCostsTheCatalog(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	l.commit(0, hourOf(0), 0)
	l.commit(1, hourOf(0), 0)
	l.commit(1, hourOf(0)) // closes the entry before
	f := l.follow()
	f.settled()
	l.commit(0, hourOf(0), 0)
	f.toldOf(0)
	f.done()
	spent := func(what string, tell int, want map[string]int) {
		t.Helper()
		before := l.faults.Calls()
		if tell >= 0 {
			f.toldOf(tell)
		}
		f.done()
		if diff := cmp.Diff(want, without("", l.faults.Calls(), before)); diff != "" {
			t.Errorf("%s: -want +got\n%s", what, diff)
		}
	}
	l.commit(0, hourOf(0), 0)
	spent("a commit into a Hive partition that is known", 0, map[string]int{
		"Get catalog": 1, "List log": 2, "Get log": 2, "Head file": 1, "PutIfMatch catalog": 1, // to register it
		"Load": 1, "Get load": 1, "PutIfMatch load": 1, // and to load it
	})
	l.commit(0, hourOf(0), 1)
	spent("a commit into a new Hive partition", 0, map[string]int{
		"Get catalog": 1, "List log": 2, "Get log": 2, "Head file": 1, "PutIfMatch catalog": 1, "AddPartitions": 1,
		"Load": 1, "Get load": 1, "PutIfMatch load": 1,
	})
	l.commit(0, hourOf(1))
	f.toldOf(0)
	f.done()
	l.commit(1, hourOf(1))
	spent("an entry without files that completes a Hive partition", 1, map[string]int{
		"Get catalog": 1, "List log": 2, "Get log": 2, "PutIfMatch catalog": 1, "Get load": 1, "PutIfMatch load": 1, // as for each entry
		"PutIfAbsent complete": 1,                                                      // its announcement, and
		"Run":                  1, "PutIfAbsent transformed": 1, "List transformed": 3, // the transform;
		"SetPartitions": 2, // both are shown
	})
}
