package zookeeper

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"
)

// A session is one session with ZooKeeper, never followed by another: when it has expired it is of no use any more, although the client
// would begin a new one by itself. Nodes that belong to it carry its number in their names, so none is mistaken for one of another.
type session struct {
	conn    *zk.Conn
	granted atomic.Int64 // the session's time as the server has it, in nanoseconds
	expired chan struct{}
}

// connect begins a session; it does not wait until a server has answered. A server that grants a longer one than was asked for is told of: a leader
// that dies then stays leader for longer, and workers may stop before another is found.
func connect(servers []string, ttl time.Duration, log *slog.Logger) (*session, error) {
	s := &session{expired: make(chan struct{})}
	s.granted.Store(int64(ttl))
	longer := sync.OnceFunc(func() {
		log.Warn("ZooKeeper grants longer sessions than lease.ttl: lower tickTime on its servers to half of that, or workers stop reading when a leader dies",
			"lease.ttl", ttl, "granted", s.ttl())
	})
	var once sync.Once
	var err error
	s.conn, _, err = zk.Connect(servers, ttl, zk.WithLogger(silent{}), zk.WithLogInfo(false), zk.WithEventCallback(func(e zk.Event) {
		if e.State == zk.StateExpired {
			once.Do(func() { close(s.expired) })
		}
	}), zk.WithDialer(func(network, address string, _ time.Duration) (net.Conn, error) {
		c, err := net.DialTimeout(network, address, ttl/4)
		if err != nil {
			return nil, err
		}
		return &greeting{Conn: c, wait: ttl / 2, granted: &s.granted, asked: ttl, longer: longer}, nil
	}))
	if err != nil {
		return nil, fmt.Errorf("connect to ZooKeeper: %w", err)
	}
	return s, nil
}

// ttl is the session's time. A server allows neither very short nor very long ones, whatever was asked for.
func (s *session) ttl() time.Duration { return time.Duration(s.granted.Load()) }

// safe is how long after a request that was answered was sent the session lives for sure. A server tells its leader of requests every half tick,
// and a session has at least two ticks: if that server is lost, the leader may not know of the last quarter of a session's time.
func (s *session) safe() time.Duration { return s.ttl() - s.ttl()/4 }

func (s *session) over() bool {
	select {
	case <-s.expired:
		return true
	default:
		return false
	}
}

// close ends the session, with all nodes that belong to it. If no server can be reached that takes a second, and its time ends it.
func (s *session) close() { s.conn.Close() }

// do runs a call of the client, which knows no contexts. One that is left behind ends with the connection, at the latest when that is closed.
func do[T any](ctx context.Context, s *session, call func() (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	if s.over() {
		return *new(T), zk.ErrSessionExpired
	}
	done := make(chan outcome, 1)
	go func() {
		value, err := call()
		done <- outcome{value, err}
	}()
	select {
	case o := <-done:
		if s.over() { // it may be the answer to another session of the client's
			return *new(T), zk.ErrSessionExpired
		}
		return o.value, o.err
	case <-s.expired:
		return *new(T), zk.ErrSessionExpired
	case <-ctx.Done():
		return *new(T), ctx.Err()
	}
}

// greeting is a connection whose first answer is looked at: it says how long the session lasts, which the client keeps to itself. A
// server that does not greet in time is given up; the client would wait ten times as long.
type greeting struct {
	net.Conn
	wait    time.Duration
	granted *atomic.Int64
	asked   time.Duration
	longer  func() // is called when more was granted than asked for
	head    []byte // of the answer: its length, the protocol's version, and the session's time in milliseconds, four bytes each
}

const greetingLen = 12

func (c *greeting) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if len(c.head) < greetingLen {
		c.head = append(c.head, p[:min(n, greetingLen-len(c.head))]...)
		if len(c.head) == greetingLen {
			if millis := int32(binary.BigEndian.Uint32(c.head[8:])); millis > 0 { // 0: the session has expired
				granted := time.Duration(millis) * time.Millisecond
				c.granted.Store(int64(granted))
				if granted > c.asked {
					c.longer()
				}
			}
		}
	}
	return n, err
}

func (c *greeting) SetReadDeadline(t time.Time) error {
	if len(c.head) < greetingLen {
		t = time.Now().Add(c.wait)
	}
	return c.Conn.SetReadDeadline(t)
}

// silent keeps the client from writing to standard error. What matters of its trouble comes back as errors.
type silent struct{}

func (silent) Printf(string, ...any) {}
