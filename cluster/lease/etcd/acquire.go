package etcd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"citystream/cluster/lease/term"
)

// A candidature looks at the key anew with each step, so that nothing depends on whether a lost answer was a yes.
type candidature struct {
	lease *Lease
	value string // of the key

	id      clientv3.LeaseID // 0 while there is none
	granted time.Duration    // the lease's time as etcd has it
	sent    time.Time        // when it was asked for, or renewed
}

// step reads the key, waits while it is another's, takes it if it is free, or leads if it is its own.
func (c *candidature) step(ctx context.Context) (*reign, error) {
	bounded, cancel := context.WithTimeout(ctx, c.lease.ttl)
	defer cancel()
	got, err := c.lease.client.Get(bounded, c.lease.key)
	if err != nil {
		return nil, fmt.Errorf("read the lease: %w", err)
	}
	switch {
	case len(got.Kvs) > 0 && c.id != 0 && clientv3.LeaseID(got.Kvs[0].Lease) == c.id:
		return c.lead(got.Kvs[0].CreateRevision)
	case len(got.Kvs) > 0:
		return nil, c.wait(ctx, got.Header.Revision+1)
	}
	if err := c.grant(bounded); err != nil {
		return nil, err
	}
	return c.take(bounded)
}

// grant asks for a lease of etcd's, or renews the one of an earlier try.
func (c *candidature) grant(ctx context.Context) error {
	sent := time.Now()
	if c.id != 0 {
		kept, err := c.lease.client.KeepAliveOnce(ctx, c.id)
		if err == nil {
			c.sent, c.granted = sent, time.Duration(kept.TTL)*time.Second
			return nil
		}
		if !errors.Is(err, rpctypes.ErrLeaseNotFound) {
			return fmt.Errorf("renew a lease of etcd's: %w", err)
		}
		c.id = 0
	}
	got, err := c.lease.client.Grant(ctx, int64(c.lease.ttl/time.Second))
	if err != nil {
		return fmt.Errorf("get a lease of etcd's: %w", err)
	}
	c.id, c.sent, c.granted = got.ID, sent, time.Duration(got.TTL)*time.Second
	return nil
}

// take writes the key if it is still free.
func (c *candidature) take(ctx context.Context) (*reign, error) {
	l := c.lease
	won, err := l.client.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(l.key), "=", 0)).
		Then(clientv3.OpPut(l.key, c.value, clientv3.WithLease(c.id))).
		Commit()
	switch {
	case errors.Is(err, rpctypes.ErrLeaseNotFound):
		c.id = 0
		return nil, fmt.Errorf("take the lease: %w", err)
	case err != nil:
		return nil, fmt.Errorf("take the lease: %w", err)
	case !won.Succeeded:
		return nil, nil // look again
	}
	return c.lead(won.Header.Revision)
}

// lead begins the reign, if its time is not over yet.
func (c *candidature) lead(revision int64) (*reign, error) {
	r := &reign{
		lease: c.lease, id: c.id, revision: revision, granted: c.granted,
		term: term.New(c.lease.ctx, c.sent.Add(safe(c.granted))),
	}
	if r.term.Over() || !c.lease.start(r.keep) {
		r.term.End()
		r.revoke()
		c.id = 0
		return nil, errors.New("etcd took longer than the lease lasts")
	}
	return r, nil
}

// safe is how long after sending a renewal a holder believes in itself. The eighth that is left is for clocks that run at different speeds,
// and for the holder's own slowness to act.
func safe(granted time.Duration) time.Duration { return granted - granted/8 }

// wait waits until another's key has changed, and half the lease's time at most: a watch does not tell that its server is frozen.
func (c *candidature) wait(ctx context.Context, revision int64) error {
	ctx, cancel := context.WithTimeout(ctx, c.lease.ttl/2)
	defer cancel()
	c.giveUp() // a lease that was of no use need not be renewed
	for answer := range c.lease.client.Watch(clientv3.WithRequireLeader(ctx), c.lease.key, clientv3.WithRev(revision)) {
		if err := answer.Err(); err != nil {
			return fmt.Errorf("watch the lease: %w", err)
		}
		if len(answer.Events) > 0 {
			return nil
		}
	}
	return nil
}

// giveUp revokes the candidate's lease, with the key if that has been taken without its knowing.
func (c *candidature) giveUp() {
	if c.id == 0 {
		return
	}
	r := reign{lease: c.lease, id: c.id}
	c.lease.start(r.revoke)
	c.id = 0
}
