package decode_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"citystream/engine/columns"
	"citystream/engine/decode"
	"citystream/engine/record"
	"citystream/engine/schema"
)

var tp = record.TopicPartition{Topic: "wide", Partition: 3}

func TestEachRecordBecomesAGoodRowADeadRowOrATombstone(t *testing.T) {
	t.Parallel()
	table := wide()
	records := []record.Record{
		{Offset: 10, Timestamp: morning, Key: []byte("a"), Value: []byte(good)},
		{Offset: 11, Timestamp: morning + 1, Value: []byte("oops")},
		{Offset: 13, Timestamp: morning + 2, Key: []byte("a")},
		{Offset: 17, Timestamp: morning + 3, Key: []byte{}, Value: []byte{}},
		{Offset: 18, Timestamp: morning + 4, Value: []byte(good)},
	}
	b := decode.NewBatch(table)
	d := decode.NewDecoder(table, tp)
	for range 2 { // a batch can be used again
		b.Reset()
		d.Decode(b, records)
		for i := range records { // nothing points into the records
			for _, bytes := range [][]byte{records[i].Key, records[i].Value} {
				save := string(bytes)
				clear(bytes)
				defer copy(bytes, save)
			}
		}
		checkBatch(t, table, b)
		for i, v := range []string{good, "oops", "", "", good} {
			copy(records[i].Value, v)
		}
		copy(records[0].Key, "a")
	}
}

func checkBatch(t *testing.T, table *schema.Table, b *decode.Batch) {
	t.Helper()
	own := len(table.Columns)
	event := record.Micros(morning + 123456)
	for _, c := range []struct {
		name      string
		want, got any
	}{
		{"good offsets", []record.Offset{10, 18}, b.Offsets},
		{"event times", []record.Micros{event, event}, b.EventTimes},
		{"Kafka times", []record.Micros{morning, morning + 4}, b.KafkaTimes},
		{"dead offsets", []record.Offset{11, 17}, b.DeadOffsets},
		{"dead Kafka times", []record.Micros{morning + 1, morning + 3}, b.DeadKafkaTimes},
		{"tombstones", []record.Offset{13}, b.Tombstones},
		{"records", 5, b.Records()},
		{"system columns", []any{int64(3), int64(18), int64(morning + 4)}, rowOf(b.Good, own+3, 1)[own:]},
		{"id", "a", string(b.Good.Columns[0].Bytes(1))},
		{
			"first dead row",
			[]any{"wide", nil, "oops", `not a JSON object at byte 0: "oops"`, int64(3), int64(11), int64(morning + 1)},
			rowOf(b.Dead, len(b.Dead.Columns), 0),
		},
		{"second dead row", []any{"wide", "", "", "empty at byte 0", int64(3), int64(17), int64(morning + 3)}, rowOf(b.Dead, len(b.Dead.Columns), 1)},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s: -want +got\n%s", c.name, diff)
		}
	}
	for _, rows := range []*columns.Batch{b.Good, b.Dead} {
		for i := range rows.Columns {
			if rows.Columns[i].Len() != 2 {
				t.Errorf("column %d has %d rows, want 2", i, rows.Columns[i].Len())
			}
		}
	}
	if b.SizeBytes() <= b.Good.SizeBytes()+b.Dead.SizeBytes() {
		t.Error("the size leaves out offsets and times")
	}
}

func TestWithoutAColumnOfEventTimeItIsTheKafkaTimestamp(t *testing.T) {
	t.Parallel()
	table := one(schema.Int, 0)
	b := decode.NewBatch(table)
	decode.NewDecoder(table, tp).Decode(b, []record.Record{{Timestamp: 42, Value: []byte("{}")}})
	if diff := cmp.Diff([]record.Micros{42}, b.EventTimes); diff != "" {
		t.Error(diff)
	}
}

func TestTheDecoderFillsTheDeadLettersColumnsInTheirOrder(t *testing.T) {
	t.Parallel()
	var names []string
	for _, c := range schema.DeadLetters().FileColumns() {
		names = append(names, c.Name)
	}
	want := []string{"topic", "key", "value", "error", schema.KafkaPartition, schema.KafkaOffset, schema.KafkaTimestamp}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
}

// mixed returns records of every fate: different times, escapes, unknown fields, faults of JSON and of values, a tombstone.
func mixed() []record.Record {
	var list []record.Record
	for i := range 100 {
		at := fmt.Sprintf("2026-11-22T06:%02d:%02d.000001", i/2%60, i%60)
		for _, v := range []string{
			good, `{"id":"a","at":"` + at + `","n":"12.0","x":{"y":[1,2,{"z":null}]},"q":{"w":"\u00e9\ud83d\ude00"}}`,
			`{"p":"` + at + `"}`, `{"id":"\ud83d` + at + `","at":"never","lat":0.12345678901234567890}`, `{"id":`,
		} {
			list = append(list, record.Record{Offset: record.Offset(len(list)), Key: []byte("k"), Value: []byte(v)})
		}
		list = append(list, record.Record{Offset: record.Offset(len(list))})
	}
	return list
}

// Not parallel: AllocsPerRun counts those of all goroutines.
func TestSteadyDecodingAllocatesNothing(t *testing.T) {
	table := wide()
	records := mixed()
	b := decode.NewBatch(table)
	d := decode.NewDecoder(table, tp)
	d.Decode(b, records)
	allocs := testing.AllocsPerRun(20, func() {
		b.Reset()
		d.Decode(b, records)
	})
	if allocs != 0 {
		t.Errorf("%v allocations for %d records", allocs, len(records))
	}
	if len(b.Offsets) != 200 || len(b.DeadOffsets) != 300 || len(b.Tombstones) != 100 {
		t.Errorf("%d good, %d dead, %d tombstones", len(b.Offsets), len(b.DeadOffsets), len(b.Tombstones))
	}
}
