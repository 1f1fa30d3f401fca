package enginetest

import (
	"context"
	"net"
	"sync"
	"testing"
)

// Addr returns an address on loopback at which the server with the given one is reached over the link, until the test ends.
func (l *Link) Addr(t testing.TB, server string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return // closed
			}
			running.Go(func() { l.carry(ctx, client, server) })
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = listener.Close() // the test is over
		running.Wait()
	})
	return listener.Addr().String()
}

// carry passes on what the two sides of one connection say, until one of them closes it, an answer gets lost, or the link is cut.
func (l *Link) carry(ctx context.Context, client net.Conn, addr string) {
	defer client.Close()
	if l.pass(ctx) != nil {
		return
	}
	server, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer server.Close()
	hangUp := func() { _, _ = client.Close(), server.Close() } // both sides see it
	defer l.notify(hangUp)()
	defer context.AfterFunc(ctx, hangUp)()
	if l.pass(ctx) != nil { // cut since it was dialled
		return
	}
	var both sync.WaitGroup
	both.Go(func() { defer hangUp(); pump(ctx, server, client, l.pass) })
	both.Go(func() { defer hangUp(); pump(ctx, client, server, l.answer) })
	both.Wait()
}

func pump(ctx context.Context, to, from net.Conn, pass func(context.Context) error) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil || pass(ctx) != nil {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
