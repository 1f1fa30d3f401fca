package reign

import (
	"context"
	"sync"
	"testing"

	"citystream/engine/commitlog"
	"citystream/engine/enginetest"
)

func TestEveryReignHasAnEpochOfItsOwnAboveThoseBefore(t *testing.T) {
	t.Parallel()
	store := enginetest.NewFakeStore()
	var mu sync.Mutex
	seen := map[commitlog.Epoch]bool{}
	var masters sync.WaitGroup
	for range 8 {
		masters.Go(func() {
			epoch, err := Begin(context.Background(), store, 0)
			mu.Lock()
			defer mu.Unlock()
			if err != nil || epoch < 1 || seen[epoch] {
				t.Errorf("epoch %d, %v", epoch, err)
			}
			seen[epoch] = true
		})
	}
	masters.Wait()
	if epoch, err := Begin(context.Background(), store, 50); err != nil || epoch != 51 {
		t.Errorf("above 50 comes %d, %v", epoch, err)
	}
}
