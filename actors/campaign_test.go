package actors

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"citystream/cluster/lease/objectstore"
	"citystream/engine/commitlog"
	"citystream/engine/port"
	"citystream/messages"
)

// candidate is a campaign in an actor system of this process, which all candidates and workers of a test share: their actors are told apart
// by their names, so that only one can lead at a time.
type candidate struct {
	*Campaign
	cancel context.CancelFunc
	ended  chan error
}

func (c *city) candidate(system *actor.ActorSystem, name string) *candidate {
	c.Helper()
	lease := objectstore.New(c.store, time.Second, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	k := &candidate{
		Campaign: NewCampaign(system, c.node, lease, port.Leader{Name: name, Address: system.Address()}), cancel: cancel, ended: make(chan error, 1),
	}
	go func() { k.ended <- errors.Join(k.Run(ctx), lease.Close()) }()
	return k
}

// leads waits until a candidate leads, and the state is reached.
func (c *city) leads(k *candidate, what string, reached func(*messages.Status) bool) *messages.Status {
	c.Helper()
	var last *messages.Status
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if s, err := k.Status(context.Background()); err == nil {
			if last = s; reached(s) {
				return s
			}
		}
		<-time.After(10 * time.Millisecond)
	}
	c.Fatalf("%s: not reached: %v", what, last)
	return nil
}

func owns(n int) func(*messages.Status) bool {
	return func(s *messages.Status) bool {
		owned := 0
		for _, w := range s.Workers {
			for _, p := range w.Partitions {
				if p.Owned {
					owned++
				}
			}
		}
		return owned == n
	}
}

func TestTheNextLeaderTakesOverWhatWorkersHaveAndWaitsForNobodyWhereNobodyIsLeft(t *testing.T) {
	t.Parallel()
	c := newCity(t)
	c.node.Catalog = nil
	c.produce(0, 0, 10)
	system := NewSystem(c.node.Log)
	defer system.Shutdown()
	finder := objectstore.New(c.store, time.Second, slog.New(slog.DiscardHandler))
	defer finder.Close()
	first := c.candidate(system, "first")
	worker, err := StartWorker(system, c.node, WorkerOptions{Name: "w", Incarnation: NewIncarnation(), Find: finder.Leader})
	if err != nil {
		t.Fatal(err)
	}
	before := c.leads(first, "two partitions are owned", owns(2))
	first.cancel()
	if err := <-first.ended; err != nil {
		t.Fatal(err)
	}
	second := c.candidate(system, "second")
	after := c.leads(second, "the worker is back", owns(2))
	if after.SettlingMillis == 0 {
		t.Error("it has not waited for workers of the leader before")
	}
	if after.Epoch <= before.Epoch || versionsOf(after) != versionsOf(before) {
		t.Errorf("epoch %d after %d, assignments %v instead of %v", after.Epoch, before.Epoch, versionsOf(after), versionsOf(before))
	}
	if err := worker.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := worker.Stop(); err != nil {
		t.Fatal(err)
	}
	c.leads(second, "it has settled without workers", func(s *messages.Status) bool { return len(s.Workers) == 0 && s.SettlingMillis == 0 })
	second.cancel()
	if err := <-second.ended; err != nil {
		t.Fatal(err)
	}
	third := c.candidate(system, "third")
	if s := c.leads(third, "it leads", func(*messages.Status) bool { return true }); s.SettlingMillis != 0 {
		t.Error("it waits for workers, of whom none is left")
	}
	third.cancel()
	if err := <-third.ended; err != nil {
		t.Fatal(err)
	}
}

// versionsOf returns the versions of both partitions' assignments, which a move would change.
func versionsOf(s *messages.Status) [2]int64 {
	var versions [2]int64
	for _, w := range s.Workers {
		for _, p := range w.Partitions {
			versions[p.Log.Partition] = p.Version
		}
	}
	return versions
}

func TestPartitionsThatATopicGetsLaterAreRead(t *testing.T) {
	t.Parallel()
	c := newCity(t)
	c.produce(0, 0, 10)
	system := NewSystem(c.node.Log)
	defer system.Shutdown()
	cluster, err := StartCluster(system, c.node, commitlog.Epoch(1), 2)
	if err != nil {
		t.Fatal(err)
	}
	c.until(cluster, "10 rows", func(rows int64, _ *messages.Status) bool { return rows == 10 })
	c.source.GrowTopic("gps", 2)
	c.produce(3, 0, 5)
	c.until(cluster, "15 rows", func(rows int64, _ *messages.Status) bool { return rows == 15 })
	if err := cluster.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
}
