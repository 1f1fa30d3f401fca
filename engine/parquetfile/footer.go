package parquetfile

import (
	"encoding/binary"
	"unsafe"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"citystream/engine/schema"
)

// formatVersion 2 stands for files with the encodings and logical types of Parquet 2.
const formatVersion = 2

// A rowGroup is what the footer tells of one row group.
type rowGroup struct {
	rows    int
	offset  int64 // of its first page
	columns []chunk
}

// memoryBytes is the memory held until the footer is written, to within the lengths of the bounds.
func (g *rowGroup) memoryBytes() int {
	n := int(unsafe.Sizeof(*g)) + len(g.columns)*int(unsafe.Sizeof(chunk{}))
	for i := range g.columns {
		n += len(g.columns[i].bounds.min) + len(g.columns[i].bounds.max)
	}
	return n
}

type fileMetadata struct {
	columns   []column
	rows      int64
	groups    []rowGroup
	keyValues []KeyValue
	createdBy string
}

// appendFooter appends the end of a file: FileMetaData, its length, the magic. Field numbers here and below are those of
// parquet.thrift of parquet-format 2.12, whose structs the functions are named after.
func appendFooter(dst []byte, m fileMetadata) []byte {
	start := len(dst)
	t := thriftWriter{buf: dst}
	t.begin()
	t.int32(1, formatVersion)
	t.list(2, thriftStruct, len(m.columns)+1)
	t.rootElement(len(m.columns))
	for i := range m.columns {
		t.schemaElement(&m.columns[i])
	}
	t.int64(3, m.rows)
	t.list(4, thriftStruct, len(m.groups))
	for i := range m.groups {
		t.rowGroup(&m.groups[i], m.columns)
	}
	if len(m.keyValues) > 0 {
		t.list(5, thriftStruct, len(m.keyValues))
		for _, kv := range m.keyValues {
			t.begin()
			t.string(1, kv.Key)
			t.string(2, kv.Value)
			t.end()
		}
	}
	t.string(6, m.createdBy)
	t.list(7, thriftStruct, len(m.columns))
	for range m.columns {
		t.begin()
		t.empty(1) // the order that the type defines: without it readers ignore the bounds of text
		t.end()
	}
	t.end()
	t.buf = binary.LittleEndian.AppendUint32(t.buf, uint32(len(t.buf)-start))
	return append(t.buf, magic...)
}

func (t *thriftWriter) rootElement(children int) {
	t.begin()
	t.string(4, "citystream")
	t.int32(5, int64(children))
	t.end()
}

func (t *thriftWriter) schemaElement(c *column) {
	t.begin()
	t.int32(1, int64(physicalType(c.typ)))
	t.int32(3, int64(format.Optional))
	t.string(4, c.name)
	switch c.typ {
	case schema.String:
		t.int32(6, int64(deprecated.UTF8))
		t.structure(10)
		t.empty(1) // STRING
		t.end()
	case schema.Timestamp:
		t.int32(6, int64(deprecated.TimestampMicros))
		t.structure(10)
		t.structure(8) // TIMESTAMP
		t.bool(1, true)
		t.structure(2) // unit
		t.empty(2)     // MICROS
		t.end()
		t.end()
		t.end()
	}
	t.end()
}

func physicalType(t schema.Type) format.Type {
	switch t {
	case schema.Bool:
		return format.Boolean
	case schema.Int:
		return format.Int32
	case schema.Double:
		return format.Double
	case schema.String, schema.Binary:
		return format.ByteArray
	default:
		return format.Int64
	}
}

func (t *thriftWriter) rowGroup(g *rowGroup, columns []column) {
	rawBytes, bytes := int64(0), int64(0)
	t.begin()
	t.list(1, thriftStruct, len(columns))
	for i := range columns {
		ch := &g.columns[i]
		rawBytes, bytes = rawBytes+ch.rawBytes, bytes+ch.bytes
		t.begin() // ColumnChunk; its fields 4 to 7 are the place of a page index
		t.int64(2, 0)
		t.structure(3)
		t.columnMetaData(ch, &columns[i])
		t.end()
		t.end()
	}
	t.int64(2, rawBytes)
	t.int64(3, int64(g.rows))
	t.int64(5, g.offset)
	t.int64(6, bytes)
	t.end()
}

// columnMetaData writes the fields of the open struct.
func (t *thriftWriter) columnMetaData(ch *chunk, c *column) {
	t.int32(1, int64(physicalType(c.typ)))
	t.encodings(ch)
	t.list(3, thriftBinary, 1)
	t.stringElement(c.name)
	t.int32(4, int64(codec))
	t.int64(5, ch.values)
	t.int64(6, ch.rawBytes)
	t.int64(7, ch.bytes)
	t.int64(9, ch.dataOffset)
	if ch.dictionaryPage {
		t.int64(11, ch.offset)
	}
	t.structure(12)
	t.statistics(ch)
	t.end()
	t.encodingStats(ch)
}

// encodings lists each encoding of the chunk's pages once, with RLE for the levels.
func (t *thriftWriter) encodings(ch *chunk) {
	used := [len(ch.dataPages)]bool{format.RLE: true, format.Plain: ch.dictionaryPage}
	n := 0
	for enc, pages := range ch.dataPages {
		used[enc] = used[enc] || pages > 0
		if used[enc] {
			n++
		}
	}
	t.list(2, thriftI32, n)
	for enc, yes := range used {
		if yes {
			t.int32Element(int64(enc))
		}
	}
}

// statistics writes the fields of the open struct.
func (t *thriftWriter) statistics(ch *chunk) {
	t.int64(3, ch.nulls)
	if ch.bounds.known {
		t.bytes(5, ch.bounds.max)
		t.bytes(6, ch.bounds.min)
		t.bool(7, true) // the greatest is exact
		t.bool(8, true) // the least is exact
	}
}

// encodingStats tells the pages by kind and encoding, from which readers see whether the dictionary has all values.
func (t *thriftWriter) encodingStats(ch *chunk) {
	n := 0
	if ch.dictionaryPage {
		n++
	}
	for _, pages := range ch.dataPages {
		if pages > 0 {
			n++
		}
	}
	t.list(13, thriftStruct, n)
	if ch.dictionaryPage {
		t.pageEncodingStats(format.DictionaryPage, format.Plain, 1)
	}
	for enc, pages := range ch.dataPages {
		if pages > 0 {
			t.pageEncodingStats(format.DataPageV2, format.Encoding(enc), pages)
		}
	}
}

func (t *thriftWriter) pageEncodingStats(kind format.PageType, enc format.Encoding, pages int32) {
	t.begin()
	t.int32(1, int64(kind))
	t.int32(2, int64(enc))
	t.int32(3, int64(pages))
	t.end()
}
