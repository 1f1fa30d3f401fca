package parquetfile

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"

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
func (e *encoder) encodeChunk(c *column, out *parts) (chunk, error) {
	if err := e.settleDictionary(c); err != nil {
		return chunk{}, err
	}
	ch := chunk{offset: out.offset, values: int64(c.rows), nulls: int64(c.nulls), bounds: e.bounds(c)}
	var err error
	switch {
	case c.values() == 0:
		err = e.encodePages(c, &ch, format.Plain, out, func(span) ([]byte, error) { return nil, nil })
	case c.typ == schema.Bool:
		err = e.encodePages(c, &ch, format.Plain, out, func(p span) ([]byte, error) {
			e.body = appendBits(e.body[:0], c.bits[p.value:p.value+p.values])
			return e.body, nil
		})
	case c.dictionary != nil:
		err = e.encodeNumbered(c, &ch, out)
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
func (e *encoder) encodePages(
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

// settleDictionary keeps the dictionary of a full row group if that is the smaller form.
func (e *encoder) settleDictionary(c *column) error {
	d := c.dictionary
	if d == nil {
		return nil
	}
	bare, size := 8*len(c.int32s), len(d.values)
	if c.typ != schema.Double {
		bare, size = 0, size+4*len(d.ends)
		for _, n := range c.int32s {
			bare += len(d.value(uint32(n)))
		}
	}
	width := bits.Len(uint(max(len(d.ends), 1) - 1))
	if size+len(c.int32s)*width/8 < bare {
		c.number.record(true)
		return nil
	}
	return c.giveUpDictionary(e)
}

// encodeNumbered writes a dictionary and pages of numbers.
func (e *encoder) encodeNumbered(c *column, ch *chunk, out *parts) error {
	d := c.dictionary
	body := d.values
	if c.typ != schema.Double {
		e.body = d.appendPlain(e.body[:0])
		body = e.body
	}
	if err := e.writeDictionaryPage(ch, len(d.ends), body, out); err != nil {
		return err
	}
	return e.encodePages(c, ch, format.RLEDictionary, out, func(p span) ([]byte, error) {
		var err error
		e.body, err = e.indexCodec.EncodeInt32(e.body, c.int32s[p.value:p.value+p.values])
		return e.body, err
	})
}

// encodeBytes writes text as DELTA_LENGTH_BYTE_ARRAY: the lengths of a page, then its bytes. A page ends after pageRows rows or when
// it has pageBytes.
func (e *encoder) encodeBytes(c *column, ch *chunk, out *parts) error {
	p, at := span{}, 0
	for p.row < c.rows {
		start := at
		p.rows, p.values = 0, 0
		for p.rows < pageRows && p.row+p.rows < c.rows && at-start < pageBytes {
			if c.nulls == 0 || c.levels[p.row+p.rows] == 1 {
				at += int(c.int32s[p.value+p.values])
				p.values++
			}
			p.rows++
		}
		body, marked := []byte(nil), format.Plain
		if p.values > 0 {
			lengths, err := e.deltaInt32(c.int32s[p.value : p.value+p.values])
			if err != nil {
				return fmt.Errorf("encode lengths: %w", err)
			}
			e.text = append(append(e.text[:0], lengths...), c.bytes[start:at]...)
			body, marked = e.text, format.DeltaLengthByteArray
		}
		if err := e.writeDataPage(c, ch, p, marked, body, out); err != nil {
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
