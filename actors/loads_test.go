package actors

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"citystream/engine/enginetest"
	"citystream/engine/port"
)

// loadsOf returns the loads of a ledger's node.
func (l *ledger) loadsOf(w port.Warehouse) *Loads {
	node := *l.node
	node.Store, node.Warehouse = l.store, w
	return NewLoads(&node)
}

func TestAHivePartitionIsReloadedWithAllItsCommits(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	l.commit(0, hourOf(0), 0, 1)
	l.commit(1, hourOf(0), 0)
	f := l.follow()
	f.settled()
	loads := l.loadsOf(l.warehouse)
	if rows, err := loads.Reload(t.Context(), l.table, hourOf(0)); err != nil || rows != 20 {
		t.Fatalf("%d rows, %v", rows, err)
	}
	if err := l.prove(); err != nil {
		t.Error(err)
	}
	s, err := loads.Status(t.Context())
	if diff := cmp.Diff([]TableLoads{{Table: "gps_data", Commits: 3, Rows: 30, Counted: 30}}, s); diff != "" || err != nil {
		t.Errorf("%s, %v", diff, err)
	}
}

// betweenWarehouse has a commit loaded by a catalog between the listing of files and the reload.
type betweenWarehouse struct {
	port.Warehouse
	between func()
}

func (w *betweenWarehouse) Reload(ctx context.Context, table port.WarehouseTable, r port.Reload) (int64, error) {
	if w.between != nil {
		w.between()
		w.between = nil
	}
	return w.Warehouse.Reload(ctx, table, r)
}

func TestACommitThatIsLoadedDuringAReloadStays(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	l.commit(0, hourOf(0), 0)
	l.commit(1, hourOf(0), 0)
	f := l.follow()
	f.settled()
	loads := l.loadsOf(&betweenWarehouse{l.warehouse, func() {
		l.commit(1, hourOf(0), 0)
		f.told()
		f.settled()
	}})
	if rows, err := loads.Reload(t.Context(), l.table, hourOf(0)); err != nil || rows != 30 {
		t.Errorf("%d rows, %v", rows, err)
	}
	if err := l.prove(); err != nil {
		t.Error(err)
	}
}

func TestAReloadThatWouldLoseRowsIsRefused(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	l.commit(0, hourOf(0), 0)
	l.commit(0, hourOf(0), 0)
	l.commit(1, hourOf(0))
	l.follow().settled()
	if err := l.store.Delete(t.Context(), logOf(l.table, 0).Key(0)); err != nil { // as retention does
		t.Fatal(err)
	}
	if _, err := l.loadsOf(l.warehouse).Reload(t.Context(), l.table, hourOf(0)); err == nil || !strings.Contains(err.Error(), "its rows would be lost") {
		t.Errorf("%v", err)
	}
}

func TestLoadsAreRetriedByHand(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	l.commit(0, hourOf(0), 0)
	l.commit(1, hourOf(0))
	f := l.follow()
	f.settled()
	f.die()
	fresh := enginetest.NewFakeWarehouse()
	loads := l.loadsOf(fresh)
	loads.node.WarehouseName = "another"
	if s, err := loads.Status(t.Context()); err != nil || len(s) != 1 || s[0].Pending != 2 || s[0].Commits != 0 {
		t.Errorf("before: %v, %v", s, err)
	}
	for range 2 {
		if err := loads.Retry(t.Context(), "gps_data"); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := loads.Status(t.Context()); err != nil || s[0].Pending != 0 || s[0].Counted != 10 {
		t.Errorf("after: %v, %v", s, err)
	}
}

// sumsWarehouse hands out no list of everything that was ever loaded.
type sumsWarehouse struct {
	port.Warehouse
	t *testing.T
}

func (w *sumsWarehouse) LoadedOf(ctx context.Context, table string, values []string) ([]port.LoadedCommit, error) {
	if values == nil {
		w.t.Error("the whole log of loads was read")
	}
	return w.Warehouse.LoadedOf(ctx, table, values)
}

func TestTheStatusOfLoadsAsksForSums(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	l.commit(0, hourOf(0), 0)
	l.commit(1, hourOf(0), 0)
	l.follow().settled()
	s, err := l.loadsOf(&sumsWarehouse{l.warehouse, t}).Status(t.Context())
	if err != nil || len(s) != 1 || s[0].Commits != 2 || s[0].Rows != 20 {
		t.Errorf("%v, %v", s, err)
	}
}
