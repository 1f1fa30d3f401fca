package parquetfile

import "github.com/parquet-go/parquet-go/format"

// A pageHeader precedes each page. Sizes do not count the header itself.
type pageHeader struct {
	kind       format.PageType // DictionaryPage or DataPageV2
	encoding   format.Encoding
	values     int // nulls included
	nulls      int
	levelBytes int  // definition levels, never compressed
	compressed bool // the rest, of a data page; a dictionary is compressed as its chunk says
	rawBytes   int
	bytes      int
}

// append appends the header in its form in the file.
func (h pageHeader) append(dst []byte) []byte {
	t := thriftWriter{buf: dst}
	t.begin()
	t.int32(1, int64(h.kind))
	t.int32(2, int64(h.rawBytes))
	t.int32(3, int64(h.bytes))
	if h.kind == format.DictionaryPage {
		t.structure(7)
		t.int32(1, int64(h.values))
		t.int32(2, int64(h.encoding))
		t.end()
	} else {
		t.structure(8)
		t.int32(1, int64(h.values))
		t.int32(2, int64(h.nulls))
		t.int32(3, int64(h.values)) // rows: there are no lists
		t.int32(4, int64(h.encoding))
		t.int32(5, int64(h.levelBytes))
		t.int32(6, 0) // repetition levels
		t.bool(7, h.compressed)
		t.end()
	}
	t.end()
	return t.buf
}
