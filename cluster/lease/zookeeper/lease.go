// Package zookeeper keeps the leader's lease in ZooKeeper, by its recipe of an election.
//
// A candidate makes a node that is ephemeral, so it lives as long as the candidate's session, and sequential: who made the first of those that
// there are leads. Each candidate watches the one before its own only, so that the end of a leader wakes one candidate and not all.
//
// The session ends by the server's clock; the holder ends its reign by its own, three quarters of the session's time after it sent the last
// request that was answered. The client's own pings say nothing of when they were sent, so the holder sends requests itself.
//
// What it costs: six reads within the session's time for the holder, and the client's three pings for everyone.
package zookeeper

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"citystream/engine/port"
)

// A Lease is a port.Lease in ZooKeeper. Each reign and each candidate has a session of its own; another is for those who ask for the leader.
type Lease struct {
	servers []string
	path    string
	ttl     time.Duration
	log     *slog.Logger
	ctx     context.Context // until Close
	close   context.CancelFunc
	running sync.WaitGroup

	mu    sync.Mutex // also: nothing is added to running after Close
	asker *session   // nil until it is needed
}

var _ port.Lease = (*Lease)(nil)

// New returns the lease at a path. Nothing is connected before it is needed.
func New(servers []string, path string, ttl time.Duration, log *slog.Logger) *Lease {
	l := &Lease{servers: servers, path: "/" + strings.Trim(path, "/"), ttl: ttl, log: log}
	l.ctx, l.close = context.WithCancel(context.Background())
	return l
}

// candidates is the parent of the candidates' nodes.
func (l *Lease) candidates() string { return path.Join(l.path, "leader") }

// start runs f until Close at the latest, and returns false if that was.
func (l *Lease) start(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
		return false
	}
	l.running.Go(f)
	return true
}

// Close implements port.Lease.
func (l *Lease) Close() error {
	l.mu.Lock()
	l.close()
	asker := l.asker
	l.asker = nil
	l.mu.Unlock()
	if asker != nil {
		asker.close()
	}
	l.running.Wait()
	return nil
}

// ask returns the session for those who ask, a new one if the last has expired.
func (l *Lease) ask() (*session, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.ctx.Err(); err != nil {
		return nil, err
	}
	if l.asker != nil {
		if !l.asker.over() {
			return l.asker, nil
		}
		l.running.Go(l.asker.close)
		l.asker = nil
	}
	s, err := connect(l.servers, l.ttl, l.log)
	if err != nil {
		return nil, err
	}
	l.asker = s
	return s, nil
}

// Leader implements port.Lease.
func (l *Lease) Leader(ctx context.Context) (port.Leader, error) {
	ctx, cancel := context.WithTimeout(ctx, l.ttl)
	defer cancel()
	defer context.AfterFunc(l.ctx, cancel)()
	s, err := l.ask()
	if err != nil {
		return port.Leader{}, err
	}
	for {
		// What this server knows may be older than what the one who asks has heard elsewhere.
		if _, err := do(ctx, s, func() (string, error) { return s.conn.Sync(l.path) }); err != nil && !errors.Is(err, zk.ErrNoNode) {
			return port.Leader{}, fmt.Errorf("ask ZooKeeper for the leader: %w", err)
		}
		nodes, err := l.nodes(ctx, s)
		switch {
		case errors.Is(err, zk.ErrNoNode), err == nil && len(nodes) == 0:
			return port.Leader{}, port.ErrNoLeader
		case err != nil:
			return port.Leader{}, fmt.Errorf("ask ZooKeeper for the leader: %w", err)
		}
		data, err := do(ctx, s, func() ([]byte, error) {
			data, _, err := s.conn.Get(path.Join(l.candidates(), nodes[0]))
			return data, err
		})
		switch {
		case errors.Is(err, zk.ErrNoNode): // gone just now
			continue
		case err != nil:
			return port.Leader{}, fmt.Errorf("ask ZooKeeper for the leader: %w", err)
		}
		var leader port.Leader
		if err := json.Unmarshal(data, &leader); err != nil {
			return port.Leader{}, fmt.Errorf("%s: %w", l.candidates(), err)
		}
		return leader, nil
	}
}

// nodes returns the names of the candidates' nodes in their order. The server has put ten digits at the end of each.
func (l *Lease) nodes(ctx context.Context, s *session) ([]string, error) {
	nodes, err := do(ctx, s, func() ([]string, error) {
		nodes, _, err := s.conn.Children(l.candidates())
		return nodes, err
	})
	slices.SortFunc(nodes, func(a, b string) int { return cmp.Compare(number(a), number(b)) })
	return nodes, err
}

func number(node string) string { return node[max(len(node)-10, 0):] }

// forGood says that an error does not pass by waiting.
func forGood(err error) bool {
	return errors.Is(err, zk.ErrNoAuth) || errors.Is(err, zk.ErrAuthFailed) || errors.Is(err, zk.ErrInvalidACL)
}
