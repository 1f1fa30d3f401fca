// Package broker is the embedded Kafka broker: what `citystream up` and `citystream broker` run where no Kafka is at hand.
//
// It speaks the Kafka protocol over TCP, so that any client can produce to it and consume from it, and keeps its topics, their
// ids, the cluster's id and the committed offsets in a directory. A killed process loses nothing that was acknowledged, because
// each batch is handed to the operating system before its acknowledgement; only a crash of the machine can lose the last moments.
//
// It is one node without replication, made for a laptop and a demonstration: one goroutine serves all requests. For that reason it
// listens on loopback only. A directory has one owner, ensured by a file lock, and messages older than the retention leave it.
package broker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	clusterID          = "citystream"
	defaultListen      = "127.0.0.1:9092"
	defaultPartitions  = 4
	defaultRetention   = 24 * time.Hour
	segmentBytes       = 64 << 20 // a dropped message's bytes come back with its segment, and segments are loaded one at a time
	messageBytesMax    = 16 << 20
	retentionPeriodMax = time.Minute
	ownPartitionsMax   = 10_000
)

// ErrLocked is the error of Open on a directory that another broker has open.
var ErrLocked = errors.New("the broker's data directory is in use")

// ErrAddressInUse is the error of Open on an address where something else listens.
var ErrAddressInUse = errors.New("the broker's address is in use")

// Options say where a broker keeps its data and where it listens. Only Dir has no default.
type Options struct {
	Dir        string        // made if it is missing
	Listen     string        // loopback host:port, default 127.0.0.1:9092; port 0 takes a free one
	Partitions int           // of topics made by asking for them or producing to them, default 4
	Retention  time.Duration // age at which messages are dropped, default a day
	Logger     *slog.Logger  // default none
}

// A Broker is a running broker. Its methods are safe for concurrent use.
type Broker struct {
	cluster *kfake.Cluster
	client  *kgo.Client // for the broker's own upkeep
	lock    *flock.Flock
	addr    string

	cancel   context.CancelFunc
	stopped  sync.WaitGroup
	closing  sync.Once
	closeErr error
}

// Open starts a broker on a directory and returns when it accepts connections.
func Open(o Options) (*Broker, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("open broker: make its data directory: %w; choose a directory that can be written", err)
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("open broker: %w", err)
	}
	b, err := start(o, lock)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open broker: %w", err), lock.Close())
	}
	return b, nil
}

func (o *Options) complete() error {
	if o.Dir == "" {
		return errors.New("open broker: no data directory given")
	}
	if o.Listen == "" {
		o.Listen = defaultListen
	}
	if o.Partitions == 0 {
		o.Partitions = defaultPartitions
	}
	if o.Partitions < 0 || o.Partitions > ownPartitionsMax {
		return fmt.Errorf("open broker: %d partitions; it takes 1 to %d", o.Partitions, ownPartitionsMax)
	}
	if o.Retention == 0 {
		o.Retention = defaultRetention
	}
	if o.Retention < 0 {
		return fmt.Errorf("open broker: retention %v is negative", o.Retention)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

func start(o Options, lock *flock.Flock) (*Broker, error) {
	listener, err := listen(o.Listen)
	if err != nil {
		return nil, err
	}
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return listener, nil }),
		kfake.DataDir(o.Dir),
		kfake.ClusterID(clusterID),
		kfake.DefaultNumPartitions(o.Partitions),
		kfake.WithLogger(clusterLog{o.Logger}),
		kfake.BrokerConfigs(map[string]string{
			"log.segment.bytes": strconv.Itoa(segmentBytes),
			"log.retention.ms":  "-1", // see retain
			"message.max.bytes": strconv.Itoa(messageBytesMax),
		}),
	)
	if err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("start on %s: %w", o.Dir, err)
	}
	addr := listener.Addr().String()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ClientID("citystream-broker-upkeep"))
	if err != nil {
		cluster.Close()
		return nil, fmt.Errorf("make the client for the upkeep: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b := &Broker{cluster: cluster, client: client, lock: lock, addr: addr, cancel: cancel}
	answerUnknownGroups(ctx, cluster, client)
	makeTopicsAskedFor(ctx, cluster, client, o.Logger)
	b.stopped.Go(func() { b.retain(ctx, client, o.Retention, o.Logger) })
	return b, nil
}

// Addr returns the host:port where the broker listens, which it also advertises to clients.
func (b *Broker) Addr() string { return b.addr }

// Close stops the broker, writes down what it holds and gives the directory free. A second call returns what the first one did.
func (b *Broker) Close() error {
	b.closing.Do(func() {
		b.cancel()
		b.stopped.Wait()
		b.client.Close()
		b.cluster.Close()
		if err := b.lock.Close(); err != nil {
			b.closeErr = fmt.Errorf("close broker: release its data directory: %w", err)
		}
	})
	return b.closeErr
}

// listen binds a loopback address. The broker asks nobody for credentials, so it must not be reachable from elsewhere.
func listen(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w; give host:port, for example %s", address, err, defaultListen)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("listen on %s: the embedded broker has no authentication and listens on loopback only: use 127.0.0.1, ::1 or localhost", address)
	}
	listener, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%w: something listens on %s already; stop it, choose another port (0 takes a free one), or use it as the Kafka of this run",
			ErrAddressInUse, address)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return listener, nil
}

// lockDir takes the directory for this process and leaves a note of who holds it in the lock's file.
func lockDir(dir string) (*flock.Flock, error) {
	path := filepath.Join(dir, "broker.lock")
	lock := flock.New(path)
	taken, err := lock.TryLock()
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return nil, fmt.Errorf("lock %s: %w; choose a directory that can be written", path, err)
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if !taken {
		return nil, fmt.Errorf("%w: %s is held by %s; stop that process or choose another directory", ErrLocked, dir, holder(path))
	}
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
		return nil, errors.Join(fmt.Errorf("note the owner of %s: %w", path, err), lock.Close())
	}
	return lock, nil
}

func holder(path string) string {
	note, err := os.ReadFile(path)
	if err != nil {
		return "another process"
	}
	var pid int
	if _, err := fmt.Sscanf(string(note), "%d", &pid); err != nil {
		return "another process"
	}
	return fmt.Sprintf("process %d", pid)
}

// clusterLog hands the cluster's warnings to a logger. What it calls information is one line a request.
type clusterLog struct{ to *slog.Logger }

// Logf implements kfake.Logger.
func (l clusterLog) Logf(level kfake.LogLevel, format string, args ...any) {
	switch level {
	case kfake.LogLevelError:
		l.to.Error("embedded broker", "detail", fmt.Sprintf(format, args...))
	case kfake.LogLevelWarn:
		l.to.Warn("embedded broker", "detail", fmt.Sprintf(format, args...))
	}
}
