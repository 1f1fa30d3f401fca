package actors

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"citystream/messages"
)

// WorkerNode is the one worker of a process that belongs to a cluster of nodes. Safe for concurrent use.
type WorkerNode struct {
	system          *actor.ActorSystem
	worker, watcher *actor.PID
	ended           chan error
	member          atomic.Bool
}

// StartWorker starts a worker that looks for its master by find.
func StartWorker(system *actor.ActorSystem, node *Node, o WorkerOptions) (*WorkerNode, error) {
	n := &WorkerNode{system: system, ended: make(chan error, 1)}
	o.Ended, o.registered = n.end, n.member.Store
	var err error
	if n.worker, err = system.Root.SpawnNamed(WorkerProps(node, o), workerName); err != nil {
		return nil, fmt.Errorf("start worker: %w", err)
	}
	n.watcher = watch(system, func(*actor.PID) { n.end(errors.New("the worker has ended unasked; its log says why")) }, n.worker)
	return n, nil
}

func (n *WorkerNode) end(err error) {
	select {
	case n.ended <- err:
	default: // the first reason counts
	}
}

// Ended brings the reason why the worker can go on no longer.
func (n *WorkerNode) Ended() <-chan error { return n.ended }

// Registered says whether the worker is registered with a master.
func (n *WorkerNode) Registered() bool { return n.member.Load() }

// Drain lets the worker commit what it has read and hand it over, until ctx ends.
func (n *WorkerNode) Drain(ctx context.Context) error {
	patience := time.Hour
	if deadline, ok := ctx.Deadline(); ok {
		patience = time.Until(deadline)
	}
	drained, err := ask[*messages.Drained](ctx, n.system, n.worker, &messages.Drain{}, patience)
	switch {
	case err != nil:
		return fmt.Errorf("drain: %w", err)
	case !drained.Clean:
		return fmt.Errorf("drain: %s", drained.Error)
	}
	return nil
}

// Stop ends the worker at once; what is not committed is read again by the partitions' next owners.
func (n *WorkerNode) Stop() error {
	if err := errors.Join(stopActor(n.system, n.watcher), stopActor(n.system, n.worker)); err != nil {
		return fmt.Errorf("stop worker: %w", err)
	}
	return nil
}
