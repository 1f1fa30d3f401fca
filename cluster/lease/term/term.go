// Package term holds what all leases have in common: how long a holder may believe that it holds one, and how it waits for a store that
// does not answer.
//
// A term ends by the holder's own monotonic clock, and its end moves on with each renewal that the store has confirmed. It is counted
// from the moment before the renewal was sent: the store cannot have begun to count earlier, however long the answer took. Wall clocks
// and the clocks of others play no part.
package term

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"citystream/engine/port"
)

// A Term is over when its time has run out, when it is ended, or when its parent is. Safe for concurrent use.
type Term struct {
	ctx   context.Context
	end   context.CancelFunc
	hurry chan struct{}

	mu    sync.Mutex
	until time.Time
	timer *time.Timer
}

// New begins a term that lasts until the given moment of the monotonic clock unless it is extended.
func New(parent context.Context, until time.Time) *Term {
	t := &Term{hurry: make(chan struct{}, 1), until: until}
	t.ctx, t.end = context.WithCancel(parent)
	t.timer = time.AfterFunc(time.Until(until), t.timeout)
	context.AfterFunc(t.ctx, func() { t.timer.Stop() })
	return t
}

// timeout ends the term unless an extension came in between.
func (t *Term) timeout() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if left := time.Until(t.until); left > 0 {
		t.timer.Reset(left)
		return
	}
	t.end()
}

// Extend moves the end on. A term that is over stays so, even if nobody has noticed yet: a process that was stopped for a while must not
// come back into a term which another may have begun meanwhile.
func (t *Term) Extend(until time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !time.Now().Before(t.until) {
		t.end()
		return
	}
	if until.After(t.until) {
		t.until = until
		t.timer.Reset(time.Until(until))
	}
}

// End ends the term.
func (t *Term) End() { t.end() }

// Done is closed when the term is over.
func (t *Term) Done() <-chan struct{} { return t.ctx.Done() }

// Over reports whether the term is over.
func (t *Term) Over() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ctx.Err() != nil || !time.Now().Before(t.until)
}

// Within returns a context that ends with ctx, with the term, or after a time.
func (t *Term) Within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, d)
	stop := context.AfterFunc(t.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// Announce writes what others are to read of the holder, again until that works. It succeeds only if the term has lasted until then, and ends it if
// the write shows that the lease is lost.
func (t *Term) Announce(ctx context.Context, trouble Backoff, write func(context.Context) error) error {
	err := trouble.Do(ctx, func(ctx context.Context) error {
		if t.Over() {
			return port.ErrLeaseLost
		}
		return write(ctx)
	})
	if t.Over() || errors.Is(err, port.ErrLeaseLost) {
		t.end()
		return fmt.Errorf("%s: %w", trouble.What, port.ErrLeaseLost)
	}
	return err
}

// Hurry makes Keep renew at once: something was heard of the lease.
func (t *Term) Hurry() {
	select {
	case t.hurry <- struct{}{}:
	default: // it is to hurry already
	}
}

// Keep renews until the term is over: each interval, and after an error again with back-off. Each try may take one interval. renew returns
// until when the term lasts now, zero if that has not changed; port.ErrLeaseLost ends the term. What goes wrong is logged when it begins.
func (t *Term) Keep(every time.Duration, log *slog.Logger, renew func(context.Context) (time.Time, error)) {
	timer := time.NewTimer(every)
	defer timer.Stop()
	wait := every / 16
	failing := false
	for {
		select {
		case <-t.ctx.Done():
			return
		case <-timer.C:
		case <-t.hurry:
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.ctx, every)
		until, err := renew(ctx)
		cancel()
		if !until.IsZero() {
			t.Extend(until)
		}
		switch {
		case errors.Is(err, port.ErrLeaseLost):
			log.Warn("the lease is another's, or gone", "error", err)
			t.end()
			return
		case err != nil && t.ctx.Err() != nil:
			return
		case err != nil:
			if !failing {
				log.Warn("the lease cannot be renewed; trying until its time has run out", "error", err)
			}
			failing = true
			timer.Reset(wait)
			wait = min(2*wait, every)
		default:
			timer.Reset(max(every-time.Since(began), 0))
			wait, failing = every/16, false
		}
	}
}
