package verify

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"

	"citystream/engine/record"
	"citystream/engine/schema"
)

// A contentError says that a file's bytes are not what they must be, in contrast to a store that cannot be read.
type contentError struct{ what string }

func (e *contentError) Error() string { return e.what }

// rowValues is one row of a file; values are valid until the next one.
type rowValues struct {
	partition record.Partition
	offset    record.Offset
	time      record.Micros // Kafka's
	event     record.Micros // of the event time's column, where the table has one
	values    []parquet.Value
}

// columnPlaces says where in a file the columns are.
type columnPlaces struct {
	partition, offset, time, event int
	own                            []int // of the table's own columns, or of the dead letters'
}

// deadColumns are the dead letters' own.
var deadColumns = []schema.Column{
	{Name: "topic", Type: schema.String}, {Name: "key", Type: schema.Binary}, {Name: "value", Type: schema.Binary}, {Name: "error", Type: schema.String},
}

// place finds the columns of a file.
func (c *rowCheck) place(s *parquet.Schema) error {
	var missing []string
	find := func(name string) int {
		leaf, ok := s.Lookup(name)
		if !ok {
			missing = append(missing, name)
		}
		return leaf.ColumnIndex
	}
	c.columns = columnPlaces{
		partition: find(schema.KafkaPartition), offset: find(schema.KafkaOffset), time: find(schema.KafkaTimestamp), event: -1,
	}
	for i, column := range c.own() {
		c.columns.own = append(c.columns.own, find(column.Name))
		if c.file.Table != deadLetters && i == c.rules.EventTime {
			c.columns.event = c.columns.own[i]
		}
	}
	if len(missing) > 0 {
		return &contentError{fmt.Sprintf("it has no columns %q", missing)}
	}
	return nil
}

// own returns the columns of the file that come from the record.
func (c *rowCheck) own() []schema.Column {
	if c.file.Table == deadLetters {
		return deadColumns
	}
	return c.rules.Columns
}

// rowsAtOnce is how many rows are read in one go.
const rowsAtOnce = 256

// readRows reads a file from its footer to its last row.
func readRows(ctx context.Context, at *blocks, check *rowCheck) (err error) {
	defer func() {
		if r := recover(); r != nil { // the library's, on bytes that are no Parquet
			err = &contentError{fmt.Sprintf("it cannot be read: %v", r)}
		}
		if at.err != nil {
			err = at.err
		}
	}()
	f, err := parquet.OpenFile(at, at.size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return &contentError{fmt.Sprintf("it is no Parquet file: %v", err)}
	}
	value := func(key string) string { v, _ := f.Lookup(key); return v }
	if err := check.footer(f.NumRows(), value); err != nil {
		return err
	}
	if err := check.place(f.Schema()); err != nil {
		return err
	}
	for _, group := range f.RowGroups() {
		if err := readGroup(ctx, group, check); err != nil {
			return err
		}
	}
	return nil
}

func readGroup(ctx context.Context, group parquet.RowGroup, check *rowCheck) error {
	rows := group.Rows()
	defer rows.Close()
	buffer := make([]parquet.Row, rowsAtOnce)
	for {
		n, err := rows.ReadRows(buffer)
		for _, row := range buffer[:n] {
			if err := check.row(ctx, check.valuesOf(row)); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return &contentError{fmt.Sprintf("its rows cannot be read: %v", err)}
		}
	}
}

func (c *rowCheck) valuesOf(row parquet.Row) rowValues {
	p := c.columns
	r := rowValues{
		partition: record.Partition(row[p.partition].Int32()), offset: record.Offset(row[p.offset].Int64()), time: record.Micros(row[p.time].Int64()), values: row,
	}
	if p.event >= 0 {
		r.event = record.Micros(row[p.event].Int64())
	}
	return r
}

// valueOf returns a cell in the form in which Reference gives it.
func valueOf(v parquet.Value, t schema.Type) any {
	switch {
	case v.IsNull():
		return nil
	case t == schema.String || t == schema.Binary:
		return string(v.ByteArray())
	case t == schema.Double:
		return v.Double()
	case t == schema.Bool:
		if v.Boolean() {
			return int64(1)
		}
		return int64(0)
	case t == schema.Int:
		return int64(v.Int32())
	default:
		return v.Int64()
	}
}
