package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"citystream/actors"
	"citystream/cluster/lease"
	"citystream/cluster/remote"
	"citystream/config"
	"citystream/engine/adapter/kafka"
	"citystream/engine/adapter/s3"
	"citystream/engine/port"
)

// node is one process of a cluster: clients of the services that all nodes share, and an actor system that the other nodes reach. What was
// opened is closed in the opposite order.
type node struct {
	cfg     *config.Config
	log     *slog.Logger
	name    string
	store   *s3.Store
	source  *kafka.Source
	groups  *kafka.Groups
	lease   port.Lease
	remote  *remote.Remote
	pages   *pages
	metrics *actors.Metrics
	closers []func() error
}

// stopMax is how long a node takes to close its connections.
const stopMax = 5 * time.Second

// openNode brings up what a node of either role needs. Trouble of the services is waited out where they may only be starting.
func openNode(ctx context.Context, cfg *config.Config, role string) (n *node, err error) {
	n = &node{cfg: cfg, name: nodeName(cfg), metrics: actors.NewMetrics()}
	n.log = newLog(cfg).With("node", n.name)
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close())
		}
	}()
	if n.pages, err = openPages(cfg.Node.HTTP, n.metrics.Registry, n.log); err != nil {
		return n, err
	}
	n.closers = append(n.closers, n.pages.close)
	for _, step := range []func(context.Context) error{n.openRemote, n.openStore, n.openKafka, n.openLease} {
		if err := step(ctx); err != nil {
			return n, err
		}
	}
	n.pages.alive(n.remote.System())
	if loopback(n.pages.address) && !loopback(n.remote.Address()) {
		n.log.Warn("the pages of this node are reached from this machine only: say with --http where others reach them", "http", n.pages.address)
	}
	n.metrics.CertificateExpires(n.remote.CertificateExpires)
	fmt.Printf("%s %s at %s, pages http://%s\n", role, n.name, n.remote.Address(), n.httpAddress())
	n.log.Info("node is up", "role", role, "address", n.remote.Address(), "http", n.pages.address, "lease", cfg.Lease.Kind, "version", version)
	return n, nil
}

// nodeName returns the configured name, or one that no other node has.
func nodeName(cfg *config.Config) string {
	if cfg.Node.Name != "" {
		return cfg.Node.Name
	}
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "node"
	}
	return fmt.Sprintf("%s-%08x", host, rand.Uint32())
}

func (n *node) openStore(ctx context.Context) (err error) {
	c := n.cfg
	n.store, err = waitFor(ctx, n.log, "the store", func(ctx context.Context) (*s3.Store, error) {
		return s3.Connect(ctx, s3.Options{
			Bucket: c.Store.Bucket, Endpoint: c.Store.Endpoint, Region: cmp.Or(c.Store.Region, regionIn(c.Store.Endpoint), regionOf(c)),
		})
	})
	return err
}

func (n *node) openKafka(ctx context.Context) (err error) {
	o := kafkaOptions(n.cfg, n.log)
	n.source, err = waitFor(ctx, n.log, "Kafka", func(context.Context) (*kafka.Source, error) { return kafka.NewSource(o) })
	if err != nil {
		return err
	}
	n.closers = append(n.closers, n.source.Close)
	if n.groups, err = kafka.NewGroups(o); err != nil {
		return err
	}
	n.closers = append(n.closers, n.groups.Close)
	return nil
}

func kafkaOptions(c *config.Config, log *slog.Logger) kafka.Options {
	o := kafka.Options{
		Brokers: c.Kafka.Brokers, ClientID: c.Kafka.ClientID, MaxWait: c.Worker.FetchWait, MaxBytes: int32(c.Worker.FetchBytes), Logger: log,
	}
	if c.Kafka.TLS {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return o
}

func (n *node) openLease(context.Context) (err error) {
	if n.lease, err = openLease(n.cfg, n.store, n.log); err != nil {
		return err
	}
	n.closers = append(n.closers, n.lease.Close)
	return nil
}

func openLease(c *config.Config, store port.Store, log *slog.Logger) (port.Lease, error) {
	return lease.Open(lease.Place{Kind: c.Lease.Kind, Servers: c.Lease.Servers, Path: c.Lease.Path, TTL: c.Lease.TTL}, store, log)
}

func (n *node) openRemote(context.Context) error {
	c := n.cfg.Node
	host, err := advertised(c)
	if err != nil {
		return err
	}
	o := remote.Options{Listen: c.Listen, Advertise: host, Log: n.log}
	if o.TLS, err = n.identityOf(c, host); err != nil {
		return err
	}
	r, err := remote.Start(o)
	if err != nil {
		return err
	}
	n.remote = r
	n.closers = append(n.closers, func() error {
		timed, cancel := context.WithTimeout(context.Background(), stopMax)
		defer cancel()
		return r.Stop(timed)
	})
	return nil
}

// actorsNode says to the actors what the configuration says.
func (n *node) actorsNode() *actors.Node {
	a := actorsNodeOf(n.cfg)
	a.Source, a.Store, a.Metrics, a.Log = n.source, n.store, n.metrics, n.log
	a.GroupOffsets = n.groups
	return a
}

// self is how others find this node.
func (n *node) self() port.Leader {
	return port.Leader{Name: n.name, Address: n.remote.Address(), HTTP: n.httpAddress()}
}

// httpAddress is where others reach the pages: the address that they listen at, with the host that others know this node by where that is every address.
func (n *node) httpAddress() string {
	host, taken, _ := net.SplitHostPort(n.pages.address)
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host, _, _ = net.SplitHostPort(n.remote.Address())
	}
	return net.JoinHostPort(host, taken)
}

func (n *node) close() error {
	var errs []error
	for _, c := range slices.Backward(n.closers) {
		errs = append(errs, c())
	}
	n.closers = nil
	return errors.Join(errs...)
}

// limitWorker tells the runtime what one worker may take, unless the environment has said more.
func limitWorker(c *config.Config) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(c.Worker.Memory) + memoryBeside)
	}
}

// Waits for services that may only be starting.
const (
	startMax  = 2 * time.Minute
	startWait = time.Second
)

// waitFor opens a service, and tries again for a while what may pass: a container beside this one may only be starting.
func waitFor[T any](ctx context.Context, log *slog.Logger, what string, open func(context.Context) (T, error)) (T, error) {
	deadline := time.Now().Add(startMax)
	for told := false; ; told = true {
		got, err := open(ctx)
		if err == nil || errors.Is(err, port.ErrForbidden) || ctx.Err() != nil || time.Now().After(deadline) {
			return got, err
		}
		if !told {
			log.Warn("waiting for "+what, "error", err, "at_most", startMax)
		}
		select {
		case <-ctx.Done():
			return got, errors.Join(ctx.Err(), err)
		case <-time.After(startWait):
		}
	}
}

// nodeFlags are those of master and worker, and the keys that they set.
func nodeFlags(c *cobra.Command) map[string]string {
	f := c.Flags()
	f.String("name", "", "`NAME` of this node, which no other living one has")
	f.String("listen", "", "`HOST:PORT` that other nodes reach this one at; port 0 takes a free one")
	f.String("advertise", "", "`HOST` name or IP address that other nodes know this one by, as in its certificate")
	f.String("http", "", "`HOST:PORT` of /healthz, /readyz and /metrics, and a master's /status")
	f.String("cert", "", "PEM `FILE` of this node's certificate")
	f.String("key", "", "PEM `FILE` of its key")
	f.String("ca", "", "PEM `FILE` of the authorities of nodes")
	f.String("lab-ca", "", "`DIR` of a lab's CA, by which the node makes its own certificate; instead of --cert, --key and --ca")
	f.Bool("insecure", false, "talk without TLS, on loopback addresses only")
	f.String("kafka", "", "`HOST:PORT,...` of Kafka's brokers")
	f.String("s3", "", "`URL` of an S3 service other than AWS's")
	f.String("lease", "", "where the lease is kept: store, zookeeper or etcd")
	f.String("lease-servers", "", "`HOST:PORT,...` of ZooKeeper or etcd")
	configFlag(c)
	return map[string]string{
		"name": "node.name", "listen": "node.listen", "advertise": "node.advertise", "http": "node.http", "cert": "node.cert", "key": "node.key",
		"ca": "node.ca", "lab-ca": "node.labCa", "insecure": "node.insecure", "kafka": "kafka.brokers", "s3": "store.endpoint", "lease": "lease.kind", "lease-servers": "lease.servers",
	}
}

// drained ends a node in good order or at its deadline, and says which.
func (n *node) drained(drain func(context.Context) error) error {
	timed, cancel := context.WithTimeout(context.Background(), n.cfg.Node.DrainAfter)
	defer cancel()
	n.log.Info("ending: what was read is committed and handed over; a second signal ends at once", "at_most", n.cfg.Node.DrainAfter)
	if err := drain(timed); err != nil {
		return fmt.Errorf("the end was not clean; nothing is lost, others go on from the last commits: %w", err)
	}
	n.log.Info("ended: everything that was read is committed")
	return nil
}

// loopback says whether an address is one of this machine only.
func loopback(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
