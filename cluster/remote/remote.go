// Package remote lets the actors of a node talk to those of other nodes.
//
// The problem: protoactor's remote listens in plaintext, believes whoever speaks to it, and can be crashed by a malformed message. Here it
// stands behind three guards. TLS 1.3 lets in nodes only: each side shows a certificate of the same authorities, the dialler checks that it
// is of the host it dialled, the listener that it is of the host that the dialler says it is. A gate in front of each stream reads every
// message before protoactor does: it refuses what is malformed, drops what this version of the program does not know, and lets nobody stop
// an actor or start one from afar. What panics behind it ends that stream only.
//
// Certificates are read again when their files change, so they are renewed without a restart; see identity.
//
// Messages between nodes are delivered at most once, in order as long as a connection lasts. One Remote lives in a process: protoactor
// keeps its gRPC logger in a global variable.
package remote

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
)

// Options are what a node needs to talk to others.
type Options struct {
	Listen    string       // host:port; port 0 takes a free one
	Advertise string       // host, or host:port, that other nodes reach this one at; its certificate names the host. Empty is the address that it listens at
	TLS       *TLS         // nil is plaintext, between loopback addresses only
	Log       *slog.Logger // must be given
	Name      string       // of the node, in its log
}

// TLS names PEM files. They are read again when they change.
type TLS struct {
	Cert string // of this node, with the intermediates that its signature needs
	Key  string
	CA   string // authorities that certificates of nodes are signed by; the old and the new one while they are changed
}

// Remote is an actor system that other nodes reach. Safe for concurrent use.
type Remote struct {
	system   *actor.ActorSystem
	remote   *remote.Remote
	identity *identity // nil without TLS

	end     context.CancelFunc // of the watch over certificates
	watched sync.WaitGroup

	once    sync.Once
	stopped chan struct{}
	fault   error // of stopping; to be read when stopped is closed
}

// Start listens, and starts an actor system behind that. Actors are to be spawned after it, or nobody reaches them.
func Start(o Options) (*Remote, error) {
	log := o.Log
	if o.Name != "" {
		log = log.With("node", o.Name)
	}
	p, err := placeOf(o)
	if err != nil {
		return nil, err
	}
	var id *identity
	if o.TLS != nil {
		if id, err = readIdentity(*o.TLS, p.advertise, log); err != nil {
			return nil, err
		}
	}
	r, err := p.start(id, log)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.end = cancel
	if id != nil {
		r.watched.Go(func() { id.watch(ctx) })
	}
	return r, nil
}

// System returns the actor system.
func (r *Remote) System() *actor.ActorSystem { return r.system }

// Address returns the host:port that others reach this node at. It is that of all its PIDs.
func (r *Remote) Address() string { return r.system.Address() }

// CertificateExpires returns when the certificate of this node, or one that signed it, ends to be valid. Without TLS it is the zero time.
func (r *Remote) CertificateExpires() time.Time {
	if r.identity == nil {
		return time.Time{}
	}
	return r.identity.expires()
}

// Stop closes the connections of other nodes, which notice that at once, then those to them. Called again, it waits for the same. It flushes
// nothing: what must arrive is to be answered before. Protoactor's own orderly shutdown is not used: it takes its table of connections away
// from under those who still send.
func (r *Remote) Stop(ctx context.Context) error {
	r.once.Do(func() { go r.close() })
	var err error
	select {
	case <-r.stopped:
		err = r.fault
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("close connections to other nodes: %w", err)
	}
	return nil
}

func (r *Remote) close() {
	defer close(r.stopped)
	r.end()
	r.watched.Wait()
	r.remote.Shutdown(false)
	r.fault = r.system.Root.StopFuture(r.system.NewLocalPID("EndpointSupervisor")).Wait() // ends by itself after a while
	r.system.Shutdown()
}
