package zookeeper

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"citystream/cluster/lease/term"
	"citystream/engine/port"
)

// A reign is the time of the first node's owner.
type reign struct {
	lease   *Lease
	session *session
	node    string
	term    *term.Term

	mu        sync.Mutex
	releasing bool
	closing   bool          // of the session: it is too late for a release
	left      chan struct{} // closed when the release is done, or given up
}

// keep renews until the term is over, and closes the session then: the node of somebody who does not believe in itself any more would
// keep all others from leading. It is not closed before the term is over, since closing waits for the server.
func (r *reign) keep() {
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		r.watch()
	}()
	r.term.Keep(r.session.ttl()/6, r.lease.log, r.renew)
	r.mu.Lock()
	r.closing = !r.releasing
	closing := r.closing
	r.mu.Unlock()
	if !closing {
		select {
		case <-r.left:
		case <-r.lease.ctx.Done():
		}
	}
	r.session.close()
	<-watching
}

// watch hurries when the node may be gone. A watch of its children tells of nothing else: an ephemeral node has none. Without the watch the
// next renewal finds out.
func (r *reign) watch() {
	ctx, cancel := r.term.Within(context.Background(), r.session.ttl())
	defer cancel()
	gone, _ := do(ctx, r.session, func() (<-chan zk.Event, error) {
		_, _, events, err := r.session.conn.ChildrenW(r.node)
		return events, err
	})
	select {
	case <-gone:
		r.term.Hurry()
	case <-r.session.expired:
		r.term.End()
	case <-r.term.Done():
	}
}

// renew asks for the node, which the server counts as a sign of life of the session, and which tells whether it is still there.
func (r *reign) renew(ctx context.Context) (time.Time, error) {
	sent := time.Now()
	there, err := do(ctx, r.session, func() (bool, error) {
		there, _, err := r.session.conn.Exists(r.node)
		return there, err
	})
	if err == nil && !there {
		err = zk.ErrNoNode
	}
	if err != nil {
		return time.Time{}, lost(err)
	}
	return sent.Add(r.session.safe()), nil
}

// Done implements port.Reign.
func (r *reign) Done() <-chan struct{} { return r.term.Done() }

// Announce implements port.Reign.
func (r *reign) Announce(ctx context.Context, leader port.Leader) error {
	data := encode(leader)
	return r.term.Announce(ctx, r.trouble("announce the leader"), func(ctx context.Context) error { return lost(r.announce(ctx, data)) })
}

func (r *reign) trouble(what string) term.Backoff {
	return term.Backoff{Log: r.lease.log, What: what, Max: r.lease.ttl / 4}
}

// lost makes ErrLeaseLost of what says that the reign's node is gone.
func lost(err error) error {
	if errors.Is(err, zk.ErrNoNode) || errors.Is(err, zk.ErrSessionExpired) {
		return fmt.Errorf("%w: %w", port.ErrLeaseLost, err)
	}
	return err
}

func (r *reign) announce(ctx context.Context, data []byte) error {
	ctx, cancel := r.term.Within(ctx, r.session.ttl()/2)
	defer cancel()
	sent := time.Now()
	_, err := do(ctx, r.session, func() (*zk.Stat, error) { return r.session.conn.Set(r.node, data, -1) })
	if err == nil {
		r.term.Extend(sent.Add(r.session.safe()))
	}
	return err
}

// Release implements port.Reign.
func (r *reign) Release(ctx context.Context) error {
	r.mu.Lock()
	late := r.closing || r.releasing
	r.releasing = true
	r.mu.Unlock()
	r.term.End()
	if late {
		return nil
	}
	defer close(r.left)
	trouble := r.trouble("release the lease")
	err := trouble.Do(ctx, func(ctx context.Context) error { return lost(r.release(ctx)) })
	if errors.Is(err, port.ErrLeaseLost) { // long ago, or an earlier try has done it
		return nil
	}
	return err
}

func (r *reign) release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.session.ttl()/2)
	defer cancel()
	defer context.AfterFunc(r.lease.ctx, cancel)()
	_, err := do(ctx, r.session, func() (struct{}, error) { return struct{}{}, r.session.conn.Delete(r.node, -1) })
	return err
}
