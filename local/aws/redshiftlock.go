package aws

import (
	"context"
	"slices"
	"sync"
)

// rsLocks are the locks that LOCK takes: one transaction has a table for itself until it ends, and waits for all that touched the table before.
// Names stand for tables of this name in any schema, and anything in a statement may be a name: it is better to wait once too often.
// Safe for concurrent use.
type rsLocks struct {
	mu      sync.Mutex
	holders map[string]*rsTransaction          // of the locks, by name
	users   map[string]map[*rsTransaction]bool // who touched a name
	changed chan struct{}                      // closed when a transaction ends
}

// An rsTransaction is one transaction as the locks see it. One goroutine uses it.
type rsTransaction struct {
	locks *rsLocks
	waits []*rsTransaction // for whom it waits now; under the locks' mutex
	names []string
}

func newRSLocks() *rsLocks {
	return &rsLocks{holders: map[string]*rsTransaction{}, users: map[string]map[*rsTransaction]bool{}, changed: make(chan struct{})}
}

func (l *rsLocks) begin() *rsTransaction { return &rsTransaction{locks: l} }

// lock waits until the transaction has a table for itself.
func (t *rsTransaction) lock(ctx context.Context, name string) error {
	return t.wait(ctx, func() (blockers []*rsTransaction) {
		if h := t.locks.holders[name]; h != nil && h != t {
			return []*rsTransaction{h}
		}
		for u := range t.locks.users[name] {
			if u != t {
				blockers = append(blockers, u)
			}
		}
		if len(blockers) == 0 {
			t.locks.holders[name] = t
			t.note(name)
		}
		return blockers
	})
}

// touch waits until no other transaction has any of the names for itself.
func (t *rsTransaction) touch(ctx context.Context, names []string) error {
	return t.wait(ctx, func() (blockers []*rsTransaction) {
		for _, name := range names {
			if h := t.locks.holders[name]; h != nil && h != t {
				blockers = append(blockers, h)
			}
		}
		if len(blockers) == 0 {
			for _, name := range names {
				t.note(name)
			}
		}
		return blockers
	})
}

func (t *rsTransaction) note(name string) {
	if t.locks.users[name] == nil {
		t.locks.users[name] = map[*rsTransaction]bool{}
	}
	if !t.locks.users[name][t] {
		t.locks.users[name][t] = true
		t.names = append(t.names, name)
	}
}

// wait tries until nobody is in the way. Whoever would close a circle of waiting ends with an error instead.
func (t *rsTransaction) wait(ctx context.Context, try func() []*rsTransaction) error {
	l := t.locks
	for {
		l.mu.Lock()
		t.waits = try()
		blocked, circle, changed := len(t.waits) > 0, t.waitsFor(t, nil), l.changed
		if circle {
			t.waits = nil
		}
		l.mu.Unlock()
		switch {
		case !blocked:
			return nil
		case circle:
			return &redshiftError{"deadlock detected", -1}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// waitsFor tells whether t waits for another transaction, by however many in between.
func (t *rsTransaction) waitsFor(other *rsTransaction, seen []*rsTransaction) bool {
	for _, w := range t.waits {
		if w == other || !slices.Contains(seen, w) && w.waitsFor(other, append(seen, w)) {
			return true
		}
	}
	return false
}

// end gives all locks back.
func (t *rsTransaction) end() {
	l := t.locks
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range t.names {
		delete(l.users[name], t)
		if len(l.users[name]) == 0 {
			delete(l.users, name)
		}
		if l.holders[name] == t {
			delete(l.holders, name)
		}
	}
	t.names, t.waits = nil, nil
	close(l.changed)
	l.changed = make(chan struct{})
}
