package kafka

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"citystream/engine/record"
)

const (
	plain = iota
	inTransaction
	abortMarker
	commitMarker
)

// rawBatch makes a batch of a producer with one record at each of offsets; the last may be empty to leave a hole at the batch's end.
func rawBatch(kind int, producer int64, first, last int64, offsets ...int64) []byte {
	b := kmsg.NewRecordBatch()
	b.FirstOffset, b.LastOffsetDelta, b.ProducerID, b.PartitionLeaderEpoch = first, int32(last-first), producer, 7
	b.Magic, b.FirstTimestamp, b.MaxTimestamp, b.NumRecords = 2, 1000, 9000, int32(len(offsets))
	if kind != plain {
		b.Attributes |= isTransactional
	}
	if kind >= abortMarker {
		b.Attributes |= isControl
	}
	for _, o := range offsets {
		r := kmsg.Record{OffsetDelta: int32(o - first), TimestampDelta64: o, Value: []byte{byte(o)}}
		if kind >= abortMarker {
			r.Key = []byte{0, 0, 0, byte(kind - abortMarker)}
		}
		body := r.AppendTo(nil)[1:] // behind the length, of one byte as long as it is 0
		b.Records = append(binary.AppendVarint(b.Records, int64(len(body))), body...)
	}
	return sealed(b.AppendTo(nil))
}

// sealed sets the length and the checksum of a batch.
func sealed(b []byte) []byte {
	binary.BigEndian.PutUint32(b[lengthAt:], uint32(len(b)-lengthEnd))
	binary.BigEndian.PutUint32(b[crcAt:], crc32.Checksum(b[attributesAt:], castagnoli))
	return b
}

func part(batches ...[]byte) *kmsg.FetchResponseTopicPartition {
	return &kmsg.FetchResponseTopicPartition{RecordBatches: slices.Concat(batches...)}
}

func TestCommittedRecords(t *testing.T) {
	t.Parallel()
	cut := rawBatch(plain, -1, 3, 9, 3, 4)
	cut = cut[:len(cut)-1]
	for _, test := range []struct {
		name    string
		from    record.Offset
		sets    [][]byte
		aborted []kmsg.FetchResponseTopicPartitionAbortedTransaction
		want    []record.Offset
		next    record.Offset
		partial bool
	}{
		{name: "nothing leaves the position", from: 5, next: 5},
		{name: "a batch is taken whole", sets: [][]byte{rawBatch(plain, -1, 0, 2, 0, 1, 2)}, want: []record.Offset{0, 1, 2}, next: 3},
		{name: "what lies below the wanted offset is left", from: 2, sets: [][]byte{rawBatch(plain, -1, 0, 2, 0, 1, 2)}, want: []record.Offset{2}, next: 3},
		{name: "holes of compaction are kept, at the end too", sets: [][]byte{rawBatch(plain, -1, 0, 9, 1, 4)}, want: []record.Offset{1, 4}, next: 10},
		{name: "a batch wholly below is passed over", from: 8, sets: [][]byte{rawBatch(plain, -1, 0, 2, 0), rawBatch(plain, -1, 3, 9, 8)}, want: []record.Offset{8}, next: 10},
		{
			name: "a committed transaction is taken, its marker is not",
			sets: [][]byte{rawBatch(inTransaction, 1, 0, 1, 0, 1), rawBatch(commitMarker, 1, 2, 2, 2)}, want: []record.Offset{0, 1}, next: 3,
		},
		{
			name:    "an aborted transaction is left, and the producer's next one is taken",
			sets:    [][]byte{rawBatch(inTransaction, 1, 0, 1, 0, 1), rawBatch(abortMarker, 1, 2, 2, 2), rawBatch(inTransaction, 1, 3, 3, 3)},
			aborted: []kmsg.FetchResponseTopicPartitionAbortedTransaction{{ProducerID: 1, FirstOffset: 0}}, want: []record.Offset{3}, next: 4,
		},
		{
			name: "of two producers in turn only the aborting one's records are left",
			sets: [][]byte{
				rawBatch(inTransaction, 1, 0, 0, 0), rawBatch(inTransaction, 2, 1, 1, 1), rawBatch(inTransaction, 1, 2, 2, 2),
				rawBatch(commitMarker, 2, 3, 3, 3), rawBatch(abortMarker, 1, 4, 4, 4),
			},
			aborted: []kmsg.FetchResponseTopicPartitionAbortedTransaction{{ProducerID: 1, FirstOffset: 0}}, want: []record.Offset{1}, next: 5,
		},
		{
			name:    "two aborted transactions of one producer, told in the wrong order",
			sets:    [][]byte{rawBatch(inTransaction, 1, 0, 0, 0), rawBatch(abortMarker, 1, 1, 1, 1), rawBatch(inTransaction, 1, 2, 2, 2), rawBatch(abortMarker, 1, 3, 3, 3)},
			aborted: []kmsg.FetchResponseTopicPartitionAbortedTransaction{{ProducerID: 1, FirstOffset: 2}, {ProducerID: 1, FirstOffset: 0}}, next: 4,
		},
		{
			name: "reading that begins within an aborted transaction", from: 5,
			sets:    [][]byte{rawBatch(inTransaction, 1, 4, 6, 4, 5, 6), rawBatch(abortMarker, 1, 7, 7, 7)},
			aborted: []kmsg.FetchResponseTopicPartitionAbortedTransaction{{ProducerID: 1, FirstOffset: 1}}, next: 8,
		},
		{
			name:    "a producer's records without a transaction are taken even after it began one that aborts",
			sets:    [][]byte{rawBatch(inTransaction, 1, 0, 0, 0), rawBatch(plain, 1, 1, 1, 1)},
			aborted: []kmsg.FetchResponseTopicPartitionAbortedTransaction{{ProducerID: 1, FirstOffset: 0}}, want: []record.Offset{1}, next: 2,
		},
		{name: "a batch cut off at the end waits", sets: [][]byte{rawBatch(plain, -1, 0, 2, 0, 1, 2), cut}, want: []record.Offset{0, 1, 2}, next: 3, partial: true},
		{name: "only a batch cut off moves nothing", from: 3, sets: [][]byte{cut}, next: 3, partial: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := part(test.sets...)
			p.AbortedTransactions = test.aborted
			var got harvest
			if err := got.committed(p, test.from, &slabPool{}); err != nil {
				t.Fatal(err)
			}
			var offsets []record.Offset
			for _, r := range got.records {
				offsets = append(offsets, r.Offset)
				if r.Timestamp != record.Micros((1000+int64(r.Offset))*1000) {
					t.Errorf("record %d has time %d", r.Offset, r.Timestamp)
				}
			}
			if !slices.Equal(offsets, test.want) || got.next != test.next || got.partial != test.partial {
				t.Errorf("offsets %v, next %d, partial %v; want %v, %d, %v", offsets, got.next, got.partial, test.want, test.next, test.partial)
			}
		})
	}
}

func TestTheBrokersTimeCountsWhereTheTopicIsSetToIt(t *testing.T) {
	t.Parallel()
	set := rawBatch(plain, -1, 0, 1, 0, 1)
	set[attributesAt+1] |= logAppendTime
	var got harvest
	err := got.committed(part(sealed(set)), 0, &slabPool{})
	if err != nil || got.records[0].Timestamp != 9_000_000 || got.records[1].Timestamp != 9_000_000 || got.epoch != 7 {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestABatchWithoutRecordsMovesThePositionOn(t *testing.T) {
	t.Parallel()
	var got harvest
	if err := got.committed(part(rawBatch(plain, -1, 5, 9)), 5, &slabPool{}); err != nil || got.next != 10 || len(got.records) != 0 {
		t.Fatalf("%+v, %v; want position 10", got, err)
	}
}

func TestALogThatCannotBeReadIsRefusedInWords(t *testing.T) {
	t.Parallel()
	change := func(f func([]byte)) []byte {
		b := rawBatch(plain, -1, 0, 2, 0, 1, 2)
		f(b)
		return b
	}
	for _, test := range []struct {
		name string
		log  []byte
		want error
	}{
		{"the format before 0.11", change(func(b []byte) { b[magicAt] = 1 }), errLegacy},
		{"a flipped bit", change(func(b []byte) { b[headEnd+3] ^= 4 }), errCorrupt},
		{"a negative length", change(func(b []byte) { b[lengthAt] = 0x80 }), errCorrupt},
		{"less than a head", sealed(rawBatch(plain, -1, 0, 0)[:headEnd-1]), errCorrupt},
		{"fewer records than are counted", change(func(b []byte) { b[60] = 9; sealed(b) }), errCorrupt},
		{"more records than bytes", change(func(b []byte) { b[57] = 0x7f; sealed(b) }), errCorrupt},
		{"a record beyond the batch", change(func(b []byte) { b[headEnd] = 0x7e; sealed(b) }), errCorrupt},
		{"a value beyond the record", change(func(b []byte) { b[len(b)-3] = 0x7e; sealed(b) }), errCorrupt},
		{"what is not of its compression", change(func(b []byte) { b[attributesAt+1] |= 4; sealed(b) }), errCorrupt},
		{"an end before its beginning", change(func(b []byte) { b[23] = 0xff; sealed(b) }), errCorrupt},
		{"a negative offset", change(func(b []byte) { b[0] = 0x80 }), errCorrupt},
		{"a negative number of records", change(func(b []byte) { b[57] = 0x80; sealed(b) }), errCorrupt},
		{"a record behind the batch's end", change(func(b []byte) { b[26] = 1; sealed(b) }), errCorrupt},
		{"offsets that go back", rawBatch(plain, -1, 0, 2, 0, 2, 1), errCorrupt},
		{"an unknown compression", change(func(b []byte) { b[attributesAt+1] |= 7; sealed(b) }), errCorrupt},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var h harvest
			if err := h.committed(part(test.log), 0, &slabPool{}); !errors.Is(err, test.want) {
				t.Fatalf("error %v, want %v", err, test.want)
			}
		})
	}
}

func TestAnAnswerThatEndsBeforeTheWantedOffsetIsRefused(t *testing.T) {
	t.Parallel()
	var h harvest
	if err := h.committed(part(rawBatch(plain, -1, 0, 2, 0)), 8, &slabPool{}); !errors.Is(err, errCorrupt) {
		t.Fatalf("error %v: the reader would ask for the same again, for ever", err)
	}
}

// FuzzCommitted looks for bytes that a reader falls over.
func FuzzCommitted(f *testing.F) {
	f.Add(rawBatch(plain, -1, 0, 2, 0, 1, 2), int64(1))
	f.Add(slices.Concat(rawBatch(inTransaction, 1, 0, 1, 0, 1), rawBatch(abortMarker, 1, 2, 2, 2)), int64(0))
	f.Fuzz(func(t *testing.T, log []byte, from int64) {
		if len(log) >= headEnd {
			sealed(log) // else nearly all would end at the checksum
		}
		var h harvest
		if err := h.committed(part(log), record.Offset(from), &slabPool{}); err != nil {
			return
		}
		for _, r := range h.records {
			if r.Offset < record.Offset(from) {
				t.Fatalf("record at %d, below %d", r.Offset, from)
			}
		}
		h.release()
	})
}

// BenchmarkCommitted reads batches of a thousand vehicle-sized records; an operation is one record.
func BenchmarkCommitted(b *testing.B) {
	const records = 1000
	raw := kmsg.NewRecordBatch()
	raw.Magic, raw.NumRecords, raw.LastOffsetDelta, raw.FirstTimestamp = 2, records, records-1, 1_700_000_000_000
	for i := range records {
		r := kmsg.Record{OffsetDelta: int32(i), TimestampDelta64: int64(i), Value: make([]byte, 274)}
		body := r.AppendTo(nil)[1:]
		raw.Records = append(binary.AppendVarint(raw.Records, int64(len(body))), body...)
	}
	log := part(sealed(raw.AppendTo(nil)))
	var h harvest
	var pool slabPool
	b.SetBytes(int64(len(log.RecordBatches) / records))
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += records {
		h.records = h.records[:0]
		if err := h.committed(log, 0, &pool); err != nil || len(h.records) != records {
			b.Fatal(err, len(h.records))
		}
	}
}

// Not parallel: AllocsPerRun counts those of all goroutines.
func TestReadingBatchesAllocatesNothingInTheSteadyState(t *testing.T) {
	log := part(rawBatch(plain, -1, 0, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9), rawBatch(plain, -1, 10, 11, 10, 11))
	var h harvest
	var pool slabPool
	read := func() {
		h.records = h.records[:0]
		if err := h.committed(log, 0, &pool); err != nil || len(h.records) != 12 {
			t.Fatal(err, len(h.records))
		}
	}
	read()
	if allocs := testing.AllocsPerRun(100, read); allocs != 0 {
		t.Errorf("%v allocations for 12 records", allocs)
	}
}
