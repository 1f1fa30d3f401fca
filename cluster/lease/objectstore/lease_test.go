package objectstore

import (
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
