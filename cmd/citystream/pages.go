package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"regexp"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/protobuf/encoding/protojson"

	"citystream/engine/port"
	"citystream/messages"
)

// pages are a node's own pages: /healthz, /readyz, /metrics and /status, and on this machine alone Go's profiles. Each of the first two answers
// 200 or, with the reason, 503. Safe for concurrent use.
type pages struct {
	address string // host:port, with the port that was taken
	log     *slog.Logger
	server  *http.Server

	mu      sync.Mutex
	system  *actor.ActorSystem
	ping    *actor.PID
	isReady func(context.Context) error
	state   func(context.Context) (*messages.ClusterStatus, error)
}

// answerMax is how long a page waits for what it asks.
const answerMax = 3 * time.Second

// errStarting is what a node is before it is up.
var errStarting = errors.New("starting")

// openPages serves the pages at an address.
func openPages(address string, registry *prometheus.Registry, log *slog.Logger) (*pages, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("pages of this node: %w: choose another address with --http", err)
	}
	p := &pages{address: listener.Addr().String(), log: log}
	registerProcess(registry)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", p.verdict(p.healthy))
	mux.HandleFunc("GET /readyz", p.verdict(p.readiness))
	mux.HandleFunc("GET /status", p.serveStatus)
	if tcp, ok := listener.Addr().(*net.TCPAddr); ok && tcp.IP.IsLoopback() {
		profiles(mux)
	}
	p.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: time.Minute}
	go func() {
		if err := p.server.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			log.Warn("the pages of this node are gone", "error", err)
		}
	}()
	return p, nil
}

// liveHeap is what the last collection found in use: what citystream_buffered_bytes should explain the most of.
var liveHeap = regexp.MustCompile(`^/gc/heap/live:bytes$`)

// url returns the address of a page.
func (p *pages) url(page string) string { return "http://" + p.address + "/" + page }

// registerProcess adds what Go and the operating system say of this process.
func registerProcess(registry *prometheus.Registry) {
	registry.MustRegister(
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.GoRuntimeMetricsRule{Matcher: liveHeap})),
	)
}

func profiles(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
}

// alive gives the pages an actor to ask: a process whose actors do not answer is to be started again.
func (p *pages) alive(system *actor.ActorSystem) {
	ping := system.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		if _, ok := ctx.Message().(pinged); ok {
			ctx.Respond(pinged{})
		}
	}))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.system, p.ping = system, ping
}

type pinged struct{}

// ready says by what the node is ready.
func (p *pages) ready(is func(context.Context) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.isReady = is
}

// status says where the state of the cluster comes from.
func (p *pages) status(of func(context.Context) (*messages.ClusterStatus, error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = of
}

func (p *pages) healthy(context.Context) error {
	p.mu.Lock()
	system, ping := p.system, p.ping
	p.mu.Unlock()
	if system == nil {
		return nil // it waits for services, and a new life would wait too
	}
	if _, err := system.Root.RequestFuture(ping, pinged{}, answerMax).Result(); err != nil {
		return fmt.Errorf("the actors do not answer: %w", err)
	}
	return nil
}

func (p *pages) readiness(ctx context.Context) error {
	p.mu.Lock()
	is := p.isReady
	p.mu.Unlock()
	if is == nil {
		return errStarting
	}
	return is(ctx)
}

func (p *pages) verdict(of func(context.Context) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		timed, cancel := context.WithTimeout(r.Context(), answerMax)
		defer cancel()
		if err := of(timed); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	}
}

// serveStatus answers with messages.ClusterStatus in protobuf's JSON, where this node leads.
func (p *pages) serveStatus(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	of := p.state
	p.mu.Unlock()
	if of == nil {
		http.Error(w, "only masters know the state of the cluster", http.StatusNotFound)
		return
	}
	timed, cancel := context.WithTimeout(r.Context(), answerMax)
	defer cancel()
	status, err := of(timed)
	switch {
	case errors.Is(err, port.ErrNoLeader):
		http.Error(w, "this master does not lead", http.StatusServiceUnavailable)
		return
	case err != nil:
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	body, err := protojson.Marshal(status)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // an error here is a client that went away
}

func (p *pages) close() error {
	timed, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := p.server.Shutdown(timed); err != nil {
		return p.server.Close()
	}
	return nil
}
