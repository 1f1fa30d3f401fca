package enginetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"citystream/engine/port"
)

// A FakeWarehouse is a warehouse in memory. A call is a transaction: it takes effect whole, or not at all.
//
// It knows the files that SetFile gave it, and takes of any other that it has the rows and columns that its commit tells of.
// It implements port.Warehouse and is safe for concurrent use.
type FakeWarehouse struct {
	mu       sync.Mutex
	files    map[string]fakeLoadFile
	tables   map[string]*fakeLoads
	external *port.ExternalSchema
	outside  map[string]int64 // rows of the tables of an external schema
}

type fakeLoadFile struct {
	columns []string
	rows    [][]string
}

type fakeLoads struct {
	columns map[string]string // types by name
	keys    []string
	rows    []map[string]string
	log     map[string]port.LoadedCommit
}

var _ port.Warehouse = (*FakeWarehouse)(nil)

// NewFakeWarehouse returns a warehouse without tables.
func NewFakeWarehouse() *FakeWarehouse {
	return &FakeWarehouse{files: map[string]fakeLoadFile{}, tables: map[string]*fakeLoads{}, outside: map[string]int64{}}
}

// SetFile says what is in a file.
func (w *FakeWarehouse) SetFile(key string, columns []string, rows [][]string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files[key] = fakeLoadFile{columns, rows}
}

// Drop takes a table away with its rows and what the log of loads has of it, as a schema that is dropped does.
func (w *FakeWarehouse) Drop(table string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.tables, table)
}

// SetExternalRows says how many rows a table of Glue has, as an external schema shows them.
func (w *FakeWarehouse) SetExternalRows(table string, rows int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.outside[table] = rows
}

// Contents returns a table's rows, as the texts of the given columns with | between them, in order.
func (w *FakeWarehouse) Contents(table string, columns ...string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var lines []string
	if t := w.tables[table]; t != nil {
		for _, row := range t.rows {
			cells := make([]string, len(columns))
			for i, c := range columns {
				cells[i] = row[c]
			}
			lines = append(lines, strings.Join(cells, "|"))
		}
	}
	slices.Sort(lines)
	return lines
}

// EnsureTable implements port.Warehouse.
func (w *FakeWarehouse) EnsureTable(ctx context.Context, table port.WarehouseTable) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if w.external != nil {
		return fmt.Errorf("%w: the schema is an external one", port.ErrQueryFailed)
	}
	columns := map[string]string{}
	t := w.tables[table.Name]
	if t != nil {
		columns = maps.Clone(t.columns)
	} else {
		t = &fakeLoads{keys: table.PartitionKeys, log: map[string]port.LoadedCommit{}}
	}
	for _, c := range table.Columns {
		if kind, ok := columns[c.Name]; ok && kind != c.Type {
			return fmt.Errorf("%w: column %s is %s", port.ErrQueryFailed, c.Name, kind)
		}
		columns[c.Name] = c.Type
	}
	t.columns = columns
	w.tables[table.Name] = t
	return nil
}

func (w *FakeWarehouse) table(name string) (*fakeLoads, error) {
	if t := w.tables[name]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("%w: %w: table %s", port.ErrNotFound, port.ErrQueryFailed, name)
}

// Load implements port.Warehouse: each commit is a transaction.
func (w *FakeWarehouse) Load(ctx context.Context, table port.WarehouseTable, commits []port.LoadCommit) ([]port.LoadedCommit, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	t, err := w.table(table.Name)
	if err != nil {
		return nil, err
	}
	found := make([]port.LoadedCommit, len(commits))
	var wrong error
	for i, c := range commits {
		if _, ok := t.log[c.ID]; !ok {
			rows, err := w.rowsOf(t, table, c)
			if err != nil {
				wrong = errors.Join(wrong, &port.RejectedError{ID: c.ID, Err: err})
				continue
			}
			t.rows = append(t.rows, rows...)
			t.log[c.ID] = port.LoadedCommit{ID: c.ID, Values: c.Values, Rows: int64(len(rows))}
		}
		found[i] = t.log[c.ID]
	}
	if wrong != nil {
		return nil, wrong
	}
	return found, nil
}

// rowsOf reads the files of a commit.
func (w *FakeWarehouse) rowsOf(t *fakeLoads, table port.WarehouseTable, c port.LoadCommit) ([]map[string]string, error) {
	if len(c.Values) != len(t.keys) {
		return nil, fmt.Errorf("%w: %d values for %d keys", port.ErrQueryFailed, len(c.Values), len(t.keys))
	}
	columns := c.Columns
	if columns == nil {
		for _, col := range table.Columns {
			columns = append(columns, col.Name)
		}
	}
	var rows []map[string]string
	for _, f := range c.Files {
		file, ok := w.files[f.Key]
		if !ok {
			file = fakeLoadFile{columns: columns, rows: slices.Repeat([][]string{make([]string, len(columns))}, int(f.Rows))}
		}
		if len(file.columns) != len(columns) || int64(len(file.rows)) != f.Rows {
			return nil, fmt.Errorf("%w: %s has %d columns and %d rows", port.ErrQueryFailed, f.Key, len(file.columns), len(file.rows))
		}
		for _, cells := range file.rows {
			row := map[string]string{}
			for i, name := range columns {
				if t.columns[name] == "" {
					return nil, fmt.Errorf("%w: no column %s", port.ErrQueryFailed, name)
				}
				row[name] = cells[i]
			}
			for i, k := range t.keys {
				row[k] = c.Values[i]
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// Reload implements port.Warehouse.
func (w *FakeWarehouse) Reload(ctx context.Context, table port.WarehouseTable, r port.Reload) (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	t, err := w.table(table.Name)
	if err != nil {
		return 0, err
	}
	known := map[string]bool{}
	for _, id := range r.Known {
		known[id] = true
	}
	var rows []map[string]string
	for _, c := range r.Commits {
		more, err := w.rowsOf(t, table, c)
		if err != nil {
			return 0, err
		}
		if !slices.Equal(c.Values, r.Values) {
			return 0, fmt.Errorf("%w: commit %s is of another Hive partition", port.ErrQueryFailed, c.ID)
		}
		known[c.ID] = true
		rows = append(rows, more...)
	}
	for id, c := range t.log {
		if slices.Equal(c.Values, r.Values) && !known[id] {
			return 0, fmt.Errorf("%w: %s", port.ErrMoreLoaded, id)
		}
	}
	t.rows = slices.DeleteFunc(t.rows, func(row map[string]string) bool {
		for i, k := range t.keys {
			if row[k] != r.Values[i] {
				return false
			}
		}
		return true
	})
	t.rows = append(t.rows, rows...)
	for _, c := range r.Commits {
		if _, ok := t.log[c.ID]; !ok {
			n, _ := c.Size()
			t.log[c.ID] = port.LoadedCommit{ID: c.ID, Values: c.Values, Rows: n}
		}
	}
	return int64(len(rows)), nil
}

// Loaded implements port.Warehouse.
func (w *FakeWarehouse) Loaded(ctx context.Context, table string, ids []string) ([]port.LoadedCommit, error) {
	return w.logged(ctx, table, func(c port.LoadedCommit) bool { return slices.Contains(ids, c.ID) })
}

// LoadedOf implements port.Warehouse.
func (w *FakeWarehouse) LoadedOf(ctx context.Context, table string, values []string) ([]port.LoadedCommit, error) {
	return w.logged(ctx, table, func(c port.LoadedCommit) bool { return values == nil || slices.Equal(c.Values, values) })
}

// LoadedSum implements port.Warehouse.
func (w *FakeWarehouse) LoadedSum(ctx context.Context, table string) (commits, rows int64, err error) {
	loaded, err := w.LoadedOf(ctx, table, nil)
	for _, c := range loaded {
		rows += c.Rows
	}
	return int64(len(loaded)), rows, err
}

func (w *FakeWarehouse) logged(ctx context.Context, table string, keep func(port.LoadedCommit) bool) ([]port.LoadedCommit, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var found []port.LoadedCommit
	if t := w.tables[table]; t != nil {
		for _, id := range slices.Sorted(maps.Keys(t.log)) {
			if keep(t.log[id]) {
				found = append(found, t.log[id])
			}
		}
	}
	return found, nil
}

// Rows implements port.Warehouse.
func (w *FakeWarehouse) Rows(ctx context.Context, table string) (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if n, ok := w.outside[table]; ok && w.external != nil {
		return n, nil
	}
	t, err := w.table(table)
	if err != nil {
		return 0, err
	}
	return int64(len(t.rows)), nil
}

// EnsureExternalSchema implements port.Warehouse.
func (w *FakeWarehouse) EnsureExternalSchema(ctx context.Context, external port.ExternalSchema) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case len(w.tables) > 0:
		return fmt.Errorf("%w: the schema has tables of its own", port.ErrQueryFailed)
	case w.external != nil && w.external.Database != external.Database:
		return fmt.Errorf("%w: the schema shows the database %s", port.ErrQueryFailed, w.external.Database)
	}
	w.external = &external
	return nil
}
