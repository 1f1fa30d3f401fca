package remote

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// stream is a stream of which only the context is looked at.
type stream struct{ grpc.ServerStream }

func (stream) Context() context.Context { return context.Background() }

func TestAPanicBehindTheGateEndsItsStreamOnly(t *testing.T) {
	t.Parallel()
	said := &bytes.Buffer{}
	g := &gate{log: slog.New(slog.NewTextHandler(said, nil))}
	err := g.stream(nil, stream{}, nil, func(any, grpc.ServerStream) error { panic("broken") })
	if status.Code(err) != codes.Internal || strings.Contains(err.Error(), "broken") {
		t.Errorf("the stream ends with %v, want an internal error that tells nothing", err)
	}
	if s := said.String(); !strings.Contains(s, "reason=broken") || !strings.Contains(s, "gate_test.go") {
		t.Errorf("the log tells neither reason nor place:\n%s", s)
	}
}

// BenchmarkFilter is what the gate costs a batch that may pass.
func BenchmarkFilter(b *testing.B) {
	g := &gated{gate: &gate{}}
	all := heartbeatBatch()
	for len(all.Envelopes) < batch {
		all.Envelopes = append(all.Envelopes, all.Envelopes[0])
	}
	for b.Loop() {
		if err := g.filter(all); err != nil || len(all.Envelopes) != batch {
			b.Fatal(err)
		}
	}
}
