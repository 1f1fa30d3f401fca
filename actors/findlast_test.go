package actors

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"

	"citystream/engine/commitlog"
	"citystream/engine/enginetest"
	"citystream/engine/port"
)

// countingStore counts the requests to a store.
type countingStore struct {
	port.Store
	requests atomic.Int64
}

func (s *countingStore) Get(ctx context.Context, key string) ([]byte, string, error) {
	s.requests.Add(1)
	return s.Store.Get(ctx, key)
}

func (s *countingStore) List(ctx context.Context, prefix, after string, limit int) ([]port.Object, error) {
	s.requests.Add(1)
	return s.Store.List(ctx, prefix, after, limit)
}

func TestTheEndOfALogIsFoundWithFewRequests(t *testing.T) {
	for name, c := range map[string]struct {
		from, last commitlog.Slot // the slots that exist; of those before only the number counts
		hint       commitlog.Slot // 0: none yet
		requests   int64
	}{
		"no entry":                          {from: 0, last: -1, requests: 1},
		"one entry":                         {from: 0, last: 0, requests: 1},
		"one less than a hint needs":        {from: 0, last: hintEvery - 2, requests: 1},
		"as many as a hint needs, less one": {from: 0, last: hintEvery - 1, requests: 3},
		"the first hint is not written yet": {from: 0, last: hintEvery, requests: 3},
		"the first hint":                    {from: 0, last: hintEvery, hint: hintEvery, requests: 3},
		"a million":                         {from: 998_800, last: 1_000_000, hint: 999_900, requests: 3},
		"a million, hints have failed":      {from: 998_800, last: 1_000_000, hint: 998_900, requests: 4},
		"a million, most are deleted":       {from: 999_990, last: 1_000_000, hint: 999_900, requests: 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStretch(t, enginetest.NewFaults())
			for slot := c.from; slot <= c.last; slot++ {
				if err := s.store.Put(t.Context(), s.log.Key(slot), []byte("{}")); err != nil {
					t.Fatal(err)
				}
			}
			if c.hint > 0 {
				if err := s.store.Put(t.Context(), s.log.HintKey(), encodeHint(c.hint)); err != nil {
					t.Fatal(err)
				}
			}
			store := &countingStore{Store: s.store}
			got, err := lastSlot(t.Context(), store, s.log, &retries{log: slog.New(slog.DiscardHandler), metrics: s.node.Metrics})
			if err != nil || got != c.last || store.requests.Load() > c.requests {
				t.Errorf("slot %d, %v, with %d requests; want %d with %d at most", got, err, store.requests.Load(), c.last, c.requests)
			}
		})
	}
}
