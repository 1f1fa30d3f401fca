// Package objectstore keeps the leader's lease in the bucket: nothing more need be run.
//
// The lease is one object. Its holder writes it anew four times within the lease's time, each time with other contents and only if it is
// as the holder left it. A candidate that has seen the object unchanged for the whole time, by its own monotonic clock, replaces it
// with the same condition; so one of many succeeds, and none while the holder lives. The holder in turn stops believing in itself
// an eighth of the time earlier, counted from before it sent its last renewal. No clock is compared with another.
//
// What it costs: a holder makes one GET and one conditional PUT each quarter of the time, a candidate one GET each eighth, whoever asks for the
// leader one GET. With the default of 2 s these are 172,800 PUTs and as many GETs a day for the holder (0.93 $ where a million PUTs cost 5 $
// and a million GETs 0.40 $) and 345,600 GETs (0.14 $) for each candidate; with 20 s a tenth of it.
package objectstore

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"citystream/cluster/lease/term"
	"citystream/engine/commitlog"
	"citystream/engine/port"
)

const key = commitlog.Root + "lease.json"

// A Lease is a port.Lease in an object.
type Lease struct {
	store   port.Store
	ttl     time.Duration
	log     *slog.Logger
	ctx     context.Context // until Close
	close   context.CancelFunc
	running sync.WaitGroup

	mu   sync.Mutex // also: nothing is added to running after Close
	seen sighting
}

var _ port.Lease = (*Lease)(nil)

// New returns the lease of a bucket. The store stays the caller's.
func New(store port.Store, ttl time.Duration, log *slog.Logger) *Lease {
	l := &Lease{store: store, ttl: ttl, log: log}
	l.ctx, l.close = context.WithCancel(context.Background())
	return l
}

// safe is how long after sending a renewal a holder believes in itself. The eighth that is left is for clocks that run at different speeds,
// and for the holder's own slowness to act.
func (l *Lease) safe() time.Duration { return l.ttl - l.ttl/8 }

// Close implements port.Lease. A reign that ends with it leaves its record behind: others wait until its time has run out.
func (l *Lease) Close() error {
	l.mu.Lock()
	l.close()
	l.mu.Unlock()
	l.running.Wait()
	return nil
}

// Leader implements port.Lease. An observer that looks for the first time believes what it sees.
func (l *Lease) Leader(ctx context.Context) (port.Leader, error) {
	s, err := l.look(ctx)
	switch {
	case err != nil:
		return port.Leader{}, err
	case s.etag == "" || s.Holder == "" || s.free() || s.dead(time.Now()):
		return port.Leader{}, port.ErrNoLeader
	}
	return s.Leader, nil
}

// Acquire implements port.Lease.
func (l *Lease) Acquire(ctx context.Context, candidate port.Leader) (port.Reign, error) {
	candidate.Epoch = 0
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(l.ctx, cancel)()
	r := newReign(l, candidate)
	trouble := term.Backoff{Log: l.log, What: "acquire the lease", Max: l.ttl / 2}
	for {
		s, err := l.look(ctx)
		if err == nil {
			if s.Holder != r.id && !s.free() && !s.dead(time.Now()) {
				trouble.Answered()
				left := s.ttl() - time.Since(s.since)
				term.Sleep(ctx, min(max(left, time.Millisecond), l.ttl/8-rand.N(l.ttl/64+1)))
				err = ctx.Err()
			} else if err = r.claim(ctx, s); err == nil {
				return r, nil
			}
		}
		switch {
		case errors.Is(err, port.ErrForbidden):
			return nil, err
		case err != nil && !errors.Is(err, port.ErrConflict):
			if err := trouble.Pause(ctx, err); err != nil {
				return nil, err
			}
		}
	}
}
