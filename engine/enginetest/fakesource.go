package enginetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"citystream/engine/port"
	"citystream/engine/record"
)

// A FakeSource is a Kafka cluster in memory: topics with partitions of records, which tests fill, cut and take away.
// It implements port.Source and is safe for concurrent use. Released records are overwritten, so that a test sees their further use.
type FakeSource struct {
	MaxWait    time.Duration // of a fetch at the end of a partition
	MaxRecords int           // of one fetch

	mu      sync.Mutex
	topics  map[string]*fakeTopic
	made    int           // topics so far, for their ids
	changed chan struct{} // closed and replaced by each change
	closed  bool
}

type fakeTopic struct {
	id         string
	partitions []*fakePartition
}

type fakePartition struct {
	records []record.Record
	epochs  []int32 // of the records
	start   record.Offset
	end     record.Offset
	epoch   int32
	ends    map[int32]record.Offset // of the epochs before epoch
}

var _ port.Source = (*FakeSource)(nil)

var errFakeClosed = errors.New("the fake source is closed")

// NewFakeSource returns a cluster without topics.
func NewFakeSource() *FakeSource {
	return &FakeSource{MaxWait: 20 * time.Millisecond, MaxRecords: 1000, topics: map[string]*fakeTopic{}, changed: make(chan struct{})}
}

// CreateTopic makes a topic with an id of its own; it panics if there is one of that name.
func (s *FakeSource) CreateTopic(name string, partitions int) {
	s.change(func() {
		if s.topics[name] != nil {
			panic("enginetest: topic " + name + " exists")
		}
		s.made++
		t := &fakeTopic{id: fmt.Sprintf("00000000-0000-4000-8000-%012d", s.made)}
		for range partitions {
			t.partitions = append(t.partitions, &fakePartition{ends: map[int32]record.Offset{}})
		}
		s.topics[name] = t
	})
}

// GrowTopic adds partitions to a topic.
func (s *FakeSource) GrowTopic(name string, by int) {
	s.change(func() {
		t := s.topics[name]
		for range by {
			t.partitions = append(t.partitions, &fakePartition{ends: map[int32]record.Offset{}})
		}
	})
}

// DeleteTopic takes a topic away with its records.
func (s *FakeSource) DeleteTopic(name string) { s.change(func() { delete(s.topics, name) }) }

// Append adds records at the end of a partition and returns the first one's offset. The offsets in records are not looked at.
func (s *FakeSource) Append(tp record.TopicPartition, records ...record.Record) (first record.Offset) {
	s.change(func() {
		p := s.must(tp)
		first = p.end
		for _, r := range records {
			r.Offset, r.Key, r.Value = p.end, bytesOf(r.Key), bytesOf(r.Value)
			p.records, p.epochs = append(p.records, r), append(p.epochs, p.epoch)
			p.end++
		}
	})
	return first
}

// Gap moves the end of a partition on by n offsets without a record, as aborted transactions and compaction do.
func (s *FakeSource) Gap(tp record.TopicPartition, n int) {
	s.change(func() { s.must(tp).end += record.Offset(n) })
}

// Truncate drops the records below start, as retention does.
func (s *FakeSource) Truncate(tp record.TopicPartition, start record.Offset) {
	s.change(func() {
		p := s.must(tp)
		i := p.index(start)
		p.records, p.epochs = p.records[i:], p.epochs[i:]
		p.start, p.end = start, max(p.end, start)
	})
}

// Elect begins the partition's next leader epoch. Records from offset keep on are lost, as in an unclean election; give the end, or
// more, to lose none.
func (s *FakeSource) Elect(tp record.TopicPartition, keep record.Offset) {
	s.change(func() {
		p := s.must(tp)
		i := p.index(keep)
		p.records, p.epochs = p.records[:i], p.epochs[:i]
		p.end = min(p.end, keep)
		p.ends[p.epoch] = p.end
		p.epoch++
	})
}

func (s *FakeSource) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *FakeSource) must(tp record.TopicPartition) *fakePartition {
	p, err := s.partition(tp)
	if err != nil {
		panic(err)
	}
	return p
}

// partition finds a partition. The caller holds the mutex.
func (s *FakeSource) partition(tp record.TopicPartition) (*fakePartition, error) {
	t := s.topics[tp.Topic]
	if t == nil || int(tp.Partition) >= len(t.partitions) {
		return nil, fmt.Errorf("%s: %w", tp, port.ErrNoTopic)
	}
	return t.partitions[tp.Partition], nil
}

func (p *fakePartition) index(at record.Offset) int {
	i, _ := slices.BinarySearchFunc(p.records, at, func(r record.Record, o record.Offset) int { return int(r.Offset - o) })
	return i
}

// Topics implements port.Source.
func (s *FakeSource) Topics(_ context.Context, names []string) ([]port.Topic, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errFakeClosed
	}
	var topics []port.Topic
	for _, name := range names {
		if t := s.topics[name]; t != nil {
			topics = append(topics, port.Topic{Name: name, ID: t.id, Partitions: len(t.partitions)})
		}
	}
	return topics, nil
}

// Offsets implements port.Source.
func (s *FakeSource) Offsets(_ context.Context, tp record.TopicPartition) (start, end record.Offset, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, 0, errFakeClosed
	}
	p, err := s.partition(tp)
	if err != nil {
		return 0, 0, err
	}
	return p.start, p.end, nil
}

// EpochEnd implements port.Source.
func (s *FakeSource) EpochEnd(_ context.Context, tp record.TopicPartition, epoch int32) (end record.Offset, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, false, errFakeClosed
	}
	p, err := s.partition(tp)
	switch {
	case err != nil:
		return 0, false, err
	case epoch == p.epoch:
		return p.end, true, nil
	}
	end, ok = p.ends[epoch]
	return end, ok, nil
}

// Open implements port.Source.
func (s *FakeSource) Open(tp record.TopicPartition, from record.Offset) port.Reader {
	return &fakeReader{source: s, tp: tp, position: from, epoch: -1}
}

// Close implements port.Source.
func (s *FakeSource) Close() error {
	s.change(func() { s.closed = true })
	return nil
}

type fakeReader struct {
	source   *FakeSource
	tp       record.TopicPartition
	position record.Offset
	epoch    int32
}

func (r *fakeReader) Close() {}

// Fetch implements port.Reader.
func (r *fakeReader) Fetch(ctx context.Context) (port.Fetched, error) {
	timeout := time.NewTimer(r.source.MaxWait)
	defer timeout.Stop()
	for expired := false; ; {
		if err := ctx.Err(); err != nil {
			return port.Fetched{}, fmt.Errorf("fetch %s at offset %d: %w", r.tp, r.position, err)
		}
		fetched, changed, err := r.read()
		if err != nil {
			return port.Fetched{}, fmt.Errorf("fetch %s at offset %d: %w", r.tp, r.position, err)
		}
		if fetched.Next > r.position || expired {
			r.position = fetched.Next
			return fetched, nil
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-timeout.C:
			expired = true
		}
	}
}

// read returns what is there now, and what tells that something changed.
func (r *fakeReader) read() (port.Fetched, <-chan struct{}, error) {
	s := r.source
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return port.Fetched{}, nil, errFakeClosed
	}
	p, err := s.partition(r.tp)
	if err != nil {
		return port.Fetched{}, nil, err
	}
	if r.position < p.start || r.position > p.end {
		return port.Fetched{}, nil, fmt.Errorf("log is [%d, %d): %w", p.start, p.end, port.ErrOffsetOutOfRange)
	}
	from := p.index(r.position)
	to := min(from+s.MaxRecords, len(p.records))
	next := p.end
	if to < len(p.records) {
		next = p.records[to-1].Offset + 1
	}
	if to > from {
		r.epoch = p.epochs[to-1]
	}
	records := lend(p.records[from:to])
	return port.Fetched{Records: records, Next: next, End: p.end, LeaderEpoch: r.epoch, Release: func() { spoil(records) }}, s.changed, nil
}

// lend copies records with their bytes, for a reader to use until it releases them.
func lend(records []record.Record) []record.Record {
	out := slices.Clone(records)
	for i := range out {
		out[i].Key, out[i].Value = bytesOf(out[i].Key), bytesOf(out[i].Value)
	}
	return out
}

// spoil makes released records useless.
func spoil(records []record.Record) {
	for i := range records {
		for j := range records[i].Key {
			records[i].Key[j] = 0xdb
		}
		for j := range records[i].Value {
			records[i].Value[j] = 0xdb
		}
		records[i] = record.Record{Offset: -1}
	}
}

// bytesOf copies bytes and keeps nil apart from empty.
func bytesOf(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}
