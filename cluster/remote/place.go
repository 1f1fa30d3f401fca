package remote

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
)

// place is where a node listens, and how others name it.
type place struct {
	host      string // to listen at
	port      int    // 0 is any
	advertise string // host
	through   string // port that others reach it through; empty is the one it listens at
}

func placeOf(o Options) (place, error) {
	host, text, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return place{}, fmt.Errorf("address to listen at: %w", err)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return place{}, fmt.Errorf("address to listen at: %q is no port", text)
	}
	p := place{host: host, port: int(port), advertise: o.Advertise}
	if h, through, err := net.SplitHostPort(o.Advertise); err == nil {
		p.advertise, p.through = h, through
	}
	if p.advertise == "" {
		p.advertise = host
	}
	ip, err := netip.ParseAddr(p.advertise)
	if p.advertise == "" || err == nil && ip.IsUnspecified() {
		return place{}, fmt.Errorf("listen at %s: that is no address that others can reach: say by which host name or IP address they know this node", o.Listen)
	}
	if o.TLS == nil && (!loopback(host) || !loopback(p.advertise)) {
		return place{}, fmt.Errorf("listen at %s as %s without TLS: only loopback addresses may: give a certificate, its key and the CA, which citystream certs makes for a lab",
			o.Listen, p.advertise)
	}
	return p, nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// portsTried is how many free ports are tried where any will do.
const portsTried = 5

// start binds the place. Protoactor opens its port itself, panics where it cannot, and must know its own address before; so the port is
// opened here first, to find a free one or to say that it is taken, and given back. Another process can take it in between: a free port is
// then looked for again.
func (p place) start(id *identity, log *slog.Logger) (*Remote, error) {
	var failed error
	for range portsTried {
		l, err := net.Listen("tcp", net.JoinHostPort(p.host, strconv.Itoa(p.port)))
		if err != nil {
			return nil, fmt.Errorf("listen for other nodes: %w", err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		if err := l.Close(); err != nil {
			return nil, fmt.Errorf("listen for other nodes: %w", err)
		}
		r, err := p.bind(port, id, log)
		if err == nil || p.port != 0 {
			return r, err
		}
		failed = errors.Join(failed, err)
	}
	return nil, failed
}

func (p place) bind(port int, id *identity, log *slog.Logger) (r *Remote, err error) {
	host := p.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]" // protoactor joins host and port by a colon
	}
	quiet := slog.New(newQuiet(log.Handler()))
	system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return quiet }))
	defer func() {
		if reason := recover(); reason != nil {
			system.Shutdown()
			r, err = nil, fmt.Errorf("listen for other nodes: %v", reason)
		}
	}()
	c := configuration(system, host, port, id, log)
	c.AdvertisedHost = net.JoinHostPort(p.advertise, cmp.Or(p.through, strconv.Itoa(port)))
	inner := remote.NewRemote(system, c)
	inner.Start()
	return &Remote{system: system, remote: inner, identity: id, stopped: make(chan struct{})}, nil
}
