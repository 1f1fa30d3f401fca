// Package record names what Kafka hands over: positions in a topic's partition and the records found there.
//
// The types are distinct so that an offset is never taken for a slot or a partition number. The package is pure.
package record

import (
	"fmt"
	"time"
)

// Offset is a position in a Kafka partition. The record at an offset never changes.
type Offset int64

// Partition is the number of a Kafka partition within its topic.
type Partition int32

// TopicPartition names one Kafka partition.
type TopicPartition struct {
	Topic     string
	Partition Partition
}

// String returns topic/partition, as logs and object keys spell it.
func (tp TopicPartition) String() string { return fmt.Sprintf("%s/%d", tp.Topic, tp.Partition) }

// A Record is one Kafka record. Key and Value alias the batch that the record came with and must not be kept longer than it;
// nil is distinct from empty: a nil Value is a tombstone.
type Record struct {
	Offset    Offset
	Timestamp Micros
	Key       []byte
	Value     []byte
}

// Micros is a moment as microseconds since 1970-01-01 UTC: the resolution of event times, of Kafka timestamps (which have
// milliseconds) and of the Parquet files.
type Micros int64

// MicrosOf converts a time, dropping what is finer than a microsecond.
func MicrosOf(t time.Time) Micros { return Micros(t.UnixMicro()) }

// Time returns the moment as a time in UTC.
func (m Micros) Time() time.Time { return time.UnixMicro(int64(m)).UTC() }

// Add returns the moment d later.
func (m Micros) Add(d time.Duration) Micros { return m + Micros(d.Microseconds()) }
