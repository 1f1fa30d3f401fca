package remote

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// protocol is the protobuf package of the messages that nodes send each other.
const protocol = "citystream"

// gate stands in front of protoactor's streams. Safe for concurrent use.
type gate struct {
	system *actor.ActorSystem
	log    *slog.Logger
	named  bool // peers have certificates
}

// unary refuses every call: protoactor's list and diagnose its processes, and panic.
func (g *gate) unary(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) {
	return nil, status.Error(codes.Unimplemented, "nodes send each other streams only")
}

// stream puts the gate before a stream, and ends the stream where what is behind the gate panics.
func (g *gate) stream(srv any, s grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			g.log.Error("a stream of another node is closed, since what came by it made the receiver panic", "from", from(s.Context()), "reason", reason, "stack", string(debug.Stack()))
			err = status.Error(codes.Internal, "the stream made its receiver panic")
		}
	}()
	return next(srv, &gated{ServerStream: s, gate: g})
}

// gated is a stream whose messages are read before protoactor has them. Owned by the goroutine that reads the stream.
type gated struct {
	grpc.ServerStream
	gate *gate
	peer string // address by which the other node has made itself known; empty before that
}

// RecvMsg returns the next message that may pass. An error ends the stream.
func (g *gated) RecvMsg(m any) error {
	if err := g.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	if err := g.check(m); err != nil {
		g.gate.log.Warn("a stream of another node is refused", "from", from(g.Context()), "peer", g.peer, "error", err)
		return err
	}
	return nil
}

func (g *gated) check(m any) error {
	message, ok := m.(*remote.RemoteMessage)
	if !ok {
		return status.Errorf(codes.InvalidArgument, "%T is no message between nodes", m)
	}
	switch t := message.GetMessageType().(type) {
	case *remote.RemoteMessage_ConnectRequest:
		return g.meet(t.ConnectRequest.GetServerConnection())
	case *remote.RemoteMessage_MessageBatch:
		if g.peer == "" {
			return status.Error(codes.PermissionDenied, "a stream begins with the address of who opens it")
		}
		return g.filter(t.MessageBatch)
	default:
		return status.Errorf(codes.InvalidArgument, "%T has no place in a stream to a node", t)
	}
}

// meet takes down who the other node is. Its certificate must be one of the host that it says it is.
func (g *gated) meet(c *remote.ServerConnection) error {
	host, _, err := net.SplitHostPort(c.GetAddress())
	if err != nil {
		return status.Errorf(codes.InvalidArgument, "address of who opens the stream: %v", err)
	}
	if g.gate.named {
		leaf := certificateOf(g.Context())
		if leaf == nil {
			return status.Error(codes.Unauthenticated, "no certificate")
		}
		if err := leaf.VerifyHostname(host); err != nil {
			return status.Errorf(codes.PermissionDenied, "the certificate is not one of %s: %v", host, err)
		}
	}
	g.peer = c.GetAddress()
	return nil
}

// filter takes what must not pass out of a batch. A message of a type that is not known here is dropped alone: a node of a newer version
// may know more, and the rest of its batch counts. A batch that is malformed, or that speaks for actors of a third node, is refused: only a fault or an
// attack makes one.
func (g *gated) filter(b *remote.MessageBatch) error {
	known := make([]protoreflect.MessageType, len(b.GetTypeNames()))
	for i, name := range b.GetTypeNames() {
		known[i] = admitted(name)
	}
	passed := b.Envelopes[:0]
	for _, e := range b.GetEnvelopes() {
		if err := whole(e, b); err != nil {
			return status.Error(codes.InvalidArgument, err.Error())
		}
		if n := e.GetSender(); n > 0 && b.GetSenders()[n-1].GetAddress() != g.peer {
			return status.Errorf(codes.PermissionDenied, "%s speaks for an actor of %s", g.peer, b.GetSenders()[n-1].GetAddress())
		}
		mt := known[e.GetTypeId()]
		if mt == nil {
			g.gate.log.Warn("a message of another node is dropped: its type is not one that nodes send each other, or not known in this version",
				"peer", g.peer, "type", b.GetTypeNames()[e.GetTypeId()])
			continue
		}
		if mt.Descriptor().ParentFile().Package() != protocol {
			m, ok := complete(mt, e.GetMessageData())
			if !ok {
				return status.Errorf(codes.InvalidArgument, "%s without an actor", mt.Descriptor().FullName())
			}
			if w, ok := m.(*actor.Watch); ok && g.gate.answer(w.GetWatcher(), b.GetTargets()[e.GetTarget()]) {
				continue
			}
		}
		passed = append(passed, e)
	}
	b.Envelopes = passed
	return nil
}

// whole says what is wrong with an envelope, whose numbers are places in the lists of its batch.
func whole(e *remote.MessageEnvelope, b *remote.MessageBatch) error {
	switch {
	case e.GetSerializerId() != 0:
		return fmt.Errorf("serializer %d: nodes speak protobuf", e.GetSerializerId())
	case e.GetTypeId() < 0 || int(e.GetTypeId()) >= len(b.GetTypeNames()):
		return fmt.Errorf("type %d of %d", e.GetTypeId(), len(b.GetTypeNames()))
	case e.GetTarget() < 0 || int(e.GetTarget()) >= len(b.GetTargets()):
		return fmt.Errorf("target %d of %d", e.GetTarget(), len(b.GetTargets()))
	case e.GetSender() < 0 || int(e.GetSender()) > len(b.GetSenders()): // counts from 1; 0 is none
		return fmt.Errorf("sender %d of %d", e.GetSender(), len(b.GetSenders()))
	}
	return nil
}

// admitted returns a type that may come from another node, or nil: the messages of the protocol, and those of protoactor that watch actors
// and answer for missing ones. Its others stop actors and start them.
func admitted(name string) protoreflect.MessageType {
	mt, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(name))
	if err != nil {
		return nil
	}
	if mt.Descriptor().ParentFile().Package() == protocol {
		return mt
	}
	switch mt.Zero().Interface().(type) {
	case *actor.Watch, *actor.Unwatch, *actor.Terminated, *actor.DeadLetterResponse:
		return mt
	}
	return nil
}

// complete returns a message of protoactor's own, if it names the actor it is about: its receivers do not ask.
func complete(mt protoreflect.MessageType, data []byte) (proto.Message, bool) {
	m := mt.New().Interface()
	if proto.Unmarshal(data, m) != nil {
		return nil, false
	}
	var about *actor.PID
	switch m := m.(type) {
	case *actor.Watch:
		about = m.GetWatcher()
	case *actor.Unwatch:
		about = m.GetWatcher()
	case *actor.Terminated:
		about = m.GetWho()
	case *actor.DeadLetterResponse:
		about = m.GetTarget()
	}
	return m, about != nil
}

// answer tells the watcher of an actor that is not there so, and whether it did. Protoactor does that within a process; from afar it drops
// such a watch, and the watcher waits for ever.
func (g *gate) answer(watcher *actor.PID, name string) bool {
	if _, there := g.system.ProcessRegistry.GetLocal(name); there {
		return false
	}
	if p, ok := g.system.ProcessRegistry.Get(watcher); ok {
		p.SendSystemMessage(watcher, &actor.Terminated{Who: g.system.NewLocalPID(name), Why: actor.TerminatedReason_NotFound})
	}
	return true
}

// certificateOf returns the verified certificate of who is at the other end, or nil.
func certificateOf(ctx context.Context) *x509.Certificate {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.VerifiedChains) == 0 {
		return nil
	}
	return info.State.VerifiedChains[0][0]
}

func from(ctx context.Context) string {
	if p, ok := peer.FromContext(ctx); ok {
		return p.Addr.String()
	}
	return ""
}
