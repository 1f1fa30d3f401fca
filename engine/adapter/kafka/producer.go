package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/semaphore"

	"citystream/engine/port"
)

// ProducerOptions say how to produce. Only Brokers has no default.
type ProducerOptions struct {
	Brokers     []string
	ClientID    string
	Compression string       // none, gzip, snappy, lz4 or zstd; default none
	MaxInFlight int          // messages queued or on their way, default 65,536; Produce waits beyond that
	Logger      *slog.Logger // default none
}

// deliveryTimeout is when a message is given up: a broker restarts in less.
const deliveryTimeout = 90 * time.Second

// flushPeriod is how long a message waits for others to its partition.
const flushPeriod = 10 * time.Millisecond

// atOnce is how many messages are queued together at most: each needs a record of the client, which are made in one piece.
const atOnce = 512

var errProducerClosed = errors.New("the kafka producer is closed")

var codecs = map[string]kgo.CompressionCodec{
	"": kgo.NoCompression(), "none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

// A producer is franz-go's idempotent producer behind a bound on what is under way.
type producer struct {
	client    *kgo.Client
	delivered func(topic string, err error)
	inFlight  int64
	slots     *semaphore.Weighted // one taken for each message under way
	done      func(*kgo.Record, error)

	mu     sync.RWMutex // held for reading while messages are queued
	closed bool
}

var _ port.Producer = (*producer)(nil)

// NewProducer connects to a cluster and makes a producer. Messages with the same key go to the same partition in their order, each
// is written once however often it had to be sent, and a broker may be gone for a minute before one is given up; whether such a one is in
// its topic only the topic can tell. delivered is called once for each message, from one goroutine.
func NewProducer(o ProducerOptions, delivered func(topic string, err error)) (port.Producer, error) {
	codec, known := codecs[o.Compression]
	if !known {
		return nil, fmt.Errorf("kafka producer: compression %q: choose none, gzip, snappy, lz4 or zstd", o.Compression)
	}
	if o.MaxInFlight <= 0 {
		o.MaxInFlight = 1 << 16
	}
	probe, err := NewSource(Options{Brokers: o.Brokers, ClientID: o.ClientID, Logger: o.Logger})
	if err != nil { // said here at once, where the client would try for as long as it does for a message
		return nil, fmt.Errorf("kafka producer: %w", errors.Unwrap(err))
	}
	complete := probe.o
	_ = probe.Close()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(o.Brokers...), kgo.ClientID(complete.ClientID), kgo.WithLogger(&clientLog{log: complete.Logger}),
		kgo.ProducerBatchCompression(codec), kgo.ProducerLinger(flushPeriod),
		kgo.MaxBufferedRecords(o.MaxInFlight+1), // slots bound it before
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(kgo.SaramaCompatHasher(fnv32a))),
		kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(-1), kgo.RecordDeliveryTimeout(deliveryTimeout), // a topic that is just being made is unknown, too
		kgo.AllowIdempotentProduceCancellation(), // else nothing is given up that was sent once, and a drive on a dead broker has no end
		kgo.MetadataMinAge(250*time.Millisecond),
	)
	if err != nil {
		return nil, fmt.Errorf("kafka producer: %w", err)
	}
	p := &producer{client: client, delivered: delivered, inFlight: int64(o.MaxInFlight), slots: semaphore.NewWeighted(int64(o.MaxInFlight))}
	p.done = p.report
	return p, nil
}

// fnv32a is the hash of FNV-1a (Fowler, Noll, Vo), by which keys have always been spread here.
func fnv32a(key []byte) uint32 {
	h := uint32(2166136261)
	for _, c := range key {
		h = (h ^ uint32(c)) * 16777619
	}
	return h
}

// Produce implements port.Producer.
func (p *producer) Produce(ctx context.Context, messages []port.Message) (sent int, err error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		return 0, errProducerClosed
	}
	step := max(1, min(atOnce, int(p.inFlight)/8))
	for sent < len(messages) {
		some := messages[sent:min(sent+step, len(messages))]
		if err := p.slots.Acquire(ctx, int64(len(some))); err != nil {
			return sent, err
		}
		records := make([]kgo.Record, len(some))
		for i := range some {
			records[i].Topic, records[i].Key, records[i].Value = some[i].Topic, some[i].Key, some[i].Value
			p.client.Produce(context.Background(), &records[i], p.done) // whatever becomes of ctx: what is queued is delivered
		}
		sent += len(some)
	}
	return sent, nil
}

// report says what became of a message.
func (p *producer) report(r *kgo.Record, err error) {
	if err != nil {
		err = fmt.Errorf("produce to %s/%d: %w", r.Topic, r.Partition, err)
	}
	p.delivered(r.Topic, err)
	p.slots.Release(1)
}

// Close implements port.Producer.
func (p *producer) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	err := p.slots.Acquire(context.Background(), p.inFlight) // until nothing is under way
	p.client.Close()
	return err
}
