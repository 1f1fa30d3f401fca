package actors

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"citystream/engine/commitlog"
	"citystream/engine/enginetest"
	"citystream/engine/record"
	"citystream/engine/schema"
	"citystream/engine/window"
	"citystream/messages"
)

// city is a cluster over fakes with one table, of two partitions where nothing else is said.
type city struct {
	*testing.T
	node   *Node
	source *enginetest.FakeSource
	store  *enginetest.FakeStore
}

func newCity(t *testing.T) *city { return newCityOf(t, 2) }

func newCityOf(t *testing.T, partitions int) *city {
	table := schema.Cities()[1].WithTopic("gps") // gps_data
	c := &city{T: t, source: enginetest.NewFakeSource(), store: enginetest.NewFakeStore()}
	c.source.MaxWait = 10 * time.Millisecond
	c.source.CreateTopic("gps", partitions)
	c.node = &Node{
		Source: c.source, Store: c.store, Catalog: enginetest.NewFakeCatalog(), Metrics: NewMetrics(), Log: slog.New(slog.DiscardHandler),
		Tables: []*schema.Table{table}, DeadLetters: schema.DeadLetters(), Bucket: "b", RawPrefix: "raw", Database: "city",
		Limits:      window.Limits{Rows: 1000, Bytes: 1 << 30, Age: 100 * time.Millisecond, OpenWindows: 8},
		IdleTimeout: time.Second, SealAfter: time.Minute, Batches: 2, PartBytes: 5 << 20,
		Heartbeat: 20 * time.Millisecond, WorkerDead: 3 * time.Second, WorkerSelfStop: 2 * time.Second, Orphaned: 4 * time.Second, Discovery: 50 * time.Millisecond, CatalogPoll: time.Minute,
	}
	return c
}

func (c *city) produce(partition, from, n int) {
	for i := from; i < from+n; i++ {
		value := fmt.Appendf(nil, `{"id":"%d-%d","deviceId":"d","timestamp":"2026-01-02T03:%02d:00","speed":1.5}`, partition, i, i%60)
		c.source.Append(record.TopicPartition{Topic: "gps", Partition: record.Partition(partition)}, record.Record{Timestamp: record.MicrosOf(time.Now()), Value: value})
	}
}

// until waits for a state of the cluster.
func (c *city) until(cluster *Cluster, what string, reached func(rows int64, s *messages.Status) bool) {
	c.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		s, err := cluster.Status(context.Background())
		if err != nil {
			c.Fatal(err)
		}
		rows := int64(0)
		for _, w := range s.Workers {
			for _, p := range w.Partitions {
				rows += p.GetCounters().GetRows()
			}
		}
		if reached(rows, s) {
			return
		}
		if time.Now().After(deadline) {
			c.Fatalf("%s: not reached with %d rows: %v", what, rows, s)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func TestAClusterCommitsAndRegistersWhatIsInTheTopics(t *testing.T) {
	t.Parallel()
	c := newCity(t)
	c.produce(0, 0, 500)
	c.produce(1, 0, 300)
	system := NewSystem(c.node.Log)
	defer system.Shutdown()
	cluster, err := StartCluster(system, c.node, commitlog.Epoch(1), 2)
	if err != nil {
		t.Fatal(err)
	}
	c.until(cluster, "800 rows", func(rows int64, _ *messages.Status) bool { return rows == 800 })
	deadline := time.Now().Add(10 * time.Second)
	for {
		partitions, err := c.node.Catalog.Partitions(t.Context(), "city", "gps_data")
		if err == nil && len(partitions) == 1 && partitions[0].Values[1] == "03" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("registered: %v, %v", partitions, err)
		}
		<-time.After(10 * time.Millisecond)
	}
	if err := cluster.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The next reign goes on where this one ended.
	c.produce(1, 300, 50)
	again, err := StartCluster(system, c.node, commitlog.Epoch(2), 1)
	if err != nil {
		t.Fatal(err)
	}
	c.until(again, "850 rows", func(rows int64, _ *messages.Status) bool { return rows == 850 })
	if err := again.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestAMasterRaisesItsEpochAboveThatOfTheLogs(t *testing.T) {
	t.Parallel()
	c := newCity(t)
	c.produce(0, 0, 10)
	system := NewSystem(c.node.Log)
	defer system.Shutdown()
	first, err := StartCluster(system, c.node, commitlog.Epoch(9), 1)
	if err != nil {
		t.Fatal(err)
	}
	c.until(first, "10 rows", func(rows int64, _ *messages.Status) bool { return rows == 10 })
	if err := first.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.produce(0, 10, 10)
	older, err := StartCluster(system, c.node, commitlog.Epoch(3), 1)
	if err != nil {
		t.Fatal(err)
	}
	c.until(older, "20 rows under a higher epoch", func(rows int64, s *messages.Status) bool { return rows == 20 && s.Epoch == 10 })
	if err := older.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestAClusterThatIsStoppedTellsOfNoCrash(t *testing.T) {
	t.Parallel()
	c := newCityOf(t, 16)
	var said bytes.Buffer
	c.node.Log = slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelError}))
	c.produce(0, 0, 10)
	system := NewSystem(slog.New(slog.DiscardHandler))
	defer system.Shutdown()
	cluster, err := StartCluster(system, c.node, commitlog.Epoch(1), 1)
	if err != nil {
		t.Fatal(err)
	}
	c.until(cluster, "10 rows", func(rows int64, _ *messages.Status) bool { return rows == 10 })
	cluster.Stop()
	if said.Len() > 0 {
		t.Errorf("it was stopped without a drain, and said:\n%s", said.String())
	}
}
