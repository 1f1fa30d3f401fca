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
	ensured  map[string]bool
	progress map[topicOf]*loadKept
	columns  map[string][]string // of files, by fingerprint
}

type loadKept struct {
	progress catalog.LoadProgress
	etag     string
}

// loadPage is how many slots of a log are read before what they have is loaded.
const loadPage = 200

func newLoader(node *Node, board *board) *loader {
	return &loader{node: node, board: board, ensured: map[string]bool{}, progress: map[topicOf]*loadKept{}, columns: map[string][]string{}}
}

// round loads everything that is registered.
func (l *loader) round(ctx context.Context) outcome {
	var o outcome
	if l.node.External != nil {
		o.err = l.external(ctx)
		return o
	}
	for _, t := range l.node.Tables {
		if !l.node.loads(t.Name) {
			continue
		}
		err := l.table(ctx, t)
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
	return n.Warehouse != nil && n.External == nil && n.Table(table) != nil && (len(n.LoadTables) == 0 || slices.Contains(n.LoadTables, table))
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
		moved := catalog.LoadProgress{Warehouse: l.node.WarehouseName, Slots: maps.Clone(k.progress.Slots)}
		var commits []port.LoadCommit
		more = false
		for _, p := range slices.Sorted(maps.Keys(registered)) {
			log := commitlog.Log{Table: t.Name, TopicPartition: record.TopicPartition{Topic: t.Topic, Partition: p}}
			found, last, left, err := l.news(ctx, log, t, k.progress.After(p), registered[p].Slot)
			if err != nil {
				return err
			}
			commits, more = append(commits, found...), more || left
			if last > moved.After(p) {
				moved.Slots[p] = last
			}
		}
		if maps.Equal(moved.Slots, k.progress.Slots) {
			l.board.noteLoaded(of, moved.Slots)
			return nil
		}
		if err := l.load(ctx, t, described, commits); err != nil {
			return err
		}
		if err := l.save(ctx, of, k, moved); err != nil {
			return err
		}
		l.board.noteLoaded(of, moved.Slots)
		l.notePending(t.Name, registered, moved)
	}
	return nil
}

// news returns the commits of a log behind a slot, up to and with one that is registered, the slot up to which they go, and whether there are more.
func (l *loader) news(
	ctx context.Context, log commitlog.Log, t *schema.Table, after, through commitlog.Slot,
) (commits []port.LoadCommit, last commitlog.Slot, more bool, err error) {
	last = after
	if after >= through {
		return nil, last, false, nil
	}
	entries, more, err := readEntries(ctx, l.node.Store, log, after, int(min(through-after, loadPage)))
	if err != nil {
		return nil, last, false, err
	}
	for _, e := range entries {
		if e.Slot > through {
			break
		}
		last = e.Slot
		if len(e.Files) == 0 {
			continue
		}
		columns, err := l.columnsOf(ctx, t, e.Fingerprint)
		if err != nil {
			return nil, last, false, fmt.Errorf("slot %d of %s: %w", e.Slot, log, err)
		}
		commits = append(commits, catalog.LoadCommits(log, t.Name, e, columns)...)
	}
	return commits, last, more && last < through, nil
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

// load has commits loaded, and checks that all of them are.
func (l *loader) load(ctx context.Context, t *schema.Table, described port.WarehouseTable, commits []port.LoadCommit) error {
	if !l.ensured[t.Name] {
		if err := l.node.Warehouse.EnsureTable(ctx, described); err != nil {
			return err
		}
		l.ensured[t.Name] = true
	}
	if len(commits) == 0 {
		return nil
	}
	loaded, err := l.node.Warehouse.Load(ctx, described, commits)
	if err != nil {
		return err
	}
	if left := catalog.Unloaded(commits, loaded); len(left) > 0 {
		return fmt.Errorf("the log of loads lacks %d of %d commits that were loaded, the first is %s", len(left), len(commits), left[0].ID)
	}
	rows := int64(0)
	for _, c := range loaded {
		rows += c.Rows
	}
	l.node.Metrics.Loaded.WithLabelValues(t.Name).Add(float64(len(loaded)))
	l.node.Log.Info("loaded commits", "table", t.Name, "commits", len(loaded), "rows", rows)
	l.board.noteLoad(t.Name, func(s *messages.LoadStatus) { s.Loaded, s.Rows = s.Loaded+int64(len(loaded)), s.Rows+rows })
	return nil
}

func (l *loader) notePending(table string, registered map[record.Partition]catalog.Cursor, p catalog.LoadProgress) {
	pending := int64(0)
	for n, c := range registered {
		pending += max(0, int64(c.Slot-p.After(n)))
	}
	l.board.noteLoad(table, func(s *messages.LoadStatus) { s.Pending = pending })
}

func (l *loader) progressOf(ctx context.Context, of topicOf) (*loadKept, error) {
	if k := l.progress[of]; k != nil {
		return k, nil
	}
	k := &loadKept{progress: catalog.LoadProgress{Slots: catalog.Slots{}}}
	body, etag, err := l.node.Store.Get(ctx, catalog.LoadProgressKey(l.node.WarehouseName, of.table, of.topic))
	switch {
	case isNotFound(err):
	case err != nil:
		return nil, fmt.Errorf("read the progress of loads: %w", err)
	default:
		if k.progress, err = catalog.DecodeLoadProgress(body); err != nil {
			return nil, err
		}
		k.etag = etag
	}
	l.progress[of] = k
	return k, nil
}

// save writes the progress where nobody else has written one meanwhile; it is read again in any case.
func (l *loader) save(ctx context.Context, of topicOf, before *loadKept, p catalog.LoadProgress) error {
	delete(l.progress, of)
	key := catalog.LoadProgressKey(l.node.WarehouseName, of.table, of.topic)
	var err error
	if before.etag == "" {
		err = l.node.Store.PutIfAbsent(ctx, key, p.Encode())
	} else {
		err = l.node.Store.PutIfMatch(ctx, key, p.Encode(), before.etag)
	}
	if errors.Is(err, port.ErrConflict) || isNotFound(err) {
		return nil // another catalog loads too; what it has written counts
	}
	if err != nil {
		return fmt.Errorf("write the progress of loads: %w", err)
	}
	return nil
}
