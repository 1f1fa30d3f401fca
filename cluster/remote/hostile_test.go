package remote

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"citystream/messages"
)

// rogue is a program that speaks gRPC to a node as it likes.
type rogue struct {
	client remote.RemotingClient
	stream remote.Remoting_ReceiveClient
}

const rogueAddress = "127.0.0.1:1"

// credentialsOf are those of a node, or none without files.
func credentialsOf(t *testing.T, files *TLS) credentials.TransportCredentials {
	t.Helper()
	if files == nil {
		return insecure.NewCredentials()
	}
	pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		t.Fatal(err)
	}
	// The node's certificate is not what these tests are about, and this side is not to be trusted anyway.
	return credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{pair}, InsecureSkipVerify: true})
}

func newRogue(t *testing.T, address string, creds credentials.TransportCredentials) *rogue {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	r := &rogue{client: remote.NewRemotingClient(conn)}
	if r.stream, err = r.client.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	return r
}

func connectAs(address string) *remote.RemoteMessage {
	return &remote.RemoteMessage{MessageType: &remote.RemoteMessage_ConnectRequest{ConnectRequest: &remote.ConnectRequest{
		ConnectionType: &remote.ConnectRequest_ServerConnection{ServerConnection: &remote.ServerConnection{MemberId: "rogue", Address: address}},
	}}}
}

// batchTo is a message to an actor, as protoactor would send it.
func batchTo(target, typeName string, data []byte) *remote.MessageBatch {
	return &remote.MessageBatch{TypeNames: []string{typeName}, Targets: []string{target}, Envelopes: []*remote.MessageEnvelope{{MessageData: data}}}
}

func heartbeatBatch() *remote.MessageBatch { return batchTo("echo", "citystream.Heartbeat", nil) }

func ofBatch(b *remote.MessageBatch) *remote.RemoteMessage {
	return &remote.RemoteMessage{MessageType: &remote.RemoteMessage_MessageBatch{MessageBatch: b}}
}

// say sends messages and returns how the stream ends, which this side closes after them.
func (r *rogue) say(t *testing.T, all ...*remote.RemoteMessage) error {
	t.Helper()
	for _, m := range all {
		if err := r.stream.Send(m); err != nil && !errors.Is(err, io.EOF) { // EOF: the other side has closed it, and Recv says why
			t.Fatal(err)
		}
	}
	if err := r.stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := r.stream.Recv(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// malformed are streams that no node sends.
var malformed = []struct {
	name string
	say  []*remote.RemoteMessage
	want codes.Code // that ends the stream; OK where the message is dropped alone
}{
	{"a type that is not known", connected(batchTo("echo", "citystream.Unknown", nil)), codes.OK},
	{"a type of another protocol", connected(batchTo("echo", "google.protobuf.FileDescriptorSet", nil)), codes.OK},
	{"a type without a name", connected(batchTo("echo", "", nil)), codes.OK},
	{"the order to stop an actor", connected(batchTo("echo", "actor.Stop", nil)), codes.OK},
	{"poison for an actor", connected(batchTo("echo", "actor.PoisonPill", nil)), codes.OK},
	{"the order to stop what connects nodes", connected(batchTo("EndpointSupervisor", "actor.Stop", nil)), codes.OK},
	{"the order to spawn an actor", connected(batchTo("activator", "remote.ActorPidRequest", encoded(&remote.ActorPidRequest{Kind: "any"}))), codes.OK},
	{"an actor that is not there", connected(batchTo("missing", "citystream.Heartbeat", nil)), codes.OK},
	{"a watch of an actor that is not there", connected(batchTo("missing", "actor.Watch", encoded(&actor.Watch{Watcher: actor.NewPID(rogueAddress, "w")}))), codes.OK},
	{"a type out of range", connected(changed(func(e *remote.MessageEnvelope) { e.TypeId = 7 })), codes.InvalidArgument},
	{"a type below the range", connected(changed(func(e *remote.MessageEnvelope) { e.TypeId = -1 })), codes.InvalidArgument},
	{"a target out of range", connected(changed(func(e *remote.MessageEnvelope) { e.Target = 1 })), codes.InvalidArgument},
	{"a target below the range", connected(changed(func(e *remote.MessageEnvelope) { e.Target = -1 })), codes.InvalidArgument},
	{"a sender out of range", connected(changed(func(e *remote.MessageEnvelope) { e.Sender = 1 })), codes.InvalidArgument},
	{"a sender below the range", connected(changed(func(e *remote.MessageEnvelope) { e.Sender = -1 })), codes.InvalidArgument},
	{"JSON", connected(changed(func(e *remote.MessageEnvelope) { e.SerializerId = 1 })), codes.InvalidArgument},
	{"a serializer that is not there", connected(changed(func(e *remote.MessageEnvelope) { e.SerializerId = 9 })), codes.InvalidArgument},
	{"a message that is no protobuf", connected(batchTo("echo", "citystream.Heartbeat", []byte{0xff})), codes.Unknown},
	{"a watch by nobody", connected(batchTo("echo", "actor.Watch", nil)), codes.InvalidArgument},
	{"an unwatch by nobody", connected(batchTo("echo", "actor.Unwatch", nil)), codes.InvalidArgument},
	{"the end of nobody", connected(batchTo("echo", "actor.Terminated", nil)), codes.InvalidArgument},
	{"an empty message", []*remote.RemoteMessage{{}}, codes.InvalidArgument},
	{"an answer instead of a question", []*remote.RemoteMessage{{MessageType: &remote.RemoteMessage_DisconnectRequest{}}}, codes.InvalidArgument},
	{"a client's connection", []*remote.RemoteMessage{{MessageType: &remote.RemoteMessage_ConnectRequest{ConnectRequest: &remote.ConnectRequest{
		ConnectionType: &remote.ConnectRequest_ClientConnection{ClientConnection: &remote.ClientConnection{}},
	}}}}, codes.InvalidArgument},
	{"a message before the address", []*remote.RemoteMessage{ofBatch(heartbeatBatch())}, codes.PermissionDenied},
	{"more than fits", connected(batchTo("echo", "citystream.Heartbeat", make([]byte, messageMax+1))), codes.ResourceExhausted},
}

func connected(b *remote.MessageBatch) []*remote.RemoteMessage {
	return []*remote.RemoteMessage{connectAs(rogueAddress), ofBatch(b)}
}

func changed(change func(*remote.MessageEnvelope)) *remote.MessageBatch {
	b := heartbeatBatch()
	change(b.Envelopes[0])
	return b
}

func encoded(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}

func TestAMalformedStreamEndsNoNode(t *testing.T) {
	t.Parallel()
	for mode, files := range map[string]*TLS{"from a node with a certificate": newLab(t).node(t, "node", "127.0.0.1"), "in plaintext": nil} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			victim, friend := startNode(t, Options{Listen: "127.0.0.1:0", TLS: files}), startNode(t, Options{Listen: "127.0.0.1:0", TLS: files})
			friend.ask(t, victim)
			for _, c := range malformed {
				t.Run(c.name, func(t *testing.T) {
					err := newRogue(t, victim.address, credentialsOf(t, files)).say(t, c.say...)
					if status.Code(err) != c.want {
						t.Errorf("the stream ends with %v, want %v", err, c.want)
					}
					friend.ask(t, victim)
				})
			}
		})
	}
}

func TestAMessageThatIsNotKnownLeavesTheRestOfItsBatch(t *testing.T) {
	t.Parallel()
	files := newLab(t).node(t, "node", "127.0.0.1")
	victim, friend := startNode(t, Options{Listen: "127.0.0.1:0", TLS: files}), startNode(t, Options{Listen: "127.0.0.1:0", TLS: files})
	friend.ask(t, victim)
	b := batchTo("echo", "citystream.OfTomorrow", nil)
	b.TypeNames = append(b.TypeNames, "citystream.Heartbeat")
	b.Envelopes = append(b.Envelopes, &remote.MessageEnvelope{TypeId: 1, MessageData: encoded(&messages.Heartbeat{Worker: "w"})})
	if err := newRogue(t, victim.address, credentialsOf(t, files)).say(t, connected(b)...); err != nil {
		t.Fatal(err)
	}
	victim.beat++ // the stream has ended, so the second message is in the actor's mailbox
	friend.ask(t, victim)
	victim.waitForLog(t, "citystream.OfTomorrow")
}

func TestANodeSpeaksForItsOwnHostOnly(t *testing.T) {
	t.Parallel()
	files := newLab(t).node(t, "node", "127.0.0.1")
	victim := startNode(t, Options{Listen: "127.0.0.1:0", TLS: files})
	for _, address := range []string{"10.0.0.9:1", "localhost:1", "127.0.0.1", ""} {
		err := newRogue(t, victim.address, credentialsOf(t, files)).say(t, connectAs(address))
		if code := status.Code(err); code != codes.PermissionDenied && code != codes.InvalidArgument {
			t.Errorf("as %q the stream ends with %v", address, err)
		}
	}
	victim.waitForLog(t, "the certificate is not one of 10.0.0.9")
}

func TestCallsAreRefused(t *testing.T) {
	t.Parallel()
	files := newLab(t).node(t, "node", "127.0.0.1")
	victim, friend := startNode(t, Options{Listen: "127.0.0.1:0", TLS: files}), startNode(t, Options{Listen: "127.0.0.1:0", TLS: files})
	friend.ask(t, victim)
	r := newRogue(t, victim.address, credentialsOf(t, files))
	if _, err := r.client.ListProcesses(t.Context(), &remote.ListProcessesRequest{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("ListProcesses: %v", err)
	}
	if _, err := r.client.GetProcessDiagnostics(t.Context(), &remote.GetProcessDiagnosticsRequest{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("GetProcessDiagnostics: %v", err)
	}
	friend.ask(t, victim)
}

func TestGarbageEndsNoNode(t *testing.T) {
	t.Parallel()
	files := newLab(t).node(t, "node", "127.0.0.1")
	garbage := bytes.Repeat([]byte("\x00\xff\x16\x03garbage\r\n"), 4096)
	for mode, o := range map[string]Options{
		"on a port with TLS": {Listen: "127.0.0.1:0", TLS: files}, "on a port in plaintext": {Listen: "127.0.0.1:0"},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			victim, friend := startNode(t, o), startNode(t, o)
			friend.ask(t, victim)
			pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
			if err != nil {
				t.Fatal(err)
			}
			throw(t, plainly(t, victim.address), garbage)
			throw(t, plainly(t, victim.address), append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), garbage...))
			if o.TLS != nil {
				throw(t, plainly(t, victim.address), nil)
				inside := &tls.Config{Certificates: []tls.Certificate{pair}, InsecureSkipVerify: true, NextProtos: []string{"h2"}}
				throw(t, tls.Client(plainly(t, victim.address), inside), garbage)
				throw(t, tls.Client(plainly(t, victim.address), inside), append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), garbage...))
			}
			friend.ask(t, victim)
			victim.ask(t, friend)
		})
	}
}

func plainly(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// throw writes garbage, until all is written or the other side has had enough, and waits until the other side hangs up.
func throw(t *testing.T, conn net.Conn, garbage []byte) {
	t.Helper()
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(2 * handshakeAfter)); err != nil {
		t.Fatal(err)
	}
	_, _ = conn.Write(garbage) // the other side may hang up before its end
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the node does not hang up on garbage")
	}
}

func TestWhatIsNoProtobufMessageNeverLeaves(t *testing.T) {
	t.Parallel()
	a, b := startNode(t, Options{Listen: "127.0.0.1:0"}), startNode(t, Options{Listen: "127.0.0.1:0"})
	a.ask(t, b)
	a.tell(t, "garble", b.address)
	a.ask(t, b)
	a.waitForLog(t, "struct { secret string }")
	if _, told := a.said.wait("hidden", 0); told {
		t.Errorf("the log tells what is in a message:\n%s", a.said)
	}
}

func TestALargeMessageArrives(t *testing.T) {
	t.Parallel()
	a, b := startNode(t, Options{Listen: "127.0.0.1:0"}), startNode(t, Options{Listen: "127.0.0.1:0"})
	a.request(t, "bulk", b)
	a.ask(t, b)
}
