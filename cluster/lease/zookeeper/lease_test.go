//go:build kafka

package zookeeper

import (
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"citystream/engine/enginetest"
	"citystream/engine/port"
	"citystream/internal/apachezookeeper"
)

// The session's time, well within what the server allows.
const ttl = 3 * time.Second

func TestApacheZooKeepersLeaseIsALease(t *testing.T) {
	server := apachezookeeper.Start(t)
	var labs atomic.Int64
	enginetest.LeaseSuite(t, func(*testing.T) enginetest.LeaseLab {
		path := fmt.Sprintf("/cities/%d", labs.Add(1))
		return enginetest.LeaseLab{
			TTL: ttl,
			Open: func(t *testing.T, link *enginetest.Link) port.Lease {
				return New([]string{link.Addr(t, server)}, path, ttl, slog.New(slog.DiscardHandler))
			},
			Take: func(t *testing.T) { take(t, New([]string{server}, path, ttl, slog.New(slog.DiscardHandler))) },
		}
	})
}

// take deletes the leader's node.
func take(t *testing.T, l *Lease) {
	t.Helper()
	s, err := l.ask()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	nodes, err := l.nodes(t.Context(), s)
	if err != nil || len(nodes) == 0 {
		t.Fatalf("nobody to take it from: %v, %v", nodes, err)
	}
	if err := s.conn.Delete(l.candidates()+"/"+nodes[0], -1); err != nil {
		t.Fatal(err)
	}
}

func TestApacheZooKeeperSaysHowLongASessionLasts(t *testing.T) {
	server := apachezookeeper.Start(t)
	for asked, want := range map[time.Duration]time.Duration{
		100 * time.Millisecond: 2 * apachezookeeper.Tick, 3 * time.Second: 3 * time.Second, time.Minute: 20 * apachezookeeper.Tick,
	} {
		l := New([]string{server}, "/times", asked, slog.New(slog.DiscardHandler))
		r, err := l.Acquire(t.Context(), port.Leader{Name: "a"})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.(*reign).session.ttl(); got != want {
			t.Errorf("asked for %s: the session lasts %s, want %s", asked, got, want)
		}
		if err := errors.Join(r.Release(t.Context()), l.Close()); err != nil {
			t.Error(err)
		}
	}
}
