package port

import (
	"context"
	"errors"
)

// Errors of a Lease that callers branch on.
var (
	ErrNoLeader  = errors.New("no leader holds the lease")
	ErrLeaseLost = errors.New("the lease is lost")
)

// A Leader is what the holder of a lease lets everybody read: how it is called, where it is reached, and the number of its reign.
type Leader struct {
	Name    string `json:"name"`    // of the node
	Address string `json:"address"` // host:port of its actors
	HTTP    string `json:"http"`    // host:port of its pages: status, measures, health
	Epoch   int64  `json:"epoch"`   // 0 while it has not begun its reign
}

// A Lease lets at most one of many candidates lead at a time, as far as that can be known: a candidate that was paused may hold itself for the
// leader a moment longer, which is why whatever a leader orders is fenced by its epoch besides. All calls are safe for concurrent use.
type Lease interface {
	// Acquire waits until this candidate holds the lease, and announces it with epoch 0. Trouble of the lease's store is waited out. The error is ctx's,
	// or one that does not pass by itself (wrong credentials).
	Acquire(ctx context.Context, candidate Leader) (Reign, error)
	// Leader returns who holds the lease now, or ErrNoLeader. A holder that died counts until its time has run out, as far as this observer can tell:
	// one that looks for the first time believes what it sees.
	// Another error says that the store cannot be asked.
	Leader(ctx context.Context) (Leader, error)
	// Close ends the connections; reigns that were not released end with it.
	Close() error
}

// A Reign is a lease that is held.
type Reign interface {
	// Done is closed as soon as the holder can no longer be sure that it holds the lease: before another can hold it, as far as clocks run at
	// about the same speed.
	Done() <-chan struct{}
	// Announce changes what others read of the holder, and proves by a write that the lease is still held: ErrLeaseLost if not. It tries until
	// ctx ends; then it is open what others read.
	Announce(ctx context.Context, leader Leader) error
	// Release gives the lease up, so that another need not wait until its time has run out, and closes Done. Whoever calls it has stepped down
	// already. It does not wait longer than ctx. Releasing a lease that is lost is no error, and changes nothing for whoever holds it now.
	Release(ctx context.Context) error
}
