package enginetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"citystream/engine/port"
	"citystream/engine/record"
)

// A SourceHarness is a source under test with the means to change the cluster behind it. Codecs and Transact are left empty by a
// harness that has no such thing.
type SourceHarness struct {
	Source port.Source

	CreateTopic func(t testing.TB, name string, partitions int)
	DeleteTopic func(t testing.TB, name string)
	// Append adds one batch to a partition; the offsets in records are not looked at.
	Append func(t testing.TB, tp record.TopicPartition, records ...record.Record)
	// Gap adds one or more offsets without a record.
	Gap func(t testing.TB, tp record.TopicPartition)
	// Truncate drops what is below start.
	Truncate func(t testing.TB, tp record.TopicPartition, start record.Offset)

	// Codecs are names of compressions; AppendWith adds one batch in one of them.
	Codecs     []string
	AppendWith func(t testing.TB, codec string, tp record.TopicPartition, records ...record.Record)
	// Transact adds records in a transaction, which it leaves open until the function that it returns ends it.
	Transact func(t testing.TB, tp record.TopicPartition, records ...record.Record) (end func(commit bool))
}

const sourceDeadline = 20 * time.Second

// SourceSuite is what every port.Source must do. open makes a harness over a cluster without topics and cleans up by t.
func SourceSuite(t *testing.T, open func(t *testing.T) SourceHarness) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, SourceHarness)
	}{
		{"topics that exist are told with their partitions, others are left out", sourceTopics},
		{"a topic made again has another id", sourceTopicIDs},
		{"records come in order, once each, and Next lies behind the last", sourceOrder},
		{"a reader begins at its offset, within a batch too", sourceBegins},
		{"nil and empty keys and values stay apart, and times are kept", sourceContents},
		{"offsets without a record are passed over", sourceGaps},
		{"start and end follow truncation and appending", sourceOffsets},
		{"a fetch at the end waits, and returns the records that come", sourceWaits},
		{"a fetch at the end comes back empty after the waiting time", sourceIdle},
		{"a cancelled fetch returns at once and the reader goes on afterwards", sourceCancel},
		{"an offset below the start or above the end is out of range", sourceRange},
		{"a missing topic or partition is ErrNoTopic", sourceMissing},
		{"the current leader epoch ends at the end, an unknown one nowhere", sourceEpochs},
		{"released records are used again, unreleased ones stay as they are", sourceRelease},
		{"a record of a megabyte and a half comes whole", sourceLarge},
		{"many small batches come complete", sourceSmall},
		{"partitions do not mix", sourcePartitions},
		{"readers of one partition do not mix", sourceSamePartition},
		{"a closed source fails", sourceClosed},
		{"every compression is read", sourceCodecs},
		{"only committed transactions are read, and End is the last stable offset", sourceTransactions},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, open(t))
		})
	}
}

var streamed = record.TopicPartition{Topic: "a", Partition: 1}

// numbered returns records whose values count from n.
func numbered(n, count int) []record.Record {
	records := make([]record.Record, count)
	for i := range records {
		records[i] = record.Record{
			Timestamp: record.Micros(1_700_000_000_000_000 + (n+i)*1000),
			Key:       fmt.Appendf(nil, "k%d", n+i), Value: fmt.Appendf(nil, "v%d", n+i),
		}
	}
	return records
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), sourceDeadline)
	t.Cleanup(cancel)
	return ctx
}

// fetch fetches once and checks what holds for every fetch.
func fetch(t *testing.T, r port.Reader, position record.Offset) port.Fetched {
	t.Helper()
	f, err := r.Fetch(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if f.Release == nil {
		t.Fatal("Release is nil")
	}
	if f.Next < position || f.End < f.Next {
		t.Fatalf("fetch at %d: Next %d, End %d", position, f.Next, f.End)
	}
	last := position - 1
	for _, rec := range f.Records {
		if rec.Offset <= last || rec.Offset >= f.Next {
			t.Fatalf("fetch at %d: offset %d after %d, Next %d", position, rec.Offset, last, f.Next)
		}
		last = rec.Offset
	}
	if len(f.Records) > 0 && f.LeaderEpoch < 0 {
		t.Fatalf("fetch at %d: records without a leader epoch", position)
	}
	return f
}

// readTo reads from an offset until the position is end, and returns copies of the records.
func readTo(t *testing.T, s port.Source, tp record.TopicPartition, from, end record.Offset) []record.Record {
	t.Helper()
	r := s.Open(tp, from)
	defer r.Close()
	return readOn(t, r, from, end)
}

func readOn(t *testing.T, r port.Reader, position, end record.Offset) []record.Record {
	t.Helper()
	var all []record.Record
	for deadline := time.Now().Add(sourceDeadline); position < end; {
		if time.Now().After(deadline) {
			t.Fatalf("position is %d, want %d", position, end)
		}
		f := fetch(t, r, position)
		all = append(all, lend(f.Records)...)
		position = f.Next
		f.Release()
	}
	if position != end {
		t.Fatalf("position is %d, want %d", position, end)
	}
	return all
}

func wantNumbers(t *testing.T, got []record.Record, numbers ...int) {
	t.Helper()
	if len(got) != len(numbers) {
		t.Fatalf("%d records, want %d", len(got), len(numbers))
	}
	for i, n := range numbers {
		if want := fmt.Sprintf("v%d", n); string(got[i].Value) != want {
			t.Fatalf("record %d (offset %d) is %q, want %q", i, got[i].Offset, got[i].Value, want)
		}
	}
}

func count(from, to int) []int {
	var n []int
	for i := from; i < to; i++ {
		n = append(n, i)
	}
	return n
}

func sourceTopics(t *testing.T, h SourceHarness) {
	h.CreateTopic(t, "a", 2)
	h.CreateTopic(t, "b", 1)
	topics, err := h.Source.Topics(within(t), []string{"a", "missing", "b"})
	if err != nil {
		t.Fatal(err)
	}
	partitions := map[string]int{}
	for _, topic := range topics {
		partitions[topic.Name] = topic.Partitions
		if topic.ID == "" {
			t.Errorf("topic %s has no id", topic.Name)
		}
	}
	if len(topics) != 2 || partitions["a"] != 2 || partitions["b"] != 1 {
		t.Fatalf("topics are %+v", topics)
	}
	if again, err := h.Source.Topics(within(t), []string{"missing"}); err != nil || len(again) != 0 {
		t.Fatalf("asking for a topic made it: %v, %v", again, err)
	}
	if none, err := h.Source.Topics(within(t), nil); err != nil || len(none) != 0 {
		t.Fatalf("asking for no topic: %v, %v", none, err)
	}
}

func sourceTopicIDs(t *testing.T, h SourceHarness) {
	id := func() string {
		topics, err := h.Source.Topics(within(t), []string{"a"})
		if err != nil || len(topics) != 1 {
			t.Fatalf("topics %v, %v", topics, err)
		}
		return topics[0].ID
	}
	h.CreateTopic(t, "a", 1)
	first := id()
	if again := id(); again != first {
		t.Fatalf("id was %s, is %s", first, again)
	}
	h.DeleteTopic(t, "a")
	h.CreateTopic(t, "a", 1)
	if again := id(); again == first {
		t.Fatalf("the new topic has the old one's id %s", first)
	}
}

func sourceOrder(t *testing.T, h SourceHarness) {
	h.CreateTopic(t, "a", 2)
	h.Append(t, streamed, numbered(0, 500)...)
	h.Append(t, streamed, numbered(500, 700)...)
	got := readTo(t, h.Source, streamed, 0, 1200)
	wantNumbers(t, got, count(0, 1200)...)
	for i, r := range got {
		if r.Offset != record.Offset(i) {
			t.Fatalf("record %d has offset %d", i, r.Offset)
		}
	}
}

func sourceBegins(t *testing.T, h SourceHarness) {
	h.CreateTopic(t, "a", 2)
	h.Append(t, streamed, numbered(0, 100)...)
	for _, from := range []int{0, 1, 50, 99} {
		wantNumbers(t, readTo(t, h.Source, streamed, record.Offset(from), 100), count(from, 100)...)
	}
}

func sourceContents(t *testing.T, h SourceHarness) {
	h.CreateTopic(t, "a", 2)
	now := record.Micros(1_763_900_000_123_000)
	in := []record.Record{
		{Timestamp: now, Key: []byte("k"), Value: []byte("v")},
		{Timestamp: now + 1000, Key: nil, Value: []byte{}},
		{Timestamp: now - 5_000_000, Key: []byte{}, Value: nil},
		{Timestamp: now + 60_000_000, Key: []byte{0, 0xff}, Value: []byte("\x00")},
	}
	h.Append(t, streamed, in...)
	got := readTo(t, h.Source, streamed, 0, 4)
	if len(got) != len(in) {
		t.Fatalf("%d records", len(got))
	}
	for i, want := range in {
		if !bytes.Equal(got[i].Key, want.Key) || (got[i].Key == nil) != (want.Key == nil) {
			t.Errorf("record %d: key %#v, want %#v", i, got[i].Key, want.Key)
		}
		if !bytes.Equal(got[i].Value, want.Value) || (got[i].Value == nil) != (want.Value == nil) {
			t.Errorf("record %d: value %#v, want %#v", i, got[i].Value, want.Value)
		}
		if got[i].Timestamp != want.Timestamp {
			t.Errorf("record %d: time %d, want %d", i, got[i].Timestamp, want.Timestamp)
		}
	}
}

func sourceGaps(t *testing.T, h SourceHarness) {
	h.CreateTopic(t, "a", 2)
	h.Gap(t, streamed)
	h.Append(t, streamed, numbered(0, 3)...)
	h.Gap(t, streamed)
	h.Append(t, streamed, numbered(3, 2)...)
	h.Gap(t, streamed)
	_, end, err := h.Source.Offsets(within(t), streamed)
	if err != nil {
		t.Fatal(err)
	}
	got := readTo(t, h.Source, streamed, 0, end)
	wantNumbers(t, got, count(0, 5)...)
	if got[0].Offset == 0 || got[3].Offset == got[2].Offset+1 || end == got[4].Offset+1 {
		t.Fatalf("there is no gap: offsets %d, %d, %d, %d, end %d", got[0].Offset, got[2].Offset, got[3].Offset, got[4].Offset, end)
	}
	wantNumbers(t, readTo(t, h.Source, streamed, got[2].Offset+1, end), 3, 4)
	if rest := readTo(t, h.Source, streamed, got[4].Offset+1, end); len(rest) != 0 {
		t.Fatalf("records in the gap: %+v", rest)
	}
}

func sourceOffsets(t *testing.T, h SourceHarness) {
	h.CreateTopic(t, "a", 2)
	check := func(wantStart, wantEnd record.Offset) {
		t.Helper()
		start, end, err := h.Source.Offsets(within(t), streamed)
		if err != nil || start != wantStart || end != wantEnd {
			t.Fatalf("offsets [%d, %d), %v; want [%d, %d)", start, end, err, wantStart, wantEnd)
		}
	}
	check(0, 0)
	h.Append(t, streamed, numbered(0, 10)...)
	check(0, 10)
	h.Truncate(t, streamed, 4)
	check(4, 10)
	wantNumbers(t, readTo(t, h.Source, streamed, 4, 10), count(4, 10)...)
	h.Truncate(t, streamed, 10)
	check(10, 10)
}

func sourceWaits(t *testing.T, h SourceHarness) {
	h.CreateTopic(t, "a", 2)
	h.Append(t, streamed, numbered(0, 2)...)
	r := h.Source.Open(streamed, 2)
	defer r.Close()
	fetch(t, r, 2).Release() // the reader stands at the end, connected
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.Append(t, streamed, numbered(2, 3)...)
	}()
	wantNumbers(t, readOn(t, r, 2, 5), 2, 3, 4)
	<-done
}

func sourceIdle(t *testing.T, h SourceHarness) {
	h.CreateTopic(t, "a", 2)
	h.Append(t, streamed, numbered(0, 2)...)
	r := h.Source.Open(streamed, 2)
	defer r.Close()
	if f := fetch(t, r, 2); len(f.Records) != 0 || f.Next != 2 || f.End != 2 {
		t.Fatalf("at the end: %+v", f)
	}
}

func sourceCancel(t *testing.T, h SourceHarness) {
	h.CreateTopic(t, "a", 2)
	r := h.Source.Open(streamed, 0)
	defer r.Close()
	fetch(t, r, 0).Release()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Fetch(cancelled); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want context.Canceled", err)
	}
	for range 5 { // cancelled while it waits, or before
		short, stop := context.WithTimeout(t.Context(), 3*time.Millisecond)
		_, err := r.Fetch(short)
		stop()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("error %v, want context.DeadlineExceeded", err)
		}
	}
	h.Append(t, streamed, numbered(0, 3)...)
	wantNumbers(t, readOn(t, r, 0, 3), 0, 1, 2)
}

func sourceRange(t *testing.T, h SourceHarness) {
	h.CreateTopic(t, "a", 2)
	h.Append(t, streamed, numbered(0, 10)...)
	h.Truncate(t, streamed, 5)
	for _, at := range []record.Offset{0, 4, 11, 1000} {
		r := h.Source.Open(streamed, at)
		for range 2 { // it does not pass by itself
			if _, err := r.Fetch(within(t)); !errors.Is(err, port.ErrOffsetOutOfRange) {
				t.Errorf("at %d: error %v, want ErrOffsetOutOfRange", at, err)
			}
		}
		r.Close()
	}
	wantNumbers(t, readTo(t, h.Source, streamed, 5, 10), count(5, 10)...)
}

func sourceMissing(t *testing.T, h SourceHarness) {
	h.CreateTopic(t, "a", 2)
	for _, tp := range []record.TopicPartition{{Topic: "missing"}, {Topic: "a", Partition: 2}} {
		if _, _, err := h.Source.Offsets(within(t), tp); !errors.Is(err, port.ErrNoTopic) {
			t.Errorf("offsets of %s: %v, want ErrNoTopic", tp, err)
		}
		if _, _, err := h.Source.EpochEnd(within(t), tp, 0); !errors.Is(err, port.ErrNoTopic) {
			t.Errorf("epoch end of %s: %v, want ErrNoTopic", tp, err)
		}
		r := h.Source.Open(tp, 0)
		if _, err := r.Fetch(within(t)); !errors.Is(err, port.ErrNoTopic) {
			t.Errorf("fetch of %s: %v, want ErrNoTopic", tp, err)
		}
		r.Close()
	}
	h.Append(t, streamed, numbered(0, 1)...)
	r := h.Source.Open(streamed, 0)
	defer r.Close()
	fetch(t, r, 0).Release()
	h.DeleteTopic(t, "a")
	if _, err := r.Fetch(within(t)); !errors.Is(err, port.ErrNoTopic) {
		t.Errorf("fetch of a topic that was deleted: %v, want ErrNoTopic", err)
	}
}

func sourceEpochs(t *testing.T, h SourceHarness) {
	h.CreateTopic(t, "a", 2)
	h.Append(t, streamed, numbered(0, 7)...)
	r := h.Source.Open(streamed, 0)
	defer r.Close()
	f := fetch(t, r, 0)
	epoch := f.LeaderEpoch
	f.Release()
	if end, ok, err := h.Source.EpochEnd(within(t), streamed, epoch); err != nil || !ok || end != 7 {
		t.Errorf("end of epoch %d: %d, %v, %v; want 7", epoch, end, ok, err)
	}
	if end, ok, err := h.Source.EpochEnd(within(t), streamed, epoch+1000); err != nil || ok {
		t.Errorf("end of an unknown epoch: %d, %v, %v; want none", end, ok, err)
	}
}

func sourceRelease(t *testing.T, h SourceHarness) {
	h.CreateTopic(t, "a", 2)
	r := h.Source.Open(streamed, 0)
	defer r.Close()
	var kept []port.Fetched
	for i := range 20 {
		h.Append(t, streamed, numbered(10*i, 10)...)
		f := fetch(t, r, record.Offset(10*i))
		if i%2 == 0 {
			f.Release()
			continue
		}
		kept = append(kept, f)
	}
	for i, f := range kept {
		wantNumbers(t, f.Records, count(20*i+10, 20*i+20)...)
		f.Release()
	}
}

func sourceLarge(t *testing.T, h SourceHarness) {
	h.CreateTopic(t, "a", 2)
	large := bytes.Repeat([]byte("0123456789abcdef"), 3<<15)
	h.Append(t, streamed, numbered(0, 1)...)
	h.Append(t, streamed, record.Record{Timestamp: 1_700_000_000_000_000, Value: large})
	h.Append(t, streamed, numbered(2, 1)...)
	got := readTo(t, h.Source, streamed, 0, 3)
	if len(got) != 3 || !bytes.Equal(got[1].Value, large) {
		t.Fatalf("%d records", len(got))
	}
}

func sourceSmall(t *testing.T, h SourceHarness) {
	h.CreateTopic(t, "a", 2)
	for i := range 200 {
		h.Append(t, streamed, numbered(i, 1)...)
	}
	wantNumbers(t, readTo(t, h.Source, streamed, 0, 200), count(0, 200)...)
}

func sourcePartitions(t *testing.T, h SourceHarness) {
	h.CreateTopic(t, "a", 2)
	other := record.TopicPartition{Topic: "a", Partition: 0}
	h.Append(t, streamed, numbered(0, 5)...)
	h.Append(t, other, numbered(100, 3)...)
	wantNumbers(t, readTo(t, h.Source, streamed, 0, 5), count(0, 5)...)
	wantNumbers(t, readTo(t, h.Source, other, 0, 3), count(100, 103)...)
}

// sourceSamePartition lets readers go through one partition at the same time, from different offsets and again and again.
func sourceSamePartition(t *testing.T, h SourceHarness) {
	h.CreateTopic(t, streamed.Topic, 2)
	const batches, size = 60, 50
	for i := range batches {
		h.Append(t, streamed, numbered(i*size, size)...)
	}
	var readers sync.WaitGroup
	for i := range 8 {
		readers.Go(func() {
			from := i * batches * size / 8
			for range 5 {
				readAll(t, h.Source, from, batches*size)
			}
		})
	}
	readers.Wait()
}

// readAll checks that a reader of streamed brings each record from an offset on. Unlike readTo it may run in any goroutine.
func readAll(t *testing.T, s port.Source, from, end int) {
	r := s.Open(streamed, record.Offset(from))
	defer r.Close()
	ctx, cancel := context.WithTimeout(t.Context(), sourceDeadline)
	defer cancel()
	for position := from; position < end; {
		f, err := r.Fetch(ctx)
		if err != nil {
			t.Errorf("from %d, at %d: %v", from, position, err)
			return
		}
		for _, rec := range f.Records {
			if want := fmt.Sprint("v", position); int(rec.Offset) != position || string(rec.Value) != want {
				t.Errorf("from %d: record %d is %q, want %d, %q", from, rec.Offset, rec.Value, position, want)
				f.Release()
				return
			}
			position++
		}
		f.Release()
		if int(f.Next) != position {
			t.Errorf("from %d: the position is %d after %d", from, f.Next, position-1)
			return
		}
	}
}

func sourceClosed(t *testing.T, h SourceHarness) {
	h.CreateTopic(t, "a", 2)
	r := h.Source.Open(streamed, 0)
	defer r.Close()
	fetch(t, r, 0).Release()
	if err := h.Source.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Fetch(within(t)); err == nil {
		t.Error("a reader of a closed source fetches")
	}
	if _, _, err := h.Source.Offsets(within(t), streamed); err == nil {
		t.Error("a closed source tells offsets")
	}
}

func sourceCodecs(t *testing.T, h SourceHarness) {
	if len(h.Codecs) == 0 {
		t.Skip("this source has no compression")
	}
	h.CreateTopic(t, "a", 2)
	for i, codec := range h.Codecs {
		h.AppendWith(t, codec, streamed, numbered(100*i, 100)...)
	}
	end := 100 * len(h.Codecs)
	wantNumbers(t, readTo(t, h.Source, streamed, 0, record.Offset(end)), count(0, end)...)
}

func sourceTransactions(t *testing.T, h SourceHarness) {
	if h.Transact == nil {
		t.Skip("this source has no transactions")
	}
	h.CreateTopic(t, "a", 2)
	h.Append(t, streamed, numbered(0, 2)...)                 // 0, 1
	h.Transact(t, streamed, numbered(100, 3)...)(false)      // 2, 3, 4, marker 5
	h.Transact(t, streamed, numbered(2, 2)...)(true)         // 6, 7, marker 8
	aborting := h.Transact(t, streamed, numbered(200, 2)...) // 9, 10
	h.Append(t, streamed, numbered(4, 1)...)                 // 11, between a transaction's records and its end
	r := h.Source.Open(streamed, 0)
	defer r.Close()
	wantNumbers(t, readOn(t, r, 0, 9), 0, 1, 2, 3)
	if f := fetch(t, r, 9); len(f.Records) != 0 || f.Next != 9 || f.End != 9 {
		t.Fatalf("before an open transaction: %+v", f)
	}
	if _, end, err := h.Source.Offsets(within(t), streamed); err != nil || end != 9 {
		t.Fatalf("end %d, %v; want 9", end, err)
	}
	aborting(false)                                  // marker 12
	h.Transact(t, streamed, numbered(5, 1)...)(true) // 13, marker 14
	wantNumbers(t, readOn(t, r, 9, 15), 4, 5)
	for from, want := range map[record.Offset][]int{3: {2, 3, 4, 5}, 10: {4, 5}, 12: {5}, 14: {}} {
		wantNumbers(t, readTo(t, h.Source, streamed, from, 15), want...)
	}
}
