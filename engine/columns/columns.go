// Package columns holds decoded rows by column, the form in which they travel from the decoder to the Parquet writer.
//
// A buffer keeps one slot a row, also for null, so that a row can be picked by its index. Buffers are reused: after Reset they
// keep their memory, so that steady decoding allocates nothing. The package is pure.
package columns

import "citystream/engine/schema"

// A Column holds the values of one column. Exactly one of Ints, Floats and Data is in use, by Type.
// Not safe for concurrent use.
type Column struct {
	Type   schema.Type
	Nulls  int       // number of rows that are null
	Valid  []bool    // one a row, false is null; empty as long as there is no null
	Ints   []int64   // Bool (0, 1), Int, Long, Timestamp (microseconds); 0 where null
	Floats []float64 // Double; 0 where null
	Data   []byte    // String, Binary: the values one after another
	Ends   []uint32  // String, Binary: the end of each row's value in Data
}

// Len returns the number of rows.
func (c *Column) Len() int {
	switch c.Type {
	case schema.Double:
		return len(c.Floats)
	case schema.String, schema.Binary:
		return len(c.Ends)
	default:
		return len(c.Ints)
	}
}

// IsNull reports whether row i has no value.
func (c *Column) IsNull(i int) bool { return c.Nulls > 0 && !c.Valid[i] }

// AppendNull adds a row without a value.
func (c *Column) AppendNull() {
	if c.Nulls == 0 {
		c.Valid = c.Valid[:0]
		for range c.Len() {
			c.Valid = append(c.Valid, true)
		}
	}
	c.Valid = append(c.Valid, false)
	c.Nulls++
	switch c.Type {
	case schema.Double:
		c.Floats = append(c.Floats, 0)
	case schema.String, schema.Binary:
		c.Ends = append(c.Ends, uint32(len(c.Data)))
	default:
		c.Ints = append(c.Ints, 0)
	}
}

// AppendInt adds a row to a Bool, Int, Long or Timestamp column.
func (c *Column) AppendInt(v int64) {
	c.Ints = append(c.Ints, v)
	if c.Nulls > 0 {
		c.Valid = append(c.Valid, true)
	}
}

// AppendFloat adds a row to a Double column.
func (c *Column) AppendFloat(v float64) {
	c.Floats = append(c.Floats, v)
	if c.Nulls > 0 {
		c.Valid = append(c.Valid, true)
	}
}

// AppendBytes adds a row to a String or Binary column; v is copied. A batch holds at most 4 GiB of one column.
func (c *Column) AppendBytes(v []byte) {
	c.Data = append(c.Data, v...)
	c.EndBytes()
}

// EndBytes makes what was appended to Data since the row before a row.
func (c *Column) EndBytes() {
	c.Ends = append(c.Ends, uint32(len(c.Data)))
	if c.Nulls > 0 {
		c.Valid = append(c.Valid, true)
	}
}

// Bytes returns row i of a String or Binary column; it aliases the buffer.
func (c *Column) Bytes(i int) []byte {
	start := uint32(0)
	if i > 0 {
		start = c.Ends[i-1]
	}
	return c.Data[start:c.Ends[i]]
}

// Truncate removes the rows from n on and keeps the memory. It undoes the columns of a row that turned out bad.
func (c *Column) Truncate(n int) {
	if c.Nulls > 0 {
		for _, valid := range c.Valid[n:] {
			if !valid {
				c.Nulls--
			}
		}
		c.Valid = c.Valid[:n]
		if c.Nulls == 0 {
			c.Valid = c.Valid[:0]
		}
	}
	switch c.Type {
	case schema.Double:
		c.Floats = c.Floats[:n]
	case schema.String, schema.Binary:
		c.Ends = c.Ends[:n]
		end := uint32(0)
		if n > 0 {
			end = c.Ends[n-1]
		}
		c.Data = c.Data[:end]
	default:
		c.Ints = c.Ints[:n]
	}
}

// Reset removes all rows and keeps the memory.
func (c *Column) Reset() {
	c.Valid, c.Nulls = c.Valid[:0], 0
	c.Ints, c.Floats = c.Ints[:0], c.Floats[:0]
	c.Data, c.Ends = c.Data[:0], c.Ends[:0]
}

// SizeBytes returns the memory that the rows take, capacity beyond them not counted.
func (c *Column) SizeBytes() int {
	return len(c.Valid) + 8*(len(c.Ints)+len(c.Floats)) + len(c.Data) + 4*len(c.Ends)
}

// MemoryBytes returns the memory that the column holds, with what is kept for later rows.
func (c *Column) MemoryBytes() int {
	return cap(c.Valid) + 8*(cap(c.Ints)+cap(c.Floats)) + cap(c.Data) + 4*cap(c.Ends)
}

// A Batch holds rows of one table: a Column for each of the table's FileColumns, all of the same length.
// Not safe for concurrent use.
type Batch struct {
	Columns []Column
}

// NewBatch returns an empty batch of the given layout.
func NewBatch(layout []schema.Column) *Batch {
	b := &Batch{Columns: make([]Column, len(layout))}
	for i, c := range layout {
		b.Columns[i].Type = c.Type
	}
	return b
}

// Rows returns the number of rows.
func (b *Batch) Rows() int {
	if len(b.Columns) == 0 {
		return 0
	}
	return b.Columns[0].Len()
}

// Reset removes all rows and keeps the memory.
func (b *Batch) Reset() {
	for i := range b.Columns {
		b.Columns[i].Reset()
	}
}

// SizeBytes returns the memory that the rows take.
func (b *Batch) SizeBytes() int {
	n := 0
	for i := range b.Columns {
		n += b.Columns[i].SizeBytes()
	}
	return n
}

// MemoryBytes returns the memory that the batch holds, with what is kept for later rows.
func (b *Batch) MemoryBytes() int {
	n := 0
	for i := range b.Columns {
		n += b.Columns[i].MemoryBytes()
	}
	return n
}
