package zookeeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"citystream/cluster/lease/term"
	"citystream/engine/port"
)

// Acquire implements port.Lease.
func (l *Lease) Acquire(ctx context.Context, leader port.Leader) (port.Reign, error) {
	leader.Epoch = 0
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(l.ctx, cancel)()
	trouble := term.Backoff{Log: l.log, What: "acquire the lease", Max: l.ttl / 2}
	for {
		r, err := l.stand(ctx, leader, &trouble)
		switch {
		case err == nil:
			return r, nil
		case forGood(err):
			return nil, err
		}
		if err := trouble.Pause(ctx, err); err != nil {
			return nil, err
		}
	}
}

// stand is one candidature: with one session, as long as that lasts.
func (l *Lease) stand(ctx context.Context, leader port.Leader, trouble *term.Backoff) (_ *reign, err error) {
	s, err := connect(l.servers, l.ttl, l.log)
	if err != nil {
		return nil, err
	}
	c := &candidature{lease: l, session: s, leader: leader}
	defer func() {
		if err != nil && !l.start(s.close) { // not here: it may take a second
			s.close()
		}
	}()
	for {
		r, err := c.step(ctx)
		switch {
		case r != nil:
			return r, nil
		case err == nil:
			trouble.Answered()
			continue
		case forGood(err), errors.Is(err, zk.ErrSessionExpired):
			return nil, err
		}
		if err := trouble.Pause(ctx, err); err != nil {
			return nil, err
		}
	}
}

// A candidature looks for its node anew with each step, so that nothing depends on whether a lost answer was a yes.
type candidature struct {
	lease   *Lease
	session *session
	leader  port.Leader
}

// step makes the node if there is none, waits for the one before it, or leads if there is none before it.
func (c *candidature) step(ctx context.Context) (*reign, error) {
	nodes, err := c.nodes(ctx)
	if err != nil {
		return nil, err
	}
	own := slices.IndexFunc(nodes, func(n string) bool { return strings.HasPrefix(n, c.prefix()) })
	switch {
	case own < 0:
		return nil, c.create(ctx)
	case own > 0:
		return nil, c.watch(ctx, path.Join(c.lease.candidates(), nodes[own-1]))
	}
	return c.lead(ctx, path.Join(c.lease.candidates(), nodes[0]))
}

// prefix is of the session's own nodes. If the answer of a creation is lost there may be two: the first counts, and both end together.
func (c *candidature) prefix() string {
	return fmt.Sprintf("%016x-", uint64(c.session.conn.SessionID()))
}

// nodes lists the candidates, after all that this session has asked for before. It makes their parents if need be.
func (c *candidature) nodes(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.session.ttl())
	defer cancel()
	s := c.session
	if _, err := do(ctx, s, func() (string, error) { return s.conn.Sync("/") }); err != nil {
		return nil, fmt.Errorf("synchronize with ZooKeeper: %w", err)
	}
	nodes, err := c.lease.nodes(ctx, s)
	if !errors.Is(err, zk.ErrNoNode) {
		return nodes, err
	}
	for i := 1; i <= len(c.lease.candidates()); i++ {
		if p := c.lease.candidates(); i == len(p) || p[i] == '/' {
			if _, err := do(ctx, s, func() (string, error) { return s.conn.Create(p[:i], nil, 0, zk.WorldACL(zk.PermAll)) }); err != nil && !errors.Is(err, zk.ErrNodeExists) {
				return nil, fmt.Errorf("create %s: %w", p[:i], err)
			}
		}
	}
	return nil, nil
}

func (c *candidature) create(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.session.ttl())
	defer cancel()
	name := path.Join(c.lease.candidates(), c.prefix())
	data := encode(c.leader)
	_, err := do(ctx, c.session, func() (string, error) {
		return c.session.conn.Create(name, data, zk.FlagEphemeral|zk.FlagSequence, zk.WorldACL(zk.PermAll))
	})
	if err != nil {
		return fmt.Errorf("create a candidate's node: %w", err)
	}
	return nil
}

// watch waits until a node has changed or is gone, but not longer than a session lasts: then it is looked at again.
func (c *candidature) watch(ctx context.Context, node string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events, err := do(ctx, c.session, func() (<-chan zk.Event, error) {
		there, _, events, err := c.session.conn.ExistsW(node)
		if err == nil && !there {
			return nil, zk.ErrNoNode
		}
		return events, err
	})
	switch {
	case errors.Is(err, zk.ErrNoNode):
		return nil
	case err != nil:
		return fmt.Errorf("watch a node: %w", err)
	}
	select {
	case e := <-events:
		return e.Err
	case <-c.session.expired:
		return zk.ErrSessionExpired
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(c.session.ttl()):
		return nil
	}
}

// lead begins the reign of the first node's owner, if its session still lives: that is what writing its node anew proves, and no
// read would.
func (c *candidature) lead(ctx context.Context, node string) (*reign, error) {
	ctx, cancel := context.WithTimeout(ctx, c.session.ttl())
	defer cancel()
	s, l := c.session, c.lease
	data := encode(c.leader)
	sent := time.Now()
	if _, err := do(ctx, s, func() (*zk.Stat, error) { return s.conn.Set(node, data, -1) }); err != nil {
		return nil, fmt.Errorf("begin a reign: %w", err)
	}
	r := &reign{lease: l, session: s, node: node, term: term.New(l.ctx, sent.Add(s.safe())), left: make(chan struct{})}
	if r.term.Over() || !l.start(r.keep) {
		r.term.End()
		return nil, errors.New("ZooKeeper took longer than the lease lasts")
	}
	return r, nil
}

func encode(leader port.Leader) []byte {
	b, err := json.Marshal(leader)
	if err != nil {
		panic(err) // strings and a number: cannot fail
	}
	return b
}
