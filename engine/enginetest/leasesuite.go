package enginetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"citystream/engine/port"
)

// A LeaseLab is a place for one lease: a store of the test's own, or a name in one that is shared.
type LeaseLab struct {
	TTL  time.Duration
	Open func(t *testing.T, link *Link) port.Lease // what one node has; the test closes it
	Take func(t *testing.T)                        // takes the lease away from whoever holds it, as an operator might
}

// LeaseSuite is what every port.Lease must do.
func LeaseSuite(t *testing.T, start func(t *testing.T) LeaseLab) {
	t.Run("nothing runs on after Close", func(t *testing.T) { leaseLeavesNothing(t, start(t)) }) // alone: it counts goroutines
	for _, test := range []struct {
		name string
		run  func(*testing.T, LeaseLab)
	}{
		{"of eight candidates exactly one leads, and each gets its turn", leaseOneOfEight},
		{"everybody may ask who leads", leaseLeader},
		{"a release that is repeated or late changes nothing", leaseReleaseAgain},
		{"what is announced is read, and a lost lease refuses it", leaseAnnounce},
		{"a holder that is cut off knows before another leads", func(t *testing.T, lab LeaseLab) { leaseBefore(t, lab, (*Link).Cut) }},
		{"a holder whose renewals are held up knows before another leads", func(t *testing.T, lab LeaseLab) { leaseBefore(t, lab, (*Link).Freeze) }},
		{"a holder that has stopped believing in itself is in nobody's way", leaseResigned},
		{"a lease is kept", leaseKept},
		{"short trouble is survived", leaseShortTrouble},
		{"a lost answer does not lose the lease", leaseLostAnswers},
		{"a lost answer does not keep the lease from anybody", leaseLostAcquire},
		{"a lease that is taken away is over", leaseTaken},
		{"the end of the connections ends the reign", leaseClosed},
		{"a candidate waits for a store that is away", leaseAway},
		{"a candidate can be called off", leaseCancelled},
		{"a release does not wait longer than it may", leaseReleaseCancelled},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, start(t))
		})
	}
}

// open returns a node's lease, closed at the test's end.
func (lab LeaseLab) open(t *testing.T) (port.Lease, *Link) {
	t.Helper()
	link := NewLink()
	l := lab.Open(t, link)
	t.Cleanup(func() {
		link.Heal()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l, link
}

// acquire returns the lease held, which must not take longer than a dead holder may have it and the machine may be slow.
func acquire(t *testing.T, l port.Lease, name string) port.Reign {
	t.Helper()
	r, err := l.Acquire(within(t), candidate(name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return r
}

func candidate(name string) port.Leader { return port.Leader{Name: name, Address: name + ":7000"} }

func release(t *testing.T, r port.Reign) {
	t.Helper()
	if err := r.Release(within(t)); err != nil {
		t.Fatal(err)
	}
}

func over(r port.Reign) bool {
	select {
	case <-r.Done():
		return true
	default:
		return false
	}
}

func wantOver(t *testing.T, r port.Reign, what string) {
	t.Helper()
	select {
	case <-r.Done():
	case <-within(t).Done():
		t.Fatalf("%s, and the holder does not know", what)
	}
}

func wantHeld(t *testing.T, r port.Reign, name string) {
	t.Helper()
	if over(r) {
		t.Error("a stale release ends the reign of another")
	}
	if err := r.Announce(within(t), candidate(name)); err != nil { // a write proves it
		t.Error(err)
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() error) {
	t.Helper()
	ctx := within(t)
	for {
		err := holds()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func leads(t *testing.T, l port.Lease, want port.Leader) {
	t.Helper()
	eventually(t, "the leader is read", func() error {
		got, err := l.Leader(within(t))
		if err == nil && got != want {
			err = fmt.Errorf("it is %+v, want %+v", got, want)
		}
		return err
	})
}

func leaseOneOfEight(t *testing.T, lab LeaseLab) {
	type turn struct {
		name  string
		reign port.Reign
		err   error
	}
	won := make(chan turn, 8)
	for i := range 8 {
		l, _ := lab.open(t)
		name := fmt.Sprintf("node-%d", i)
		go func() {
			r, err := l.Acquire(within(t), candidate(name))
			won <- turn{name, r, err}
		}()
	}
	led := map[string]bool{}
	var slowest time.Duration
	for released := time.Now(); len(led) < 8; released = time.Now() {
		now := <-won
		if now.err != nil {
			t.Fatal(now.err)
		}
		if len(led) > 0 {
			slowest = max(slowest, time.Since(released))
		}
		led[now.name] = true
		select {
		case other := <-won:
			t.Fatalf("%s leads although %s does (%v)", other.name, now.name, other.err)
		case <-now.reign.Done():
			t.Fatalf("%s has lost the lease", now.name)
		case <-time.After(lab.TTL / 4):
		}
		release(t, now.reign)
	}
	t.Logf("slowest handover after a release: %s", slowest.Round(time.Millisecond))
	if slowest > lab.TTL {
		t.Errorf("a release was of no use: the next one led %s later", slowest)
	}
}

func leaseLeader(t *testing.T, lab LeaseLab) {
	a, _ := lab.open(t)
	b, _ := lab.open(t)
	if got, err := b.Leader(within(t)); !errors.Is(err, port.ErrNoLeader) {
		t.Fatalf("nobody leads, but the leader is %+v, %v", got, err)
	}
	r := acquire(t, a, "a")
	for _, l := range []port.Lease{a, b} { // at once: somebody new believes what it sees
		if got, err := l.Leader(within(t)); err != nil || got != candidate("a") {
			t.Fatalf("the leader is %+v, %v", got, err)
		}
	}
	release(t, r)
	for _, l := range []port.Lease{a, b} {
		if got, err := l.Leader(within(t)); !errors.Is(err, port.ErrNoLeader) {
			t.Fatalf("released, but the leader is %+v, %v", got, err)
		}
	}
}

func leaseReleaseAgain(t *testing.T, lab LeaseLab) {
	a, link := lab.open(t)
	b, _ := lab.open(t)
	r := acquire(t, a, "a")
	release(t, r)
	s := acquire(t, b, "b")
	release(t, r) // again
	wantHeld(t, s, "b")
	release(t, s)
	r = acquire(t, a, "a")
	link.Cut()
	s = acquire(t, b, "b")
	wantOver(t, r, "another leads")
	link.Heal()
	release(t, r) // of one that has lost it
	wantHeld(t, s, "b")
}

func leaseAnnounce(t *testing.T, lab LeaseLab) {
	a, link := lab.open(t)
	b, _ := lab.open(t)
	r := acquire(t, a, "a")
	want := candidate("a")
	for want.Epoch = 1; want.Epoch <= 3; want.Epoch++ {
		if err := r.Announce(within(t), want); err != nil {
			t.Fatal(err)
		}
		if got, err := b.Leader(within(t)); err != nil || got != want {
			t.Fatalf("the leader is %+v, %v; want %+v", got, err, want)
		}
	}
	link.Cut()
	s := acquire(t, b, "b")
	link.Heal()
	if err := r.Announce(within(t), want); !errors.Is(err, port.ErrLeaseLost) {
		t.Errorf("announcing with a lost lease: %v", err)
	}
	leads(t, a, candidate("b"))
	release(t, s)
	if err := s.Announce(within(t), want); !errors.Is(err, port.ErrLeaseLost) {
		t.Errorf("announcing with a released lease: %v", err)
	}
	if got, err := a.Leader(within(t)); !errors.Is(err, port.ErrNoLeader) {
		t.Errorf("an announcement after the release has brought back %+v, %v", got, err)
	}
}

func leaseBefore(t *testing.T, lab LeaseLab, part func(*Link)) {
	a, link := lab.open(t)
	b, _ := lab.open(t)
	r := acquire(t, a, "a")
	leads(t, b, candidate("a"))
	ended := make(chan time.Time, 1)
	go func() { <-r.Done(); ended <- time.Now() }()
	parted := time.Now()
	part(link)
	s := acquire(t, b, "b")
	led := time.Now()
	if !over(r) {
		t.Fatal("another leads while the one before still believes in itself")
	}
	knew := <-ended
	t.Logf("knew after %s, another led after %s", knew.Sub(parted).Round(time.Millisecond), led.Sub(parted).Round(time.Millisecond))
	if knew.Sub(parted) > lab.TTL {
		t.Errorf("the holder was sure of itself for %s without its store", knew.Sub(parted))
	}
	if led.Sub(parted) > 3*lab.TTL {
		t.Errorf("it took %s until another led", led.Sub(parted))
	}
	link.Heal()
	if over(s) {
		t.Error("the new leader has lost the lease")
	}
	leads(t, a, candidate("b"))
}

// leaseResigned heals the link as soon as the holder has given up, when the store may not have.
func leaseResigned(t *testing.T, lab LeaseLab) {
	a, link := lab.open(t)
	b, _ := lab.open(t)
	r := acquire(t, a, "a")
	link.Cut()
	wantOver(t, r, "it was cut off")
	link.Heal()
	healed := time.Now()
	s := acquire(t, b, "b")
	if took := time.Since(healed); took > 2*lab.TTL {
		t.Errorf("it took another %s until another led", took)
	}
	release(t, r)
	if over(s) {
		t.Error("a late release ends the reign of another")
	}
	leads(t, a, candidate("b"))
}

func leaseKept(t *testing.T, lab LeaseLab) {
	a, _ := lab.open(t)
	r := acquire(t, a, "a")
	select {
	case <-r.Done():
		t.Fatal("lost without a reason")
	case <-time.After(3 * lab.TTL): // as long as it takes to see that it is renewed
	}
	if err := r.Announce(within(t), candidate("a")); err != nil {
		t.Fatal(err)
	}
}

func leaseShortTrouble(t *testing.T, lab LeaseLab) {
	a, link := lab.open(t)
	r := acquire(t, a, "a")
	for range 3 {
		link.Cut()
		time.AfterFunc(lab.TTL/16, link.Heal)
		if err := r.Announce(within(t), candidate("a")); err != nil {
			t.Fatal(err)
		}
	}
	if over(r) {
		t.Error("lost without a reason")
	}
}

func leaseLostAnswers(t *testing.T, lab LeaseLab) {
	a, link := lab.open(t)
	r := acquire(t, a, "a")
	want := candidate("a")
	for n := 1; n <= 3; n++ {
		want.Epoch++
		link.LoseAnswer(n) // of this announcement, or of renewals after it
		if err := r.Announce(within(t), want); err != nil {
			t.Fatal(err)
		}
		eventually(t, "an answer is lost", func() error {
			if !link.Lost() {
				return errors.New("none is")
			}
			return nil
		})
		if err := r.Announce(within(t), want); err != nil {
			t.Fatal(err)
		}
	}
	leads(t, a, want)
}

func leaseLostAcquire(t *testing.T, lab LeaseLab) {
	b, _ := lab.open(t)
	for n := 1; n <= 8; n++ {
		a, link := lab.open(t)
		link.LoseAnswer(n)
		r := acquire(t, a, "a")
		link.LoseAnswer(n % 3)
		release(t, r)
		if !over(r) {
			t.Fatal("released, but not over")
		}
		if got, err := b.Leader(within(t)); !errors.Is(err, port.ErrNoLeader) { // at once, not when the time has run out
			t.Fatalf("answer %d is lost: released, but the leader is %+v, %v", n%3, got, err)
		}
	}
}

func leaseTaken(t *testing.T, lab LeaseLab) {
	a, _ := lab.open(t)
	b, _ := lab.open(t)
	r := acquire(t, a, "a")
	leads(t, b, candidate("a"))
	lab.Take(t)
	wantOver(t, r, "the lease was taken away")
	if err := r.Announce(within(t), candidate("a")); !errors.Is(err, port.ErrLeaseLost) {
		t.Errorf("announcing: %v", err)
	}
	acquire(t, b, "b")
}

func leaseClosed(t *testing.T, lab LeaseLab) {
	b, _ := lab.open(t)
	link := NewLink()
	a := lab.Open(t, link)
	r := acquire(t, a, "a")
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if !over(r) {
		t.Error("closed, but the reign goes on")
	}
	if _, err := a.Acquire(within(t), candidate("a")); err == nil {
		t.Error("a lease that is closed was acquired")
	}
	acquire(t, b, "b")
}

func leaseAway(t *testing.T, lab LeaseLab) {
	a, link := lab.open(t)
	link.Cut()
	won := make(chan error, 1)
	go func() {
		_, err := a.Acquire(within(t), candidate("a"))
		won <- err
	}()
	select {
	case err := <-won:
		t.Fatalf("acquired without a store: %v", err)
	case <-time.After(lab.TTL / 2):
	}
	if got, err := a.Leader(within(t)); err == nil || errors.Is(err, port.ErrNoLeader) {
		t.Errorf("the store is away, but the leader is %+v, %v", got, err)
	}
	link.Heal()
	if err := <-won; err != nil {
		t.Fatal(err)
	}
}

func leaseCancelled(t *testing.T, lab LeaseLab) {
	a, _ := lab.open(t)
	b, link := lab.open(t)
	r := acquire(t, a, "a")
	for _, trouble := range []func(*Link){(*Link).Heal, (*Link).Cut, (*Link).Freeze} {
		trouble(link)
		ctx, cancel := context.WithTimeout(t.Context(), lab.TTL/8)
		_, err := b.Acquire(ctx, candidate("b"))
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("called off: %v", err)
		}
	}
	if over(r) {
		t.Error("the holder has lost the lease")
	}
	release(t, r)
	c, _ := lab.open(t)
	acquire(t, c, "c") // whoever gave up is in nobody's way
}

func leaseReleaseCancelled(t *testing.T, lab LeaseLab) {
	a, link := lab.open(t)
	r := acquire(t, a, "a")
	link.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), lab.TTL/8)
	defer cancel()
	began := time.Now()
	err := r.Release(ctx)
	if err == nil {
		t.Error("released without a store")
	}
	if took := time.Since(began); took > lab.TTL {
		t.Errorf("it took %s", took)
	}
	if !over(r) {
		t.Error("the reign goes on")
	}
}

// leaseLeavesNothing counts goroutines of leases and their clients.
func leaseLeavesNothing(t *testing.T, lab LeaseLab) {
	before := leaseGoroutines()
	var all []port.Lease
	for range 2 {
		all = append(all, lab.Open(t, NewLink()))
	}
	r := acquire(t, all[0], "a")
	leads(t, all[1], candidate("a"))
	ctx, cancel := context.WithTimeout(t.Context(), lab.TTL/8)
	defer cancel()
	if _, err := all[1].Acquire(ctx, candidate("b")); err == nil {
		t.Fatal("two lead")
	}
	release(t, r)
	acquire(t, all[1], "b")
	for _, l := range all {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	eventually(t, "all has ended", func() error {
		if now := leaseGoroutines(); len(now) > len(before) {
			return fmt.Errorf("%d goroutines more than before:\n%s", len(now)-len(before), strings.Join(now, "\n\n"))
		}
		return nil
	})
}

func leaseGoroutines() []string {
	buf := make([]byte, 4<<20)
	var found []string
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		for _, of := range []string{"citystream/cluster/lease/", "go-zookeeper/zk.", "go.etcd.io/etcd/client/v3."} {
			if strings.Contains(stack, of) && !strings.Contains(stack, "enginetest.LeaseSuite") {
				found = append(found, stack)
				break
			}
		}
	}
	return found
}
