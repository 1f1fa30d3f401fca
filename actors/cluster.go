package actors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"citystream/cluster/membership"
	"citystream/engine/commitlog"
	"citystream/messages"
)

// Cluster is a master, its catalog and a number of workers in one process. They talk by the same messages as on many machines.
type Cluster struct {
	node    *Node
	system  *actor.ActorSystem
	master  *actor.PID
	catalog *actor.PID // nil without a catalog
	workers []*actor.PID
}

// Names of the actors that other nodes talk to.
const (
	masterName  = "master"
	catalogName = "catalog"
	workerName  = "worker"
)

// NewSystem makes an actor system whose own log lines go to log.
func NewSystem(log *slog.Logger) *actor.ActorSystem {
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return log }))
}

// StartCluster starts the actors of a reign.
func StartCluster(system *actor.ActorSystem, node *Node, epoch commitlog.Epoch, workers int) (*Cluster, error) {
	c := &Cluster{node: node, system: system}
	var err error
	if node.Catalog != nil {
		if c.catalog, err = system.Root.SpawnNamed(CatalogProps(node), catalogName); err != nil {
			return nil, fmt.Errorf("start catalog: %w", err)
		}
	}
	if c.master, err = system.Root.SpawnNamed(MasterProps(node, MasterOptions{Epoch: epoch, Catalog: c.catalog, Name: "up"}), masterName); err != nil {
		return nil, fmt.Errorf("start master: %w", err)
	}
	for i := range workers {
		name := fmt.Sprint("worker-", i+1)
		pid, err := system.Root.SpawnNamed(WorkerProps(node, WorkerOptions{Name: name, Incarnation: NewIncarnation(), Master: c.master}), name)
		if err != nil {
			return nil, fmt.Errorf("start %s: %w", name, err)
		}
		c.workers = append(c.workers, pid)
	}
	return c, nil
}

// NewIncarnation returns a name for one life of a worker that no other life has; of two lives of a worker, the younger has the greater.
func NewIncarnation() string { return membership.NewIncarnation(time.Now(), rand.Uint64()) }

// ask sends a request to an actor and waits for its answer.
func ask[T proto.Message](ctx context.Context, system *actor.ActorSystem, pid *actor.PID, request proto.Message, patience time.Duration) (T, error) {
	var none T
	result := make(chan any, 1)
	future := system.Root.RequestFuture(pid, request, patience)
	go func() {
		answer, err := future.Result()
		if err != nil {
			answer = err
		}
		result <- answer
	}()
	select {
	case <-ctx.Done():
		return none, ctx.Err()
	case answer := <-result:
		switch a := answer.(type) {
		case T:
			return a, nil
		case error:
			return none, fmt.Errorf("%s does not answer: %w", pid.Id, a)
		default:
			return none, fmt.Errorf("%s answered with %T", pid.Id, a)
		}
	}
}

// Status returns how everything stands, as the master has last heard.
func (c *Cluster) Status(ctx context.Context) (*messages.Status, error) {
	return ask[*messages.Status](ctx, c.system, c.master, &messages.GetStatus{}, 5*time.Second)
}

// CatalogStatus returns how far the catalog has come; nil without one.
func (c *Cluster) CatalogStatus(ctx context.Context) (*messages.CatalogStatus, error) {
	if c.catalog == nil {
		return nil, nil
	}
	return ask[*messages.CatalogStatus](ctx, c.system, c.catalog, &messages.GetCatalogStatus{}, 5*time.Second)
}

// ExpectEnd says that no more records are expected: when all partitions have been at their end for so long, their windows close.
func (c *Cluster) ExpectEnd(idle time.Duration) {
	c.system.Root.Send(c.master, &messages.EndOfStream{IdleMillis: idle.Milliseconds()})
}

// Drain lets all workers commit what they have read, lets the catalog register it, and ends. It returns when nothing runs any more, or
// with ctx's error.
func (c *Cluster) Drain(ctx context.Context) error {
	patience := time.Hour
	if deadline, ok := ctx.Deadline(); ok {
		patience = time.Until(deadline)
	}
	drained, err := ask[*messages.Drained](ctx, c.system, c.master, &messages.Drain{}, patience)
	if err == nil && !drained.Clean {
		err = errors.New("some partitions had stopped with an error")
	}
	if c.catalog != nil {
		if _, late := c.system.Root.RequestFuture(c.catalog, registerAll{}, patience).Result(); late != nil {
			err = errors.Join(err, fmt.Errorf("what is committed is not registered for SQL yet; the next run does that: %w", late))
		}
	}
	c.Stop()
	return err
}

// Stop ends all actors at once, and returns when they have ended; what is not committed is read again in the next life.
func (c *Cluster) Stop() {
	pids := append([]*actor.PID{c.master}, c.workers...)
	if c.catalog != nil {
		pids = append(pids, c.catalog)
	}
	for _, pid := range pids {
		if err := c.system.Root.StopFuture(pid).Wait(); err != nil {
			c.node.Log.Debug("an actor did not confirm its end", "actor", pid.Id, "error", err)
		}
	}
}
