package enginetest

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"citystream/engine/port"
)

// A FakeQuery is a query service over tables in memory that knows one form of statement:
//
//	SELECT * | count(*) | column, ... FROM table [WHERE column = 'text'] [ORDER BY column] [LIMIT n]
//
// and, where it has a store, UNLOAD (query) TO 's3://bucket/prefix/' WITH (...): it puts the query's text there instead of its rows, if there is
// nothing yet. It implements port.Query and is safe for concurrent use.
type FakeQuery struct {
	Store port.Store // for UNLOAD; set before the first statement

	mu      sync.Mutex
	tables  map[string]fakeRows // database.table
	ran     int
	running int
}

type fakeRows struct {
	columns []port.CatalogColumn
	rows    [][]*string
}

var _ port.Query = (*FakeQuery)(nil)

// Forever is a statement that a FakeQuery runs until it is stopped.
const Forever = "SELECT forever"

// NewFakeQuery returns a service without tables.
func NewFakeQuery() *FakeQuery { return &FakeQuery{tables: map[string]fakeRows{}} }

// SetTable gives a table its columns, the partition keys last, and its rows as they are printed. Types are Athena's.
func (q *FakeQuery) SetTable(database, name string, columns []port.CatalogColumn, rows [][]*string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tables[database+"."+name] = fakeRows{columns, rows}
}

// Running returns how many statements run now.
func (q *FakeQuery) Running() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.running
}

var (
	fakeSelect = regexp.MustCompile(`(?is)^\s*SELECT\s+(.+?)\s+FROM\s+(\S+)(?:\s+WHERE\s+(\w+)\s*=\s*'([^']*)')?` +
		`(?:\s+ORDER\s+BY\s+(\w+))?(?:\s+LIMIT\s+(\d+))?\s*;?\s*$`)
	fakeUnload = regexp.MustCompile(`(?is)^UNLOAD \((.*)\)\s*TO 's3://[^/']+/([^']*)'`)

	fakeName = regexp.MustCompile(`(?i)^(?:"?AwsDataCatalog"?\.)?(?:"?([^".]+)"?\.)?"?([^".;]+)"?$`)
)

// Run implements port.Query.
func (q *FakeQuery) Run(ctx context.Context, database, sql string) (*port.Result, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	q.mu.Lock()
	q.ran++
	id := fmt.Sprintf("00000000-0000-4000-8000-%012d", q.ran)
	q.running++
	q.mu.Unlock()
	defer func() {
		q.mu.Lock()
		q.running--
		q.mu.Unlock()
	}()
	if sql == Forever {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	var r *port.Result
	var err error
	if m := fakeUnload.FindStringSubmatch(sql); m != nil && q.Store != nil {
		r, err = q.unload(ctx, m[1], m[2])
	} else {
		r, err = q.answer(database, sql)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", port.ErrQueryFailed, err)
	}
	r.ID = id
	return r, nil
}

// fakeScanned is how many bytes each UNLOAD scans.
const fakeScanned = 1000

func (q *FakeQuery) unload(ctx context.Context, query, prefix string) (*port.Result, error) {
	there, err := q.Store.List(ctx, prefix, "", 1)
	if err != nil {
		return nil, err
	}
	if len(there) > 0 {
		return nil, fmt.Errorf("HIVE_PATH_ALREADY_EXISTS: target directory is not empty: %s", prefix)
	}
	if err := q.Store.Put(ctx, prefix+"0.parquet", []byte(query)); err != nil {
		return nil, err
	}
	return &port.Result{ScannedBytes: fakeScanned}, nil
}

func (q *FakeQuery) answer(database, sql string) (*port.Result, error) {
	m := fakeSelect.FindStringSubmatch(sql)
	if m == nil {
		return nil, fmt.Errorf("the fake does not understand %q", sql)
	}
	t, err := q.table(database, m[2])
	if err != nil {
		return nil, err
	}
	rows := slices.Clone(t.rows)
	if m[3] != "" {
		at, err := t.column(m[3])
		if err != nil {
			return nil, err
		}
		rows = slices.DeleteFunc(rows, func(r []*string) bool { return r[at] == nil || *r[at] != m[4] })
	}
	if m[5] != "" {
		at, err := t.column(m[5])
		if err != nil {
			return nil, err
		}
		slices.SortStableFunc(rows, func(a, b []*string) int { return compareCells(a[at], b[at]) })
	}
	if m[6] != "" {
		n, err := strconv.Atoi(m[6])
		if err != nil {
			return nil, fmt.Errorf("limit: %w", err)
		}
		rows = rows[:min(n, len(rows))]
	}
	return t.project(m[1], rows)
}

// table finds a table by its name in a statement.
func (q *FakeQuery) table(database, text string) (fakeRows, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if name := fakeName.FindStringSubmatch(text); name != nil {
		if name[1] != "" {
			database = name[1]
		}
		if t, ok := q.tables[database+"."+strings.ToLower(name[2])]; ok {
			return t, nil
		}
	}
	return fakeRows{}, fmt.Errorf("table %s does not exist", text)
}

// project returns the columns that a select list names.
func (t fakeRows) project(list string, rows [][]*string) (*port.Result, error) {
	switch strings.ToLower(list) {
	case "*":
		return &port.Result{Columns: t.columns, Rows: rows}, nil
	case "count(*)":
		return &port.Result{
			Columns: []port.CatalogColumn{{Name: "_col0", Type: "bigint"}}, Rows: [][]*string{{new(strconv.Itoa(len(rows)))}},
		}, nil
	}
	r := &port.Result{Rows: make([][]*string, len(rows))}
	for name := range strings.SplitSeq(list, ",") {
		at, err := t.column(strings.TrimSpace(name))
		if err != nil {
			return nil, err
		}
		r.Columns = append(r.Columns, t.columns[at])
		for i, row := range rows {
			r.Rows[i] = append(r.Rows[i], row[at])
		}
	}
	return r, nil
}

func (t fakeRows) column(name string) (int, error) {
	name = strings.Trim(strings.ToLower(name), `"`)
	if i := slices.IndexFunc(t.columns, func(c port.CatalogColumn) bool { return c.Name == name }); i >= 0 {
		return i, nil
	}
	return 0, fmt.Errorf("column %s cannot be resolved", name)
}

// compareCells puts NULL last.
func compareCells(a, b *string) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return strings.Compare(*a, *b)
}
