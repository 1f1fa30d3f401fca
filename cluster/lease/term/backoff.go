package term

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"citystream/engine/port"
)

const (
	waitMin = 20 * time.Millisecond
	again   = time.Minute // how often trouble that goes on is logged again
)

// A Backoff waits between the tries of one call, each time twice as long up to Max, shortened at random by up to a half so that many that
// failed together do not come back together. Trouble is logged when it begins and once a minute. Not safe for concurrent use.
type Backoff struct {
	Log  *slog.Logger
	What string // is tried
	Max  time.Duration

	wait          time.Duration
	since, logged time.Time
}

// Pause waits after a try that failed with err. It returns nil, or ctx's error with err beside it.
func (b *Backoff) Pause(ctx context.Context, err error) error {
	now := time.Now()
	if b.since.IsZero() {
		b.since = now
	}
	if ctx.Err() == nil && now.Sub(b.logged) >= again {
		b.Log.Warn("trying again until it works", "what", b.What, "error", err, "waiting", now.Sub(b.since).Round(time.Second))
		b.logged = now
	}
	b.wait = min(max(2*b.wait, waitMin), b.Max)
	if !Sleep(ctx, b.wait/2+rand.N(b.wait/2+1)) {
		return fmt.Errorf("%s: %w (%w)", b.What, ctx.Err(), err)
	}
	return nil
}

// Answered begins the back-off anew.
func (b *Backoff) Answered() {
	if !b.logged.IsZero() {
		b.Log.Info("answered again", "what", b.What, "after", time.Since(b.since).Round(time.Millisecond))
	}
	b.wait, b.since, b.logged = 0, time.Time{}, time.Time{}
}

// Sleep waits; it returns false if ctx ended first.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// Do tries until it works, until the lease turns out to be lost, or until ctx ends.
func (b *Backoff) Do(ctx context.Context, try func(context.Context) error) error {
	for {
		err := try(ctx)
		if err == nil || errors.Is(err, port.ErrLeaseLost) {
			return err
		}
		if err := b.Pause(ctx, err); err != nil {
			return err
		}
	}
}
