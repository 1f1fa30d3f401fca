package actors

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"citystream/engine/commitlog"
	"citystream/engine/port"
	"citystream/messages"
)

// slowStore takes its time for a part, and notes how many were on their way together.
type slowStore struct {
	port.Store
	now, most, all atomic.Int64
}

func (s *slowStore) UploadPart(ctx context.Context, key, upload string, number int32, body []byte) (port.Part, error) {
	now := s.now.Add(1)
	defer s.now.Add(-1)
	for m := s.most.Load(); now > m && !s.most.CompareAndSwap(m, now); m = s.most.Load() {
	}
	s.all.Add(1)
	select {
	case <-time.After(20 * time.Millisecond): // what a store far away takes
	case <-ctx.Done():
	}
	return s.Store.UploadPart(ctx, key, upload, number, body)
}

func TestPartsOfManyPartitionsGoToTheStoreFewAtATime(t *testing.T) {
	t.Parallel()
	const partitions, uploads = 24, 3
	c := newCityOf(t, partitions)
	store := &slowStore{Store: c.store}
	c.node.Store, c.node.Uploads = store, uploads
	for p := range partitions {
		c.produce(p, 0, 10)
	}
	system := NewSystem(c.node.Log)
	defer system.Shutdown()
	cluster, err := StartCluster(system, c.node, commitlog.Epoch(1), 1)
	if err != nil {
		t.Fatal(err)
	}
	c.until(cluster, "all rows", func(rows int64, _ *messages.Status) bool { return rows == 10*partitions })
	if err := cluster.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if most := store.most.Load(); most != uploads || store.all.Load() < partitions {
		t.Errorf("%d of %d parts were on their way at the same time, want %d", most, store.all.Load(), uploads)
	}
}
