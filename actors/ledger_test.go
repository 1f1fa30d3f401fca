package actors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"citystream/engine/catalog"
	"citystream/engine/commitlog"
	"citystream/engine/enginetest"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/schema"
	"citystream/engine/transform"
	"citystream/messages"
)

// ledger is a bucket with commit logs of one table, written without workers, and catalogs that follow them: each call of theirs to the
// store, the catalog, the query service and the warehouse can be made to fail, or to be the last that a catalog lives to see.
type ledger struct {
	*testing.T
	store     *enginetest.FakeStore
	source    *enginetest.FakeSource
	catalog   *enginetest.FakeCatalog
	query     *enginetest.FakeQuery
	warehouse *enginetest.FakeWarehouse
	faults    *enginetest.Faults
	node      *Node
	table     *schema.Table
	system    *actor.ActorSystem

	mu      sync.Mutex
	slots   map[record.Partition]commitlog.Slot
	rows    map[string]int64 // by Hive partition
	present *follower
	crashed bool
	failed  bool // a catalog has not settled
}

// ledgerStart is the beginning of the first window.
var ledgerStart = record.MicrosOf(time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC))

// hourOf returns the i-th window.
func hourOf(i int) record.Micros { return ledgerStart.Add(time.Duration(i) * time.Hour) }

func newLedger(t *testing.T, faults *enginetest.Faults) *ledger {
	l := &ledger{
		T: t, store: enginetest.NewFakeStore(), source: enginetest.NewFakeSource(), catalog: enginetest.NewFakeCatalog(), query: enginetest.NewFakeQuery(),
		warehouse: enginetest.NewFakeWarehouse(), faults: faults, table: schema.Cities()[1].WithTopic("gps"),
		slots: map[record.Partition]commitlog.Slot{}, rows: map[string]int64{},
	}
	l.system = NewSystem(slog.New(slog.DiscardHandler))
	t.Cleanup(l.system.Shutdown)
	l.source.CreateTopic("gps", 2)
	l.query.Store = l.store
	x := &transform.Transform{
		Name: "speeds", Table: l.table.Name, Version: 1, Columns: []port.CatalogColumn{{Name: "speed", Type: "double"}},
		SQL: `SELECT speed FROM "${database}".gps_data WHERE date = '${date}' AND hour = '${hour}'`,
	}
	l.node = &Node{
		Metrics: NewMetrics(), Log: slog.New(slog.DiscardHandler), Tables: []*schema.Table{l.table}, DeadLetters: schema.DeadLetters(),
		Bucket: "b", RawPrefix: "raw", Database: "city", CatalogPoll: time.Minute,
		Transforms: []*transform.Transform{x}, TransformedPrefix: "transformed", TransformsAtOnce: 2, TransformRetry: time.Millisecond,
		Price: catalog.Price{PerTB: 5, MinBytes: 10 << 20}, WarehouseName: "w",
	}
	return l
}

// commit writes an entry: a file in each of the windows, and a watermark.
func (l *ledger) commit(p record.Partition, watermark record.Micros, windows ...int) {
	l.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	log := logOf(l.table, int(p))
	slot := l.slots[p]
	l.slots[p]++
	e := &commitlog.Entry{Format: commitlog.Format, ID: fmt.Sprint(p, "-", slot), Slot: slot, Kind: commitlog.Flush, Fingerprint: l.table.Fingerprint()}
	e.Watermark = watermark
	for _, i := range windows {
		key := log.FileKey("raw", l.table.Name, 1, 0, hourOf(i), record.Offset(slot))
		e.Files = append(e.Files, commitlog.File{Table: l.table.Name, Key: key, Rows: 10, Window: hourOf(i), Parts: []port.Part{{SizeBytes: 100}}})
		l.rows[commitlog.HivePath(hourOf(i))] += 10
		if err := l.store.Put(context.Background(), key, []byte("rows")); err != nil {
			l.Error(err)
		}
	}
	if err := l.store.PutIfAbsent(context.Background(), log.Key(slot), e.Encode()); err != nil {
		l.Error(err)
	}
}

// follower is one life of a catalog.
type follower struct {
	l    *ledger
	life *enginetest.Life
	pid  *actor.PID
}

func (l *ledger) follow() *follower {
	f := &follower{l: l, life: l.faults.Life()}
	node := *l.node
	node.Store, node.Source, node.Catalog = f.life.Store(l.store), f.life.Source(l.source), f.life.Catalog(l.catalog)
	node.Query, node.Warehouse = f.life.Query(l.query), f.life.Warehouse(l.warehouse)
	f.pid = l.system.Root.Spawn(CatalogProps(&node))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.present = f
	if l.crashed { // a fault came before anybody knew whom it was to kill
		l.crashed = false
		f.die()
	}
	return f
}

func (f *follower) die() {
	f.life.Kill()
	f.l.system.Root.Stop(f.pid)
}

// crash kills the present catalog, when a fault says so.
func (l *ledger) crash() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.present == nil || l.present.life.Dead() {
		l.crashed = true
		return
	}
	l.present.die()
}

// told tells the catalog of all logs.
func (f *follower) told() {
	for p := range 2 {
		f.l.system.Root.Send(f.pid, &messages.Committed{Log: toLog(logOf(f.l.table, p))})
	}
}

// toldOf tells the catalog of one log.
func (f *follower) toldOf(p int) {
	f.l.system.Root.Send(f.pid, &messages.Committed{Log: toLog(logOf(f.l.table, p))})
}

// done waits until everything is as it must be, without asking the catalog for anything but its status.
func (f *follower) done() {
	f.l.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for quiet := 0; quiet < 20; quiet++ { // it may still write down what it has done
		before := f.l.faults.Calls()
		<-time.After(2 * time.Millisecond)
		if f.l.prove() != nil || len(without("", f.l.faults.Calls(), before)) > 0 {
			quiet = 0
		}
		if time.Now().After(deadline) {
			f.l.Fatalf("the catalog does not end: %v", f.l.prove())
		}
	}
}

// settled waits until the catalog has done everything, or is dead. What it still wanted to do when all was done does no harm.
func (f *follower) settled() {
	f.l.Helper()
	deadline := time.Now().Add(30 * time.Second)
	var err error
	for look := 1; !f.life.Dead() && !f.l.failed; look++ {
		if err = f.l.prove(); err == nil && f.idle() {
			return
		}
		if look%100 == 0 {
			f.told() // as the poll does
		}
		if time.Now().After(deadline) {
			f.l.failed = true
			f.l.Errorf("the catalog does not settle: %v; it says %v", err, f.status())
			return
		}
		<-time.After(time.Millisecond)
	}
}

// idle reports whether the catalog has looked at all logs since it was asked and has nothing left to do, and everything is still as it must be.
func (f *follower) idle() bool {
	if !f.registered() {
		return false
	}
	s := f.status()
	if s == nil || s.Error != "" {
		return false
	}
	for _, x := range s.Transforms {
		if x.Due > 0 || x.Failing > 0 {
			return false
		}
	}
	for _, x := range s.Loads {
		if x.Pending > 0 {
			return false
		}
	}
	return f.l.prove() == nil
}

// registered asks for a look at all logs, and waits a little for its end. It is not a future: one that times out while its answer comes is a data
// race of protoactor's own.
func (f *follower) registered() bool {
	answer := make(chan struct{}, 1)
	asker := f.l.system.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		if _, ok := ctx.Message().(registeredAll); ok {
			answer <- struct{}{}
		}
	}))
	defer f.l.system.Root.Stop(asker)
	f.l.system.Root.RequestWithCustomSender(f.pid, registerAll{}, asker)
	select {
	case <-answer:
		return true
	case <-time.After(100 * time.Millisecond):
		return false
	}
}

func (f *follower) status() *messages.CatalogStatus {
	answer, err := f.l.system.Root.RequestFuture(f.pid, &messages.GetCatalogStatus{}, time.Second).Result()
	if err != nil {
		return nil
	}
	return answer.(*messages.CatalogStatus)
}

// prove looks at everything that catalogs have left, and says what is not as the logs want it.
func (l *ledger) prove() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	touched := map[record.Micros]catalog.Slots{}
	closed := record.Micros(1 << 62)
	for p := range 2 {
		log, last := logOf(l.table, p), record.Micros(0)
		for slot := range l.slots[record.Partition(p)] {
			e, err := readEntry(context.Background(), l.store, log, slot)
			if err != nil {
				return err
			}
			last = max(last, e.Watermark)
			for _, f := range e.Files {
				if touched[f.Window] == nil {
					touched[f.Window] = catalog.Slots{}
				}
				touched[f.Window][record.Partition(p)] = slot
			}
		}
		closed = min(closed, last)
	}
	shown, err := l.catalog.Partitions(context.Background(), "city", l.table.Name)
	if err != nil {
		return err
	}
	if len(shown) != len(touched) {
		return fmt.Errorf("%d Hive partitions are registered, %d have files", len(shown), len(touched))
	}
	for _, p := range shown {
		window, _ := catalog.WindowOf(p.Values)
		if err := l.proveWindow(p, touched[window], catalog.IsClosed(window, time.Hour, closed)); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(p.Values, "/"), err)
		}
	}
	return l.proveLoads()
}

// proveWindow checks one Hive partition: what is announced of it, what is shown, and what was made of it.
func (l *ledger) proveWindow(p port.HivePartition, touched catalog.Slots, closed bool) error {
	window, _ := catalog.WindowOf(p.Values)
	if want := "s3://b/raw/gps_data/" + commitlog.HivePath(window) + "/"; p.Location != want {
		return fmt.Errorf("location %s", p.Location)
	}
	last, err := l.lastAnnouncement(window)
	switch {
	case err != nil:
		return err
	case !closed && last != nil:
		return errors.New("announced before its end")
	case !closed:
		return nil
	case !last.Counts(touched):
		return fmt.Errorf("%v does not count %v", last, touched)
	case catalog.RevisionOf(p) != last.Revision || p.Parameters[catalog.ParamCompleteAt] == "":
		return fmt.Errorf("revision %d is announced, and shown is %v", last.Revision, p.Parameters)
	}
	made, err := l.catalog.Partitions(context.Background(), "city", "speeds")
	if err != nil {
		return err
	}
	i := slices.IndexFunc(made, func(q port.HivePartition) bool { return slices.Equal(p.Values, q.Values) })
	if i < 0 || catalog.EditionOf(made[i]) != (catalog.Edition{Version: 1, Input: last.Revision}) {
		return fmt.Errorf("revision %d is announced, and the transform shows %v", last.Revision, made)
	}
	rows, err := l.store.List(context.Background(), strings.TrimPrefix(made[i].Location, "s3://b/"), "", 10)
	if err != nil || len(rows) != 1 {
		return fmt.Errorf("the result at %s has %d objects, %w", made[i].Location, len(rows), err)
	}
	return nil
}

func (l *ledger) lastAnnouncement(window record.Micros) (*catalog.Announcement, error) {
	var last *catalog.Announcement
	err := listAll(context.Background(), l.store, catalog.RevisionsPrefix(l.table.Name, window), func(o port.Object) {
		body, _, err := l.store.Get(context.Background(), o.Key)
		if err != nil {
			l.Error(err)
			return
		}
		if last, err = catalog.DecodeAnnouncement(body); err != nil {
			l.Error(err)
		}
	})
	return last, err
}

// proveLoads checks that each row of the files is in the warehouse once.
func (l *ledger) proveLoads() error {
	got := map[string]int64{}
	for _, row := range l.warehouse.Contents(l.table.Name, "date", "hour") {
		date, hour, _ := strings.Cut(row, "|")
		got["date="+date+"/hour="+hour]++
	}
	for path, want := range l.rows {
		if got[path] != want {
			return fmt.Errorf("%s has %d rows in the warehouse, and %d in files", path, got[path], want)
		}
	}
	return nil
}
