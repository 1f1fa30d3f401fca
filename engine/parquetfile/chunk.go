package parquetfile

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/parquet-go/parquet-go/format"

	"citystream/engine/schema"
)

// Limits of a page: rows, and the bytes of text after which it ends.
const (
	pageRows  = 20_000
	pageBytes = 1 << 20
)

// A chunk is what the footer tells of one column in one row group.
type chunk struct {
	offset         int64 // of the first page
	dataOffset     int64 // of the first data page
	dictionaryPage bool
	dataPages      [format.ByteStreamSplit + 1]int32 // their number by encoding
	rawBytes       int64                             // of all pages with their headers, not compressed
	bytes          int64                             // as written
	values         int64                             // nulls included
	nulls          int64
	bounds         bounds
}

func (ch *chunk) addPage(rawBytes, bytes int) {
	ch.rawBytes += int64(rawBytes)
	ch.bytes += int64(bytes)
}

// A span is the part of a chunk that makes one page: rows from row on, the values of them that are not null from value on.
type span struct {
	row, rows     int
	value, values int
}

// encodeChunk writes all rows of c as the pages of a column chunk.
func (e *Encoder) encodeChunk(c *column, out *parts) (chunk, error) {
	ch := chunk{offset: out.offset, values: int64(c.rows), nulls: int64(c.nulls), bounds: c.bounds()}
	var err error
	switch {
	case c.values() == 0:
		err = e.encodePages(c, &ch, format.Plain, out, func(span) ([]byte, error) { return nil, nil })
	case c.typ == schema.Bool:
		err = e.encodePages(c, &ch, format.Plain, out, func(p span) ([]byte, error) {
			e.body = appendBits(e.body[:0], c.bits[p.value:p.value+p.values])
			return e.body, nil
		})
	case c.typ == schema.Double:
		err = e.encodePages(c, &ch, format.Plain, out, func(p span) ([]byte, error) {
			e.body = appendDoubles(e.body[:0], c.doubles[p.value:p.value+p.values])
			return e.body, nil
		})
	case c.typ == schema.Int:
		err = e.encodePages(c, &ch, format.DeltaBinaryPacked, out, func(p span) ([]byte, error) {
			return e.deltaInt32(c.int32s[p.value : p.value+p.values])
		})
	case c.typ == schema.String || c.typ == schema.Binary:
		err = e.encodeBytes(c, &ch, out)
	default:
		err = e.encodePages(c, &ch, format.DeltaBinaryPacked, out, func(p span) ([]byte, error) {
			return e.deltaInt64(c.int64s[p.value : p.value+p.values])
		})
	}
	return ch, err
}

// encodePages writes pages of pageRows rows, whose bodies encode makes. A page of nulls alone has no body and is marked PLAIN.
func (e *Encoder) encodePages(
	c *column, ch *chunk, enc format.Encoding, out *parts, encode func(span) ([]byte, error),
) error {
	p := span{}
	for p.row < c.rows {
		p.rows = min(pageRows, c.rows-p.row)
		p.values = c.countValues(p.row, p.rows)
		body, marked := []byte(nil), format.Plain
		if p.values > 0 {
			var err error
			if body, err = encode(p); err != nil {
				return fmt.Errorf("encode page as %s: %w", enc, err)
			}
			marked = enc
		}
		if err := e.writeDataPage(c, ch, p, marked, body, out); err != nil {
			return err
		}
		p.row, p.value = p.row+p.rows, p.value+p.values
	}
	return nil
}

// encodeBytes writes text with a dictionary if that is the smaller form, else as it lies in the buffer.
func (e *Encoder) encodeBytes(c *column, ch *chunk, out *parts) error {
	if !e.buildDictionary(c) {
		ch.bounds = bytesBounds(c.typ, c.bytes)
		return e.encodePlainBytes(c, ch, out)
	}
	e.body = e.dictionary.appendValues(e.body[:0], c.bytes)
	ch.bounds = bytesBounds(c.typ, e.body) // the dictionary has every value, and no other
	if err := e.writeDictionaryPage(ch, len(e.dictionary.entries), e.body, out); err != nil {
		return err
	}
	return e.encodePages(c, ch, format.RLEDictionary, out, func(p span) ([]byte, error) {
		var err error
		e.body, err = e.indexCodec.EncodeInt32(e.body, e.indexes[p.value:p.value+p.values])
		return e.body, err
	})
}

// buildDictionary numbers the values of c in e.indexes, and reports whether that pays.
func (e *Encoder) buildDictionary(c *column) bool {
	if !c.dictionary.due() {
		return false
	}
	var pays bool
	e.indexes, pays = e.dictionary.build(c.bytes, e.indexes[:0])
	c.dictionary.record(pays)
	return pays
}

// encodePlainBytes writes the text as it lies in the buffer. A page ends after pageRows rows or when it has pageBytes.
func (e *Encoder) encodePlainBytes(c *column, ch *chunk, out *parts) error {
	p, at := span{}, 0
	for p.row < c.rows {
		start := at
		p.rows, p.values = 0, 0
		for p.rows < pageRows && p.row+p.rows < c.rows && at-start < pageBytes {
			if c.nulls == 0 || c.levels[p.row+p.rows] == 1 {
				at += 4 + int(binary.LittleEndian.Uint32(c.bytes[at:]))
				p.values++
			}
			p.rows++
		}
		if err := e.writeDataPage(c, ch, p, format.Plain, c.bytes[start:at], out); err != nil {
			return err
		}
		p.row, p.value = p.row+p.rows, p.value+p.values
	}
	return nil
}

// countValues returns how many of the given rows are not null.
func (c *column) countValues(row, rows int) int {
	if c.nulls == 0 {
		return rows
	}
	n := 0
	for _, l := range c.levels[row : row+rows] {
		n += int(l)
	}
	return n
}

// appendBits packs booleans, the first into the lowest bit.
func appendBits(dst, bits []byte) []byte {
	for len(bits) > 0 {
		n := min(8, len(bits))
		packed := byte(0)
		for i, b := range bits[:n] {
			packed |= b << i
		}
		dst = append(dst, packed)
		bits = bits[n:]
	}
	return dst
}

func appendDoubles(dst []byte, values []float64) []byte {
	for _, v := range values {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
	}
	return dst
}

// appendRun appends one run of the RLE hybrid encoding, of a value that fits into a byte.
func appendRun(dst []byte, n int, value byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(n)<<1), value)
}
