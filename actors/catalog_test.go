package actors

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"citystream/engine/catalog"
	"citystream/engine/enginetest"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/schema"
	"citystream/messages"
)

func TestTheCatalogBringsWhatIsCommittedToItsEnd(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	l.commit(0, hourOf(0), 0)
	l.commit(1, hourOf(0), 0)
	f := l.follow()
	f.settled()
	l.commit(0, hourOf(2), 0, 1)
	f.told()
	f.settled() // of partition 1 nothing says that the hour is over
	l.commit(1, hourOf(1), 0)
	f.told()
	f.settled()
	if a, err := l.lastAnnouncement(hourOf(0)); err != nil || a == nil || a.Revision != 1 || a.Through[0] != 1 || a.Through[1] != 1 {
		t.Fatalf("%v, %v", a, err)
	}
	l.commit(1, hourOf(1), 0) // late
	f.told()
	f.settled()
	if a, err := l.lastAnnouncement(hourOf(0)); err != nil || a.Revision != 2 || a.Through[1] != 2 {
		t.Fatalf("%v, %v", a, err)
	}
	s := f.status()
	if len(s.Transforms) != 1 || s.Transforms[0].Queries != 2 || s.Transforms[0].Revision != 2 || s.Transforms[0].Dollars != (catalog.Price{PerTB: 5, MinBytes: 10 << 20}).Of(1000) || s.Transforms[0].QueryId == "" {
		t.Errorf("transforms: %v", s.Transforms)
	}
	if len(s.Loads) != 1 || s.Loads[0].Loaded != 6 || s.Loads[0].Rows != 60 {
		t.Errorf("loads: %v", s.Loads)
	}
	for _, table := range s.Tables {
		if table.Table == "gps_data" && (table.Complete != 1 || table.Revisions != 2 || table.HivePartitions != 2) {
			t.Errorf("table: %v", table)
		}
	}
	if s.Error != "" {
		t.Error(s.Error)
	}
}

func TestTheStatementOfATransformIsWhatAthenaTakes(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	l.commit(0, hourOf(1), 0)
	l.commit(1, hourOf(1))
	l.follow().settled()
	objects, err := l.store.List(t.Context(), "transformed/speeds/date=2026-01-02/hour=03/v0001-r000001-", "", 10)
	if err != nil || len(objects) != 1 {
		t.Fatal(objects, err)
	}
	body, _, err := l.store.Get(t.Context(), objects[0].Key)
	if want := `SELECT CAST("speed" AS double) AS "speed"`; err != nil || !strings.Contains(string(body), want) || !strings.Contains(string(body), "hour = '03'") {
		t.Errorf("%s, %v", body, err)
	}
}

// until waits for a state of the catalog.
func (f *follower) until(what string, reached func(*messages.CatalogStatus) bool) {
	f.l.Helper()
	for deadline := time.Now().Add(15 * time.Second); ; {
		s := f.status()
		if s != nil && reached(s) {
			return
		}
		if time.Now().After(deadline) {
			f.l.Fatalf("%s: not reached: %v", what, s)
		}
		<-time.After(time.Millisecond)
	}
}

func TestALogThatCannotBeReadDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	if err := l.store.Put(t.Context(), logOf(l.table, 0).Key(0), []byte("{")); err != nil {
		t.Fatal(err)
	}
	l.commit(1, hourOf(1), 0)
	f := l.follow()
	f.until("partition 1 is registered, and the fault is told", func(s *messages.CatalogStatus) bool {
		return len(s.Tables) == 2 && len(s.Tables[1].Cursors) == 1 && s.Tables[1].Cursors[0].Log.Partition == 1 && s.Tables[1].HivePartitions == 1 &&
			strings.Contains(s.Error, "slot 0 is not an entry")
	})
	l.commit(1, hourOf(1), 1)
	f.toldOf(1)
	f.until("partition 1 goes on", func(s *messages.CatalogStatus) bool { return s.Tables[1].HivePartitions == 2 })
}

// refusingWarehouse takes no load while it is told to.
type refusingWarehouse struct {
	port.Warehouse
	refuses atomic.Bool
}

func (w *refusingWarehouse) Load(ctx context.Context, table port.WarehouseTable, commits []port.LoadCommit) ([]port.LoadedCommit, error) {
	if w.refuses.Load() {
		return nil, errors.New("the warehouse is paused")
	}
	return w.Warehouse.Load(ctx, table, commits)
}

func TestALoadThatFailsIsToldAndTriedAgain(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	l.commit(0, hourOf(1), 0)
	l.commit(1, hourOf(1))
	w := &refusingWarehouse{Warehouse: l.warehouse}
	w.refuses.Store(true)
	node := *l.node
	node.Store, node.Source, node.Catalog, node.Query, node.Warehouse = l.store, l.source, l.catalog, l.query, w
	f := &follower{l: l, life: enginetest.NewFaults().Life(), pid: l.system.Root.Spawn(CatalogProps(&node))}
	f.until("loads fail, and the transform goes on", func(s *messages.CatalogStatus) bool {
		return len(s.Loads) == 1 && s.Loads[0].Failures > 1 && strings.Contains(s.Loads[0].Error, "paused") && s.Loads[0].Pending == 2 &&
			len(s.Transforms) == 1 && s.Transforms[0].Current == 1
	})
	w.refuses.Store(false)
	f.settled()
	if s := f.status(); s.Loads[0].Error != "" || s.Loads[0].Failures != 0 {
		t.Errorf("%v", s.Loads)
	}
}

func TestTheCatalogComesToItsEndOnAStoreThatFailsNowAndThen(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	node := *l.node
	node.Store = &unsteadyStore{Store: l.store, random: rand.New(rand.NewPCG(1, 0))}
	node.Source, node.Catalog, node.Query, node.Warehouse = l.source, l.catalog, l.query, l.warehouse
	f := &follower{l: l, life: enginetest.NewFaults().Life(), pid: l.system.Root.Spawn(CatalogProps(&node))}
	for i := range 3 {
		l.commit(0, hourOf(i), i)
		l.commit(1, hourOf(i), i)
		f.told()
		f.settled()
	}
}

func TestLateFilesAreCollectedBeforeTheyAreAnnounced(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	l.node.LateAfter = 200 * time.Millisecond
	l.commit(0, hourOf(1), 0)
	l.commit(1, hourOf(1))
	f := l.follow()
	f.settled()
	for range 3 {
		l.commit(1, hourOf(1), 0)
		f.toldOf(1)
		f.until("it is registered", func(s *messages.CatalogStatus) bool {
			return s.Tables[1].Cursors[1].Slot == int64(l.slots[1]-1)
		})
	}
	f.settled()
	if a, err := l.lastAnnouncement(hourOf(0)); err != nil || a.Revision != 2 {
		t.Errorf("three late commits made %v, %v", a, err)
	}
}

func TestACrawlerFindsTheHivePartitions(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	l.commit(0, hourOf(1), 0)
	l.commit(1, hourOf(1))
	node := *l.node
	node.Store, node.Source, node.Catalog, node.Query, node.Warehouse = l.store, l.source, l.catalog, l.query, l.warehouse
	crawler := &fakeCrawler{l: l}
	node.Crawl, node.Crawler = &port.Crawl{Name: "c", Role: "r"}, crawler
	f := &follower{l: l, life: enginetest.NewFaults().Life(), pid: l.system.Root.Spawn(CatalogProps(&node))}
	f.settled()
	if n := crawler.runs.Load(); n != 2 {
		t.Errorf("it ran %d times; the first run finds nothing", n)
	}
}

// fakeCrawler finds nothing at its first run.
type fakeCrawler struct {
	l    *ledger
	runs atomic.Int64
}

func (c *fakeCrawler) Crawl(ctx context.Context, crawl port.Crawl) error {
	if c.runs.Add(1) == 1 {
		return nil
	}
	if crawl.Name != "c" || crawl.Database != "city" || len(crawl.Tables) != 2 {
		return fmt.Errorf("crawl %v", crawl)
	}
	place := catalog.Place{Table: "gps_data", Window: hourOf(0), Folder: "raw/gps_data/date=2026-01-02/hour=03/"}
	return c.l.catalog.AddPartitions(ctx, "city", "gps_data", []port.HivePartition{place.Partition("b")})
}

// crawlerFunc is a crawler that does what it says.
type crawlerFunc func() error

func (f crawlerFunc) Crawl(context.Context, port.Crawl) error { return f() }

func TestACrawlerRunsOnceForAllTablesAndOnlyIfSomethingIsLacking(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	l.withSideTable(schema.DeadLetters().Name)
	l.commit(0, hourOf(1), 0)
	node, runs := *l.node, 0
	add := func(table string, i int) error {
		return l.catalog.AddPartitions(t.Context(), "city", table, []port.HivePartition{node.place(table, hourOf(i)).Partition("b")})
	}
	node.Store, node.Source, node.Catalog, node.Crawl = l.store, l.source, l.catalog, &port.Crawl{Name: "c", Role: "r"}
	node.Crawler = crawlerFunc(func() error {
		runs++
		return errors.Join(add(schema.DeadLetters().Name, 1), add("gps_data", 0))
	})
	r := newRegistrar(&node, newBoard())
	if o := r.round(t.Context(), nil, true); runs != 1 || o.err != nil || len(o.logs) > 0 {
		t.Fatalf("%d runs, %v", runs, o.err)
	}
	l.commit(1, hourOf(1), 2)
	if err := add("gps_data", 2); err != nil { // by another
		t.Fatal(err)
	}
	if o := r.round(t.Context(), nil, true); runs != 1 || o.err != nil || len(o.logs) > 0 {
		t.Errorf("%d runs, %v", runs, o.err)
	}
}

func TestALongLogIsRegisteredPieceByPiece(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	for range newsMax {
		l.commit(0, hourOf(0))
	}
	l.commit(0, hourOf(1), 0)
	l.commit(1, hourOf(1), 0)
	f := l.follow()
	f.settled()
	calls := l.faults.Calls()
	if saved := calls["PutIfAbsent catalog"] + calls["PutIfMatch catalog"]; saved < 2 {
		t.Errorf("progress was saved %d times", saved)
	}
	if got := calls["Get log"]; got > 2*(newsMax+3) { // once to register, once to load
		t.Errorf("%d slots were read, of %d", got, newsMax+2)
	}
}

func TestOneRoundReadsABoundedNumberOfEntriesOfATopic(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	for range newsMax - 100 {
		l.commit(0, hourOf(0))
		l.commit(1, hourOf(0))
	}
	node, life := *l.node, l.faults.Life()
	node.Store, node.Source, node.Catalog = life.Store(l.store), l.source, l.catalog
	r := newRegistrar(&node, newBoard())
	if o := r.round(t.Context(), nil, true); o.err != nil {
		t.Fatal(o.err)
	}
	calls := l.faults.Calls()
	if calls["Get log"] > newsMax || calls["PutIfAbsent catalog"] != 1 {
		t.Errorf("the first round has read %d entries, and written the progress %d times", calls["Get log"], calls["PutIfAbsent catalog"])
	}
}

func TestTwoCatalogsAtOnceAreHarmless(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	catalogs := []*follower{l.follow(), l.follow()}
	random := rand.New(rand.NewPCG(7, 0))
	for i := range 12 {
		for p := range 2 {
			l.commit(record.Partition(p), hourOf(i/3), i/3, random.IntN(i/3+1)) // the second is late, mostly
		}
		for _, f := range catalogs {
			f.told()
		}
	}
	for _, f := range catalogs {
		f.settled()
	}
	catalogs[0].die()
	catalogs[1].settled()
}
