package parquetfile

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"citystream/engine/columns"
	"citystream/engine/schema"
)

// maxValueBytes is the longest text or byte string that a page takes.
const maxValueBytes = maxRowGroupBytes

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

// append copies the named rows of src.
func (c *column) append(src *columns.Column, rows []int32) error {
	if src.Nulls > 0 {
		rows = c.appendLevels(src.Valid, rows)
	} else {
		c.appendValidLevels(len(rows))
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
