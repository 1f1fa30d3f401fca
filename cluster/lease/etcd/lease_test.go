package etcd

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"citystream/engine/enginetest"
	"citystream/engine/port"
	"citystream/internal/etcdserver"
)

const ttl = 2 * time.Second // the shortest that etcd grants

func TestEtcdsLeaseIsALease(t *testing.T) {
	t.Parallel()
	server := etcdserver.Start(t)
	admin, err := clientv3.New(clientv3.Config{Endpoints: []string{server}, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Close() })
	var labs atomic.Int64
	enginetest.LeaseSuite(t, func(*testing.T) enginetest.LeaseLab {
		path := fmt.Sprintf("/cities/%d", labs.Add(1))
		return enginetest.LeaseLab{
			TTL:  ttl,
			Open: func(t *testing.T, link *enginetest.Link) port.Lease { return open(t, link.Addr(t, server), path) },
			Take: func(t *testing.T) {
				if got, err := admin.Delete(t.Context(), path+"/leader"); err != nil || got.Deleted != 1 {
					t.Fatalf("nobody to take it from: %v, %v", got, err)
				}
			},
		}
	})
}

func open(t *testing.T, server, path string) *Lease {
	t.Helper()
	l, err := New([]string{server}, path, ttl, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestWhichErrorsDoNotPass(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		rpctypes.ErrPermissionDenied: true, rpctypes.ErrInvalidAuthToken: true, rpctypes.ErrGRPCPermissionDenied: true,
		rpctypes.ErrLeaseNotFound: false, rpctypes.ErrNoLeader: false, context.DeadlineExceeded: false,
	} {
		if got := forGood(fmt.Errorf("read: %w", err)); got != want {
			t.Errorf("%v: %t", err, got)
		}
	}
}

func TestTimesAreRoundedUpToWholeSeconds(t *testing.T) {
	t.Parallel()
	for asked, want := range map[time.Duration]time.Duration{
		200 * time.Millisecond: time.Second, time.Second: time.Second, 1001 * time.Millisecond: 2 * time.Second,
	} {
		l, err := New([]string{"127.0.0.1:1"}, "/", asked, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if l.ttl != want {
			t.Errorf("%s: %s, want %s", asked, l.ttl, want)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}
