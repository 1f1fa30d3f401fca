package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"regexp"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"citystream/config"
)

// liveHeap is what the last collection found in use: what citystream_buffered_bytes should explain the most of.
var liveHeap = regexp.MustCompile(`^/gc/heap/live:bytes$`)

// openMetrics serves a registry at /metrics, in Prometheus' form, and Go's own profiles at /debug/pprof/. Both are for this machine only.
func (r *run) openMetrics(registry *prometheus.Registry) error {
	listener, err := listening(r, r.cfg.Embedded.Metrics, config.Default().Embedded.Metrics, syscall.EADDRINUSE, func(address string) (net.Listener, error) {
		return net.Listen("tcp", address)
	})
	if err != nil {
		return fmt.Errorf("metrics: %w: choose another address with embedded.metrics in the configuration", err)
	}
	registry.MustRegister(
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.GoRuntimeMetricsRule{Matcher: liveHeap})),
	)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := server.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			r.log.Warn("the metrics page is gone", "error", err)
		}
	}()
	r.metrics = "http://" + listener.Addr().String() + "/metrics"
	r.closers = append(r.closers, func() error {
		timed, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		return server.Shutdown(timed)
	})
	return nil
}
