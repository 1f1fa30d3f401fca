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
			begun, err := Begin(context.Background(), store, 0)
			epoch := begun.Epoch
			mu.Lock()
			defer mu.Unlock()
			if err != nil || epoch < 1 || seen[epoch] {
				t.Errorf("epoch %d, %v", epoch, err)
			}
			seen[epoch] = true
		})
	}
	masters.Wait()
	if begun, err := Begin(context.Background(), store, 50); err != nil || begun.Epoch != 51 {
		t.Errorf("above 50 comes %d, %v", begun.Epoch, err)
	}
}

func TestAReignIsFreshIfNoWorkerCanBeLeftOfTheOneBefore(t *testing.T) {
	t.Parallel()
	store := enginetest.NewFakeStore()
	begin := func(want Beginning) {
		t.Helper()
		if got, err := Begin(t.Context(), store, 0); err != nil || got != want {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
	endIdle := func(epoch commitlog.Epoch) {
		t.Helper()
		if err := EndIdle(t.Context(), store, epoch); err != nil {
			t.Error(err)
		}
	}
	begin(Beginning{1, true})
	begin(Beginning{2, false}) // the first has not said how it ended
	endIdle(1)                 // too late: it is not the last any more
	begin(Beginning{3, false})
	endIdle(3)
	begin(Beginning{4, true})
	begin(Beginning{5, false})
}
