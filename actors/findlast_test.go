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

func TestTheEndOfALogOfAMillionEntriesIsFoundWithThreeRequests(t *testing.T) {
	s := newStretch(t, enginetest.NewFaults())
	const last = commitlog.Slot(1_000_000)
	for slot := last - 1200; slot <= last; slot++ { // of those before only the number counts
		if err := s.store.Put(t.Context(), s.log.Key(slot), []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.store.Put(t.Context(), s.log.HintKey(), encodeHint(last-last%hintEvery-hintEvery)); err != nil {
		t.Fatal(err)
	}
	store := &countingStore{Store: s.store}
	got, err := lastSlot(t.Context(), store, s.log, &retries{log: slog.New(slog.DiscardHandler), metrics: s.node.Metrics})
	if err != nil || got != last || store.requests.Load() > 3 {
		t.Errorf("slot %d, %v, with %d requests", got, err, store.requests.Load())
	}
}
