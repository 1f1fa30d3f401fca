package parquetfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/parquet-go/parquet-go/format"
	"pgregory.net/rapid"

	"citystream/engine/columns"
	"citystream/engine/schema"
)

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	t.Parallel()
	shared := NewEncoders(1) // its scratch must not leak from one file into the next
	rapid.Check(t, func(t *rapid.T) {
		tb := drawTable(t, 3000)
		f := &file{}
		w := NewWriter(tb.layout, Options{
			PartBytes:     rapid.SampledFrom([]int{1, 100, 4096, 1 << 20}).Draw(t, "part bytes"),
			RowGroupRows:  rapid.SampledFrom([]int{1000, 1500, 1 << 20}).Draw(t, "row group rows"),
			RowGroupBytes: rapid.SampledFrom([]int{20_000, 1 << 20}).Draw(t, "row group bytes"),
			Encoders:      shared,
		}, f.emit)
		appendInPieces(t, w, tb)
		s, err := w.Close(nil)
		if err != nil {
			t.Fatalf("close: %v", err)
		}
		pf, cells := readBack(t, f.bytes())
		requireSameCells(t, tb, cells)
		requireRightStatistics(t, tb, pf.Metadata())
		if s.Rows != int64(tb.rows()) || s.Bytes != int64(len(f.bytes())) || s.RowGroups != len(pf.RowGroups()) || s.Parts != len(f.parts) {
			t.Fatalf("summary %+v of %d rows, %d bytes, %d row groups, %d parts",
				s, tb.rows(), len(f.bytes()), len(pf.RowGroups()), len(f.parts))
		}
	})
}

// appendInPieces appends tb in batches, half of them with other rows between, which are left out by number.
func appendInPieces(t *rapid.T, w *Writer, tb *table) {
	for lo := 0; lo < tb.rows(); {
		hi := min(tb.rows(), lo+rapid.SampledFrom([]int{1, 17, 1000, 5000}).Draw(t, "batch"))
		b, rows := tb.batch(lo, hi), []int32(nil)
		if rapid.Bool().Draw(t, "picked") {
			b, rows = columns.NewBatch(tb.layout), []int32{}
			for r := lo; r < hi; r++ {
				for i := range tb.layout {
					b.Columns[i].AppendNull()
					appendValue(&b.Columns[i], tb.cells[i][r])
				}
				rows = append(rows, int32(2*(r-lo)+1))
			}
		}
		if err := w.Append(b, rows); err != nil {
			t.Fatalf("append: %v", err)
		}
		b.Reset()
		lo = hi
	}
}

func TestEachTypeNullAndValuePatternIsReadBackOverSeveralPages(t *testing.T) {
	t.Parallel()
	for _, typ := range allTypes {
		t.Run(typeNames[typ], func(t *testing.T) {
			t.Parallel()
			shared := NewEncoders(1)
			patterns := slices.DeleteFunc(valuesOf(typ, 7), func(p pattern) bool { return p.long })
			for n, nulls := range nullsOf {
				t.Run(nulls.name, func(t *testing.T) {
					p := patterns[n%len(patterns)] // in turn: the random tests have them all
					tb := &table{
						layout: []schema.Column{{Name: p.name, Type: typ}},
						cells:  [][]value{cellsOf(pageRows+300, p.at, nulls.null)},
					}
					f, _ := writeAllRows(t, tb, Options{Encoders: shared})
					pf, cells := readBack(t, f.bytes())
					requireSameCells(t, tb, cells)
					requireRightStatistics(t, tb, pf.Metadata())
				})
			}
		})
	}
}

func TestADictionaryIsUsedOnlyWhereItPays(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		rows int
		at   func(row int) value
		want bool
	}{
		{"few values", 10_000, func(r int) value { return fmt.Sprint(r % 5) }, true},
		{"one value more than a dictionary takes", dictionaryValues + 1, eightDigits(dictionaryValues + 1), false},
		{"more bytes than it takes", 1000, func(r int) value { return fmt.Sprintf("%05000d", r%400) }, false},
		{"all values distinct", 5000, func(r int) value { return fmt.Sprintf("%032d", r) }, false},
		{"a single row", 1, func(int) value { return "x" }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tb := &table{
				layout: []schema.Column{{Name: "s", Type: schema.String}},
				cells:  [][]value{cellsOf(tt.rows, tt.at, func(int) bool { return false })},
			}
			f, _ := writeAllRows(t, tb, Options{})
			pf, cells := readBack(t, f.bytes())
			requireSameCells(t, tb, cells)
			meta := pf.Metadata().RowGroups[0].Columns[0].MetaData
			if got := meta.DictionaryPageOffset != 0; got != tt.want {
				t.Errorf("dictionary: %v, want %v", got, tt.want)
			}
		})
	}
}

func TestADictionaryTakesAsManyValuesAsItsLimitsSay(t *testing.T) {
	t.Parallel()
	d := newDictionary()
	for _, distinct := range []int{dictionaryValues + 1, 3, dictionaryValues} { // what one leaves must not disturb the next
		d.reset()
		hopeless := false
		for r := range 2 * dictionaryValues {
			n := d.number([]byte(eightDigits(distinct)(r).(string)))
			if hopeless = hopeless || d.hopeless(max(2*len(d.ends), r+1)); !hopeless && int(n) != r%distinct {
				t.Fatalf("%d distinct values: value %d has number %d, want %d", distinct, r, n, r%distinct)
			}
		}
		if want := distinct > dictionaryValues; hopeless != want {
			t.Fatalf("%d distinct values: hopeless %v, want %v", distinct, hopeless, want)
		}
	}
}

func eightDigits(distinct int) func(row int) value {
	return func(r int) value { return fmt.Sprintf("%08d", r%distinct) }
}

func TestPagesAreMarkedWithTheEncodingsTheyHave(t *testing.T) {
	t.Parallel()
	noNull, allNull, firstPage := nullsOf[0].null, nullsOf[1].null, nullsOf[5].null
	tests := []struct {
		name string
		typ  schema.Type
		at   func(row int) value
		null func(row int) bool
		want []format.Encoding
	}{
		{"integers", schema.Long, func(r int) value { return int64(r) }, noNull, []format.Encoding{format.RLE, format.DeltaBinaryPacked}},
		{"null integers are not DELTA", schema.Long, nil, allNull, []format.Encoding{format.Plain, format.RLE}},
		{
			"integers after a page of nulls", schema.Int, func(r int) value { return int64(r) }, firstPage,
			[]format.Encoding{format.Plain, format.RLE, format.DeltaBinaryPacked},
		},
		{"doubles", schema.Double, func(r int) value { return float64(r) }, noNull, []format.Encoding{format.Plain, format.RLE}},
		{"booleans", schema.Bool, func(r int) value { return int64(1) }, noNull, []format.Encoding{format.Plain, format.RLE}},
		{
			"text in a dictionary", schema.String, func(r int) value { return "x" }, noNull,
			[]format.Encoding{format.Plain, format.RLE, format.RLEDictionary},
		},
		{"null text has no dictionary", schema.String, nil, allNull, []format.Encoding{format.Plain, format.RLE}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tb := &table{
				layout: []schema.Column{{Name: "x", Type: tt.typ}}, cells: [][]value{cellsOf(pageRows+100, tt.at, tt.null)},
			}
			f, _ := writeAllRows(t, tb, Options{})
			pf, cells := readBack(t, f.bytes())
			requireSameCells(t, tb, cells)
			got := pf.Metadata().RowGroups[0].Columns[0].MetaData.Encoding
			if fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("encodings %v, want %v", got, tt.want)
			}
		})
	}
}

func TestTheFileDependsOnTheRowsOnly(t *testing.T) {
	t.Parallel()
	opt := Options{RowGroupRows: 300, PartBytes: 10_000, Encoders: NewEncoders(1)}
	rapid.Check(t, func(t *rapid.T) {
		tb := drawTable(t, 800)
		var files [2][]byte
		for i := range files {
			f := &file{}
			w := NewWriter(tb.layout, opt, f.emit)
			appendInPieces(t, w, tb)
			if _, err := w.Close(nil); err != nil {
				t.Fatalf("close: %v", err)
			}
			files[i] = f.bytes()
		}
		if !bytes.Equal(files[0], files[1]) {
			t.Fatalf("the same rows make different files")
		}
	})
}

func TestDeltaPagesDecodeAndTheirTailIsNoWiderThanTheRest(t *testing.T) {
	t.Parallel()
	e := newEncoder()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 600).Draw(t, "n")
		at := rapid.SampledFrom(valuesOf(schema.Long, rapid.Uint64().Draw(t, "salt"))).Draw(t, "values").at
		values, narrow := make([]int64, n), make([]int32, n)
		for i := range values {
			values[i] = at(i).(int64)
			narrow[i] = int32(values[i])
		}
		body, err := e.deltaInt64(values)
		if err != nil {
			t.Fatalf("encode: %v", err)
		}
		got, err := e.deltaCodec.DecodeInt64(nil, bytes.Clone(body))
		if err != nil || fmt.Sprint(got) != fmt.Sprint(values) {
			t.Fatalf("int64: %v: %v, want %v", err, got, values)
		}
		body, err = e.deltaInt32(narrow)
		if err != nil {
			t.Fatalf("encode: %v", err)
		}
		got32, err := e.deltaCodec.DecodeInt32(nil, bytes.Clone(body))
		if err != nil || fmt.Sprint(got32) != fmt.Sprint(narrow) {
			t.Fatalf("int32: %v: %v, want %v", err, got32, narrow)
		}
	})
	rising := make([]int64, 40)
	for i := range rising {
		rising[i] = 1_700_000_000_000_000 + int64(i)*1_000_000
	}
	body, err := e.deltaInt64(rising)
	if err != nil || len(body) > 25 {
		t.Errorf("40 equidistant timestamps take %d bytes (%v), want the header and one block without bits", len(body), err)
	}
}

// requireRightStatistics compares bounds and null counts with those found by looking at every cell.
func requireRightStatistics(t interface{ Fatalf(string, ...any) }, tb *table, m *format.FileMetaData) {
	first := 0
	for g := range m.RowGroups {
		rows := int(m.RowGroups[g].NumRows)
		for i, c := range tb.layout {
			meta := &m.RowGroups[g].Columns[i].MetaData
			cells := tb.cells[i][first : first+rows]
			nulls, low, high, known := bruteBounds(c.Type, cells)
			if meta.NumValues != int64(rows) || meta.Statistics.NullCount != int64(nulls) {
				t.Fatalf("row group %d, column %s: %d values, %d nulls, want %d, %d",
					g, c.Name, meta.NumValues, meta.Statistics.NullCount, rows, nulls)
			}
			s := meta.Statistics
			if (s.MinValue != nil) != known || (s.MaxValue != nil) != known ||
				!bytes.Equal(s.MinValue, low) || !bytes.Equal(s.MaxValue, high) {
				t.Fatalf("row group %d, column %s, type %d: bounds %x to %x, want %x to %x",
					g, c.Name, c.Type, s.MinValue, s.MaxValue, low, high)
			}
		}
		first += rows
	}
	if first != tb.rows() || m.NumRows != int64(first) {
		t.Fatalf("the footer has %d rows, its row groups %d, want %d", m.NumRows, first, tb.rows())
	}
}

// bruteBounds states the rules of bounds anew, cell by cell.
func bruteBounds(typ schema.Type, cells []value) (nulls int, low, high []byte, known bool) {
	var least, greatest value
	less := func(a, b value) bool {
		switch a := a.(type) {
		case int64:
			return a < b.(int64)
		case float64:
			return a < b.(float64)
		default:
			return a.(string) < b.(string)
		}
	}
	odd := typ == schema.Binary
	for _, v := range cells {
		if v == nil {
			nulls++
			continue
		}
		if f, ok := v.(float64); ok && math.IsNaN(f) {
			odd = true
		}
		if least == nil || less(v, least) {
			least = v
		}
		if greatest == nil || less(greatest, v) {
			greatest = v
		}
	}
	if odd || least == nil {
		return nulls, nil, nil, false
	}
	switch typ {
	case schema.Bool:
		return nulls, []byte{byte(least.(int64))}, []byte{byte(greatest.(int64))}, true
	case schema.Int:
		return nulls, binary.LittleEndian.AppendUint32(nil, uint32(least.(int64))),
			binary.LittleEndian.AppendUint32(nil, uint32(greatest.(int64))), true
	case schema.Double:
		l, h := least.(float64), greatest.(float64)
		if l == 0 {
			l = math.Copysign(0, -1)
		}
		if h == 0 {
			h = math.Copysign(0, 1)
		}
		return nulls, binary.LittleEndian.AppendUint64(nil, math.Float64bits(l)),
			binary.LittleEndian.AppendUint64(nil, math.Float64bits(h)), true
	case schema.String:
		l, h := least.(string), greatest.(string)
		if len(l) > maxBoundBytes || len(h) > maxBoundBytes {
			return nulls, nil, nil, false
		}
		return nulls, []byte(l), []byte(h), true
	default:
		return nulls, binary.LittleEndian.AppendUint64(nil, uint64(least.(int64))),
			binary.LittleEndian.AppendUint64(nil, uint64(greatest.(int64))), true
	}
}
