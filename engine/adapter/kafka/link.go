package kafka

import (
	"context"
	"fmt"
	"net"
	"sync"

	"github.com/IBM/sarama"
)

// A link is one connection to one broker, dialled with its first request. One goroutine uses it at a time.
//
// Sarama's broker waits for an answer under its lock and knows no context, so a link keeps hold of the socket and cuts it when a
// context ends; the request then fails at once.
type link struct {
	addr   string
	broker *sarama.Broker
	socket *socket
	broken bool
}

func newLink(addr string, o *Options) *link {
	l := &link{addr: addr, broker: sarama.NewBroker(addr), socket: &socket{dialer: net.Dialer{Timeout: o.DialTimeout}}}
	l.socket.ctx, l.socket.cancel = context.WithCancel(context.Background())
	config := o.config()
	config.Net.Proxy.Enable = true // not a proxy: only sarama's way to bring a dialler of one's own
	config.Net.Proxy.Dialer = l.socket
	if err := l.broker.Open(config); err != nil { // a fault of the configuration; the connection itself is made in the background
		l.broken = true
	}
	return l
}

// do runs one request. After an error, or when ctx ended meanwhile, the link is broken and only good for close.
func (l *link) do(ctx context.Context, request func(*sarama.Broker) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, l.socket.cut)
	err := request(l.broker)
	if !stop() || err != nil {
		l.broken = true
	}
	if err != nil {
		return fmt.Errorf("broker %s: %w", l.addr, err)
	}
	return nil
}

func (l *link) close() {
	l.socket.cut()
	_ = l.broker.Close() // after the cut there is nothing left that could fail in a way that matters
}

// A socket dials one connection and can cut it at any moment, even while it is being dialled.
type socket struct {
	dialer net.Dialer
	ctx    context.Context
	cancel context.CancelFunc

	mu   sync.Mutex
	conn net.Conn
}

// Dial implements the dialler that sarama asks for.
func (s *socket) Dial(network, addr string) (net.Conn, error) {
	conn, err := s.dialer.DialContext(s.ctx, network, addr)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ctx.Err(); err != nil {
		_ = conn.Close()
		return nil, err
	}
	s.conn = conn
	return conn, nil
}

func (s *socket) cut() {
	s.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		_ = s.conn.Close()
	}
}
