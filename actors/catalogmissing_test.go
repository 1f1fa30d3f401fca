package actors

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"citystream/engine/catalog"
	"citystream/engine/commitlog"
	"citystream/engine/enginetest"
	"citystream/engine/port"
	"citystream/engine/schema"
)

// withSideTable adds an entry with a file of another table in the second window, and returns the location of its Hive partition.
func (l *ledger) withSideTable(table string) string {
	l.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	log, slot := logOf(l.table, 0), l.slots[0]
	l.slots[0]++
	key := log.FileKey("raw", table, 1, 0, hourOf(1), 7)
	e := &commitlog.Entry{Format: commitlog.Format, ID: table, Slot: slot, Kind: commitlog.Flush, Fingerprint: l.table.Fingerprint()}
	e.Watermark = hourOf(1)
	e.Files = []commitlog.File{{Table: table, Key: key, Rows: 1, Window: hourOf(1), Parts: []port.Part{{SizeBytes: 100}}}}
	if err := l.store.Put(context.Background(), key, []byte("rows")); err != nil {
		l.Fatal(err)
	}
	if err := l.store.PutIfAbsent(context.Background(), log.Key(slot), e.Encode()); err != nil {
		l.Fatal(err)
	}
	return l.node.place(table, hourOf(1)).Partition("b").Location
}

// shows fails unless a table has one Hive partition, at a location.
func (l *ledger) shows(database, table, location string) {
	l.Helper()
	there, err := l.catalog.Partitions(context.Background(), database, table)
	if err != nil || len(there) != 1 || there[0].Location != location {
		l.Errorf("table %s has %v, %v", table, there, err)
	}
}

func TestWhatIsMissingInTheCatalogIsMadeAgain(t *testing.T) {
	t.Parallel()
	all := func(port.HivePartition) bool { return true }
	for name, lose := range map[string]func(*ledger){
		"the database is dropped":     func(l *ledger) { l.catalog.Drop("city") },
		"Hive partitions are deleted": func(l *ledger) { l.catalog.DropPartitions("city", l.table.Name, all) },
		"those of dead letters":       func(l *ledger) { l.catalog.DropPartitions("city", schema.DeadLetters().Name, all) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLedger(t, enginetest.NewFaults())
			dead := l.withSideTable(schema.DeadLetters().Name)
			l.commit(0, hourOf(1), 0)
			l.commit(1, hourOf(1), 1) // of which nothing is announced yet
			f := l.follow()
			f.settled()
			f.die()
			lose(l)
			f = l.follow()
			f.settled()
			l.shows("city", schema.DeadLetters().Name, dead)
		})
	}
}

func TestADatabaseThatIsDroppedIsMadeAgainAtOnce(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	l.commit(0, hourOf(1), 0)
	l.commit(1, hourOf(1), 0)
	f := l.follow()
	f.settled()
	l.catalog.Drop("city")
	l.commit(0, hourOf(2), 1)
	l.commit(1, hourOf(2), 2)
	f.told()
	f.settled()
}

func TestAHivePartitionThatIsDeletedComesBack(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	l.node.Housekeeping, l.node.CatalogPoll = time.Millisecond, 20*time.Millisecond
	l.commit(0, hourOf(1), 0)
	l.commit(1, hourOf(1), 1)
	f := l.follow()
	f.settled()
	l.catalog.DropPartitions("city", l.table.Name, func(port.HivePartition) bool { return true })
	f.settled()
}

func TestAFileOfATableThatIsNotConfiguredAnyMoreIsPassedBy(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	l.withSideTable("gps_late")
	l.commit(0, hourOf(1), 0)
	l.commit(1, hourOf(1), 0, 1)
	l.follow().settled()
}

// refusingCatalog refuses the Hive partitions of one hour.
type refusingCatalog struct {
	port.Catalog
	hour string
}

func (c *refusingCatalog) sift(partitions []port.HivePartition, pass func([]port.HivePartition) error) error {
	refused := port.PartitionsError{Err: errors.New("that hour is odd")}
	for _, p := range partitions {
		if p.Values[1] == c.hour {
			refused.Refused = append(refused.Refused, p.Values)
		}
	}
	if refused.Refused == nil {
		return pass(partitions)
	}
	return errors.Join(&refused, pass(port.Accepted(partitions, &refused)))
}

func (c *refusingCatalog) AddPartitions(ctx context.Context, database, table string, partitions []port.HivePartition) error {
	return c.sift(partitions, func(some []port.HivePartition) error { return c.Catalog.AddPartitions(ctx, database, table, some) })
}

func (c *refusingCatalog) SetPartitions(ctx context.Context, database, table string, partitions []port.HivePartition) error {
	return c.sift(partitions, func(some []port.HivePartition) error { return c.Catalog.SetPartitions(ctx, database, table, some) })
}

func TestAHivePartitionThatIsRefusedHoldsUpOnlyItsOwnLog(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	l.commit(0, hourOf(3), 0, 1)
	l.commit(1, hourOf(3))
	l.follow().settled()
	l.catalog.Drop("city") // what was announced is shown again, but for one
	l.commit(1, hourOf(3), 0, 2)
	node := *l.node
	node.Store, node.Source, node.Catalog = l.store, l.source, &refusingCatalog{l.catalog, "04"}
	b := newBoard()
	r := newRegistrar(&node, b)
	if o := r.round(t.Context(), nil, true); o.err != nil { // no log has news for the one
		t.Fatal(o.err)
	}
	hours := func() (all []string) {
		there, err := l.catalog.Partitions(t.Context(), "city", l.table.Name)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range there {
			all = append(all, p.Values[1]+"r"+p.Parameters[catalog.ParamRevision])
		}
		return all
	}
	if got := fmt.Sprint(hours()); got != "[03r2 05r1]" {
		t.Errorf("shown are %s", got)
	}
	l.commit(0, hourOf(3), 1)
	l.commit(1, hourOf(3), 2, 3)
	o := r.round(t.Context(), nil, true)
	if got := fmt.Sprint(hours()); got != "[03r2 05r2 06r]" || o.err == nil || len(o.logs) == 0 {
		t.Errorf("shown are %s; %v", got, o.err)
	}
	if c := b.registered(topicOf{l.table.Name, "gps"}); c[0].Slot != 0 || c[1].Slot != 2 {
		t.Errorf("registered up to %v", c)
	}
}
