package kafka

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/IBM/sarama"

	"citystream/engine/record"
)

const (
	plain = iota
	inTransaction
	abortMarker
	commitMarker
)

// batch makes a batch of a producer with one record at each of offsets; the last may be empty to leave a hole at the batch's end.
func batch(kind int, producer int64, first, last int64, offsets ...int64) *sarama.Records {
	b := &sarama.RecordBatch{
		Version: 2, FirstOffset: first, LastOffsetDelta: int32(last - first), ProducerID: producer, PartitionLeaderEpoch: 7,
		IsTransactional: kind != plain, Control: kind >= abortMarker,
		FirstTimestamp: time.UnixMilli(1000), MaxTimestamp: time.UnixMilli(9000),
	}
	for _, o := range offsets {
		r := &sarama.Record{OffsetDelta: o - first, TimestampDelta: time.Duration(o) * time.Millisecond, Value: []byte{byte(o)}}
		if b.Control {
			r.Key = []byte{0, 0, 0, byte(kind - abortMarker)}
		}
		b.Records = append(b.Records, r)
	}
	return &sarama.Records{RecordBatch: b}
}

func TestCommittedRecords(t *testing.T) {
	t.Parallel()
	cut := batch(plain, -1, 3, 9)
	cut.RecordBatch.PartialTrailingRecord = true
	for _, test := range []struct {
		name    string
		from    record.Offset
		sets    []*sarama.Records
		aborted []*sarama.AbortedTransaction
		want    []record.Offset
		next    record.Offset
		partial bool
	}{
		{name: "nothing leaves the position", from: 5, next: 5},
		{name: "a batch is taken whole", sets: []*sarama.Records{batch(plain, -1, 0, 2, 0, 1, 2)}, want: []record.Offset{0, 1, 2}, next: 3},
		{name: "what lies below the wanted offset is left", from: 2, sets: []*sarama.Records{batch(plain, -1, 0, 2, 0, 1, 2)}, want: []record.Offset{2}, next: 3},
		{name: "holes of compaction are kept, at the end too", sets: []*sarama.Records{batch(plain, -1, 0, 9, 1, 4)}, want: []record.Offset{1, 4}, next: 10},
		{name: "a batch wholly below leaves the position", from: 8, sets: []*sarama.Records{batch(plain, -1, 0, 2, 0)}, next: 8},
		{
			name: "a committed transaction is taken, its marker is not",
			sets: []*sarama.Records{batch(inTransaction, 1, 0, 1, 0, 1), batch(commitMarker, 1, 2, 2, 2)}, want: []record.Offset{0, 1}, next: 3,
		},
		{
			name:    "an aborted transaction is left, and the producer's next one is taken",
			sets:    []*sarama.Records{batch(inTransaction, 1, 0, 1, 0, 1), batch(abortMarker, 1, 2, 2, 2), batch(inTransaction, 1, 3, 3, 3)},
			aborted: []*sarama.AbortedTransaction{{ProducerID: 1, FirstOffset: 0}}, want: []record.Offset{3}, next: 4,
		},
		{
			name: "of two producers in turn only the aborting one's records are left",
			sets: []*sarama.Records{
				batch(inTransaction, 1, 0, 0, 0), batch(inTransaction, 2, 1, 1, 1), batch(inTransaction, 1, 2, 2, 2),
				batch(commitMarker, 2, 3, 3, 3), batch(abortMarker, 1, 4, 4, 4),
			},
			aborted: []*sarama.AbortedTransaction{{ProducerID: 1, FirstOffset: 0}}, want: []record.Offset{1}, next: 5,
		},
		{
			name:    "two aborted transactions of one producer, told in the wrong order",
			sets:    []*sarama.Records{batch(inTransaction, 1, 0, 0, 0), batch(abortMarker, 1, 1, 1, 1), batch(inTransaction, 1, 2, 2, 2), batch(abortMarker, 1, 3, 3, 3)},
			aborted: []*sarama.AbortedTransaction{{ProducerID: 1, FirstOffset: 2}, {ProducerID: 1, FirstOffset: 0}}, next: 4,
		},
		{
			name: "reading that begins within an aborted transaction", from: 5,
			sets:    []*sarama.Records{batch(inTransaction, 1, 4, 6, 4, 5, 6), batch(abortMarker, 1, 7, 7, 7)},
			aborted: []*sarama.AbortedTransaction{{ProducerID: 1, FirstOffset: 1}}, next: 8,
		},
		{
			name:    "a producer's records without a transaction are taken even after it began one that aborts",
			sets:    []*sarama.Records{batch(inTransaction, 1, 0, 0, 0), batch(plain, 1, 1, 1, 1)},
			aborted: []*sarama.AbortedTransaction{{ProducerID: 1, FirstOffset: 0}}, want: []record.Offset{1}, next: 2,
		},
		{name: "a batch cut off at the end waits", sets: []*sarama.Records{batch(plain, -1, 0, 2, 0, 1, 2), cut}, want: []record.Offset{0, 1, 2}, next: 3, partial: true},
		{name: "only a batch cut off moves nothing", from: 3, sets: []*sarama.Records{cut}, next: 3, partial: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := committed(nil, &sarama.FetchResponseBlock{RecordsSet: test.sets, AbortedTransactions: test.aborted}, test.from)
			if err != nil {
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
	set := batch(plain, -1, 0, 1, 0, 1)
	set.RecordBatch.LogAppendTime = true
	got, err := committed(nil, &sarama.FetchResponseBlock{RecordsSet: []*sarama.Records{set}}, 0)
	if err != nil || got.records[0].Timestamp != 9_000_000 || got.records[1].Timestamp != 9_000_000 || got.epoch != 7 {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestTheOldMessageFormatIsRefused(t *testing.T) {
	t.Parallel()
	block := &sarama.FetchResponseBlock{RecordsSet: []*sarama.Records{{MsgSet: &sarama.MessageSet{}}}}
	if _, err := committed(nil, block, 0); !errors.Is(err, errLegacy) {
		t.Fatalf("error %v", err)
	}
}

func TestTheReachOfBatchesWithoutRecordsIsKnown(t *testing.T) {
	t.Parallel()
	// A broker that answers with one empty batch, which sarama leaves out of the response.
	b := sarama.NewMockBroker(t, 1)
	defer b.Close()
	answer := &sarama.FetchResponse{Version: 11, Blocks: map[string]map[int32]*sarama.FetchResponseBlock{
		"a": {0: {RecordsSet: []*sarama.Records{batch(plain, -1, 5, 9)}, LastStableOffset: 10, HighWaterMarkOffset: 10}},
	}}
	b.SetHandlerByMap(map[string]sarama.MockResponse{
		"ApiVersionsRequest": sarama.NewMockApiVersionsResponse(t), "FetchRequest": sarama.NewMockWrapper(answer),
	})
	o := Options{Brokers: []string{b.Addr()}}
	if err := o.complete(); err != nil {
		t.Fatal(err)
	}
	l := newLink(b.Addr(), &o)
	defer l.close()
	response, err := l.fetch(t.Context(), &o, want{tp: record.TopicPartition{Topic: "a"}, from: 5, maxBytes: 1000})
	if err != nil {
		t.Fatal(err)
	}
	got, err := committed(nil, response.GetBlock("a", 0), 5)
	if err != nil || got.next != 10 || len(got.records) != 0 {
		t.Fatalf("%+v, %v; want position 10", got, err)
	}
}

func TestABatchThatIsCutOffBehindOthersIsNotPassedOver(t *testing.T) {
	t.Parallel()
	// What sarama makes of a whole batch and a piece of the next one: the piece is dropped, and counted as read.
	block := &sarama.FetchResponseBlock{RecordsSet: []*sarama.Records{batch(plain, -1, 0, 1, 0, 1)}}
	behind := int64(5)
	field := reflect.ValueOf(block).Elem().FieldByName("recordsNextOffset")
	reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem().Set(reflect.ValueOf(&behind))
	got, err := committed(nil, block, 0)
	if err != nil || got.next != 2 {
		t.Fatalf("%+v, %v; want position 2", got, err)
	}
}
