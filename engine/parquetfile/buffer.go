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
// values that are not null one after another. By typ one of bits, int32s, int64s and doubles is in use, or bytes with their lengths in
// int32s. As long as a dictionary holds the values, int32s has their numbers instead.
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
	bytes   []byte // String, Binary

	dictionary *dictionary // nil where it is not tried or was given up, for this row group
	number     attempts    // whether a dictionary paid for the row groups before
	compress   attempts    // whether zstd paid for the pages before
}

// values returns the number of rows that are not null.
func (c *column) values() int { return c.rows - c.nulls }

// append copies the named rows of src. The buffers grow out of the encoder's memory.
func (c *column) append(src *columns.Column, rows []int32, e *encoder) error {
	if src.Nulls > 0 {
		rows = c.appendLevels(src.Valid, rows, e)
	} else {
		c.appendPresent(len(rows), &e.memory)
	}
	switch c.typ {
	case schema.String, schema.Binary, schema.Double:
		return c.appendNumbered(src, rows, e)
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

// appendNumbered copies values of a type for which a dictionary is tried.
func (c *column) appendNumbered(src *columns.Column, rows []int32, e *encoder) error {
	if len(rows) == 0 {
		return nil
	}
	if c.values() == len(rows) && c.number.due() { // the first of the row group
		c.dictionary = e.takeDictionary()
	}
	if c.dictionary == nil {
		return c.appendBare(src, rows, &e.memory)
	}
	c.int32s = extend(&e.memory, &e.memory.int32s, c.int32s, len(rows))
	numbers := c.int32s[len(c.int32s)-len(rows):]
	if c.typ == schema.Double {
		var v [8]byte
		for i, r := range rows {
			binary.LittleEndian.PutUint64(v[:], math.Float64bits(src.Floats[r]))
			numbers[i] = c.dictionary.number(v[:])
		}
	} else {
		for i, r := range rows {
			numbers[i] = c.dictionary.number(src.Bytes(int(r)))
		}
	}
	if c.dictionary.hopeless(len(c.int32s)) {
		return c.giveUpDictionary(e)
	}
	return nil
}

// appendBare copies values without a dictionary.
func (c *column) appendBare(src *columns.Column, rows []int32, m *memory) error {
	if c.typ == schema.Double {
		c.doubles = extend(m, &m.doubles, c.doubles, len(rows))
		gather(c.doubles[len(c.doubles)-len(rows):], src.Floats, rows)
		return nil
	}
	return c.appendBytes(src, rows, m)
}

// giveUpDictionary puts the values themselves in the place of their numbers.
func (c *column) giveUpDictionary(e *encoder) error {
	d, numbers := c.dictionary, c.int32s
	c.dictionary, c.int32s = nil, nil
	c.number.record(false)
	var err error
	if c.typ == schema.Double {
		c.doubles = extend(&e.memory, &e.memory.doubles, c.doubles, len(numbers))
		for i, n := range numbers {
			c.doubles[i] = math.Float64frombits(binary.LittleEndian.Uint64(d.value(uint32(n))))
		}
	} else {
		err = c.spell(d, numbers, &e.memory)
	}
	e.memory.int32s.give(&e.memory, numbers)
	e.giveDictionary(d)
	return err
}

// spell copies the bytes of numbered values.
func (c *column) spell(d *dictionary, numbers []int32, m *memory) error {
	total := 0
	for _, n := range numbers {
		total += len(d.value(uint32(n)))
	}
	if total > maxColumnBytes {
		return tooMuch(total, len(numbers))
	}
	c.int32s = extend(m, &m.int32s, c.int32s, len(numbers))
	c.bytes = extend(m, &m.bytes, c.bytes, total)[:0]
	for i, n := range numbers {
		v := d.value(uint32(n))
		c.int32s[i] = int32(len(v))
		c.bytes = append(c.bytes, v...)
	}
	return nil
}

func gather[T any](dst, src []T, rows []int32) {
	for i, r := range rows {
		dst[i] = src[r]
	}
}

// appendLevels adds the levels of the named rows and returns those that are not null.
func (c *column) appendLevels(valid []bool, rows []int32, e *encoder) []int32 {
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
	c.int32s = extend(m, &m.int32s, c.int32s, len(rows))
	lengths := c.int32s[len(c.int32s)-len(rows):]
	n := 0
	for i, r := range rows {
		length := len(src.Bytes(int(r)))
		lengths[i] = int32(length)
		n += length
	}
	if n+len(c.bytes) > maxColumnBytes {
		return tooMuch(n, len(rows))
	}
	c.bytes = extend(m, &m.bytes, c.bytes, n)
	dst := c.bytes[len(c.bytes)-n:]
	for _, r := range rows {
		dst = dst[copy(dst, src.Bytes(int(r))):]
	}
	return nil
}

func tooMuch(bytes, rows int) error {
	return fmt.Errorf("%d bytes in %d rows are too much for a file", bytes, rows)
}

// reset removes all rows and keeps the memory.
func (c *column) reset(e *encoder) {
	c.rows, c.nulls = 0, 0
	c.levels, c.bits, c.bytes = c.levels[:0], c.bits[:0], c.bytes[:0]
	c.int32s, c.int64s, c.doubles = c.int32s[:0], c.int64s[:0], c.doubles[:0]
	if c.dictionary != nil {
		e.giveDictionary(c.dictionary)
		c.dictionary = nil
	}
}

// sizeBytes returns the size of the rows.
func (c *column) sizeBytes() int {
	n := len(c.levels) + len(c.bits) + len(c.bytes) + 4*len(c.int32s) + 8*(len(c.int64s)+len(c.doubles))
	if c.dictionary != nil {
		n += len(c.dictionary.values)
	}
	return n
}

// memoryBytes returns the memory held, with what is kept for later rows.
func (c *column) memoryBytes() int {
	n := cap(c.levels) + cap(c.bits) + cap(c.bytes) + sizeBytes(c.int32s) + sizeBytes(c.int64s) + sizeBytes(c.doubles)
	if c.dictionary != nil {
		n += c.dictionary.memoryBytes()
	}
	return n
}

// release gives the buffers to the files to come.
func (c *column) release(e *encoder) {
	m := &e.memory
	c.reset(e)
	m.bytes.give(m, c.levels)
	m.bytes.give(m, c.bits)
	m.bytes.give(m, c.bytes)
	m.int32s.give(m, c.int32s)
	m.int64s.give(m, c.int64s)
	m.doubles.give(m, c.doubles)
	c.levels, c.bits, c.bytes, c.int32s, c.int64s, c.doubles = nil, nil, nil, nil, nil, nil
}
