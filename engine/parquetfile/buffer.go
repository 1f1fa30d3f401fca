package parquetfile

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

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

// append copies the named rows of src; present is scratch for the numbers of those that are not null.
func (c *column) append(src *columns.Column, rows []int32, present *[appendStep]int32) error {
	if src.Nulls > 0 {
		rows = c.appendLevels(src.Valid, rows, present)
	} else {
		c.appendPresent(len(rows))
	}
	switch c.typ {
	case schema.String, schema.Binary:
		return c.appendBytes(src, rows)
	case schema.Double:
		at := len(c.doubles)
		c.doubles = slices.Grow(c.doubles, len(rows))[:at+len(rows)]
		for i, r := range rows {
			c.doubles[at+i] = src.Floats[r]
		}
	case schema.Bool:
		at := len(c.bits)
		c.bits = slices.Grow(c.bits, len(rows))[:at+len(rows)]
		for i, r := range rows {
			c.bits[at+i] = byte(src.Ints[r] & 1)
		}
	case schema.Int:
		return c.appendInt32s(src.Ints, rows)
	default:
		at := len(c.int64s)
		c.int64s = slices.Grow(c.int64s, len(rows))[:at+len(rows)]
		for i, r := range rows {
			c.int64s[at+i] = src.Ints[r]
		}
	}
	return nil
}

// appendLevels adds the levels of the named rows and returns those that are not null.
func (c *column) appendLevels(valid []bool, rows []int32, present *[appendStep]int32) []int32 {
	n := 0
	for _, r := range rows {
		present[n] = r
		if valid[r] {
			n++
		}
	}
	if n == len(rows) {
		c.appendPresent(n)
		return rows
	}
	if c.nulls == 0 {
		c.levels = appendOnes(c.levels[:0], c.rows)
	}
	at := len(c.levels)
	c.levels = slices.Grow(c.levels, len(rows))[:at+len(rows)]
	for i, r := range rows {
		c.levels[at+i] = 0
		if valid[r] {
			c.levels[at+i] = 1
		}
	}
	c.rows += len(rows)
	c.nulls += len(rows) - n
	return present[:n]
}

// appendPresent adds n levels of rows that are not null. No level is kept before the first null.
func (c *column) appendPresent(n int) {
	if c.nulls > 0 {
		c.levels = appendOnes(c.levels, n)
	}
	c.rows += n
}

func appendOnes(dst []byte, n int) []byte {
	at := len(dst)
	dst = slices.Grow(dst, n)[:at+n]
	for i := range dst[at:] {
		dst[at+i] = 1
	}
	return dst
}

func (c *column) appendInt32s(values []int64, rows []int32) error {
	at := len(c.int32s)
	c.int32s = slices.Grow(c.int32s, len(rows))[:at+len(rows)]
	for i, r := range rows {
		v := values[r]
		if v < math.MinInt32 || v > math.MaxInt32 {
			return fmt.Errorf("value %d does not fit into 32 bits", v)
		}
		c.int32s[at+i] = int32(v)
	}
	return nil
}

func (c *column) appendBytes(src *columns.Column, rows []int32) error {
	for _, r := range rows {
		v := src.Bytes(int(r))
		if len(v)+len(c.bytes) > maxColumnBytes {
			return fmt.Errorf("a value of %d bytes is too long for a file", len(v))
		}
		c.bytes = binary.LittleEndian.AppendUint32(c.bytes, uint32(len(v)))
		c.bytes = append(c.bytes, v...)
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
	return cap(c.levels) + cap(c.bits) + cap(c.bytes) + 4*cap(c.int32s) + 8*(cap(c.int64s)+cap(c.doubles))
}
