package actors

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// Waits between two tries: from waitMin, doubled each time up to waitMax, each shortened at random by up to a half so that many that
// failed together do not come back together.
const (
	waitMin     = 50 * time.Millisecond
	waitMax     = 10 * time.Second
	retryLogged = time.Minute // how often a wait that goes on is logged again
)

// retries tries devices again until they answer, and shows what is waited for. One goroutine waits at a time; any may look.
type retries struct {
	log     *slog.Logger
	metrics *Metrics

	mu    sync.Mutex
	since time.Time // zero while nothing is waited for
	what  string
}

// waiting returns since when something is tried again and what it is; the zero time if nothing is.
func (r *retries) waiting() (since time.Time, what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.since, r.what
}

func (r *retries) note(since time.Time, what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.since, r.what = since, what
}

// do calls try until it succeeds, until ctx ends, or until the error is one that giveUp names; it returns that error, or ctx's. The
// wait is logged when it begins and once a minute.
func (r *retries) do(ctx context.Context, what string, giveUp func(error) bool, try func(context.Context) error) error {
	var began, logged time.Time
	defer r.note(time.Time{}, "")
	for wait := waitMin; ; wait = min(2*wait, waitMax) {
		err := try(ctx)
		switch {
		case err == nil:
			if !logged.IsZero() {
				r.log.Info("answered again", "what", what, "after", time.Since(began).Round(time.Millisecond))
			}
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case giveUp != nil && giveUp(err):
			return err
		}
		r.metrics.Retries.WithLabelValues(what).Inc()
		if began.IsZero() {
			began = time.Now()
		}
		if time.Since(logged) >= retryLogged {
			r.log.Warn("trying again until it works", "what", what, "error", err, "waiting", time.Since(began).Round(time.Second))
			logged = time.Now()
		}
		r.note(began, what+": "+err.Error())
		if !pause(ctx, wait) {
			return ctx.Err()
		}
	}
}

// pause waits for d, shortened at random by up to a half; it returns false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d/2 + rand.N(d/2+1))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
