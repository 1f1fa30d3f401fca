package enginetest

import (
	"context"
	"errors"
	"sync"
)

// ErrCut is the error of a call over a link that is cut, or of one whose answer the link has lost.
var ErrCut = errors.New("the link is cut")

// A Link is the way from one node to what it depends on. It can be cut, which both sides notice, and frozen, which nobody notices but by
// waiting. Safe for concurrent use.
type Link struct {
	mu      sync.Mutex
	cut     bool
	frozen  bool
	lose    int           // the answer that gets lost, counted from 1; 0 is none
	changed chan struct{} // closed with each change
	onCut   map[any]func()
}

// NewLink returns a link that works.
func NewLink() *Link { return &Link{changed: make(chan struct{}), onCut: map[any]func(){}} }

func (l *Link) change(cut, frozen bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut, l.frozen = cut, frozen
	close(l.changed)
	l.changed = make(chan struct{})
	if cut {
		for _, f := range l.onCut {
			f()
		}
	}
}

// Cut makes everything fail that is under way or comes, until Heal.
func (l *Link) Cut() { l.change(true, false) }

// Freeze holds up everything in both directions until Heal.
func (l *Link) Freeze() { l.change(false, true) }

// Heal lets everything pass again.
func (l *Link) Heal() { l.change(false, false) }

// LoseAnswer lets the nth answer from now on get lost: what was asked for is done, and who asked sees an error.
func (l *Link) LoseAnswer(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lose = n
}

// Lost reports whether the answer that was to get lost has been.
func (l *Link) Lost() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lose == 0
}

// pass waits while the link is frozen. Its error is ErrCut or ctx's.
func (l *Link) pass(ctx context.Context) error {
	for {
		l.mu.Lock()
		cut, frozen, changed := l.cut, l.frozen, l.changed
		l.mu.Unlock()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case cut:
			return ErrCut
		case !frozen:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// answer is pass for an answer.
func (l *Link) answer(ctx context.Context) error {
	if err := l.pass(ctx); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lose > 0 {
		if l.lose--; l.lose == 0 {
			return ErrCut
		}
	}
	return nil
}

// notify calls f when the link is cut, until forgotten.
func (l *Link) notify(f func()) (forget func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := new(int)
	l.onCut[k] = f
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.onCut, k)
	}
}
