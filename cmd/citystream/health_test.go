package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// runHealth runs health in this process.
func runHealth(t *testing.T, args ...string) error {
	t.Helper()
	c := root()
	c.SetArgs(append([]string{"health"}, args...))
	return c.ExecuteContext(t.Context())
}

func TestHealthSaysWhatThePageSays(t *testing.T) {
	t.Parallel()
	p, err := openPages("127.0.0.1:0", prometheus.NewRegistry(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := runHealth(t, "--url", p.url("healthz")); err != nil {
		t.Errorf("a node that waits for its services is not alive: %v", err)
	}
	if err := runHealth(t, "--url", p.url("readyz")); err == nil || !strings.Contains(err.Error(), errStarting.Error()) {
		t.Errorf("a node that is starting is ready: %v", err)
	}
	p.ready(func(context.Context) error { return errors.New("not registered with a master") })
	if err := runHealth(t, "--url", p.url("readyz")); err == nil || !strings.Contains(err.Error(), "503") || !strings.Contains(err.Error(), "not registered") {
		t.Errorf("a node that is not ready gets %v", err)
	}
	p.ready(func(context.Context) error { return nil })
	if err := runHealth(t, "--url", p.url("readyz")); err != nil {
		t.Errorf("a node that is ready gets %v", err)
	}
	if err := p.close(); err != nil {
		t.Fatal(err)
	}
	if err := runHealth(t, "--url", p.url("readyz")); err == nil {
		t.Error("a node that is gone is ready")
	}
}

func TestHealthRefusesWrongFlags(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--url", "127.0.0.1:9465"}, {"--url", "ftp://127.0.0.1/readyz"}, {"--timeout", "0s"}} {
		var usage usageError
		if err := runHealth(t, args...); !errors.As(err, &usage) {
			t.Errorf("%v gets %v", args, err)
		}
	}
}
