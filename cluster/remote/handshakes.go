package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"
)

// handshakes makes each connection with the certificates of that moment. It is for both sides. Safe for concurrent use.
type handshakes struct {
	identity *identity
	log      *slog.Logger

	mu     sync.Mutex
	told   time.Time // when a refused connection was told of last
	untold int       // refused since
}

// refusedEvery is how often refused connections are told of at most: whoever reaches the port could fill the log.
const refusedEvery = 10 * time.Second

// ClientHandshake implements credentials.TransportCredentials. The host that was dialled must be one of the listener's certificate.
func (h *handshakes) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	m := h.identity.current()
	return credentials.NewTLS(&tls.Config{
		MinVersion: tls.VersionTLS13, RootCAs: m.authorities, Certificates: []tls.Certificate{m.certificate},
	}).ClientHandshake(ctx, authority, conn)
}

// ServerHandshake implements credentials.TransportCredentials. Tickets are off: a session that is resumed would live longer than the
// authority that its certificate was signed by.
func (h *handshakes) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	m := h.identity.current()
	secure, info, err := credentials.NewTLS(&tls.Config{
		MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: m.authorities,
		Certificates: []tls.Certificate{m.certificate}, SessionTicketsDisabled: true,
	}).ServerHandshake(conn)
	if err != nil {
		h.tell(conn.RemoteAddr(), err)
	}
	return secure, info, err
}

// tell logs a connection that one of both sides refused. One that was closed before it said anything is the probe of some health check.
func (h *handshakes) tell(from net.Addr, err error) {
	if errors.Is(err, io.EOF) {
		h.log.Debug("a connection was closed before it said anything", "from", from)
		return
	}
	h.mu.Lock()
	now := time.Now()
	if now.Sub(h.told) < refusedEvery {
		h.untold++
		h.mu.Unlock()
		return
	}
	more := h.untold
	h.told, h.untold = now, 0
	h.mu.Unlock()
	if alert, ok := errors.AsType[*net.OpError](err); ok && alert.Op == "remote error" { // so package tls names what the other side says
		h.log.Warn("another node does not accept the certificate of this one", "from", from, "error", err, "untold", more)
		return
	}
	h.log.Warn("a connection is refused: it is not that of a node with a valid certificate", "from", from, "error", err, "untold", more)
}

// Info implements credentials.TransportCredentials.
func (h *handshakes) Info() credentials.ProtocolInfo { return credentials.NewTLS(&tls.Config{}).Info() }

// Clone implements credentials.TransportCredentials.
func (h *handshakes) Clone() credentials.TransportCredentials { return h }

// OverrideServerName implements credentials.TransportCredentials.
func (h *handshakes) OverrideServerName(string) error {
	return errors.New("the name that a certificate is checked against is the host that was dialled")
}
