package remote

import (
	"context"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/local"
	"google.golang.org/grpc/keepalive"
)

// Limits of connections between nodes.
const (
	messageMax     = 64 << 20 // bytes of one gRPC message, which is a batch
	headersMax     = 16 << 10 // bytes
	streamsMax     = 16       // of one connection; a node opens one
	batch          = 200      // messages sent together: 64 MiB hold that many of 300 KB
	queueFirst     = 1024     // messages that a queue to a node has room for at first
	handshakeAfter = 5 * time.Second
	connectAfter   = 2 * time.Second  // a peer that accepts and says nothing
	answerAfter    = 5 * time.Second  // a peer that shakes hands and then says nothing
	pingEvery      = 10 * time.Second // keeps out peers that hang: they count as lost after pingEvery + pingAfter
	pingAfter      = 3 * time.Second
	pingLeast      = 5 * time.Second // peers that ping more often than that are cut off
)

// configuration returns protoactor's, without kinds: nothing can be spawned from afar.
func configuration(system *actor.ActorSystem, host string, port int, id *identity, log *slog.Logger) *remote.Config {
	var creds credentials.TransportCredentials = local.NewCredentials() // plaintext, which refuses addresses that are not of this machine
	if id != nil {
		creds = &handshakes{identity: id, log: log}
	}
	gate := &gate{system: system, log: log, named: id != nil}
	c := remote.Configure(host, port,
		remote.WithServerOptions(
			grpc.Creds(creds), grpc.ConnectionTimeout(handshakeAfter),
			grpc.MaxRecvMsgSize(messageMax), grpc.MaxHeaderListSize(headersMax), grpc.MaxConcurrentStreams(streamsMax),
			grpc.UnaryInterceptor(gate.unary), grpc.StreamInterceptor(gate.stream),
			grpc.KeepaliveParams(keepalive.ServerParameters{Time: pingEvery, Timeout: pingAfter}),
			grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingLeast, PermitWithoutStream: true}),
		),
		remote.WithDialOptions(
			grpc.WithTransportCredentials(creds), grpc.WithNoProxy(), grpc.WithDisableServiceConfig(),
			grpc.WithMaxHeaderListSize(headersMax), grpc.WithStreamInterceptor(impatient),
			grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingEvery, Timeout: pingAfter, PermitWithoutStream: true}),
			grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: connectAfter, Backoff: backoff.DefaultConfig}),
		),
		remote.WithEndpointWriterBatchSize(batch), remote.WithEndpointWriterQueueSize(queueFirst))
	c.MaxRetryCount = 1 // each further dial would leak a connection
	return c
}

// impatient gives up a stream whose first answer does not come: protoactor waits for it without a limit, and queues messages meanwhile.
func impatient(ctx context.Context, d *grpc.StreamDesc, c *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	ctx, cancel := context.WithCancel(ctx)
	patience := time.AfterFunc(answerAfter, cancel)
	s, err := open(ctx, d, c, method, opts...)
	if err != nil {
		patience.Stop()
		cancel()
		return nil, err
	}
	return &answered{ClientStream: s, patience: patience, cancel: cancel}, nil
}

// answered is a stream with an end to the wait for its first answer.
type answered struct {
	grpc.ClientStream
	patience *time.Timer
	cancel   context.CancelFunc
}

func (a *answered) RecvMsg(m any) error {
	err := a.ClientStream.RecvMsg(m)
	a.patience.Stop()
	if err != nil {
		a.cancel()
	}
	return err
}
