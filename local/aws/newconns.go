package aws

import (
	"net"
	"net/http"
	"sync"
)

// newConns are the connections on which nothing has been asked yet. Clients open some in advance, and net/http waits seconds for them before it
// takes them for idle; closing them at once makes an orderly end a quick one. Safe for concurrent use.
type newConns struct {
	mu   sync.Mutex
	open map[net.Conn]bool
}

// watch is the ConnState hook of the server.
func (n *newConns) watch(c net.Conn, state http.ConnState) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if state == http.StateNew {
		n.open[c] = true
		return
	}
	delete(n.open, c)
}

func (n *newConns) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.open {
		_ = c.Close() // nothing was said on it, so nothing is lost
	}
}
