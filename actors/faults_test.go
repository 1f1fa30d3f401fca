package actors

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"citystream/engine/commitlog"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/messages"
)

var errStore = errors.New("the store is having a bad day")

// unsteadyStore fails some of the writing calls, half of them after they took effect: the answer is lost.
type unsteadyStore struct {
	port.Store
	mu     sync.Mutex
	random *rand.Rand
	failed int
}

// fault says whether a call fails, and whether it takes effect all the same.
func (s *unsteadyStore) fault() (fails, took bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.random.IntN(5) > 0 {
		return false, true
	}
	s.failed++
	return true, s.random.IntN(2) == 0
}

func (s *unsteadyStore) do(call func() error) error {
	fails, took := s.fault()
	if took {
		if err := call(); err != nil {
			return err
		}
	}
	if fails {
		return errStore
	}
	return nil
}

func (s *unsteadyStore) PutIfAbsent(ctx context.Context, key string, body []byte) error {
	return s.do(func() error { return s.Store.PutIfAbsent(ctx, key, body) })
}

func (s *unsteadyStore) Put(ctx context.Context, key string, body []byte) error {
	return s.do(func() error { return s.Store.Put(ctx, key, body) })
}

func (s *unsteadyStore) Get(ctx context.Context, key string) (body []byte, etag string, err error) {
	err = s.do(func() (err error) { body, etag, err = s.Store.Get(ctx, key); return err })
	return body, etag, err
}

func (s *unsteadyStore) List(ctx context.Context, prefix, after string, limit int) (all []port.Object, err error) {
	err = s.do(func() (err error) { all, err = s.Store.List(ctx, prefix, after, limit); return err })
	return all, err
}

func (s *unsteadyStore) CreateUpload(ctx context.Context, key string, metadata map[string]string) (id string, err error) {
	err = s.do(func() (err error) { id, err = s.Store.CreateUpload(ctx, key, metadata); return err })
	return id, err
}

func (s *unsteadyStore) UploadPart(ctx context.Context, key, id string, number int32, body []byte) (p port.Part, err error) {
	err = s.do(func() (err error) { p, err = s.Store.UploadPart(ctx, key, id, number, body); return err })
	return p, err
}

func (s *unsteadyStore) CompleteUpload(ctx context.Context, key, id string, parts []port.Part) error {
	return s.do(func() error { return s.Store.CompleteUpload(ctx, key, id, parts) })
}

func TestAStoreThatFailsNowAndThenNeitherLosesNorDoublesARecord(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			c := newCity(t)
			unsteady := &unsteadyStore{Store: c.store, random: rand.New(rand.NewPCG(seed, 0))}
			c.node.Store = unsteady
			c.produce(0, 0, 700)
			c.produce(1, 0, 500)
			system := NewSystem(c.node.Log)
			defer system.Shutdown()
			cluster, err := StartCluster(system, c.node, commitlog.Epoch(1), 2)
			if err != nil {
				t.Fatal(err)
			}
			c.until(cluster, "1200 rows", func(rows int64, _ *messages.Status) bool { return rows == 1200 })
			if err := cluster.Drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			if unsteady.failed == 0 {
				t.Fatal("nothing has failed")
			}
			c.expectRows(1200)
		})
	}
}

// expectRows reads all files, and checks that they hold so many rows, each place in Kafka once.
func (c *city) expectRows(want int) {
	c.Helper()
	type place struct {
		Partition int32 `parquet:"kafka_partition,optional"`
		Offset    int64 `parquet:"kafka_offset,optional"`
	}
	seen := map[place]string{}
	objects, err := c.store.List(context.Background(), "raw/", "", 10_000)
	if err != nil {
		c.Fatal(err)
	}
	for _, o := range objects {
		if !strings.HasSuffix(o.Key, ".parquet") {
			c.Errorf("%s is no Parquet file", o.Key)
		}
		body, _, err := c.store.Get(context.Background(), o.Key)
		if err != nil {
			c.Fatal(err)
		}
		rows, err := parquet.Read[place](bytes.NewReader(body), int64(len(body)))
		if err != nil {
			c.Fatalf("%s: %v", o.Key, err)
		}
		for _, r := range rows {
			if before, ok := seen[r]; ok {
				c.Fatalf("%v is in %s and in %s", r, before, o.Key)
			}
			seen[r] = o.Key
		}
	}
	if len(seen) != want {
		c.Fatalf("%d rows are in the files, want %d", len(seen), want)
	}
}

// brokenSource claims for one partition that it has moved on by fewer offsets than it has records: a broken invariant.
type brokenSource struct {
	port.Source
	partition record.Partition
}

type brokenReader struct{ port.Reader }

func (s *brokenSource) Open(tp record.TopicPartition, from record.Offset) port.Reader {
	r := s.Source.Open(tp, from)
	if tp.Partition == s.partition {
		return brokenReader{r}
	}
	return r
}

func (r brokenReader) Fetch(ctx context.Context) (port.Fetched, error) {
	f, err := r.Reader.Fetch(ctx)
	if len(f.Records) > 1 {
		f.Next = f.Records[0].Offset + 1
	}
	return f, err
}

func TestAPartitionThatCrashesAgainAndAgainIsGivenUpAloneAndLoudly(t *testing.T) {
	t.Parallel()
	c := newCity(t)
	c.node.Source = &brokenSource{Source: c.source, partition: 1}
	c.produce(0, 0, 20)
	c.produce(1, 0, 20)
	system := NewSystem(c.node.Log)
	defer system.Shutdown()
	cluster, err := StartCluster(system, c.node, commitlog.Epoch(1), 1)
	if err != nil {
		t.Fatal(err)
	}
	c.until(cluster, "20 rows, and a failed partition", func(rows int64, s *messages.Status) bool {
		return rows == 20 && len(s.Failed) == 1 && s.Failed[0].Log.Partition == 1
	})
	if err := cluster.Drain(t.Context()); err == nil {
		t.Error("the drain of a cluster with a stopped partition ended as if all were well")
	}
}

func TestNothingOfATopicThatWasMadeAgainIsCommitted(t *testing.T) {
	t.Parallel()
	c := newCity(t)
	c.produce(0, 0, 30)
	c.produce(1, 0, 30)
	system := NewSystem(c.node.Log)
	defer system.Shutdown()
	cluster, err := StartCluster(system, c.node, commitlog.Epoch(1), 1)
	if err != nil {
		t.Fatal(err)
	}
	c.until(cluster, "60 rows", func(rows int64, _ *messages.Status) bool { return rows == 60 })
	c.source.DeleteTopic("gps")
	c.source.CreateTopic("gps", 2)
	c.produce(0, 0, 90) // more than before: the offset to be read next is in range, and nothing fails
	c.produce(1, 0, 5)  // fewer: it is out of range
	c.until(cluster, "two failed partitions that say why", func(_ int64, s *messages.Status) bool {
		for _, f := range s.Failed {
			if !strings.Contains(f.Error, "deleted and made again") {
				t.Fatalf("partition %d: %s", f.Log.Partition, f.Error)
			}
		}
		return len(s.Failed) == 2
	})
	cluster.Stop()
	c.expectRows(60)
}

// missingSource counts the fetches of partition 0 that missed their topic.
type missingSource struct {
	port.Source
	missed atomic.Int64
}

type missingReader struct {
	port.Reader
	source *missingSource
}

func (s *missingSource) Open(tp record.TopicPartition, from record.Offset) port.Reader {
	r := s.Source.Open(tp, from)
	if tp.Partition == 0 {
		return missingReader{r, s}
	}
	return r
}

func (r missingReader) Fetch(ctx context.Context) (port.Fetched, error) {
	got, err := r.Reader.Fetch(ctx)
	if errors.Is(err, port.ErrNoTopic) {
		r.source.missed.Add(1)
	}
	return got, err
}

func TestWhatWasReadOfATopicBeforeItWasMadeAgainIsCommitted(t *testing.T) {
	t.Parallel()
	c := newCity(t)
	c.node.Limits.Age = time.Hour
	missed := &missingSource{Source: c.source}
	c.node.Source = missed
	c.produce(0, 0, 30)
	system := NewSystem(c.node.Log)
	defer system.Shutdown()
	cluster, err := StartCluster(system, c.node, commitlog.Epoch(1), 1)
	if err != nil {
		t.Fatal(err)
	}
	c.until(cluster, "30 records read", func(_ int64, s *messages.Status) bool {
		return len(s.Workers) == 1 && slices.ContainsFunc(s.Workers[0].Partitions, func(p *messages.PartitionStatus) bool { return p.Position == 30 })
	})
	c.source.DeleteTopic("gps")
	c.until(cluster, "readers that miss their topic", func(int64, *messages.Status) bool {
		return missed.missed.Load() > 0
	})
	c.source.CreateTopic("gps", 2)
	c.produce(0, 0, 90)
	c.until(cluster, "a failed partition", func(_ int64, s *messages.Status) bool {
		return slices.ContainsFunc(s.Failed, func(f *messages.PartitionStatus) bool { return f.Log.Partition == 0 }) // of the other nothing was read
	})
	cluster.Stop()
	c.expectRows(30)
}
