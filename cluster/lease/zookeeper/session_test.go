package zookeeper

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/go-zookeeper/zk"
)

// fixed is a connection that says one thing.
type fixed struct {
	net.Conn
	says     io.Reader
	deadline time.Time
}

func (c *fixed) Read(p []byte) (int, error)        { return c.says.Read(p) }
func (c *fixed) SetReadDeadline(t time.Time) error { c.deadline = t; return nil }

func TestTheServersGreetingTellsTheSessionsTime(t *testing.T) {
	t.Parallel()
	answer := binary.BigEndian.AppendUint32(nil, 36)     // bytes follow
	answer = binary.BigEndian.AppendUint32(answer, 0)    // version
	answer = binary.BigEndian.AppendUint32(answer, 4000) // ms
	answer = append(answer, bytes.Repeat([]byte{9}, 28+100)...)
	for _, reader := range []io.Reader{bytes.NewReader(answer), iotest.OneByteReader(bytes.NewReader(answer)), iotest.HalfReader(bytes.NewReader(answer))} {
		var granted atomic.Int64
		granted.Store(int64(time.Second))
		told := 0
		c := &greeting{Conn: &fixed{says: reader}, granted: &granted, asked: time.Second, longer: func() { told++ }}
		if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, answer) {
			t.Errorf("the client reads %d of %d bytes, %v", len(got), len(answer), err)
		}
		if got := time.Duration(granted.Load()); got != 4*time.Second {
			t.Errorf("the session lasts %s", got)
		}
		if told != 1 {
			t.Errorf("that it lasts longer than asked for was told %d times", told)
		}
	}
}

func TestAGreetingIsNotWaitedForLong(t *testing.T) {
	t.Parallel()
	under := &fixed{says: bytes.NewReader(make([]byte, greetingLen))}
	c := &greeting{Conn: under, wait: time.Second, granted: new(atomic.Int64), asked: time.Second}
	for _, asked := range []time.Time{{}, time.Now().Add(time.Hour)} {
		if err := c.SetReadDeadline(asked); err != nil || time.Until(under.deadline) > time.Second || under.deadline.IsZero() {
			t.Errorf("before the greeting: %s, %v", time.Until(under.deadline), err)
		}
	}
	if _, err := io.ReadAll(c); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Hour)
	if err := c.SetReadDeadline(later); err != nil || !under.deadline.Equal(later) {
		t.Errorf("after it: %s, %v", time.Until(under.deadline), err)
	}
}

func TestWhichErrorsDoNotPass(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		zk.ErrNoAuth: true, zk.ErrAuthFailed: true, zk.ErrConnectionClosed: false, zk.ErrNoServer: false, os.ErrDeadlineExceeded: false,
	} {
		if got := forGood(fmt.Errorf("create: %w", err)); got != want {
			t.Errorf("%v: %t", err, got)
		}
	}
	if !errors.Is(lost(zk.ErrNoNode), zk.ErrNoNode) || lost(nil) != nil {
		t.Error("lost hides what happened")
	}
}
