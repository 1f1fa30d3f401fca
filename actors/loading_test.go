package actors

import (
	"slices"
	"strings"
	"testing"

	"citystream/engine/catalog"
	"citystream/engine/commitlog"
	"citystream/engine/enginetest"
	"citystream/engine/record"
	"citystream/messages"
)

// spoil makes the file that the next commit to a log has in a window one that cannot be loaded, and returns its key.
func (l *ledger) spoil(p record.Partition, window int) string {
	key := logOf(l.table, int(p)).FileKey("raw", l.table.Name, 1, 0, hourOf(window), record.Offset(l.slots[p]))
	l.warehouse.SetFile(key, nil, nil)
	return key
}

// mend gives a file what its commit tells of.
func (l *ledger) mend(key string) {
	columns := catalog.ColumnNames(l.table)
	l.warehouse.SetFile(key, columns, slices.Repeat([][]string{make([]string, len(columns))}, 10))
}

func TestACommitThatCannotBeLoadedHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	l.commit(1, hourOf(0), 0)
	l.commit(0, hourOf(0), 0)
	bad := l.spoil(0, 0)
	l.commit(0, hourOf(0), 0)
	l.commit(0, hourOf(0), 0)
	f := l.follow()
	f.until("the others are loaded", func(s *messages.CatalogStatus) bool {
		return len(s.Loads) == 1 && s.Loads[0].Rows == 30 && s.Loads[0].Aside == 1 && s.Loads[0].Pending == 0 && s.Loads[0].Error == ""
	})
	l.commit(0, hourOf(1), 0)
	f.told()
	f.until("what comes later is loaded", func(s *messages.CatalogStatus) bool { return s.Loads[0].Rows == 40 && s.Loads[0].Pending == 0 })
	f.die()
	loads := l.loadsOf(l.warehouse)
	if s, err := loads.Status(t.Context()); err != nil || len(s[0].Aside) != 1 || !strings.Contains(s[0].Aside[0].Reason, bad) || s[0].Commits != 4 {
		t.Errorf("%v, %v", s, err)
	}
	if err := loads.Retry(t.Context()); err == nil || !strings.Contains(err.Error(), bad) {
		t.Errorf("a retry of what is still wrong: %v", err)
	}
	l.mend(bad)
	if err := loads.Retry(t.Context()); err != nil {
		t.Error(err)
	}
	if s, err := loads.Status(t.Context()); err != nil || len(s[0].Aside) != 0 {
		t.Errorf("%v, %v", s, err)
	}
	if err := l.proveLoads(); err != nil {
		t.Error(err)
	}
}

func TestWhereNothingCanBeLoadedNothingIsSetAside(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	var bad []string
	for range 3 {
		bad = append(bad, l.spoil(0, 0))
		l.commit(0, hourOf(0), 0)
	}
	l.commit(1, hourOf(0))
	f := l.follow()
	f.until("the load fails again and again", func(s *messages.CatalogStatus) bool {
		return len(s.Loads) == 1 && s.Loads[0].Failures > 2 && s.Loads[0].Aside == 0 && s.Loads[0].Pending > 0
	})
	for _, key := range bad {
		l.mend(key)
	}
	f.settled()
}

func TestWhatIsSetAsideAndGoneIsForgottenByARetry(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	l.spoil(0, 0)
	l.commit(0, hourOf(0), 0)
	l.commit(0, hourOf(0), 0)
	l.commit(1, hourOf(0))
	f := l.follow()
	f.until("one is set aside", func(s *messages.CatalogStatus) bool {
		return len(s.Loads) == 1 && s.Loads[0].Aside == 1 && s.Loads[0].Pending == 0
	})
	f.die()
	if err := l.store.Delete(t.Context(), logOf(l.table, 0).Key(0)); err != nil { // as retention does
		t.Fatal(err)
	}
	loads := l.loadsOf(l.warehouse)
	if err := loads.Retry(t.Context()); err != nil {
		t.Error(err)
	}
	if s, err := loads.Status(t.Context()); err != nil || len(s[0].Aside) != 0 || s[0].Rows != 10 {
		t.Errorf("%v, %v", s, err)
	}
}

func TestASchemaThatIsDroppedIsFilledAgain(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	l.commit(0, hourOf(0), 0)
	l.commit(1, hourOf(0), 0)
	f := l.follow()
	f.settled()
	l.warehouse.Drop(l.table.Name)
	l.commit(0, hourOf(0), 0) // the catalog that runs finds the table missing
	f.told()
	f.settled()
	f.die()
	l.warehouse.Drop(l.table.Name)
	l.follow().settled() // and the next one that nothing is in the log of loads
}

func TestAWarehouseOfAnOlderStateIsFilledUp(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	l.commit(0, hourOf(0), 0)
	l.commit(1, hourOf(0), 0)
	f := l.follow()
	f.settled()
	snapshot := enginetest.NewFakeWarehouse()
	loads := l.loadsOf(snapshot)
	loads.node.WarehouseName = "snapshot"
	if err := loads.Retry(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.commit(0, hourOf(0), 0)
	f.told()
	f.settled()
	f.die()
	l.warehouse = snapshot
	l.follow().settled()
}

func TestSlotsThatAreGoneBeforeTheyAreLoadedAreTold(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	for range 3 {
		l.commit(0, hourOf(0), 0)
	}
	l.commit(1, hourOf(0))
	f := l.follow()
	f.settled()
	f.die()
	for slot := range commitlog.Slot(2) {
		if err := l.store.Delete(t.Context(), logOf(l.table, 0).Key(slot)); err != nil { // as retention does
			t.Fatal(err)
		}
	}
	loads := l.loadsOf(enginetest.NewFakeWarehouse())
	loads.node.WarehouseName = "later"
	for range 2 { // they are counted once
		if err := loads.Retry(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s, err := loads.Status(t.Context()); err != nil || s[0].Gone != 2 || s[0].Rows != 10 || s[0].Pending != 0 {
			t.Errorf("%v, %v", s, err)
		}
	}
}
