package objectstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"citystream/cluster/lease/term"
	"citystream/engine/port"
)

// A reign is the lease held, or the try to get it.
type reign struct {
	lease *Lease
	id    string
	term  *term.Term // nil until it is won

	writing chan struct{} // one writes at a time: whoever has put something in. It guards what follows.
	leader  port.Leader
	written int64               // the sequence number of the last writing that was sent
	sent    map[int64]time.Time // when those were sent that the store may still turn out to have
}

func newReign(l *Lease, candidate port.Leader) *reign {
	return &reign{lease: l, id: rand.Text(), leader: candidate, writing: make(chan struct{}, 1), sent: map[int64]time.Time{}}
}

// claim writes the record over one that is free, or finds that an earlier claim of its own has taken effect although its answer was lost.
func (r *reign) claim(ctx context.Context, s sighting) error {
	until := r.confirmed(s.record)
	if !time.Now().Before(until) { // another's, or an own one that was found too late to be of use
		ctx, cancel := context.WithTimeout(ctx, r.lease.ttl/2)
		defer cancel()
		var err error
		if until, err = r.put(ctx, s.etag, false); err != nil {
			return err
		}
	}
	t := term.New(r.lease.ctx, until)
	if t.Over() {
		t.End()
		return errors.New("the store took longer than the lease lasts")
	}
	r.term = t
	r.lease.mu.Lock()
	defer r.lease.mu.Unlock()
	if err := r.lease.ctx.Err(); err != nil {
		return err
	}
	r.lease.running.Go(func() { t.Keep(r.lease.ttl/4, r.lease.log, r.renew) })
	return nil
}

// put writes the record with a new number, if what is there has the given ETag. It returns until when the writer may believe in it.
func (r *reign) put(ctx context.Context, etag string, released bool) (time.Time, error) {
	r.written++
	rec := record{Leader: r.leader, Holder: r.id, Sequence: r.written, TTLMillis: r.lease.ttl.Milliseconds(), Released: released}
	sent := time.Now()
	r.sent[r.written] = sent
	var err error
	if etag == "" {
		err = r.lease.store.PutIfAbsent(ctx, key, rec.encode())
	} else {
		err = r.lease.store.PutIfMatch(ctx, key, rec.encode(), etag)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("write the lease: %w", err)
	}
	return sent.Add(r.lease.safe()), nil
}

// confirmed returns until when a record that was read lets its writer believe in itself, and forgets the writings before it; zero if it is another's.
func (r *reign) confirmed(rec record) time.Time {
	sent, ok := r.sent[rec.Sequence]
	if rec.Holder != r.id || !ok {
		return time.Time{}
	}
	for n := range r.sent {
		if n < rec.Sequence {
			delete(r.sent, n)
		}
	}
	return sent.Add(r.lease.safe())
}

// renew writes the record anew. It reads it before, since a writing tells no ETag; that also shows which of the writings without an answer took
// effect. A conflict may be one of these, so it is followed by another look and not by stepping down.
func (r *reign) renew(ctx context.Context) (time.Time, error) {
	select {
	case r.writing <- struct{}{}:
		defer func() { <-r.writing }()
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	}
	return r.write(ctx, false)
}

// write does what renew says; the caller has the turn to write. The moment may be later than before even if there is an error.
func (r *reign) write(ctx context.Context, released bool) (until time.Time, err error) {
	before := r.written
	for try := 1; ; try++ {
		rec, etag, err := r.lease.read(ctx)
		switch {
		case errors.Is(err, port.ErrNotFound):
			return until, port.ErrLeaseLost
		case err != nil:
			return until, err
		case rec.Holder != r.id:
			return until, port.ErrLeaseLost
		}
		if u := r.confirmed(rec); u.After(until) {
			until = u
		}
		if rec.Sequence > before { // it has taken effect: the conflict was with itself
			return until, nil
		}
		if rec.Released {
			return until, port.ErrLeaseLost
		}
		u, err := r.put(ctx, etag, released)
		switch {
		case err == nil:
			return u, nil
		case try == 2, !errors.Is(err, port.ErrConflict) && !errors.Is(err, port.ErrNotFound):
			return until, err
		}
	}
}

// Done implements port.Reign.
func (r *reign) Done() <-chan struct{} { return r.term.Done() }

// Announce implements port.Reign.
func (r *reign) Announce(ctx context.Context, leader port.Leader) error {
	return r.term.Announce(ctx, r.trouble("announce the leader"), func(ctx context.Context) error { return r.announce(ctx, leader) })
}

func (r *reign) announce(ctx context.Context, leader port.Leader) error {
	select {
	case r.writing <- struct{}{}:
		defer func() { <-r.writing }()
	case <-r.term.Done():
		return port.ErrLeaseLost
	case <-ctx.Done():
		return ctx.Err()
	}
	ctx, cancel := r.term.Within(ctx, r.lease.ttl/4)
	defer cancel()
	r.leader = leader // also if this try fails: the next renewal tells it then
	until, err := r.write(ctx, false)
	if !until.IsZero() {
		r.term.Extend(until)
	}
	return err
}

// Release implements port.Reign. The record stays and says that it was released.
func (r *reign) Release(ctx context.Context) error {
	r.term.End()
	select {
	case r.writing <- struct{}{}:
		defer func() { <-r.writing }()
	case <-ctx.Done():
		return fmt.Errorf("release the lease: %w", ctx.Err())
	}
	trouble := r.trouble("release the lease")
	err := trouble.Do(ctx, r.release)
	if err == nil || errors.Is(err, port.ErrLeaseLost) { // lost: another's already, or an earlier try has done it
		return nil
	}
	return err
}

func (r *reign) trouble(what string) term.Backoff {
	return term.Backoff{Log: r.lease.log, What: what, Max: r.lease.ttl / 4}
}

func (r *reign) release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.lease.ttl/2)
	defer cancel()
	_, err := r.write(ctx, true)
	return err
}
