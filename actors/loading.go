package actors

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"citystream/engine/catalog"
	"citystream/engine/commitlog"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/schema"
	"citystream/messages"
)

// loader loads registered commits into the warehouse. The warehouse's own log of loads says what is loaded; the progress in the store only spares
// asking for everything again. A table that cannot be loaded does not stop the others. One goroutine uses it at a time.
type loader struct {
	node     *Node
	board    *board
	tables   []*schema.Table
	retry    bool // what is set aside is tried once more
	ensured  map[string]bool
	progress map[topicOf]*loadKept
	checked  map[topicOf]bool    // the log of loads has what the progress tells of
	columns  map[string][]string // of files, by fingerprint
}

type loadKept struct {
	progress catalog.LoadProgress
	etag     string
}

// loadPage is how many slots of a log are read before what they have is loaded.
const loadPage = 200

func newLoader(node *Node, board *board) *loader {
	return &loader{
		node: node, board: board, tables: node.Tables, ensured: map[string]bool{}, progress: map[topicOf]*loadKept{}, checked: map[topicOf]bool{},
		columns: map[string][]string{},
	}
}

// round loads everything that is registered.
func (l *loader) round(ctx context.Context) outcome {
	var o outcome
	if l.node.External != nil {
		o.err = l.external(ctx)
		return o
	}
	for _, t := range l.tables {
		if !l.node.loads(t.Name) {
			continue
		}
		err := l.table(ctx, t)
		if l.retry {
			err = errors.Join(err, l.retryAside(ctx, t))
		}
		if errors.Is(err, port.ErrNotFound) { // the schema was dropped, say: next time it is made, and the log of loads looked at
			of := topicOf{t.Name, t.Topic}
			delete(l.ensured, t.Name)
			delete(l.progress, of)
			delete(l.checked, of)
		}
		l.board.noteLoad(t.Name, func(s *messages.LoadStatus) {
			if err == nil {
				s.Error, s.Failures = "", 0
			} else {
				s.Error, s.Failures = err.Error(), s.Failures+1
			}
		})
		if err != nil {
			l.node.Metrics.LoadFailures.WithLabelValues(t.Name).Inc()
			o.err = errors.Join(o.err, fmt.Errorf("load table %s: %w", t.Name, err))
			continue
		}
		o.part = true
	}
	return o
}

// external makes the schema that shows the catalog's tables, once.
func (l *loader) external(ctx context.Context) error {
	if l.ensured[""] {
		return nil
	}
	if err := l.node.Warehouse.EnsureExternalSchema(ctx, *l.node.External); err != nil {
		return fmt.Errorf("external schema: %w", err)
	}
	l.ensured[""] = true
	return nil
}

// loads reports whether a table is one that is loaded.
func (n *Node) loads(table string) bool {
	return n.Warehouse != nil && n.External == nil && n.Table(table) != nil
}

// warehouseTable returns a table as the warehouse has it. Where nothing else is said its rows are sorted by event time.
func (n *Node) warehouseTable(t *schema.Table) port.WarehouseTable {
	keys := n.LoadKeys[t.Name]
	if len(keys.Sort) == 0 && t.EventTime >= 0 {
		keys.Sort = []string{t.Columns[t.EventTime].Name}
	}
	return catalog.Warehouse(t, keys.Dist, keys.Sort)
}

// table loads what is new of a table, page by page.
func (l *loader) table(ctx context.Context, t *schema.Table) error {
	of := topicOf{t.Name, t.Topic}
	registered := l.board.registered(of)
	described := l.node.warehouseTable(t)
	for more := true; more; {
		k, err := l.progressOf(ctx, of)
		if err != nil {
			return err
		}
		l.notePending(t.Name, registered, k.progress)
		p := &page{progress: k.progress.Clone(), places: map[string]place{}}
		p.progress.Warehouse = l.node.WarehouseName
		if err := l.read(ctx, t, registered, p); err != nil {
			return err
		}
		if maps.Equal(p.progress.Slots, k.progress.Slots) {
			l.board.noteLoaded(of, p.progress.Slots)
			return nil
		}
		if err := l.load(ctx, t, described, p); err != nil {
			return err
		}
		if err := l.save(ctx, of, k, p.progress); err != nil {
			return err
		}
		if gone := p.progress.Gone - k.progress.Gone; gone > 0 {
			l.node.Log.Warn("slots were deleted before they were loaded: their rows are in the bucket, and not in the warehouse (store.keepLog)",
				"table", t.Name, "slots", gone)
		}
		l.board.noteLoaded(of, p.progress.Slots)
		l.notePending(t.Name, registered, p.progress)
		more = p.more
	}
	return nil
}

// A page is what is loaded together, and the progress that follows from it.
type page struct {
	progress catalog.LoadProgress
	commits  []port.LoadCommit
	places   map[string]place // by the commits' ids
	more     bool
}

type place struct {
	partition record.Partition
	slot      commitlog.Slot
}

// read reads what is new in the logs of a table, up to what is registered.
func (l *loader) read(ctx context.Context, t *schema.Table, registered map[record.Partition]catalog.Cursor, p *page) error {
	for _, n := range slices.Sorted(maps.Keys(registered)) {
		log := commitlog.Log{Table: t.Name, TopicPartition: record.TopicPartition{Topic: t.Topic, Partition: n}}
		after := p.progress.After(n)
		found, err := l.news(ctx, log, t, after, registered[n].Slot)
		if err != nil {
			return err
		}
		p.more = p.more || found.more
		if found.last <= after {
			continue
		}
		p.progress.Slots[n] = found.last
		p.progress.Gone += int64(found.first - after - 1)
		for _, c := range found.commits {
			p.commits = append(p.commits, c.LoadCommit)
			p.places[c.ID] = place{n, c.slot}
		}
	}
	return nil
}

// news is what a log has behind a slot.
type news struct {
	commits     []slotCommit
	first, last commitlog.Slot // that were read; last is the slot behind which they lie, if there are none
	more        bool
}

type slotCommit struct {
	port.LoadCommit
	slot commitlog.Slot
}

// news returns the commits of a log behind a slot, up to and with one that is registered.
func (l *loader) news(ctx context.Context, log commitlog.Log, t *schema.Table, after, through commitlog.Slot) (news, error) {
	n := news{last: after}
	if after >= through {
		return n, nil
	}
	entries, more, err := readEntries(ctx, l.node.Store, log, after, int(min(through-after, loadPage)))
	if err != nil {
		return n, err
	}
	for i, e := range entries {
		if e.Slot > through {
			break
		}
		if n.last = e.Slot; i == 0 {
			n.first = e.Slot
		}
		commits, err := l.commitsOf(ctx, log, t, e)
		if err != nil {
			return n, err
		}
		for _, c := range commits {
			n.commits = append(n.commits, slotCommit{c, e.Slot})
		}
	}
	n.more = more && n.last < through
	return n, nil
}

// commitsOf returns what an entry of a log has for the log's table.
func (l *loader) commitsOf(ctx context.Context, log commitlog.Log, t *schema.Table, e *commitlog.Entry) ([]port.LoadCommit, error) {
	if len(e.Files) == 0 {
		return nil, nil
	}
	columns, err := l.columnsOf(ctx, t, e.Fingerprint)
	if err != nil {
		return nil, fmt.Errorf("slot %d of %s: %w", e.Slot, log, err)
	}
	return catalog.LoadCommits(log, t.Name, e, columns), nil
}

// columnsOf returns the names of the columns of files that were written under a fingerprint.
func (l *loader) columnsOf(ctx context.Context, t *schema.Table, fingerprint string) ([]string, error) {
	if fingerprint == t.Fingerprint() {
		return catalog.ColumnNames(t), nil
	}
	if c := l.columns[fingerprint]; c != nil {
		return c, nil
	}
	body, _, err := l.node.Store.Get(ctx, commitlog.SchemaKey(fingerprint))
	if err != nil {
		return nil, fmt.Errorf("read the schema of its files: %w", err)
	}
	was, err := schema.FromCanonical(body)
	if err != nil {
		return nil, err
	}
	l.columns[fingerprint] = catalog.ColumnNames(was)
	return l.columns[fingerprint], nil
}

// load has the commits of a page loaded, but for those that cannot be: they are set aside.
func (l *loader) load(ctx context.Context, t *schema.Table, described port.WarehouseTable, p *page) error {
	if !l.ensured[t.Name] {
		if err := l.node.Warehouse.EnsureTable(ctx, described); err != nil {
			return err
		}
		l.ensured[t.Name] = true
	}
	if len(p.commits) == 0 {
		return nil
	}
	wanted := p.commits
	loaded, err := l.node.Warehouse.Load(ctx, described, wanted)
	for rejected := port.Rejections(err); len(rejected) > 0; rejected = port.Rejections(err) {
		if wanted, err = l.setAside(ctx, t, described, p, wanted, rejected, err); err != nil {
			return err
		}
		loaded, err = l.node.Warehouse.Load(ctx, described, wanted)
	}
	if err != nil {
		return err
	}
	if left := catalog.Unloaded(wanted, loaded); len(left) > 0 {
		return fmt.Errorf("the log of loads lacks %d of %d commits that were loaded, the first is %s", len(left), len(wanted), left[0].ID)
	}
	rows := int64(0)
	for _, c := range loaded {
		rows += c.Rows
		p.loaded(c.ID)
	}
	l.node.Metrics.Loaded.WithLabelValues(t.Name).Add(float64(len(loaded)))
	l.node.Log.Info("loaded commits", "table", t.Name, "commits", len(loaded), "rows", rows)
	l.board.noteLoad(t.Name, func(s *messages.LoadStatus) { s.Loaded, s.Rows = s.Loaded+int64(len(loaded)), s.Rows+rows })
	return nil
}
