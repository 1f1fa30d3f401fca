package actors

import (
	"sync"
	"sync/atomic"
	"testing"
)

func TestEverythingScheduledRunsOnceAndOnFewGoroutines(t *testing.T) {
	t.Parallel()
	s := newStacks()
	const schedulers, each = 8, 2000
	var ran [schedulers * each]atomic.Int32
	var at, most atomic.Int32
	var all sync.WaitGroup
	all.Add(len(ran))
	for i := range schedulers {
		go func() {
			for j := range each {
				s.Schedule(func() {
					defer all.Done()
					now := at.Add(1)
					for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
					}
					ran[i*each+j].Add(1)
					at.Add(-1)
				})
			}
		}()
	}
	all.Wait()
	for i := range ran {
		if n := ran[i].Load(); n != 1 {
			t.Fatalf("function %d ran %d times", i, n)
		}
	}
	if int(most.Load()) > s.most {
		t.Errorf("%d ran at the same time, at most %d may", most.Load(), s.most)
	}
}

func TestWhatIsScheduledWhileItRunsRunsToo(t *testing.T) {
	t.Parallel()
	s := &stacks{most: 1}
	done := make(chan struct{})
	var again func(n int) func()
	again = func(n int) func() {
		return func() {
			if n == 0 {
				close(done)
				return
			}
			s.Schedule(again(n - 1))
		}
	}
	s.Schedule(again(1000))
	<-done
}
