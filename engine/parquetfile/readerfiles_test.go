//go:build readers

package parquetfile

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"citystream/engine/schema"
)

// A readerFile is a file that all readers must agree on.
type readerFile struct {
	name  string
	table *table
	opt   Options
}

// A cellsAt is a column of cells by the number of the row; nil is null.
type cellsAt struct {
	name string
	typ  schema.Type
	at   func(row int) value
}

func tableOf(rows int, all ...cellsAt) *table {
	tb := &table{}
	for _, c := range all {
		tb.layout = append(tb.layout, schema.Column{Name: c.name, Type: c.typ})
		tb.cells = append(tb.cells, cellsOf(rows, c.at, func(int) bool { return false }))
	}
	return tb
}

func filesForReaders() []readerFile {
	noNulls, nullsOnly := nullsOf[0].null, nullsOf[1].null
	files := []readerFile{
		{"one row", everyPattern(1, always(noNulls)), Options{}},
		{"one null row", everyPattern(1, always(nullsOnly)), Options{}},
		{"required and nullable", requiredAndNullable(300), Options{RowGroupRows: 77}},
		{"many row groups", requiredAndNullable(1000), Options{RowGroupRows: 10}},
		{"many pages", nullPages(3*pageRows + 100), Options{}},
		{"vehicles", vehicleTable(50_000), Options{RowGroupRows: 30_000, PartBytes: 100_000}},
		{"dictionaries come and go", dictionaries(), Options{RowGroupRows: dictionaryRows}},
		{"dictionaries of all sizes", dictionarySizes(), Options{}},
		{"no column with a dictionary", noDictionary(1000), Options{RowGroupRows: 300}},
		{"one value", oneValue(2000), Options{RowGroupRows: 900}},
		{"long texts", longTexts(), Options{RowGroupRows: 7}},
		{"pages full of text", fullPages(), Options{}},
		{"empty is not null", emptyTexts(120), Options{RowGroupRows: 30}},
		{"integers that overflow", overflowing(4*overflowRows + 50), Options{RowGroupRows: overflowRows}},
		{"odd doubles", oddGroups(), Options{RowGroupRows: oddGroupRows}},
		{"times", times(), Options{RowGroupRows: 3}},
	}
	for _, nulls := range nullsOf {
		files = append(
			files,
			readerFile{"types, " + nulls.name, everyPattern(300, always(nulls.null)), Options{RowGroupRows: 100}},
			readerFile{"pages, " + nulls.name, everyPattern(2*pageRows+100, always(nulls.null)), Options{RowGroupRows: pageRows + 7000}},
		)
	}
	return files
}

func always(null func(int) bool) func(column int) func(int) bool {
	return func(int) func(int) bool { return null }
}

// everyPattern has one column for each type and value pattern, without the texts that make large files of many rows.
func everyPattern(rows int, null func(column int) func(row int) bool) *table {
	tb := &table{}
	for _, typ := range allTypes {
		for i, p := range valuesOf(typ, 3) {
			if rows > 1000 && p.long {
				continue
			}
			n := len(tb.layout)
			tb.layout = append(tb.layout, schema.Column{Name: fmt.Sprintf("%s %s %d", typeNames[typ], p.name, i), Type: typ})
			tb.cells = append(tb.cells, cellsOf(rows, p.at, null(n)))
		}
	}
	return tb
}

// requiredAndNullable has another kind of nulls in each column. Columns without are required, which the file does not show.
func requiredAndNullable(rows int) *table {
	tb := everyPattern(rows, func(column int) func(int) bool {
		kinds := []func(int) bool{
			nullsOf[0].null, nullsOf[2].null, nullsOf[3].null,
			func(r int) bool { return r/25%2 == 1 }, // row groups of nulls alone, of some, of none
			func(r int) bool { return r != rows-1 },
		}
		return kinds[column%len(kinds)]
	})
	for i := range tb.layout {
		tb.layout[i].Required = i%5 == 0
	}
	return tb
}

// nullPages has pages without nulls beside those with some and those of nulls alone, in one row group.
func nullPages(rows int) *table {
	page := func(r int) int { return r / pageRows }
	nulls := []func(r int) bool{
		func(r int) bool { return page(r) == 1 },
		func(r int) bool { return page(r) > 0 && r%7 == 0 },
		func(r int) bool { return page(r) != 1 || r%2 == 0 },
		func(r int) bool { return page(r) == 3 || page(r) == 0 && r%5 > 0 },
	}
	tb := &table{}
	for _, typ := range allTypes {
		patterns := valuesOf(typ, 5)
		for i, null := range nulls {
			p := patterns[i%len(patterns)]
			if p.long {
				p = patterns[0]
			}
			tb.layout = append(tb.layout, schema.Column{Name: fmt.Sprint(typeNames[typ], " ", i), Type: typ})
			tb.cells = append(tb.cells, cellsOf(rows, p.at, null))
		}
	}
	return tb
}

const dictionaryRows = 6000

// dictionaries has columns whose row groups have few values or many, so that dictionaries are begun, given up, passed by, and tried
// again.
func dictionaries() *table {
	number := func(r int, large ...int) int {
		if slices.Contains(large, r/dictionaryRows) {
			return r
		}
		return r % 11
	}
	first := func(r int) int { return number(r, 0, 5) }
	second := func(r int) int { return number(r, 1, 2) }
	half := func(r int) int { // few values, then each its own, within one row group
		if r%dictionaryRows < dictionaryRows/2 {
			return r % 11
		}
		return r
	}
	var all []cellsAt
	for i, n := range []func(int) int{first, second, half} {
		name := []string{"first", "second", "half"}[i]
		text := func(r int) value { return fmt.Sprintf("é%06d", n(r)) }
		all = append(
			all,
			cellsAt{name + " string", schema.String, text},
			cellsAt{name + " binary", schema.Binary, text},
			cellsAt{name + " double", schema.Double, func(r int) value { return float64(n(r)) / 8 }},
			cellsAt{name + " nullable", schema.String, func(r int) value {
				if r%3 == 0 {
					return nil
				}
				return text(r)
			}},
		)
	}
	return tableOf(7*dictionaryRows, all...)
}

// dictionarySizes has dictionaries whose numbers take no bit, one, a byte, a little more, and all that are allowed.
func dictionarySizes() *table {
	var all []cellsAt
	for _, distinct := range []int{1, 2, 3, 255, 256, 257, dictionaryValues - 1, dictionaryValues, dictionaryValues + 1} {
		all = append(
			all,
			cellsAt{fmt.Sprint("string ", distinct), schema.String, func(r int) value { return fmt.Sprint(r * 7 % distinct) }},
			cellsAt{fmt.Sprint("double ", distinct), schema.Double, func(r int) value {
				if r%10 == 9 {
					return nil
				}
				return float64(r*7%distinct) / 3
			}},
		)
	}
	return tableOf(140_000, all...)
}

func noDictionary(rows int) *table {
	return tableOf(
		rows,
		cellsAt{"bool", schema.Bool, func(r int) value { return int64(r / 3 % 2) }},
		cellsAt{"int", schema.Int, func(r int) value { return int64(-r) }},
		cellsAt{"long", schema.Long, func(r int) value { return int64(r) << 40 }},
		cellsAt{"timestamp", schema.Timestamp, func(r int) value { return int64(r) * 1e6 }},
		cellsAt{"double", schema.Double, func(r int) value { return math.Sqrt(float64(r)) }},
	)
}

// oneValue has a single value in each column, with and without nulls beside it.
func oneValue(rows int) *table {
	values := map[schema.Type]value{
		schema.String: "日本語", schema.Binary: "\xff\x00", schema.Bool: int64(0), schema.Int: int64(-7), schema.Long: int64(math.MinInt64),
		schema.Timestamp: int64(-1), schema.Double: math.Copysign(0, -1),
	}
	var all []cellsAt
	for _, typ := range allTypes {
		v := values[typ]
		all = append(
			all,
			cellsAt{typeNames[typ], typ, func(int) value { return v }},
			cellsAt{typeNames[typ] + " or null", typ, func(r int) value {
				if r%4 == 1 {
					return nil
				}
				return v
			}},
			cellsAt{typeNames[typ] + " once", typ, func(r int) value {
				if r == rows/2 {
					return v
				}
				return nil
			}},
		)
	}
	return tableOf(rows, all...)
}

// longTexts has texts around the length that a bound may have, alike in their first bytes, with characters of several bytes
// where a shortened bound would end, and those that have no successor.
func longTexts() *table {
	var texts []string
	for _, n := range []int{
		1, 63, 64, 65, maxBoundBytes - 2, maxBoundBytes - 1, maxBoundBytes, maxBoundBytes + 1, 1000, 70_000,
	} {
		alike := strings.Repeat("a", n-1)
		greatest := strings.Repeat("\U0010FFFF", n/4+1)
		texts = append(texts, alike+"a", alike+"z", alike+"é", alike+"😀", alike+"\x00", greatest, greatest+"a", "z"+greatest)
	}
	var all []cellsAt
	for i, typ := range []schema.Type{schema.String, schema.String, schema.Binary} {
		all = append(
			all,
			cellsAt{fmt.Sprint("by length ", i), typ, func(r int) value { return texts[r%len(texts)] }},
			cellsAt{fmt.Sprint("mixed ", i), typ, func(r int) value {
				if r%5 == i {
					return nil
				}
				return texts[r*13%len(texts)]
			}},
		)
	}
	// Each in a column of its own: the probes of a column ask for a few of its values only.
	for i, text := range texts {
		all = append(all, cellsAt{fmt.Sprint("text ", i), schema.String, func(r int) value {
			switch r {
			case 20:
				return text
			case 5:
				return "a"
			}
			return nil
		}})
	}
	return tableOf(2*len(texts), all...)
}

// fullPages has texts that end a page before its rows do.
func fullPages() *table {
	long := func(r int) string { return fmt.Sprint(r, strings.Repeat("0123456789abcdef", 1000)) }
	return tableOf(
		400,
		cellsAt{"texts", schema.String, func(r int) value { return long(r) }},
		cellsAt{"few texts", schema.String, func(r int) value { return long(r % 3) }},
		cellsAt{"nullable bytes", schema.Binary, func(r int) value {
			if r%2 == 0 || r > 300 {
				return nil
			}
			return long(r)
		}},
		cellsAt{"one larger than a page", schema.Binary, func(r int) value {
			if r == 200 {
				return strings.Repeat("\xfe", 3*pageBytes)
			}
			return ""
		}},
	)
}

func emptyTexts(rows int) *table {
	var all []cellsAt
	for _, typ := range []schema.Type{schema.String, schema.Binary} {
		name := typeNames[typ]
		all = append(
			all,
			cellsAt{name + " empty or null", typ, func(r int) value {
				if r%2 == 0 {
					return nil
				}
				return ""
			}},
			cellsAt{name + " empty, null or not", typ, func(r int) value { return []value{"", nil, "a", "\x00"}[r%4] }},
			cellsAt{name + " empty once", typ, func(r int) value {
				if r == 40 {
					return ""
				}
				return fmt.Sprint(r)
			}},
			cellsAt{name + " empty row groups", typ, func(r int) value { return []value{"", nil, "x", ""}[r/30%4] }},
		)
	}
	return tableOf(rows, all...)
}

const overflowRows = 257 // a delta page of two blocks and the first value

// overflowing has differences that do not fit into the type.
func overflowing(rows int) *table {
	alternate := func(a, b int64, every int) func(int) value {
		return func(r int) value {
			if r/every%2 == 0 {
				return a
			}
			return b
		}
	}
	var all []cellsAt
	for _, every := range []int{1, 2, 31, 32, 33, 128, 300} {
		all = append(
			all,
			cellsAt{fmt.Sprint("int every ", every), schema.Int, alternate(math.MinInt32, math.MaxInt32, every)},
			cellsAt{fmt.Sprint("long every ", every), schema.Long, alternate(math.MinInt64, math.MaxInt64, every)},
			cellsAt{fmt.Sprint("nullable every ", every), schema.Long, func(r int) value {
				if r%3 == 0 {
					return nil
				}
				return alternate(math.MaxInt64, -1, every)(r)
			}},
		)
	}
	return tableOf(rows, all...)
}

const oddGroupRows = 50

// oddGroups has a row group for each kind of doubles that statistics can go wrong with.
func oddGroups() *table {
	negative, nan := math.Copysign(0, -1), math.NaN()
	groups := [][]value{
		{1.5, 2.5},
		{nan, 1.5},
		{1.5, nan},
		{nan},
		{0.0},
		{negative},
		{0.0, negative},
		{negative, 1.0},
		{-1.0, 0.0},
		{math.Inf(1)},
		{math.Inf(-1)},
		{math.Inf(1), math.Inf(-1)},
		{math.Inf(1), nan, nil},
		{nil, nan},
		{nil},
		{nil, 0.0},
		{math.MaxFloat64, nil},
		{math.SmallestNonzeroFloat64, negative},
		{-math.MaxFloat64, -math.SmallestNonzeroFloat64},
	}
	few := func(r int) value {
		g := groups[r/oddGroupRows]
		return g[r%oddGroupRows%len(g)]
	}
	return tableOf(
		len(groups)*oddGroupRows,
		cellsAt{"few", schema.Double, few},
		cellsAt{"many", schema.Double, func(r int) value { // beside them each its own value, so that there is no dictionary
			if v := few(r); v == nil || r%oddGroupRows < 5 {
				return v
			}
			return 1 + float64(r)/1e3
		}},
		cellsAt{"zeros", schema.Double, func(r int) value { return []value{0.0, negative, nil, 1.0, -1.0}[r/oddGroupRows%5] }},
	)
}

// times has instants before and after 1970 to the microsecond, in row groups of a few.
func times() *table {
	var micros []int64
	for _, text := range []string{
		"0001-01-01T00:00:00Z", "1582-10-04T23:59:59.999999Z", "1582-10-15T00:00:00Z", "1883-11-18T12:00:00Z", "1899-12-31T23:59:59Z",
		"1900-02-28T00:00:00Z", "1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000001Z", "2000-02-29T00:00:00Z",
		"2038-01-19T03:14:08Z", "2026-03-29T01:00:00Z", "2262-04-11T23:47:16.854776Z", "9999-12-31T23:59:59.999999Z",
	} {
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			panic(err)
		}
		micros = append(micros, at.UnixMicro())
	}
	return tableOf(
		3*len(micros),
		cellsAt{"in order", schema.Timestamp, func(r int) value { return micros[r/3] }},
		cellsAt{"mixed", schema.Timestamp, func(r int) value { return micros[r*5%len(micros)] }},
		cellsAt{"nullable", schema.Timestamp, func(r int) value {
			if r%3 == 1 {
				return nil
			}
			return micros[r%len(micros)]
		}},
	)
}
