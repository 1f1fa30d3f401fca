package enginetest

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"citystream/engine/port"
)

// A QueryHarness is a query service under test over KnownDatabase, in which KnownTable has the KnownRows.
type QueryHarness struct {
	Query port.Query
	// Endless is a statement that runs for a minute or more unless it is stopped.
	Endless string
	// Running tells how many statements the service runs now.
	Running func(t *testing.T) int
}

// KnownDatabase is where the table of the query suite lies.
const KnownDatabase = "smart-city"

// KnownTable is the table of the query suite, partitioned by date and hour.
var KnownTable = port.CatalogTable{
	Name: "known_data", Location: "s3://lake/raw/known_data/", Parameters: map[string]string{"classification": "parquet"},
	Columns: []port.CatalogColumn{
		{Name: "id", Type: "string"},
		{Name: "note", Type: "string"},
		{Name: "year", Type: "int"},
		{Name: "count", Type: "bigint"},
		{Name: "speed", Type: "double"},
		{Name: "active", Type: "boolean"},
		{Name: "timestamp", Type: "timestamp"},
		{Name: "raw", Type: "binary"},
	},
	PartitionKeys: []port.CatalogColumn{{Name: "date", Type: "string"}, {Name: "hour", Type: "string"}},
}

// A KnownRow is a row of KnownTable. Its tags make a Parquet file of rows, with the columns' names in another case than the catalog's.
type KnownRow struct {
	ID     string    `parquet:"Id"`
	Note   *string   `parquet:"note"`
	Year   *int32    `parquet:"Year"`
	Count  *int64    `parquet:"count"`
	Speed  *float64  `parquet:"speed"`
	Active *bool     `parquet:"active"`
	At     time.Time `parquet:"timestamp,timestamp(microsecond)"`
	Raw    []byte    `parquet:"raw,optional"`
	Hour   string    `parquet:"-"` // of 2026-11-22
}

// KnownDate is the first partition key of all KnownRows.
const KnownDate = "2026-11-22"

// KnownRows returns the rows of KnownTable, in the order of their ids, in two hours.
func KnownRows() []KnownRow {
	rows := make([]KnownRow, 25)
	for i := range rows {
		hour := 5 + i%2
		rows[i] = KnownRow{
			ID: fmt.Sprintf("r%02d", i), Hour: fmt.Sprintf("%02d", hour),
			At: time.Date(2026, 11, 22, hour, 40, i, 0, time.UTC).Add(time.Duration(i*100_400) * time.Microsecond),
		}
		if i%5 == 0 {
			continue // nulls in all that may be null
		}
		rows[i].Note, rows[i].Year, rows[i].Count = new(fmt.Sprintf("it's %d, ü\n", i)), new(int32(2000+i)), new(int64(i)<<40)
		rows[i].Speed, rows[i].Active, rows[i].Raw = new(float64(i)+0.5), new(i%3 == 0), []byte{0, byte(i), 255}
	}
	rows[1].Note = new("")
	return rows
}

// Cells returns the row as a query service prints it, the partition keys last.
func (r KnownRow) Cells() []*string {
	return []*string{
		&r.ID, r.Note, printed(r.Year, func(v int32) string { return strconv.Itoa(int(v)) }),
		printed(r.Count, func(v int64) string { return strconv.FormatInt(v, 10) }),
		printed(r.Speed, func(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }),
		printed(r.Active, strconv.FormatBool), new(r.At.UTC().Round(time.Millisecond).Format("2006-01-02 15:04:05.000")), printedBytes(r.Raw),
		new(KnownDate), &r.Hour,
	}
}

func printed[T any](v *T, print func(T) string) *string {
	if v == nil {
		return nil
	}
	return new(print(*v))
}

// printedBytes prints pairs of hexadecimal digits with spaces between them.
func printedBytes(b []byte) *string {
	if b == nil {
		return nil
	}
	pairs := make([]string, len(b))
	for i := range b {
		pairs[i] = hex.EncodeToString(b[i : i+1])
	}
	return new(strings.Join(pairs, " "))
}

// QuerySuite is what every port.Query must do. open makes a harness and cleans up by t.
func QuerySuite(t *testing.T, open func(t *testing.T) QueryHarness) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, QueryHarness)
	}{
		{"all rows come back with their types, nulls and empty texts apart", queryAll},
		{"a table is found by its full name, by its database and by the context's database", queryNames},
		{"a limit and a semicolon are taken", queryLimit},
		{"a partition key selects its rows", queryPartition},
		{"a count has one row", queryCount},
		{"no rows are a result with columns", queryEmpty},
		{"a statement that cannot run is ErrQueryFailed with the reason", queryFails},
		{"each run has an id of its own", queryIDs},
		{"when the context ends the statement is stopped", queryStops},
		{"a context that has ended starts nothing", queryEnded},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, open(t))
		})
	}
}

func runQuery(t *testing.T, h QueryHarness, sql string) *port.Result {
	t.Helper()
	r, err := h.Query.Run(t.Context(), KnownDatabase, sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return r
}

func knownCells(keep func(KnownRow) bool) [][]*string {
	var cells [][]*string
	for _, r := range KnownRows() {
		if keep(r) {
			cells = append(cells, r.Cells())
		}
	}
	return cells
}

func everyRow(KnownRow) bool { return true }

func queryAll(t *testing.T, h QueryHarness) {
	r := runQuery(t, h, "SELECT * FROM known_data ORDER BY id")
	if diff := cmp.Diff(knownCells(everyRow), r.Rows); diff != "" {
		t.Errorf("rows differ (-want +got):\n%s", diff)
	}
	want := []port.CatalogColumn{
		{Name: "id", Type: "varchar"},
		{Name: "note", Type: "varchar"},
		{Name: "year", Type: "integer"},
		{Name: "count", Type: "bigint"},
		{Name: "speed", Type: "double"},
		{Name: "active", Type: "boolean"},
		{Name: "timestamp", Type: "timestamp"},
		{Name: "raw", Type: "varbinary"},
		{Name: "date", Type: "varchar"},
		{Name: "hour", Type: "varchar"},
	}
	if diff := cmp.Diff(want, r.Columns); diff != "" {
		t.Errorf("columns differ (-want +got):\n%s", diff)
	}
}

func queryNames(t *testing.T, h QueryHarness) {
	for _, name := range []string{
		`"AwsDataCatalog"."smart-city"."known_data"`, `"smart-city"."known_data"`, `known_data`, `"known_data"`, `KNOWN_DATA`,
	} {
		if r := runQuery(t, h, "SELECT id FROM "+name); len(r.Rows) != len(KnownRows()) || len(r.Columns) != 1 {
			t.Errorf("%s: %d rows of %d columns", name, len(r.Rows), len(r.Columns))
		}
	}
}

func queryLimit(t *testing.T, h QueryHarness) {
	r := runQuery(t, h, `SELECT * FROM "AwsDataCatalog"."smart-city"."known_data" limit 10;`)
	if len(r.Rows) != 10 {
		t.Errorf("%d rows, want 10", len(r.Rows))
	}
}

func queryPartition(t *testing.T, h QueryHarness) {
	r := runQuery(t, h, "SELECT * FROM known_data WHERE hour = '06' ORDER BY id")
	if diff := cmp.Diff(knownCells(func(r KnownRow) bool { return r.Hour == "06" }), r.Rows); diff != "" {
		t.Errorf("rows differ (-want +got):\n%s", diff)
	}
}

func queryCount(t *testing.T, h QueryHarness) {
	r := runQuery(t, h, "SELECT count(*) FROM known_data")
	want := &port.Result{ID: r.ID, ScannedBytes: r.ScannedBytes, Columns: []port.CatalogColumn{{Name: "_col0", Type: "bigint"}}, Rows: [][]*string{{new("25")}}}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("result differs (-want +got):\n%s", diff)
	}
}

func queryEmpty(t *testing.T, h QueryHarness) {
	r := runQuery(t, h, "SELECT id, speed FROM known_data WHERE hour = 'never'")
	want := []port.CatalogColumn{{Name: "id", Type: "varchar"}, {Name: "speed", Type: "double"}}
	if diff := cmp.Diff(want, r.Columns); diff != "" || len(r.Rows) != 0 {
		t.Errorf("%d rows, columns differ (-want +got):\n%s", len(r.Rows), diff)
	}
}

func queryFails(t *testing.T, h QueryHarness) {
	for sql, reason := range map[string]string{
		"SELECT * FROM no_such_table":           "no_such_table",
		"SELECT no_such_column FROM known_data": "no_such_column",
		"SELEKT 1":                              "SELEKT",
	} {
		_, err := h.Query.Run(t.Context(), KnownDatabase, sql)
		if !errors.Is(err, port.ErrQueryFailed) || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: got %v, want ErrQueryFailed that names %s", sql, err, reason)
		}
	}
}

func queryIDs(t *testing.T, h QueryHarness) {
	a, b := runQuery(t, h, "SELECT id FROM known_data"), runQuery(t, h, "SELECT id FROM known_data")
	if a.ID == "" || a.ID == b.ID {
		t.Errorf("ids are %q and %q", a.ID, b.ID)
	}
}

const queryDeadline = 20 * time.Second

// waitFor waits until a condition holds.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(queryDeadline); !holds(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within %v", what, queryDeadline)
		}
	}
}

func queryStops(t *testing.T, h QueryHarness) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := h.Query.Run(ctx, KnownDatabase, h.Endless)
		ended <- err
	}()
	waitFor(t, "the statement runs", func() bool { return h.Running(t) == 1 })
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the context's error", err)
		}
	case <-time.After(queryDeadline):
		t.Fatal("Run goes on after its context ended")
	}
	waitFor(t, "the statement is stopped", func() bool { return h.Running(t) == 0 })
}

func queryEnded(t *testing.T, h QueryHarness) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Query.Run(ctx, KnownDatabase, h.Endless); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	if n := h.Running(t); n != 0 {
		t.Errorf("%d statements run", n)
	}
}
