package replay_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/parquet-go/parquet-go"

	"citystream/engine/commitlog"
	"citystream/engine/enginetest"
	"citystream/engine/record"
	"citystream/engine/replay"
)

var orders = commitlog.Log{Table: "orders", TopicPartition: record.TopicPartition{Topic: "shop.orders", Partition: 3}}

type row struct {
	Key    []byte `parquet:"key,optional"`
	Value  []byte `parquet:"value,optional"`
	Error  string `parquet:"error,optional"`
	Offset int64  `parquet:"kafka_offset,optional"`
}

// letters writes a file of dead letters of a log, in the window of an hour.
func letters(t *testing.T, s *enginetest.FakeStore, log commitlog.Log, hour int, offsets ...int64) string {
	t.Helper()
	var body bytes.Buffer
	w := parquet.NewGenericWriter[row](&body)
	for _, o := range offsets {
		if _, err := w.Write([]row{{Value: fmt.Appendf(nil, "v%d", o), Error: "why", Offset: o}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	key := log.FileKey("raw", "dead_letters", 1, 0, record.Micros(hour)*3_600_000_000, record.Offset(offsets[0]))
	if err := s.Put(t.Context(), key, body.Bytes()); err != nil {
		t.Fatal(err)
	}
	return key
}

func TestLettersComeInTheOrderOfTheirOffsetsWhateverFilesTheyAreIn(t *testing.T) {
	s := enginetest.NewFakeStore()
	var many []int64
	for o := int64(100); o < 300; o += 2 {
		many = append(many, o)
	}
	letters(t, s, orders, 9, 1, 5, 9)
	letters(t, s, orders, 2, 3, 4, 200, 400)
	letters(t, s, orders, 5, many...)
	other := orders
	other.Partition = 4
	letters(t, s, other, 5, 2)
	var got []int64
	err := replay.Read(t.Context(), s, "raw", orders, 4, 400, func(l replay.Letter) error {
		if string(l.Value) != fmt.Sprintf("v%d", l.Offset) || l.Key != nil {
			t.Errorf("letter %+v", l)
		}
		got = append(got, int64(l.Offset))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := append([]int64{4, 5, 9, 200}, many...)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestOnlyWhatIsThereForSureIsReplayed(t *testing.T) {
	entry := func(s *enginetest.FakeStore, slot commitlog.Slot, through record.Offset, keys ...string) {
		e := &commitlog.Entry{Format: commitlog.Format, ID: fmt.Sprint("e", slot), Slot: slot, Kind: commitlog.Flush}
		e.ReadThrough = through
		for _, key := range keys {
			e.Files = append(e.Files, commitlog.File{Key: key})
		}
		if err := s.Put(t.Context(), orders.Key(slot), e.Encode()); err != nil {
			t.Fatal(err)
		}
	}
	through := func(s *enginetest.FakeStore) record.Offset {
		o, err := replay.Through(t.Context(), s, orders)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	s := enginetest.NewFakeStore()
	if got := through(s); got != 0 {
		t.Errorf("an empty log is complete through %d", got)
	}
	entry(s, 0, 10)
	entry(s, 1, 20, "raw/missing")
	if got := through(s); got != 10 {
		t.Errorf("through %d while the last entry's file is an upload, want 10", got)
	}
	entry(s, 1, 20, letters(t, s, orders, 1, 11))
	if got := through(s); got != 20 {
		t.Errorf("through %d when the file is there, want 20", got)
	}
	entry(s, 2, 25, "raw/missing")
	if got := through(s); got != 20 {
		t.Errorf("through %d, want that of the entry before, 20", got)
	}
}
