// Package schema describes what a table looks like: where each column is found in a record, of what type it is, and which
// column carries the event time.
//
// A table is data: the five tables of the city are YAML files in this package, and any other topic becomes a table by YAML of
// its own. The package is pure: it reads no file and asks for no time.
package schema

import "time"

// Type is the type of a column's values.
type Type uint8

// The types of columns, with their Parquet and Glue forms.
const (
	String    Type = iota + 1 // UTF-8 text; BYTE_ARRAY with the STRING annotation; string
	Binary                    // bytes; BYTE_ARRAY; binary
	Bool                      // BOOLEAN; boolean
	Int                       // INT32; int
	Long                      // INT64; bigint
	Double                    // DOUBLE; double
	Timestamp                 // microseconds since 1970 UTC; INT64 TIMESTAMP(MICROS, isAdjustedToUTC); timestamp
)

// TimeUnit says how a number in a timestamp column is read. Text is read as ISO 8601 whatever the unit; without a zone it is UTC.
type TimeUnit uint8

// The units of numeric timestamps.
const (
	Auto    TimeUnit = iota // seconds below 1e11 in magnitude, else milliseconds
	Seconds                 // since 1970 UTC, a fraction allowed
	Millis
	Micros
)

// A Step is one step of a Path: into the field of an object, or, where Field is empty, to the element of an array.
type Step struct {
	Field string
	Index int
}

// A Path leads from the root of a record's JSON to a value, for example location[0] or engine.oil.temperature. Its first step is a field.
type Path []Step

// A Column is one column of a table.
type Column struct {
	Name     string // as in the file; Glue sees it in lower case
	Type     Type
	Paths    []Path // where the value is found; the first is the usual place, the others are aliases. Of several present in one record the last in the text wins.
	Required bool   // a record without it, or with null, is a dead letter
	Unit     TimeUnit
	Comment  string
}

// LatePolicy says what becomes of a record that is older than the watermark.
type LatePolicy uint8

// The late policies.
const (
	Append LatePolicy = iota // its own file in the Hive partition of its event time
	Drop                     // counted, not written
	Side                     // a row of the table's side table, LateTable
)

// A Table is one configured output: the topic it is read from, its columns in file order, and its rules of time.
// It is immutable once made.
type Table struct {
	Name      string
	Topic     string
	Columns   []Column
	EventTime int // index in Columns of the required Timestamp column that gives the event time

	Window    time.Duration // length of a window: one hour, the grain of the Hive partitions
	Lateness  time.Duration // how far the watermark stays behind the greatest event time
	MaxFuture time.Duration // an event time further ahead of its record's Kafka timestamp does not move the watermark
	Late      LatePolicy
	TimeFrom  time.Time // event times outside [TimeFrom, TimeTo) make a dead letter
	TimeTo    time.Time
}

// Names of the columns that every file carries after the table's own: where in Kafka the row came from.
const (
	KafkaPartition = "kafka_partition"
	KafkaOffset    = "kafka_offset"
	KafkaTimestamp = "kafka_timestamp"
)

// SystemColumns are appended to the table's own columns in every file, in this order.
var SystemColumns = []Column{
	{Name: KafkaPartition, Type: Int, Required: true, Comment: "Kafka partition of the record"},
	{Name: KafkaOffset, Type: Long, Required: true, Comment: "Kafka offset of the record"},
	{Name: KafkaTimestamp, Type: Timestamp, Required: true, Comment: "Kafka timestamp of the record"},
}

// FileColumns returns the table's columns followed by SystemColumns: the layout of its files and of its column buffers.
func (t *Table) FileColumns() []Column {
	return append(append(make([]Column, 0, len(t.Columns)+len(SystemColumns)), t.Columns...), SystemColumns...)
}

// lateSuffix makes the name of a table's side table.
const lateSuffix = "_late"

// LateTable returns the side table that takes the late rows, nil where the late policy is another.
func (t *Table) LateTable() *Table {
	if t.Late != Side {
		return nil
	}
	side := *t
	side.Name += lateSuffix
	return &side
}

// DeadLetterTable is the name of the table that takes the undecodable records of all topics.
const DeadLetterTable = "dead_letters"

// DeadLetters is the table of undecodable records. Its event time is the record's Kafka timestamp and its error depends on the
// bytes alone, so that the same record always makes the same row.
func DeadLetters() *Table {
	return &Table{
		Name: DeadLetterTable,
		Columns: []Column{
			{Name: "topic", Type: String, Required: true, Comment: "topic of the record"},
			{Name: "key", Type: Binary, Comment: "key as received"},
			{Name: "value", Type: Binary, Comment: "value as received"},
			{Name: "error", Type: String, Required: true, Comment: "why the record could not be decoded"},
		},
		EventTime: -1, // the Kafka timestamp
		Window:    time.Hour,
	}
}
