package parquetfile

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
	"pgregory.net/rapid"

	"citystream/engine/columns"
	"citystream/engine/schema"
)

func TestEveryPartButTheLastHasThePartLengthAndTogetherTheyAreTheFile(t *testing.T) {
	t.Parallel()
	tb, shared := vehicleTable(100), NewEncoders(1)
	whole, _ := writeAllRows(t, tb, Options{PartBytes: 1 << 30, Encoders: shared})
	if len(whole.parts) != 1 {
		t.Fatalf("a small file has %d parts, want 1", len(whole.parts))
	}
	body := whole.bytes()
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.IntRange(1, len(body)+10).Draw(rt, "part bytes")
		if rapid.Bool().Draw(rt, "exact") { // so that the end of the file is the end of a part
			size = len(body) / rapid.IntRange(1, 3).Draw(rt, "divisor")
		}
		f, s := writeAllRows(t, tb, Options{PartBytes: size, Encoders: shared})
		for i, p := range f.parts {
			if len(p) != size && i < len(f.parts)-1 || len(p) == 0 || len(p) > size {
				rt.Fatalf("part %d of %d has %d bytes, want %d", i, len(f.parts), len(p), size)
			}
		}
		if !bytes.Equal(f.bytes(), body) || s.Parts != len(f.parts) || s.Bytes != int64(len(body)) {
			rt.Fatalf("the parts are not the file, or the summary %+v is wrong", s)
		}
	})
}

func TestPartsLeaveWhileTheFileIsOpenAndMemoryStaysBounded(t *testing.T) {
	t.Parallel()
	const partBytes, groupBytes = 64 << 10, 256 << 10
	emitted, largest := 0, 0
	w := NewWriter(vehicleTable(1).layout, Options{PartBytes: partBytes, RowGroupBytes: groupBytes}, func(p []byte) error {
		emitted += len(p)
		return nil
	})
	b := vehicleTable(1000).batch(0, 1000)
	if w.BufferedBytes() != 0 {
		t.Errorf("a new file holds %d bytes", w.BufferedBytes())
	}
	for range 30 {
		if err := w.Append(b, nil); err != nil {
			t.Fatal(err)
		}
		largest = max(largest, w.BufferedBytes())
	}
	if emitted < 8*partBytes {
		t.Errorf("%d bytes emitted before Close, want most of the file", emitted)
	}
	if limit := 3*groupBytes + partBytes; largest > limit || largest < groupBytes {
		t.Errorf("%d bytes held at most, want between %d and %d", largest, groupBytes, limit)
	}
	s, err := w.Close(nil)
	if err != nil || s.Rows != 30_000 || w.BufferedBytes() != 0 {
		t.Errorf("close: %+v, %v; %d bytes held", s, err, w.BufferedBytes())
	}
}

func TestFilesOpenAtTheSameTimeShareAnEncoderWithoutMixing(t *testing.T) {
	t.Parallel()
	shared := NewEncoders(1)
	rapid.Check(t, func(t *rapid.T) {
		type open struct {
			tb   *table
			f    *file
			w    *Writer
			next int // row
		}
		var files []*open
		for range rapid.IntRange(2, 5).Draw(t, "files") {
			o := &open{tb: drawTable(t, 500), f: &file{}}
			o.w = NewWriter(o.tb.layout, Options{RowGroupRows: 200, PartBytes: 2000, Encoders: shared}, o.f.emit)
			files = append(files, o)
		}
		for len(files) > 0 {
			i := rapid.IntRange(0, len(files)-1).Draw(t, "file")
			o := files[i]
			to := min(o.tb.rows(), o.next+rapid.IntRange(50, 300).Draw(t, "rows"))
			if err := o.w.Append(o.tb.batch(o.next, to), nil); err != nil {
				t.Fatalf("append: %v", err)
			}
			if o.next = to; o.next < o.tb.rows() {
				continue
			}
			if _, err := o.w.Close(nil); err != nil {
				t.Fatalf("close: %v", err)
			}
			_, cells := readBack(t, o.f.bytes())
			requireSameCells(t, o.tb, cells)
			files = slices.Delete(files, i, i+1)
		}
	})
}

func TestLongRowsEndARowGroupBeforeTheBatchEnds(t *testing.T) {
	t.Parallel()
	tb := &table{
		layout: []schema.Column{{Name: "snapshot", Type: schema.String}},
		cells:  [][]value{cellsOf(100, func(r int) value { return strings.Repeat("s", 10_000) + fmt.Sprint(r) }, nullsOf[0].null)},
	}
	f, s := writeAllRows(t, tb, Options{RowGroupBytes: 100_000})
	if s.RowGroups < 9 {
		t.Errorf("a megabyte makes %d row groups of 100 kB", s.RowGroups)
	}
	_, cells := readBack(t, f.bytes())
	requireSameCells(t, tb, cells)
}

func TestAFileWithoutRowsIsNotWritten(t *testing.T) {
	t.Parallel()
	f := &file{}
	w := NewWriter(vehicleTable(1).layout, Options{}, f.emit)
	if err := w.Append(columns.NewBatch(vehicleTable(1).layout), nil); err != nil {
		t.Fatal(err)
	}
	if err := w.Append(vehicleTable(3).batch(0, 3), []int32{}); err != nil {
		t.Fatal(err)
	}
	if s, err := w.Close([]KeyValue{{"a", "b"}}); !errors.Is(err, ErrNoRows) || s != (Summary{}) || len(f.parts) != 0 {
		t.Errorf("close: %+v, %v, %d parts; want ErrNoRows and nothing emitted", s, err, len(f.parts))
	}
}

func TestAnErrorOfEmitIsPassedOnAndEndsTheWriter(t *testing.T) {
	t.Parallel()
	broken := errors.New("the store is gone")
	tb := vehicleTable(2000)
	opt := Options{PartBytes: 5000, RowGroupRows: 500, Encoders: NewEncoders(1)}
	whole, _ := writeAllRows(t, tb, opt)
	for failing := range whole.parts {
		t.Run(fmt.Sprint("part ", failing+1), func(t *testing.T) {
			calls := 0
			w := NewWriter(tb.layout, opt, func([]byte) error {
				if calls++; calls > failing {
					return broken
				}
				return nil
			})
			err := w.Append(tb.batch(0, tb.rows()), nil)
			_, closeErr := w.Close(nil)
			if err != nil && err != closeErr {
				t.Errorf("Append failed with %v, Close with %v", err, closeErr)
			}
			if !errors.Is(closeErr, broken) || calls != failing+1 {
				t.Errorf("%v after %d calls, want the error of call %d", closeErr, calls, failing+1)
			}
			if again := w.Append(tb.batch(0, 1), nil); again != closeErr {
				t.Errorf("Append to the dead writer: %v", again)
			}
		})
	}
}

func TestWrongInputIsAnError(t *testing.T) {
	t.Parallel()
	layout := []schema.Column{{Name: "n", Type: schema.Int}}
	tooLarge := columns.NewBatch(layout)
	tooLarge.Columns[0].AppendInt(1 << 31)
	tests := []struct {
		name  string
		batch *columns.Batch
		want  string
	}{
		{"a value beyond 32 bits", tooLarge, `column "n": value 2147483648 does not fit into 32 bits`},
		{"another number of columns", columns.NewBatch(append(slices.Clone(layout), layout...)), "2 columns, the file 1"},
		{"another type", columns.NewBatch([]schema.Column{{Name: "n", Type: schema.Long}}), `column "n" has type`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := NewWriter(layout, Options{}, (&file{}).emit)
			err := w.Append(tt.batch, nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func TestAClosedWriterTakesNothingMore(t *testing.T) {
	t.Parallel()
	tb := vehicleTable(10)
	w := NewWriter(tb.layout, Options{}, (&file{}).emit)
	if err := w.Append(tb.batch(0, 10), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(nil); err != nil {
		t.Fatal(err)
	}
	if err := w.Append(tb.batch(0, 10), nil); err == nil {
		t.Error("Append after Close succeeds")
	}
	if _, err := w.Close(nil); err == nil {
		t.Error("a second Close succeeds")
	}
}

func TestTheFooterNamesMakerMetadataAndTypes(t *testing.T) {
	t.Parallel()
	tb := &table{}
	for i, typ := range allTypes {
		tb.layout = append(tb.layout, schema.Column{Name: fmt.Sprint("Column", i), Type: typ, Required: i%2 == 0})
		tb.cells = append(tb.cells, cellsOf(10, valuesOf(typ, 1)[0].at, nullsOf[0].null))
	}
	metadata := []KeyValue{{"citystream.table", "vehicle_data"}, {"citystream.slot", "12"}, {"empty", ""}, {"ünï", "日本"}}
	f, _ := writeAllRows(t, tb, Options{Version: "1.2.3"}, metadata...)
	pf, err := parquet.OpenFile(bytes.NewReader(f.bytes()), int64(len(f.bytes())))
	if err != nil {
		t.Fatal(err)
	}
	m := pf.Metadata()
	var got []KeyValue
	for _, kv := range m.KeyValueMetadata {
		got = append(got, KeyValue(kv))
	}
	byKey := func(a, b KeyValue) int { return strings.Compare(a.Key, b.Key) } // the reader sorts them
	if diff := cmp.Diff(slices.SortedFunc(slices.Values(metadata), byKey), got); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	if m.CreatedBy != "citystream version 1.2.3" || m.Version != formatVersion {
		t.Errorf("created by %q, version %d", m.CreatedBy, m.Version)
	}
	if len(m.ColumnOrders) != len(tb.layout) {
		t.Errorf("%d column orders for %d columns", len(m.ColumnOrders), len(tb.layout))
	}
	for i, o := range m.ColumnOrders {
		if _, ok := o.Value.(*format.TypeDefinedOrder); !ok {
			t.Errorf("column %d has order %v", i, o.Value)
		}
	}
	// The reader shows integers without an annotation as signed ones.
	want := `message citystream {
	optional binary Column0 (STRING);
	optional binary Column1;
	optional boolean Column2;
	optional int32 Column3 (INT(32,true));
	optional int64 Column4 (INT(64,true));
	optional double Column5;
	optional int64 Column6 (TIMESTAMP(isAdjustedToUTC=true,unit=MICROS));
}`
	if diff := cmp.Diff(want, pf.Schema().String()); diff != "" {
		t.Errorf("schema (-want +got):\n%s", diff)
	}
}

func TestChunksLieWhereTheFooterSays(t *testing.T) {
	t.Parallel()
	f, _ := writeAllRows(t, vehicleTable(5000), Options{RowGroupRows: 2000})
	pf, _ := readBack(t, f.bytes())
	at := int64(len(magic))
	for g, group := range pf.Metadata().RowGroups {
		raw, packed := int64(0), int64(0)
		if group.FileOffset != at {
			t.Errorf("row group %d begins at %d, the footer says %d", g, at, group.FileOffset)
		}
		for i, c := range group.Columns {
			start := c.MetaData.DataPageOffset
			if c.MetaData.DictionaryPageOffset != 0 {
				start = c.MetaData.DictionaryPageOffset
			}
			if start != at {
				t.Errorf("row group %d, column %d begins at %d, the footer says %d", g, i, at, start)
			}
			if c.MetaData.Codec != format.Zstd {
				t.Errorf("row group %d, column %d has codec %v: it must be the same in all", g, i, c.MetaData.Codec)
			}
			at += c.MetaData.TotalCompressedSize
			raw, packed = raw+c.MetaData.TotalUncompressedSize, packed+c.MetaData.TotalCompressedSize
		}
		if group.TotalByteSize != raw || group.TotalCompressedSize != packed {
			t.Errorf("row group %d has %d, %d bytes, the footer says %d, %d",
				g, raw, packed, group.TotalByteSize, group.TotalCompressedSize)
		}
	}
}

func TestWhatDidNotPayIsTriedLessAndLess(t *testing.T) {
	t.Parallel()
	var a attempts
	var tried []int
	for i := range 100 {
		if a.due() {
			tried = append(tried, i)
			a.record(false)
		}
	}
	if diff := cmp.Diff([]int{0, 2, 6, 14, 30, 62, 94}, tried); diff != "" {
		t.Errorf("tries (-want +got):\n%s", diff)
	}
	a.record(true)
	for range 2 {
		if !a.due() {
			t.Error("not due after it paid")
		}
	}
}

func TestAppendAllocatesNothingInTheSteadyState(t *testing.T) {
	tb := vehicleTable(1000)
	b := tb.batch(0, 1000)
	picked := []int32{1, 5, 7, 900}
	w := NewWriter(tb.layout, Options{RowGroupRows: 100_000}, func([]byte) error { return nil })
	for range 101 { // one row group grows the buffers; the next must fit into them
		if err := w.Append(b, nil); err != nil {
			t.Fatal(err)
		}
	}
	allocs := testing.AllocsPerRun(90, func() {
		if err := errors.Join(w.Append(b, nil), w.Append(b, picked)); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations for 1004 rows", allocs)
	}
}
