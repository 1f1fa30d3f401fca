package etcd

import (
	"context"
	"errors"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"citystream/cluster/lease/term"
	"citystream/engine/port"
)

// A reign is the key held.
type reign struct {
	lease    *Lease
	id       clientv3.LeaseID
	revision int64         // that created the key
	granted  time.Duration // the lease's time as etcd has it
	term     *term.Term
}

// own is true of the key while it is that of this reign.
func (r *reign) own() clientv3.Cmp {
	return clientv3.Compare(clientv3.CreateRevision(r.lease.key), "=", r.revision)
}

func (r *reign) keep() {
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		r.watch()
	}()
	r.term.Keep(r.granted/4, r.lease.log, r.renew)
	<-watching
}

// watch hurries when the key may be gone. Without the watch the next renewal finds out.
func (r *reign) watch() {
	ctx, cancel := context.WithCancel(r.lease.ctx)
	defer cancel()
	events := r.lease.client.Watch(ctx, r.lease.key, clientv3.WithRev(r.revision+1), clientv3.WithFilterPut())
	for {
		select {
		case _, ok := <-events:
			if !ok {
				events = nil
				continue
			}
			r.term.Hurry()
		case <-r.term.Done():
			return
		}
	}
}

// renew renews etcd's lease, and looks whether the key is still there: somebody may have deleted it without the lease.
func (r *reign) renew(ctx context.Context) (time.Time, error) {
	sent := time.Now()
	kept, err := r.lease.client.KeepAliveOnce(ctx, r.id)
	switch {
	case errors.Is(err, rpctypes.ErrLeaseNotFound):
		return time.Time{}, port.ErrLeaseLost
	case err != nil:
		return time.Time{}, err
	}
	until := sent.Add(safe(time.Duration(kept.TTL) * time.Second))
	look, err := r.lease.client.Txn(ctx).If(r.own()).Commit()
	if err == nil && !look.Succeeded {
		err = port.ErrLeaseLost
	}
	return until, err
}

// Done implements port.Reign.
func (r *reign) Done() <-chan struct{} { return r.term.Done() }

// Announce implements port.Reign.
func (r *reign) Announce(ctx context.Context, leader port.Leader) error {
	value := encode(leader)
	return r.term.Announce(ctx, r.trouble("announce the leader"), func(ctx context.Context) error { return r.announce(ctx, value) })
}

func (r *reign) trouble(what string) term.Backoff {
	return term.Backoff{Log: r.lease.log, What: what, Max: r.lease.ttl / 4}
}

func (r *reign) announce(ctx context.Context, value string) error {
	ctx, cancel := r.term.Within(ctx, r.granted/4)
	defer cancel()
	done, err := r.lease.client.Txn(ctx).If(r.own()).Then(clientv3.OpPut(r.lease.key, value, clientv3.WithLease(r.id))).Commit()
	if err == nil && !done.Succeeded || errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return port.ErrLeaseLost
	}
	return err
}

// Release implements port.Reign.
func (r *reign) Release(ctx context.Context) error {
	r.term.End()
	defer r.lease.start(r.revoke)
	trouble := r.trouble("release the lease")
	return trouble.Do(ctx, r.release)
}

// release does nothing to the key of another; that is success, too.
func (r *reign) release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.granted/2)
	defer cancel()
	_, err := r.lease.client.Txn(ctx).If(r.own()).Then(clientv3.OpDelete(r.lease.key)).Commit()
	return err
}

// revoke ends etcd's lease before its time. If that fails its time does.
func (r *reign) revoke() {
	ctx, cancel := context.WithTimeout(r.lease.ctx, r.lease.ttl/2)
	defer cancel()
	_, _ = r.lease.client.Revoke(ctx, r.id)
}
