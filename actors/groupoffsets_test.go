package actors

import (
	"context"
	"maps"
	"sync"
	"testing"
	"time"

	"citystream/engine/commitlog"
	"citystream/engine/record"
	"citystream/messages"
)

// fakeGroups remembers what was committed last.
type fakeGroups struct {
	mu   sync.Mutex
	next map[string]map[record.TopicPartition]record.Offset
}

func (f *fakeGroups) CommitGroup(_ context.Context, group string, next map[record.TopicPartition]record.Offset) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next[group] == nil {
		f.next[group] = map[record.TopicPartition]record.Offset{}
	}
	maps.Copy(f.next[group], next)
	return nil
}

func TestADrainedWorkerHasSaidToKafkaWhatIsReadNext(t *testing.T) {
	t.Parallel()
	c := newCity(t)
	groups := &fakeGroups{next: map[string]map[record.TopicPartition]record.Offset{}}
	c.node.GroupOffsets, c.node.Group = groups, "city"
	c.node.Limits.Age = time.Hour // so that it is the drain that commits
	c.produce(0, 0, 30)
	c.produce(1, 0, 7)
	system := NewSystem(c.node.Log)
	defer system.Shutdown()
	cluster, err := StartCluster(system, c.node, commitlog.Epoch(1), 1)
	if err != nil {
		t.Fatal(err)
	}
	c.until(cluster, "37 records read", func(_ int64, s *messages.Status) bool {
		read := int64(0)
		for _, w := range s.Workers {
			for _, p := range w.Partitions {
				read += p.Position
			}
		}
		return read == 37
	})
	if err := cluster.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := groups.next["city-gps_data"]
	for partition, want := range map[record.Partition]record.Offset{0: 30, 1: 7} {
		if at := got[record.TopicPartition{Topic: "gps", Partition: partition}]; at != want {
			t.Errorf("partition %d: the group is at %d, not %d", partition, at, want)
		}
	}
}

func TestAPaceHoldsReadersToSoManyRecordsASecond(t *testing.T) {
	t.Parallel()
	p := &pace{perSecond: 1000}
	began := time.Now()
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for range 5 {
				if err := p.wait(t.Context(), 20); err != nil {
					t.Error(err)
				}
			}
		})
	}
	readers.Wait()
	if took := time.Since(began); took < 380*time.Millisecond { // the last 20 of 400 need not be paid for
		t.Errorf("400 records took %s", took)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.wait(ended, 1_000_000); err == nil {
		t.Error("a reader that is to end waits")
	}
}
