package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/prometheus/client_golang/prometheus"

	"citystream/actors"
	"citystream/cluster/reign"
	"citystream/config"
	athenaadapter "citystream/engine/adapter/athena"
	glueadapter "citystream/engine/adapter/glue"
	"citystream/engine/adapter/kafka"
	"citystream/engine/adapter/s3"
	"citystream/engine/port"
	"citystream/engine/schema"
	"citystream/engine/window"
	"citystream/internal/awsbody"
	awslocal "citystream/local/aws"
	"citystream/local/broker"
	"citystream/local/store"
	"citystream/messages"
)

// outside says which services are not the embedded ones.
type outside struct{ kafka, s3, aws bool }

// run is everything that is up: embedded services, clients and the cluster. What was opened is closed in the opposite order.
type run struct {
	cfg       *config.Config
	outside   outside
	log       *slog.Logger
	data      *dataDir
	keys      keys
	endpoints endpoints
	pages     *pages
	died      chan error // an embedded service has ended by itself
	store     *s3.Store
	buckets   func(bucket string) (port.Store, error) // of the same service
	source    *kafka.Source
	groups    *kafka.Groups
	catalog   port.Catalog
	query     port.Query
	warehouse port.Warehouse // nil without one
	system    *actor.ActorSystem
	cluster   *actors.Cluster
	closers   []func() error
}

// open brings everything up.
func open(ctx context.Context, cfg *config.Config, out outside, log *slog.Logger) (r *run, err error) {
	r = &run{cfg: cfg, outside: out, log: log, died: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	if r.data, err = openDataDir(cfg.Embedded.Data); err != nil {
		return r, err
	}
	r.closers = append(r.closers, r.data.close)
	if r.keys, err = r.data.ensureKeys(); err != nil {
		return r, err
	}
	for _, step := range []func(context.Context, outside) error{r.openStore, r.openBroker, r.openSQL, r.openCluster} {
		if err := step(ctx, out); err != nil {
			return r, err
		}
	}
	return r, nil
}

func (r *run) close() error {
	var errs []error
	for _, c := range slices.Backward(r.closers) {
		errs = append(errs, c())
	}
	r.closers = nil
	return errors.Join(errs...)
}

// listening opens a service at its address. Where the address is the usual one and taken, a free port does: only an address that somebody
// has chosen must be that one.
func listening[S any](r *run, address, usual string, taken error, open func(string) (S, error)) (S, error) {
	s, err := open(address)
	if err == nil || address != usual || !errors.Is(err, taken) {
		return s, err
	}
	host, _, _ := net.SplitHostPort(usual)
	r.log.Warn("the usual address is in use; a free port is taken", "address", address)
	return open(net.JoinHostPort(host, "0"))
}

func (r *run) openStore(ctx context.Context, out outside) error {
	o := s3.Options{Bucket: r.cfg.Store.Bucket, Endpoint: r.cfg.Store.Endpoint, Region: cmp.Or(r.cfg.Store.Region, regionIn(r.cfg.Store.Endpoint), regionOf(r.cfg))}
	if !out.s3 {
		child, err := listening(r, r.cfg.Embedded.Store, config.Default().Embedded.Store, store.ErrAddressInUse, func(listen string) (*store.Child, error) {
			return store.Start(ctx, store.ChildOptions{
				Args:      []string{"store", "--child", "--data", r.data.join("store"), "--listen", listen},
				AccessKey: r.keys.access, SecretKey: r.keys.secret, Buckets: []string{r.cfg.Store.Bucket}, Logger: r.log,
			})
		})
		if err != nil {
			return err
		}
		go func() {
			<-child.Done()
			select {
			case r.died <- child.Err():
			default:
			}
		}()
		r.closers = append(r.closers, child.Close)
		o.Endpoint, o.AccessKey, o.SecretKey = "http://"+child.Addr(), r.keys.access, r.keys.secret
	}
	r.endpoints.S3 = o.Endpoint
	r.buckets = bucketsOf(func() (s3.Options, error) { return o, nil })
	var err error
	r.store, err = s3.Connect(ctx, o)
	return err
}

// usualRegion is named where nothing else is: an endpoint of one's own takes any.
const usualRegion = "us-east-1"

func regionOf(c *config.Config) string {
	return cmp.Or(c.AWS.Region, regionIn(c.AWS.Endpoint), usualRegion)
}

func (r *run) openBroker(ctx context.Context, out outside) error {
	brokers := r.cfg.Kafka.Brokers
	if !out.kafka {
		b, err := listening(r, r.cfg.Embedded.Broker, config.Default().Embedded.Broker, broker.ErrAddressInUse, func(listen string) (*broker.Broker, error) {
			return broker.Open(broker.Options{Dir: r.data.join("broker"), Listen: listen, Partitions: r.cfg.Embedded.Partitions, Logger: r.log})
		})
		if err != nil {
			return err
		}
		r.closers = append(r.closers, b.Close)
		brokers = []string{b.Addr()}
	}
	r.cfg.Kafka.Brokers, r.endpoints.Kafka = brokers, joined(brokers)
	if err := os.WriteFile(r.data.join(kafkaFile), []byte(r.endpoints.Kafka), 0o644); err != nil {
		return fmt.Errorf("remember the broker: %w", err)
	}
	var err error
	o := kafkaOptions(r.cfg, r.log)
	if r.source, err = kafka.NewSource(o); err != nil {
		return err
	}
	r.closers = append(r.closers, r.source.Close)
	if r.groups, err = kafka.NewGroups(o); err != nil {
		return err
	}
	r.closers = append(r.closers, r.groups.Close)
	var topics []kafka.TopicSpec
	for _, t := range r.cfg.Tables {
		topics = append(topics, kafka.TopicSpec{Name: t.Topic, Partitions: int32(r.cfg.Embedded.Partitions)})
	}
	_, err = r.source.EnsureTopics(ctx, topics)
	return err
}

func joined(brokers []string) string {
	text := ""
	for i, b := range brokers {
		if i > 0 {
			text += ","
		}
		text += b
	}
	return text
}

// outsideAWS is for AWS clients of the configured endpoint, with the credentials of the usual chain.
func outsideAWS(ctx context.Context, c *config.Config) (aws.Config, error) {
	cfg, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithRegion(regionOf(c)))
	if err != nil {
		return cfg, fmt.Errorf("AWS settings: %w", err)
	}
	cfg.HTTPClient = awsbody.Client(cfg.HTTPClient)
	if regionIn(c.AWS.Endpoint) == "" {
		cfg.BaseEndpoint = aws.String(c.AWS.Endpoint) // one address for Glue and Athena; AWS has one each, which the SDK knows
	}
	return cfg, nil
}

// regionIn returns the region that an address of AWS itself names, as https://athena.eu-west-1.amazonaws.com does; else nothing.
func regionIn(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return ""
	}
	labels := strings.Split(u.Hostname(), ".")
	if n := len(labels); n >= 4 && labels[n-2] == "amazonaws" && labels[n-1] == "com" {
		return labels[n-3]
	}
	return ""
}

func (r *run) openSQL(ctx context.Context, out outside) error {
	if out.aws {
		cfg, err := outsideAWS(ctx, r.cfg)
		if err != nil {
			return err
		}
		r.endpoints.AWS = r.cfg.AWS.Endpoint
		r.sql(cfg)
		return nil
	}
	var objects awslocal.Objects
	var err error
	if r.cfg.Store.Endpoint == "" {
		objects, err = awslocal.NewDiskObjects(r.data.join("store"))
	} else {
		objects, err = awslocal.NewCachedObjects(r.data.join("cache"), cacheMax, r.buckets)
	}
	if err != nil {
		return err
	}
	server, err := listening(r, r.cfg.Embedded.AWS, config.Default().Embedded.AWS, syscall.EADDRINUSE, func(listen string) (*awslocal.Server, error) {
		return awslocal.Open(awslocal.Options{
			Dir: r.data.join("aws"), Listen: listen, Public: r.cfg.Embedded.AWSPublic, AccessKey: r.keys.access, SecretKey: r.keys.secret, Objects: objects, Store: r.buckets,
			Logger: r.log,
		})
	})
	if err != nil {
		return err
	}
	r.closers = append(r.closers, server.Close)
	r.endpoints.AWS = "http://" + server.Addr()
	r.sql(clientConfig(r.endpoints.AWS, regionOf(r.cfg), r.keys))
	return r.data.writeAWSConfig(regionOf(r.cfg), r.endpoints.AWS, r.endpoints.S3)
}

// clientConfig is for AWS clients of an embedded endpoint.
func clientConfig(endpoint, region string, k keys) aws.Config {
	return aws.Config{
		Region: region, BaseEndpoint: aws.String(endpoint), Credentials: credentials.NewStaticCredentialsProvider(k.access, k.secret, ""),
		HTTPClient: awsbody.Client(nil),
	}
}

func (r *run) sql(cfg aws.Config) {
	r.query = queryOf(cfg, r.cfg)
	r.catalog, r.warehouse = catalogOf(cfg, r.cfg, r.store)
}

// catalogOf returns the catalog and the warehouse of the configuration; each is nil where it wants none.
func catalogOf(cfg aws.Config, c *config.Config, store port.Store) (port.Catalog, port.Warehouse) {
	if c.Catalog.Kind == "none" {
		return nil, nil
	}
	catalog := glueadapter.New(glue.NewFromConfig(cfg))
	if c.Redshift.Mode == "none" {
		return catalog, nil
	}
	return catalog, warehouseOf(cfg, c, store)
}

func queryOf(cfg aws.Config, c *config.Config) *athenaadapter.Query {
	return athenaadapter.New(athena.NewFromConfig(cfg), queryOptions(c))
}

func queryOptions(c *config.Config) athenaadapter.Options {
	return athenaadapter.Options{
		WorkGroup: c.AWS.Workgroup, OutputLocation: c.AWS.Output, PollMin: 5 * time.Millisecond, PollMax: time.Second,
	}
}

func (r *run) openCluster(ctx context.Context, out outside) error {
	begun, err := reign.Begin(ctx, r.store, 0)
	if err != nil {
		return err
	}
	limitMemory(r.cfg, out)
	node := r.node()
	if err := r.openPages(node.Metrics.Registry); err != nil {
		return err
	}
	r.system = actors.NewSystem(quietly(r.cfg))
	r.pages.alive(r.system)
	r.cluster, err = actors.StartCluster(r.system, node, begun.Epoch, r.cfg.Embedded.Workers)
	if err != nil {
		return err
	}
	r.closers = append(r.closers, func() error { r.cluster.Stop(); r.system.Shutdown(); return nil })
	r.pages.ready(func(context.Context) error { return nil })
	r.pages.status(r.clusterStatus)
	return nil
}

func (r *run) clusterStatus(ctx context.Context) (*messages.ClusterStatus, error) {
	s, err := r.cluster.Status(ctx)
	if err != nil {
		return nil, err
	}
	c, err := r.cluster.CatalogStatus(ctx)
	return &messages.ClusterStatus{Status: s, Catalog: c}, err
}

// openPages serves the run's pages, and leaves their address where citystream status looks for it.
func (r *run) openPages(registry *prometheus.Registry) error {
	p, err := listening(r, r.cfg.Embedded.Metrics, config.Default().Embedded.Metrics, syscall.EADDRINUSE, func(address string) (*pages, error) {
		return openPages(address, registry, r.log)
	})
	if err != nil {
		return fmt.Errorf("%w (embedded.metrics in the configuration)", err)
	}
	r.pages = p
	r.closers = append(r.closers, p.close)
	return os.WriteFile(r.data.join(pagesFile), []byte(p.address), 0o644)
}

// What the workers do not count.
const (
	memoryBeside  = 64 << 20 // connections, what encoders and decoders keep, and what is not collected yet
	memoryVehicle = 4 << 10  // of a vehicle of the fleet, with its records on their way
)

// limitMemory tells the runtime what the configuration allows, unless the environment has said more. Far below the limit the collector runs
// seldom, near to it as often as it must; it never ends the process. An embedded broker keeps its topics in the same memory, which nothing
// limits.
func limitMemory(c *config.Config, out outside) {
	if os.Getenv("GOMEMLIMIT") == "" && out.kafka {
		debug.SetMemoryLimit(int64(c.Worker.Memory)*int64(c.Embedded.Workers) + memoryBeside + memoryVehicle*int64(c.Fleet.Vehicles))
	}
}

func (r *run) node() *actors.Node {
	n := actorsNodeOf(r.cfg)
	n.Source, n.Store, n.Catalog, n.Metrics, n.Log, n.GroupOffsets = r.source, r.store, r.catalog, actors.NewMetrics(), r.log, r.groups
	setCatalog(n, r.cfg, r.query, r.warehouse)
	return n
}

// actorsNodeOf says to the actors what the configuration says; the devices are still missing.
func actorsNodeOf(c *config.Config) *actors.Node {
	return &actors.Node{
		Version: version,
		Tables:  c.Tables, DeadLetters: schema.DeadLetters(), Bucket: c.Store.Bucket, RawPrefix: c.Store.RawPrefix, Database: c.AWS.Database,
		Limits: window.Limits{
			Rows: c.Flush.MaxRows, Bytes: int64(c.Flush.MaxBytes), Age: c.Flush.MaxAge, OpenWindows: c.Windows.MaxOpen,
		},
		IdleTimeout: c.Windows.IdleTimeout, SealAfter: c.Flush.SealAfter, Latest: c.Kafka.Start == "latest", AllowLoss: !c.Kafka.FailOnDataLoss,
		Batches: c.Worker.Batches, PartBytes: int(c.Worker.PartBytes), Uploads: c.Worker.Uploads, MemoryBytes: int64(c.Worker.Memory),
		MaxRate: c.Worker.MaxRate, Group: c.Kafka.Group,
		Heartbeat: c.Master.Heartbeat, WorkerDead: c.Master.WorkerDeadAfter, WorkerSelfStop: c.Master.WorkerStopAfter,
		Orphaned:  c.Master.OrphanedAfter,
		Discovery: c.Master.Discovery, EndOfStream: c.Master.EndOfStreamAfter, CatalogPoll: c.Catalog.Poll,
		Housekeeping: c.Catalog.Housekeeping, KeepLog: c.Store.KeepLog,
	}
}

// isTerminal reports whether a person looks at a file.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// quietly returns a log for the actor system, whose own words below a warning say nothing to users.
func quietly(cfg *config.Config) *slog.Logger {
	quiet := *cfg
	if quiet.Log.Level == "info" {
		quiet.Log.Level = "warn"
	}
	return newLog(&quiet)
}
