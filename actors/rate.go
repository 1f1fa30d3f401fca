package actors

import (
	"context"
	"math"
	"sync"
	"time"

	"citystream/engine/pipeline"
)

// rateTime is over how long a rate is smoothed.
const rateTime = 5 * time.Second

// rate is how many offsets a second a partition moves on, smoothed. It begins with the mean of what it has seen: from 0, a partition that has
// moved would look light at its new worker, and draw others there.
type rate struct {
	perSecond float64
	position  int64
	at        time.Time
	seen      time.Duration
}

func (r *rate) note(position int64, now time.Time) {
	if past := now.Sub(r.at); !r.at.IsZero() && past > 0 && position >= r.position {
		r.seen += past
		weight := max(1-math.Exp(-past.Seconds()/rateTime.Seconds()), past.Seconds()/r.seen.Seconds())
		r.perSecond += weight * (float64(position-r.position)/past.Seconds() - r.perSecond)
	}
	r.position, r.at = position, now
}

// flushed is when a partition has committed files last in this life, and why.
type flushed struct {
	owned  bool
	files  int64
	at     time.Time
	reason string
}

func (f *flushed) note(s pipeline.Status, now time.Time) {
	if f.owned && s.Counters.Files > f.files {
		f.at, f.reason = now, string(s.Reason)
	}
	f.owned, f.files = s.Owned, s.Counters.Files
}

// pace keeps the readers of a worker to so many records a second together. A nil pace does not wait.
type pace struct {
	perSecond float64

	mu   sync.Mutex
	free time.Time // when what was read before is paid for
}

// wait takes note of records that were read, and waits until there is time for more; it returns ctx's error if that ends first.
func (p *pace) wait(ctx context.Context, records int) error {
	if p == nil || records == 0 {
		return ctx.Err()
	}
	p.mu.Lock()
	now := time.Now()
	if p.free.Before(now) {
		p.free = now
	}
	due := p.free
	p.free = p.free.Add(time.Duration(float64(records) / p.perSecond * float64(time.Second)))
	p.mu.Unlock()
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return ctx.Err()
	}
}
