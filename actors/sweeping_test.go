package actors

import (
	"strings"
	"testing"
	"time"

	"citystream/engine/enginetest"
)

// results returns the folders below the transformed zone.
func (l *ledger) results() []string {
	l.Helper()
	objects, err := l.store.List(l.Context(), "transformed/", "", 100)
	if err != nil {
		l.Fatal(err)
	}
	var folders []string
	for _, o := range objects {
		folders = append(folders, o.Key[:strings.LastIndexByte(o.Key, '/')+1])
	}
	return folders
}

func TestTheRowsOfOlderResultsAreKeptForADay(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	l.commit(0, hourOf(1), 0)
	l.commit(1, hourOf(1))
	f := l.follow()
	f.settled()
	first := l.results()
	if err := l.store.Put(t.Context(), "transformed/speeds/date=2026-01-02/hour=03/mine/x.parquet", nil); err != nil {
		t.Fatal(err)
	}
	l.commit(1, hourOf(1), 0)
	f.told()
	f.settled()
	f.die()
	node := *l.node
	node.Store, node.Catalog, node.Housekeeping = l.store, l.catalog, time.Nanosecond
	l.sweepAfter(&node, 23*time.Hour, 3)
	l.sweepAfter(&node, 25*time.Hour, 2)
	for _, folder := range l.results() {
		if folder == first[0] {
			t.Errorf("%s is left, which is superseded", folder)
		}
	}
}

func TestTheRowsOfAnOlderResultAreSweptThoughTheNewerHasNone(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	l.commit(0, hourOf(1), 0)
	l.commit(1, hourOf(1))
	f := l.follow()
	f.settled()
	first := l.results()
	l.commit(1, hourOf(1), 0)
	f.told()
	f.settled()
	f.die()
	for _, folder := range l.results() {
		if folder == first[0] {
			continue
		}
		objects, err := l.store.List(t.Context(), folder, "", 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects {
			if err := l.store.Delete(t.Context(), o.Key); err != nil {
				t.Fatal(err)
			}
		}
	}
	node := *l.node
	node.Store, node.Catalog, node.Housekeeping = l.store, l.catalog, time.Nanosecond
	l.sweepAfter(&node, 23*time.Hour, 1)
	l.sweepAfter(&node, 25*time.Hour, 0)
}

func (l *ledger) sweepAfter(node *Node, later time.Duration, want int) {
	l.Helper()
	l.store.Now = func() time.Time { return time.Now().Add(later) }
	if o := (&sweeper{node: node}).round(l.Context()); o.err != nil {
		l.Fatal(o.err)
	}
	if got := l.results(); len(got) != want {
		l.Fatalf("after %s there are %v", later, got)
	}
}
