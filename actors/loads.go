package actors

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"citystream/engine/catalog"
	"citystream/engine/commitlog"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/schema"
)

// Loads is what people can ask of the loads into the warehouse, and have done by hand. It needs of a node the store, the warehouse and the
// tables, and does no harm beside a catalog that loads. Not safe for concurrent use.
type Loads struct {
	node *Node
}

// TableLoads is how the loads of a table stand.
type TableLoads struct {
	Table   string `json:"table"`
	Commits int64  `json:"commits"` // in the log of loads
	Rows    int64  `json:"rows"`    // that it tells of
	Counted int64  `json:"counted"` // rows of the table
	Pending int64  `json:"pending"` // slots that are registered and not looked at yet
	Gone    int64  `json:"gone"`    // slots that were deleted before they were looked at

	Aside []catalog.Aside `json:"aside"` // commits that cannot be loaded
}

// NewLoads returns the loads of a node.
func NewLoads(node *Node) *Loads { return &Loads{node} }

// Status returns how the loads of each table stand.
func (l *Loads) Status(ctx context.Context) ([]TableLoads, error) {
	var all []TableLoads
	for _, t := range l.node.Tables {
		if !l.node.loads(t.Name) {
			continue
		}
		s := TableLoads{Table: t.Name}
		var err error
		if s.Commits, s.Rows, err = l.node.Warehouse.LoadedSum(ctx, strings.ToLower(t.Name)); err == nil {
			s.Counted, err = l.node.Warehouse.Rows(ctx, strings.ToLower(t.Name))
		}
		if err != nil && !errors.Is(err, port.ErrNotFound) { // not made yet: nothing is loaded
			return all, fmt.Errorf("table %s: %w", t.Name, err)
		}
		if err := l.progress(ctx, t, &s); err != nil {
			return all, fmt.Errorf("table %s: %w", t.Name, err)
		}
		all = append(all, s)
	}
	return all, nil
}

// progress says how far the loads of a table have come.
func (l *Loads) progress(ctx context.Context, t *schema.Table, s *TableLoads) error {
	registered, err := l.registered(ctx, t)
	if err != nil {
		return err
	}
	k, err := newLoader(l.node, newBoard()).progressOf(ctx, topicOf{t.Name, t.Topic})
	if err != nil {
		return err
	}
	for p, c := range registered.Logs {
		s.Pending += max(0, int64(c.Slot-k.progress.After(p)))
	}
	s.Gone, s.Aside = k.progress.Gone, k.progress.Aside
	return nil
}

// registered reads how far the files of a table are registered.
func (l *Loads) registered(ctx context.Context, t *schema.Table) (catalog.Progress, error) {
	body, _, err := l.node.Store.Get(ctx, catalog.ProgressKey(t.Name, t.Topic))
	if isNotFound(err) {
		return catalog.NewProgress(), nil
	}
	if err != nil {
		return catalog.Progress{}, fmt.Errorf("read the catalog's progress: %w", err)
	}
	return catalog.DecodeProgress(body)
}

// Retry loads what is registered of some tables, or of all, now, and tries what is set aside once more.
func (l *Loads) Retry(ctx context.Context, tables ...string) error {
	b := newBoard()
	loader := newLoader(l.node, b)
	loader.retry = true
	if len(tables) > 0 {
		loader.tables = slices.DeleteFunc(slices.Clone(loader.tables), func(t *schema.Table) bool { return !slices.Contains(tables, t.Name) })
	}
	for _, t := range loader.tables {
		p, err := l.registered(ctx, t)
		if err != nil {
			return fmt.Errorf("table %s: %w", t.Name, err)
		}
		b.noteProgress(topicOf{t.Name, t.Topic}, p, 0)
	}
	return loader.round(ctx).err
}

// reloadTries is how often a reload begins again because commits have come meanwhile.
const reloadTries = 5

// Reload replaces the rows of one Hive partition by those of its files, in one transaction, and returns how many it has now. What the log of loads
// has is read before the files are listed: a commit that is loaded in between would be lost otherwise.
func (l *Loads) Reload(ctx context.Context, t *schema.Table, window record.Micros) (int64, error) {
	table := l.node.warehouseTable(t)
	if err := l.node.Warehouse.EnsureTable(ctx, table); err != nil {
		return 0, err
	}
	for try := 1; ; try++ {
		reload, err := l.reloadOf(ctx, t, window)
		if err != nil {
			return 0, err
		}
		rows, err := l.node.Warehouse.Reload(ctx, table, reload)
		if !errors.Is(err, port.ErrMoreLoaded) || try == reloadTries {
			return rows, err
		}
	}
}

func (l *Loads) reloadOf(ctx context.Context, t *schema.Table, window record.Micros) (port.Reload, error) {
	v := commitlog.HiveValues(window)
	r := port.Reload{Values: v[:]}
	loaded, err := l.node.Warehouse.LoadedOf(ctx, strings.ToLower(t.Name), r.Values)
	if err != nil {
		return r, fmt.Errorf("read the log of loads: %w", err)
	}
	for _, c := range loaded {
		r.Known = append(r.Known, c.ID)
	}
	registered, err := l.registered(ctx, t)
	if err != nil {
		return r, err
	}
	loader := newLoader(l.node, newBoard())
	for _, p := range slices.Sorted(maps.Keys(registered.Logs)) {
		log := commitlog.Log{Table: t.Name, TopicPartition: record.TopicPartition{Topic: t.Topic, Partition: p}}
		commits, err := l.commitsOf(ctx, loader, log, t, window, registered.Logs[p].Slot)
		if err != nil {
			return r, err
		}
		r.Commits = append(r.Commits, commits...)
	}
	listed := map[string]bool{}
	for _, c := range r.Commits {
		listed[c.ID] = true
	}
	for _, id := range r.Known {
		if !listed[id] {
			return r, fmt.Errorf("commit %s was loaded, and is in the commit logs no more (store.keepLog): its rows would be lost", id)
		}
	}
	return r, nil
}

// commitsOf returns what a log has of one window, up to and with a slot.
func (l *Loads) commitsOf(
	ctx context.Context, loader *loader, log commitlog.Log, t *schema.Table, window record.Micros, through commitlog.Slot,
) ([]port.LoadCommit, error) {
	v := commitlog.HiveValues(window)
	var of []port.LoadCommit
	for after, more := commitlog.None, true; more; {
		found, err := loader.news(ctx, log, t, after, through)
		if err != nil {
			return nil, err
		}
		for _, c := range found.commits {
			if slices.Equal(c.Values, v[:]) {
				of = append(of, c.LoadCommit)
			}
		}
		after, more = found.last, found.more
	}
	return of, nil
}
