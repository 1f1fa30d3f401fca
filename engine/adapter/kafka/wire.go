package kafka

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A wire is one connection to one broker that carries kmsg's requests. Records are read over it and not through sarama, which makes a
// new buffer for each answer and an object for each record: at a million records a second that costs more than the reading itself.
// One goroutine uses it at a time.
type wire struct {
	addr        string
	conn        net.Conn
	formatter   *kmsg.RequestFormatter
	request     []byte
	correlation int32
	fetch       int16 // greatest version of Fetch that both sides know
}

const (
	fetchVersion   = 12 // the last one by topic names
	fetchOldest    = 11 // since Kafka 2.3
	answerBytesMax = 1 << 30
)

var errMalformed = errors.New("malformed answer")

// dialWire connects to a broker and asks what it knows.
func dialWire(ctx context.Context, addr string, o *Options) (*wire, error) {
	dialer := net.Dialer{Timeout: o.DialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("broker %s: %w", addr, err)
	}
	if o.TLS != nil {
		conn = tls.Client(conn, tlsFor(o.TLS, addr))
	}
	w := &wire{addr: addr, conn: conn, formatter: kmsg.NewRequestFormatter(kmsg.FormatterClientID(o.ClientID)), fetch: -1}
	known := kmsg.NewPtrApiVersionsResponse()
	if err := w.ask(ctx, kmsg.NewPtrApiVersionsRequest(), known, answerTimeout); err != nil {
		w.close()
		return nil, err
	}
	for _, k := range known.ApiKeys {
		if k.ApiKey == int16(kmsg.Fetch) {
			w.fetch = min(k.MaxVersion, fetchVersion)
		}
	}
	if w.fetch < fetchOldest {
		w.close()
		return nil, fmt.Errorf("broker %s: %w: citystream reads from Kafka 2.3 on", addr, sarama.ErrUnsupportedVersion)
	}
	return w, nil
}

// tlsFor returns the configuration with the server's name, which a client must check.
func tlsFor(base *tls.Config, addr string) *tls.Config {
	config := base.Clone()
	if host, _, err := net.SplitHostPort(addr); err == nil && config.ServerName == "" {
		config.ServerName = host
	}
	return config
}

func (w *wire) close() { _ = w.conn.Close() } // nothing more is wanted of it

// ask sends a request and reads its answer.
func (w *wire) ask(ctx context.Context, request kmsg.Request, answer kmsg.Response, patience time.Duration) error {
	body, err := w.exchange(ctx, request, patience, func(n int) []byte { return make([]byte, n) })
	if err != nil {
		return err
	}
	answer.SetVersion(request.GetVersion())
	if err := answer.ReadFrom(body); err != nil {
		return fmt.Errorf("broker %s: %w to %s: %w", w.addr, errMalformed, kmsg.NameForKey(request.Key()), err)
	}
	return nil
}

// exchange sends a request and returns the answer behind its header, in memory that room makes. After an error, or when ctx ends
// meanwhile, the wire is only good for close.
func (w *wire) exchange(ctx context.Context, request kmsg.Request, patience time.Duration, room func(bytes int) []byte) ([]byte, error) {
	defer context.AfterFunc(ctx, w.close)()
	body, err := w.roundTrip(request, patience, room)
	switch {
	case err == nil:
		return body, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	default:
		return nil, fmt.Errorf("broker %s: %w", w.addr, err)
	}
}

func (w *wire) roundTrip(request kmsg.Request, patience time.Duration, room func(bytes int) []byte) ([]byte, error) {
	w.correlation++
	w.request = w.formatter.AppendRequest(w.request[:0], request, w.correlation)
	if err := w.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	if _, err := w.conn.Write(w.request); err != nil {
		return nil, err
	}
	var head [8]byte // length, correlation
	if _, err := io.ReadFull(w.conn, head[:]); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(head[:])
	if length < 4 || length > answerBytesMax || int32(binary.BigEndian.Uint32(head[4:])) != w.correlation {
		return nil, fmt.Errorf("%w: %d bytes", errMalformed, length)
	}
	body := room(int(length) - 4)
	if _, err := io.ReadFull(w.conn, body); err != nil {
		return nil, err
	}
	if request.IsFlexible() && request.Key() != int16(kmsg.ApiVersions) { // the header ends with tagged fields, of which there are none yet
		if len(body) == 0 || body[0] != 0 {
			return nil, fmt.Errorf("%w: tagged fields in the header", errMalformed)
		}
		body = body[1:]
	}
	return body, nil
}
