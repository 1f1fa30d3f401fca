package parquetfile

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"citystream/engine/columns"
	"citystream/engine/schema"
)

var allTypes = []schema.Type{
	schema.String, schema.Binary, schema.Bool, schema.Int, schema.Long, schema.Double, schema.Timestamp,
}

var typeNames = map[schema.Type]string{
	schema.String: "string", schema.Binary: "binary", schema.Bool: "bool", schema.Int: "int", schema.Long: "long",
	schema.Double: "double", schema.Timestamp: "timestamp",
}

// A value is one cell: nil, int64, float64 or string.
type value = any

// A pattern makes the rows of one column, by the number of the row.
type pattern struct {
	name string
	at   func(row int) value
	long bool // too long for many rows
}

var (
	oddDoubles = []float64{
		0, math.Copysign(0, -1), 1.5, -1.5, math.Inf(1), math.Inf(-1), math.MaxFloat64, math.SmallestNonzeroFloat64,
		-math.MaxFloat64, math.NaN(),
	}
	oddInts  = []int64{0, 1, -1, math.MaxInt64, math.MinInt64, math.MaxInt32, math.MinInt32, 1_700_000_000_000_000}
	oddTexts = []string{
		"", "a", "\x00", "München", "ﬀ", "日本語", "😀", strings.Repeat("x", maxBoundBytes), strings.Repeat("y", maxBoundBytes+1),
		strings.Repeat("long", 5000),
	}
)

// nullsOf wraps a pattern so that some rows are null.
var nullsOf = []struct {
	name string
	null func(row int) bool
}{
	{"no nulls", func(int) bool { return false }},
	{"nulls only", func(int) bool { return true }},
	{"first row null", func(r int) bool { return r == 0 }},
	{"every third null", func(r int) bool { return r%3 == 2 }},
	{"nulls in runs of 1000", func(r int) bool { return r/1000%2 == 1 }},
	{"first page null", func(r int) bool { return r < pageRows }},
	{"all but the first page null", func(r int) bool { return r >= pageRows }},
}

// valuesOf lists value patterns of a type, salted so that columns of one file differ.
func valuesOf(typ schema.Type, salt uint64) []pattern {
	mix := func(r int) uint64 { // splitmix64
		z := uint64(r)*0x9e3779b97f4a7c15 + salt
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		return z ^ z>>31
	}
	switch typ {
	case schema.Bool:
		return []pattern{
			{name: "random", at: func(r int) value { return int64(mix(r) & 1) }},
			{name: "true", at: func(int) value { return int64(1) }},
		}
	case schema.Int:
		return []pattern{
			{name: "random", at: func(r int) value { return int64(int32(mix(r))) }},
			{name: "extreme", at: func(r int) value { return int64(int32(oddInts[mix(r)%uint64(len(oddInts))])) }},
			{name: "rising", at: func(r int) value { return int64(r) }},
		}
	case schema.Timestamp:
		return []pattern{
			{name: "random", at: func(r int) value { return int64(mix(r)>>1) - 1<<62 }}, // DuckDB ends near the greatest integers
			{name: "around 1970", at: func(r int) value { return int64(mix(r)%7) - 3 }},
			{name: "rising", at: func(r int) value { return 1_700_000_000_000_000 + int64(r)*45_000_000 + int64(mix(r)%1e7) }},
		}
	case schema.Long:
		return []pattern{
			{name: "random", at: func(r int) value { return int64(mix(r)) }},
			{name: "extreme", at: func(r int) value { return oddInts[mix(r)%uint64(len(oddInts))] }},
			{name: "rising", at: func(r int) value { return 1_700_000_000_000_000 + int64(r)*45_000_000 + int64(mix(r)%1e7) }},
		}
	case schema.Double:
		return []pattern{
			{name: "random", at: func(r int) value { return float64(mix(r)%1e9) / 1e4 }},
			{name: "odd", at: func(r int) value { return oddDoubles[mix(r)%uint64(len(oddDoubles))] }},
			{name: "zeros", at: func(r int) value { return math.Copysign(0, float64(mix(r)%2)-0.5) }},
			{name: "NaN only", at: func(int) value { return math.NaN() }},
		}
	default:
		texts := []pattern{
			{name: "few", at: func(r int) value { return fmt.Sprint("value ", mix(r)%7) }},
			{name: "one", at: func(int) value { return "the same" }},
			{name: "odd", at: func(r int) value { return oddTexts[mix(r)%uint64(len(oddTexts))] }, long: true},
			{name: "empty", at: func(int) value { return "" }},
			{name: "distinct", at: func(r int) value { return fmt.Sprintf("%016x", mix(r)) }},
		}
		if typ == schema.Binary {
			texts = append(texts, pattern{name: "bytes", at: func(r int) value { return string([]byte{0xff, byte(mix(r)), 0x80}) }})
		}
		return texts
	}
}

// appendValue adds a cell to a column.
func appendValue(c *columns.Column, v value) {
	switch v := v.(type) {
	case nil:
		c.AppendNull()
	case int64:
		c.AppendInt(v)
	case float64:
		c.AppendFloat(v)
	case string:
		c.AppendBytes([]byte(v))
	}
}

// A table is a layout with the rows of each column, column by column.
type table struct {
	layout []schema.Column
	cells  [][]value
}

func (tb *table) rows() int { return len(tb.cells[0]) }

// batch returns the rows [lo, hi) as column buffers.
func (tb *table) batch(lo, hi int) *columns.Batch {
	b := columns.NewBatch(tb.layout)
	for i := range tb.layout {
		for _, v := range tb.cells[i][lo:hi] {
			appendValue(&b.Columns[i], v)
		}
	}
	return b
}

// drawTable draws a layout of up to seven columns and up to maxRows rows.
func drawTable(t *rapid.T, maxRows int) *table {
	tb := &table{}
	rows := rapid.IntRange(1, maxRows).Draw(t, "rows")
	for i := range rapid.IntRange(1, 7).Draw(t, "columns") {
		typ := rapid.SampledFrom(allTypes).Draw(t, "type")
		values := rapid.SampledFrom(valuesOf(typ, rapid.Uint64().Draw(t, "salt"))).Draw(t, "values")
		nulls := rapid.SampledFrom(nullsOf).Draw(t, "nulls")
		tb.layout = append(tb.layout, schema.Column{Name: fmt.Sprint("c", i), Type: typ})
		tb.cells = append(tb.cells, cellsOf(rows, values.at, nulls.null))
	}
	return tb
}

func cellsOf(rows int, at func(int) value, null func(int) bool) []value {
	cells := make([]value, rows)
	for r := range cells {
		if !null(r) {
			cells[r] = at(r)
		}
	}
	return cells
}

// sameValue compares cells, doubles by their bits.
func sameValue(a, b value) bool {
	x, ok := a.(float64)
	y, ok2 := b.(float64)
	if ok && ok2 {
		return math.Float64bits(x) == math.Float64bits(y)
	}
	return a == b
}

// A file gathers what a Writer emits.
type file struct{ parts [][]byte }

func (f *file) emit(part []byte) error {
	f.parts = append(f.parts, slices.Clip(slices.Clone(part))) // a part of one byte has a buffer of 64 KiB, and some files have as many as bytes
	return nil
}

func (f *file) bytes() []byte { return slices.Concat(f.parts...) }

// readBack opens a file with parquet-go, and returns it with all cells by column.
func readBack(t interface{ Fatalf(string, ...any) }, body []byte) (*parquet.File, [][]value) {
	f, err := parquet.OpenFile(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	cells := make([][]value, len(f.Root().Columns()))
	for _, g := range f.RowGroups() {
		for i, ch := range g.ColumnChunks() {
			cells[i] = append(cells[i], readChunk(t, ch)...)
		}
	}
	return f, cells
}

func readChunk(t interface{ Fatalf(string, ...any) }, ch parquet.ColumnChunk) []value {
	var cells []value
	pages := ch.Pages()
	defer pages.Close()
	for {
		p, err := pages.ReadPage()
		if p == nil {
			if err != nil && err.Error() != "EOF" {
				t.Fatalf("read page: %v", err)
			}
			return cells
		}
		values := make([]parquet.Value, p.NumValues())
		if n, err := p.Values().ReadValues(values); n != len(values) {
			t.Fatalf("read %d of %d values: %v", n, len(values), err)
		}
		for _, v := range values {
			cells = append(cells, cellOf(v))
		}
		parquet.Release(p)
	}
}

func cellOf(v parquet.Value) value {
	switch {
	case v.IsNull():
		return nil
	case v.Kind() == parquet.Boolean:
		if v.Boolean() {
			return int64(1)
		}
		return int64(0)
	case v.Kind() == parquet.Int32:
		return int64(v.Int32())
	case v.Kind() == parquet.Int64:
		return v.Int64()
	case v.Kind() == parquet.Double:
		return v.Double()
	default:
		return string(v.ByteArray())
	}
}

func requireSameCells(t interface{ Fatalf(string, ...any) }, tb *table, got [][]value) {
	for i, c := range tb.layout {
		if len(got[i]) != tb.rows() {
			t.Fatalf("column %s has %d rows, want %d", c.Name, len(got[i]), tb.rows())
		}
		for r, want := range tb.cells[i] {
			if !sameValue(got[i][r], want) {
				t.Fatalf("column %s (type %d), row %d: read %v, want %v", c.Name, c.Type, r, got[i][r], want)
			}
		}
	}
}

// writeAllRows writes the rows of tb as one batch.
func writeAllRows(t testing.TB, tb *table, opt Options, metadata ...KeyValue) (*file, Summary) {
	t.Helper()
	f := &file{}
	w := NewWriter(tb.layout, opt, f.emit)
	if err := w.Append(tb.batch(0, tb.rows()), nil); err != nil {
		t.Fatal(err)
	}
	s, err := w.Close(metadata)
	if err != nil {
		t.Fatal(err)
	}
	return f, s
}
