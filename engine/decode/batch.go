package decode

import (
	"fmt"
	"math"

	"citystream/engine/columns"
	"citystream/engine/record"
	"citystream/engine/schema"
)

// A Batch is what became of the records of one fetch: each is a row of Good, a row of Dead, or a tombstone. All offsets rise. It
// holds copies only, so that the fetch's buffer can go as soon as it is decoded. One goroutine uses it at a time; who it is passed on
// to owns it.
type Batch struct {
	Table *schema.Table // whose rows they are

	Good       *columns.Batch  // rows of the table, system columns included: layout FileColumns
	Offsets    []record.Offset // of each row of Good
	EventTimes []record.Micros // of each row of Good
	KafkaTimes []record.Micros // of each row of Good

	Dead           *columns.Batch  // the undecodable records: layout FileColumns of schema.DeadLetters
	DeadOffsets    []record.Offset // of each row of Dead
	DeadKafkaTimes []record.Micros // of each row of Dead

	Tombstones []record.Offset // records with a nil value: Kafka's mark of a deleted key, which has no row

	taken int64 // bytes of the records decoded into it
}

// NewBatch returns an empty batch for a table.
func NewBatch(t *schema.Table) *Batch {
	return &Batch{Table: t, Good: columns.NewBatch(t.FileColumns()), Dead: columns.NewBatch(schema.DeadLetters().FileColumns())}
}

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	b.Good.Reset()
	b.Offsets, b.EventTimes, b.KafkaTimes = b.Offsets[:0], b.EventTimes[:0], b.KafkaTimes[:0]
	b.Dead.Reset()
	b.DeadOffsets, b.DeadKafkaTimes = b.DeadOffsets[:0], b.DeadKafkaTimes[:0]
	b.Tombstones = b.Tombstones[:0]
	b.taken = 0
}

// Records returns the number of records decoded into the batch.
func (b *Batch) Records() int { return len(b.Offsets) + len(b.DeadOffsets) + len(b.Tombstones) }

// SizeBytes returns the memory that the batch's content takes, capacity beyond it not counted.
func (b *Batch) SizeBytes() int {
	longs := len(b.Offsets) + len(b.EventTimes) + len(b.KafkaTimes) + len(b.DeadOffsets) + len(b.DeadKafkaTimes) + len(b.Tombstones)
	return b.Good.SizeBytes() + b.Dead.SizeBytes() + 8*longs
}

// MemoryBytes returns the memory that the batch holds, with what is kept for later records.
func (b *Batch) MemoryBytes() int {
	longs := cap(b.Offsets) + cap(b.EventTimes) + cap(b.KafkaTimes) + cap(b.DeadOffsets) + cap(b.DeadKafkaTimes) + cap(b.Tombstones)
	return b.Good.MemoryBytes() + b.Dead.MemoryBytes() + 8*longs
}

// TakenBytes returns the bytes of the records decoded into the batch.
func (b *Batch) TakenBytes() int64 { return b.taken }

// takenMax bounds the records of one batch: a column holds at most 4 GiB, and each byte of a record becomes at most three in one
// column, where it is not UTF-8.
const takenMax = math.MaxUint32 / 3

// take counts a record's bytes. Fetches are bounded far below takenMax, so to pass it is a broken program.
func (b *Batch) take(r *record.Record) {
	b.taken += int64(len(r.Key) + len(r.Value))
	if b.taken > takenMax {
		panic(fmt.Sprintf("decode: more than %d bytes of records in one batch", int64(takenMax)))
	}
}
