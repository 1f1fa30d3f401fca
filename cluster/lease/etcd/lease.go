// Package etcd keeps the leader's lease in etcd.
//
// The holder has a lease of etcd's and one key that lives as long as that lease. A candidate creates the key if it is free, in one transaction,
// and watches it if not. The key's create revision numbers the reign within etcd: what a holder writes is bound to it.
//
// etcd's lease ends by etcd's clock; the holder ends its reign by its own, seven eighths of the time after it sent the last renewal that was
// answered. A leader whose etcd is frozen stops believing in itself therefore. etcd counts in whole seconds, so the lease's time is rounded up
// to them, and etcd's own least time, usually 2 s, counts if it is longer.
//
// What it costs: two requests each quarter of the time for the holder; for a candidate a watch and a read each half.
package etcd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"citystream/cluster/lease/term"
	"citystream/engine/port"
)

// How soon the client finds out that a connection is dead. Less is not taken by gRPC.
const (
	aliveEvery = 10 * time.Second
	aliveMax   = 3 * time.Second
)

// A Lease is a port.Lease in etcd.
type Lease struct {
	client *clientv3.Client
	key    string // the leader, in JSON
	ttl    time.Duration
	log    *slog.Logger
	ctx    context.Context // until Close
	close  context.CancelFunc

	mu      sync.Mutex // nothing is added to running after Close
	running sync.WaitGroup
}

var _ port.Lease = (*Lease)(nil)

// New returns the lease below a path. It does not wait until a server has answered. The client tries to connect again several times within
// the lease's time; by itself it would wait for up to two minutes after a long outage.
func New(servers []string, path string, ttl time.Duration, log *slog.Logger) (*Lease, error) {
	ttl = (ttl + time.Second - 1).Truncate(time.Second)
	client, err := clientv3.New(clientv3.Config{
		Endpoints:            servers,
		DialTimeout:          ttl / 2,
		DialKeepAliveTime:    aliveEvery,
		DialKeepAliveTimeout: aliveMax,
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: ttl / 32, Multiplier: 2, Jitter: 0.2, MaxDelay: ttl / 4},
			MinConnectTimeout: ttl / 2,
		})},
		Logger: zap.NewNop(), // what matters of its trouble comes back as errors
	})
	if err != nil {
		return nil, fmt.Errorf("connect to etcd: %w", err)
	}
	path = "/" + strings.Trim(path, "/")
	l := &Lease{client: client, key: path + "/leader", ttl: ttl, log: log}
	l.ctx, l.close = context.WithCancel(context.Background())
	return l, nil
}

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

// Close implements port.Lease. The leases of reigns that end with it end by their time.
func (l *Lease) Close() error {
	l.mu.Lock()
	l.close()
	l.mu.Unlock()
	l.running.Wait()
	if err := l.client.Close(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("disconnect from etcd: %w", err)
	}
	return nil
}

// Leader implements port.Lease.
func (l *Lease) Leader(ctx context.Context) (port.Leader, error) {
	ctx, cancel := context.WithTimeout(ctx, l.ttl)
	defer cancel()
	got, err := l.client.Get(ctx, l.key)
	switch {
	case err != nil:
		return port.Leader{}, fmt.Errorf("ask etcd for the leader: %w", err)
	case len(got.Kvs) == 0:
		return port.Leader{}, port.ErrNoLeader
	}
	var leader port.Leader
	if err := json.Unmarshal(got.Kvs[0].Value, &leader); err != nil {
		return port.Leader{}, fmt.Errorf("%s: %w", l.key, err)
	}
	return leader, nil
}

// Acquire implements port.Lease.
func (l *Lease) Acquire(ctx context.Context, leader port.Leader) (port.Reign, error) {
	leader.Epoch = 0
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(l.ctx, cancel)()
	c := &candidature{lease: l, value: encode(leader)}
	trouble := term.Backoff{Log: l.log, What: "acquire the lease", Max: l.ttl / 2}
	for {
		r, err := c.step(ctx)
		switch {
		case r != nil:
			return r, nil
		case forGood(err):
			c.giveUp()
			return nil, err
		case err == nil:
			trouble.Answered()
			continue
		}
		if err := trouble.Pause(ctx, err); err != nil {
			c.giveUp()
			return nil, err
		}
	}
}

// forGood says that an error does not pass by waiting. The client translates the codes of etcd's errors into its own type.
func forGood(err error) bool {
	code := status.Code(err)
	var coded interface{ Code() codes.Code }
	if errors.As(err, &coded) {
		code = coded.Code()
	}
	return code == codes.PermissionDenied || code == codes.Unauthenticated
}

func encode(leader port.Leader) string {
	b, err := json.Marshal(leader)
	if err != nil {
		panic(err) // strings and a number: cannot fail
	}
	return string(b)
}
