package actors

import (
	"runtime"
	"sync"
)

// stacks is a dispatcher for many actors whose messages are short: a few goroutines run what is scheduled, one after another. The usual
// dispatcher starts a goroutine for each message, whose stack then grows anew each time: a third of the work of a vehicle's step.
//
// What waits is at most one function an actor. A goroutine ends when nothing waits.
type stacks struct {
	most int // goroutines: as many as processors

	mu      sync.Mutex
	waiting []func()
	running int
}

func newStacks() *stacks { return &stacks{most: runtime.GOMAXPROCS(0)} }

// Of stacks.
const (
	runAtOnce  = 16  // functions that a goroutine takes together
	throughput = 300 // messages of one actor before others have their turn: that of the usual dispatcher
)

// Schedule implements actor.Dispatcher.
func (s *stacks) Schedule(fn func()) {
	s.mu.Lock()
	s.waiting = append(s.waiting, fn)
	start := s.running < s.most
	if start {
		s.running++
	}
	s.mu.Unlock()
	if start {
		go s.run()
	}
}

// Throughput implements actor.Dispatcher.
func (s *stacks) Throughput() int { return throughput }

func (s *stacks) run() {
	var some [runAtOnce]func()
	for n := s.take(some[:]); n > 0; n = s.take(some[:]) {
		for i := range n {
			some[i]()
			some[i] = nil
		}
	}
}

// take moves what was scheduled last into some; without any the goroutine counts as ended.
func (s *stacks) take(some []func()) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := copy(some, s.waiting[max(0, len(s.waiting)-len(some)):])
	rest := len(s.waiting) - n
	clear(s.waiting[rest:])
	s.waiting = s.waiting[:rest]
	if n == 0 {
		s.running--
	}
	return n
}
