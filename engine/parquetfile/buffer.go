package parquetfile

import (
	"encoding/binary"
	"fmt"
	"math"

	"citystream/engine/columns"
	"citystream/engine/schema"
)

// maxColumnBytes bounds the text of one column in a row group, so that its sizes fit into the 31 bits that Parquet has for them.
// A row group ends long before, unless a single value is of that size.
const maxColumnBytes = math.MaxInt32 - (16 << 20)

// A column holds the rows of one column in the open row group, in the shape in which pages want them: a level a row, and the
// values that are not null one after another. Exactly one of bits, int32s, int64s, doubles and bytes is in use, by typ.
type column struct {
	name string
	typ  schema.Type

	rows    int
	nulls   int
	levels  []byte // 1 for a value, 0 for null, a row each; empty as long as nulls is 0
	bits    []byte // Bool: 0 or 1 a value
	int32s  []int32
	int64s  []int64
	doubles []float64
	bytes   []byte // String, Binary: the PLAIN encoding, so each value behind its length in 4 bytes

	dictionary attempts // whether a dictionary paid for the row groups before
	compress   attempts // whether zstd paid for the pages before
}

// values returns the number of rows that are not null.
func (c *column) values() int { return c.rows - c.nulls }

// append copies the named rows of src. The buffers grow out of the Encoder's memory.
func (c *column) append(src *columns.Column, rows []int32, e *Encoder) error {
	if src.Nulls > 0 {
		rows = c.appendLevels(src.Valid, rows, e)
	} else {
		c.appendPresent(len(rows), &e.memory)
	}
	switch c.typ {
	case schema.String, schema.Binary:
		return c.appendBytes(src, rows, &e.memory)
	case schema.Double:
		c.doubles = extend(&e.memory, &e.memory.doubles, c.doubles, len(rows))
		gather(c.doubles[len(c.doubles)-len(rows):], src.Floats, rows)
	case schema.Bool:
		c.bits = extend(&e.memory, &e.memory.bytes, c.bits, len(rows))
		for i, bits := 0, c.bits[len(c.bits)-len(rows):]; i < len(rows); i++ {
			bits[i] = byte(src.Ints[rows[i]] & 1)
		}
	case schema.Int:
		return c.appendInt32s(src.Ints, rows, &e.memory)
	default:
		c.int64s = extend(&e.memory, &e.memory.int64s, c.int64s, len(rows))
		gather(c.int64s[len(c.int64s)-len(rows):], src.Ints, rows)
	}
	return nil
}

func gather[T any](dst, src []T, rows []int32) {
	for i, r := range rows {
		dst[i] = src[r]
	}
}

// appendLevels adds the levels of the named rows and returns those that are not null.
func (c *column) appendLevels(valid []bool, rows []int32, e *Encoder) []int32 {
	n := 0
	for _, r := range rows {
		e.present[n] = r
		if valid[r] {
			n++
		}
	}
	if n == len(rows) {
		c.appendPresent(n, &e.memory)
		return rows
	}
	if c.nulls == 0 {
		c.levels = appendOnes(c.levels[:0], c.rows, &e.memory)
	}
	c.levels = extend(&e.memory, &e.memory.bytes, c.levels, len(rows))
	levels := c.levels[len(c.levels)-len(rows):]
	for i, r := range rows {
		levels[i] = 0
		if valid[r] {
			levels[i] = 1
		}
	}
	c.rows += len(rows)
	c.nulls += len(rows) - n
	return e.present[:n]
}

// appendPresent adds n levels of rows that are not null. No level is kept before the first null.
func (c *column) appendPresent(n int, m *memory) {
	if c.nulls > 0 {
		c.levels = appendOnes(c.levels, n, m)
	}
	c.rows += n
}

func appendOnes(dst []byte, n int, m *memory) []byte {
	dst = extend(m, &m.bytes, dst, n)
	ones := dst[len(dst)-n:]
	for i := range ones {
		ones[i] = 1
	}
	return dst
}

func (c *column) appendInt32s(values []int64, rows []int32, m *memory) error {
	c.int32s = extend(m, &m.int32s, c.int32s, len(rows))
	dst := c.int32s[len(c.int32s)-len(rows):]
	for i, r := range rows {
		v := values[r]
		if v < math.MinInt32 || v > math.MaxInt32 {
			return fmt.Errorf("value %d does not fit into 32 bits", v)
		}
		dst[i] = int32(v)
	}
	return nil
}

func (c *column) appendBytes(src *columns.Column, rows []int32, m *memory) error {
	n := 4 * len(rows)
	for _, r := range rows {
		n += len(src.Bytes(int(r)))
	}
	if n+len(c.bytes) > maxColumnBytes {
		return fmt.Errorf("%d bytes in %d rows are too much for a file", n, len(rows))
	}
	c.bytes = extend(m, &m.bytes, c.bytes, n)
	dst := c.bytes[len(c.bytes)-n:]
	for _, r := range rows {
		v := src.Bytes(int(r))
		binary.LittleEndian.PutUint32(dst, uint32(len(v)))
		copy(dst[4:], v)
		dst = dst[4+len(v):]
	}
	return nil
}

// reset removes all rows and keeps the memory.
func (c *column) reset() {
	c.rows, c.nulls = 0, 0
	c.levels, c.bits, c.bytes = c.levels[:0], c.bits[:0], c.bytes[:0]
	c.int32s, c.int64s, c.doubles = c.int32s[:0], c.int64s[:0], c.doubles[:0]
}

// sizeBytes returns the size of the rows.
func (c *column) sizeBytes() int {
	return len(c.levels) + len(c.bits) + len(c.bytes) + 4*len(c.int32s) + 8*(len(c.int64s)+len(c.doubles))
}

// memoryBytes returns the memory held, with what is kept for later rows.
func (c *column) memoryBytes() int {
	return cap(c.levels) + cap(c.bits) + cap(c.bytes) + sizeBytes(c.int32s) + sizeBytes(c.int64s) + sizeBytes(c.doubles)
}

// release gives the buffers to the files to come.
func (c *column) release(m *memory) {
	m.bytes.give(m, c.levels)
	m.bytes.give(m, c.bits)
	m.bytes.give(m, c.bytes)
	m.int32s.give(m, c.int32s)
	m.int64s.give(m, c.int64s)
	m.doubles.give(m, c.doubles)
	c.levels, c.bits, c.bytes, c.int32s, c.int64s, c.doubles = nil, nil, nil, nil, nil, nil
}
