package objectstore

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"citystream/engine/enginetest"
	"citystream/engine/port"
)

func TestTheLeaseInABucketIsALease(t *testing.T) {
	t.Parallel()
	enginetest.LeaseSuite(t, func(*testing.T) enginetest.LeaseLab {
		store, ttl := enginetest.NewFakeStore(), time.Second
		return enginetest.LeaseLab{
			TTL: ttl,
			Open: func(_ *testing.T, link *enginetest.Link) port.Lease {
				return New(link.Store(store), ttl, slog.New(slog.DiscardHandler))
			},
			Take: func(t *testing.T) {
				if err := store.Delete(t.Context(), key); err != nil {
					t.Fatal(err)
				}
			},
		}
	})
}

func open(t *testing.T, store port.Store, ttl time.Duration) *Lease {
	t.Helper()
	l := New(store, ttl, slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// Each call of a reign fails once, before it takes effect and after.
func TestNoSingleFaultLosesTheLeaseOrLeavesItHeld(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, on := range []string{"Get lease.json", "PutIfAbsent lease.json", "PutIfMatch lease.json"} {
		for _, after := range []bool{false, true} {
			for call, fired := 1, true; fired; call++ {
				faults := enginetest.NewFaults(enginetest.Fault{On: on, Call: call, After: after})
				store := enginetest.NewFakeStore()
				l := open(t, faults.Life().Store(store), time.Minute)
				r, err := l.Acquire(ctx, port.Leader{Name: "a"})
				if err != nil {
					t.Fatalf("call %d of %s, after: %t: acquired: %v", call, on, after, err)
				}
				if err := r.Announce(ctx, port.Leader{Name: "a", Epoch: 7}); err != nil {
					t.Fatalf("call %d of %s, after: %t: announced: %v", call, on, after, err)
				}
				if got, err := open(t, store, time.Minute).Leader(ctx); err != nil || got.Epoch != 7 {
					t.Fatalf("call %d of %s, after: %t: the leader is %+v, %v", call, on, after, got, err)
				}
				if err := r.Release(ctx); err != nil {
					t.Fatalf("call %d of %s, after: %t: released: %v", call, on, after, err)
				}
				if _, err := open(t, store, time.Minute).Acquire(ctx, port.Leader{Name: "b"}); err != nil {
					t.Fatalf("call %d of %s, after: %t: acquired by the next one: %v", call, on, after, err)
				}
				fired = faults.Fired() > 0
			}
		}
	}
}

// retrying is a store whose client loses each answer of a conditional write, tries again by itself, and so is told of a conflict with itself.
type retrying struct{ port.Store }

func (s retrying) PutIfAbsent(ctx context.Context, key string, body []byte) error {
	return errors.Join(port.ErrConflict, s.Store.PutIfAbsent(ctx, key, body))
}

func (s retrying) PutIfMatch(ctx context.Context, key string, body []byte, etag string) error {
	return errors.Join(port.ErrConflict, s.Store.PutIfMatch(ctx, key, body, etag))
}

func TestAConflictWithItselfDoesNotLoseTheLease(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	store := enginetest.NewFakeStore()
	r, err := open(t, retrying{store}, time.Minute).Acquire(ctx, port.Leader{Name: "a"})
	if err != nil {
		t.Fatalf("acquired: %v", err)
	}
	if err := r.Announce(ctx, port.Leader{Name: "a", Epoch: 7}); err != nil {
		t.Error(err)
	}
	if err := r.Release(ctx); err != nil {
		t.Error(err)
	}
	if _, err := open(t, store, time.Minute).Acquire(ctx, port.Leader{Name: "b"}); err != nil {
		t.Errorf("acquired by the next one: %v", err)
	}
}

func TestAHoldersOwnTimeCounts(t *testing.T) {
	t.Parallel()
	store := enginetest.NewFakeStore()
	slow, hasty := open(t, store, time.Minute), open(t, store, 20*time.Millisecond)
	r, err := slow.Acquire(t.Context(), port.Leader{Name: "slow"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := hasty.Acquire(ctx, port.Leader{Name: "hasty"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("another with less patience: %v", err)
	}
	if got, err := hasty.Leader(t.Context()); err != nil || got.Name != "slow" {
		t.Errorf("the leader is %+v, %v", got, err)
	}
	if err := r.Release(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestARecordThatCannotBeReadIsWaitedOut(t *testing.T) {
	t.Parallel()
	store := enginetest.NewFakeStore()
	if err := store.Put(t.Context(), key, []byte("?")); err != nil {
		t.Fatal(err)
	}
	const ttl = 200 * time.Millisecond
	l := open(t, store, ttl)
	if got, err := l.Leader(t.Context()); !errors.Is(err, port.ErrNoLeader) {
		t.Errorf("the leader is %+v, %v", got, err)
	}
	began := time.Now()
	if _, err := open(t, store, ttl).Acquire(t.Context(), port.Leader{Name: "a"}); err != nil || time.Since(began) < ttl {
		t.Errorf("acquired after %s: %v", time.Since(began), err)
	}
}

type forbidden struct{ port.Store }

func (forbidden) Get(context.Context, string) ([]byte, string, error) {
	return nil, "", port.ErrForbidden
}

func TestWrongCredentialsAreNotWaitedOut(t *testing.T) {
	t.Parallel()
	if _, err := open(t, forbidden{}, time.Minute).Acquire(t.Context(), port.Leader{}); !errors.Is(err, port.ErrForbidden) {
		t.Error(err)
	}
}

// The package's comment says what a lease costs.
func TestALeaseCostsWhatItSays(t *testing.T) {
	t.Parallel()
	const ttl, times = 400 * time.Millisecond, 3
	store, holders, waiters := enginetest.NewFakeStore(), enginetest.NewFaults(), enginetest.NewFaults()
	if _, err := open(t, holders.Life().Store(store), ttl).Acquire(t.Context(), port.Leader{Name: "a"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), times*ttl)
	defer cancel()
	if _, err := open(t, waiters.Life().Store(store), ttl).Acquire(ctx, port.Leader{Name: "b"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	const get, put = "Get lease.json", "PutIfMatch lease.json"
	held, waited := holders.Calls(), waiters.Calls()
	if n := held[put]; n < 2 || n > 4*times {
		t.Errorf("%d renewals", n)
	}
	if n := held[get]; n > 4*times+2 {
		t.Errorf("the holder has read %d times", n)
	}
	if n := waited[get]; n < 2 || n > 10*times || len(waited) > 1 { // an eighth, less what it is shortened at random
		t.Errorf("the candidate's calls: %v", waited)
	}
}
