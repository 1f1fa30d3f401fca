package remote

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// quiet is a log for protoactor. What it tells of its normal life goes to debug, what follows from a line that is told already too, and a node
// that is away is told of once in a while, not with each message to it. Messages are named by their types: their contents are the users'.
type quiet struct {
	inner slog.Handler
	told  *told // shared by all that come from one
}

func newQuiet(inner slog.Handler) *quiet {
	return &quiet{inner: inner, told: &told{last: map[string]time.Time{}}}
}

// Lines of protoactor that are more or less than their level says.
var levels = map[string]slog.Level{
	"EndpointWriter failed to connect": slog.LevelWarn,
	"EndpointWriter lost connection":   slog.LevelWarn,
	"EndpointReader failed to read":    slog.LevelDebug, // the gate and the handshake have told why

	// Followed by "failed to connect" with the same error.
	"EndpointWriter failed to create receive stream":    slog.LevelDebug,
	"EndpointWriter failed to send connect request":     slog.LevelDebug,
	"EndpointWriter failed to receive connect response": slog.LevelDebug,

	"EndpointWatcher receive message for already terminated endpoint": slog.LevelDebug,
	"EndpointReader failed to get local process":                      slog.LevelDebug, // an unwatch of an actor that has ended
}

// Enabled implements slog.Handler.
func (q *quiet) Enabled(ctx context.Context, level slog.Level) bool {
	if level <= slog.LevelInfo {
		level = slog.LevelDebug
	}
	return q.inner.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (q *quiet) Handle(ctx context.Context, r slog.Record) error {
	level := r.Level
	if other, ok := levels[r.Message]; ok {
		level = other
	}
	if level <= slog.LevelInfo {
		level = slog.LevelDebug
	}
	out := slog.NewRecord(r.Time, level, r.Message, r.PC)
	about := r.Message
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "message" && a.Value.Kind() == slog.KindAny {
			a = slog.String("message", fmt.Sprintf("%T", a.Value.Any()))
		}
		if a.Key == "address" {
			about += a.Value.String()
		}
		out.AddAttrs(a)
		return true
	})
	if level == slog.LevelWarn && q.told.lately(about, r.Time) {
		out.Level = slog.LevelDebug
	}
	if !q.inner.Enabled(ctx, out.Level) {
		return nil
	}
	return q.inner.Handle(ctx, out)
}

// WithAttrs implements slog.Handler.
func (q *quiet) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &quiet{inner: q.inner.WithAttrs(attrs), told: q.told}
}

// WithGroup implements slog.Handler.
func (q *quiet) WithGroup(name string) slog.Handler {
	return &quiet{inner: q.inner.WithGroup(name), told: q.told}
}

// Of warnings.
const (
	warnEvery = 30 * time.Second // about one peer
	toldMax   = 1024             // that are remembered
)

// told remembers what was warned of. Safe for concurrent use.
type told struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// lately says whether something was told already within warnEvery; if not, it counts as told now.
func (t *told) lately(what string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if last, ok := t.last[what]; ok && now.Sub(last) < warnEvery {
		return true
	}
	if len(t.last) >= toldMax {
		clear(t.last)
	}
	t.last[what] = now
	return false
}
