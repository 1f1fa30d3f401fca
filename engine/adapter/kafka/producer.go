package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/IBM/sarama"

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

const (
	produceAttempts = 240                    // with the pauses below about a minute and a half: a broker restarts in less
	producePauseMin = 50 * time.Millisecond  //
	producePauseMax = 400 * time.Millisecond //
	flushBytes      = 512 << 10
	flushPeriod     = 10 * time.Millisecond
	messageBytesMax = 8 << 20
)

var errProducerClosed = errors.New("the kafka producer is closed")

// A producer is sarama's idempotent asynchronous producer behind a bound on what is under way.
type producer struct {
	async     sarama.AsyncProducer
	delivered func(topic string, err error)
	slots     chan struct{} // one taken for each message under way
	reports   sync.WaitGroup

	mu     sync.RWMutex // held for reading while messages are queued
	closed bool
}

var _ port.Producer = (*producer)(nil)

// NewProducer connects to a cluster and makes a producer. Messages with the same key go to the same partition in their order, each
// is written once however often it had to be sent, and a broker may be gone for a minute before one is given up. delivered is
// called once for each message, from two goroutines.
func NewProducer(o ProducerOptions, delivered func(topic string, err error)) (port.Producer, error) {
	config, err := o.config()
	if err != nil {
		return nil, fmt.Errorf("kafka producer: %w", err)
	}
	probe, err := NewSource(Options{Brokers: o.Brokers, ClientID: o.ClientID, Logger: o.Logger})
	if err != nil { // said here at once, where sarama would try for as long as it does for a message
		return nil, fmt.Errorf("kafka producer: %w", errors.Unwrap(err))
	}
	_ = probe.Close()
	async, err := sarama.NewAsyncProducer(o.Brokers, config)
	if err != nil {
		return nil, fmt.Errorf("kafka producer: %w", err)
	}
	p := &producer{async: async, delivered: delivered, slots: make(chan struct{}, o.MaxInFlight)}
	p.reports.Go(p.reportSuccesses)
	p.reports.Go(p.reportFailures)
	return p, nil
}

func (o *ProducerOptions) config() (*sarama.Config, error) {
	if o.MaxInFlight <= 0 {
		o.MaxInFlight = 1 << 16
	}
	common := Options{Brokers: o.Brokers, ClientID: o.ClientID, Logger: o.Logger}
	if err := common.complete(); err != nil {
		return nil, err
	}
	c := common.config()
	if o.Compression != "" {
		if err := c.Producer.Compression.UnmarshalText([]byte(o.Compression)); err != nil {
			return nil, fmt.Errorf("compression %q: choose none, gzip, snappy, lz4 or zstd", o.Compression)
		}
	}
	c.ChannelBufferSize = 1024
	c.Producer.Idempotent = true
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Net.MaxOpenRequests = 1 // with more, a batch that is sent again may overtake another
	c.Producer.Partitioner = sarama.NewHashPartitioner
	c.Producer.Return.Successes, c.Producer.Return.Errors = true, true
	c.Producer.Flush.Bytes, c.Producer.Flush.Frequency = flushBytes, flushPeriod
	c.Producer.MaxMessageBytes = messageBytesMax
	c.Producer.Retry.Max, c.Producer.Retry.BackoffFunc = produceAttempts, producePause
	// A message is also given up when the leader of its partition cannot be looked up, so that is tried as long.
	c.Metadata.Retry.Max, c.Metadata.Retry.BackoffFunc = produceAttempts, producePause
	return c, nil
}

func producePause(retries, _ int) time.Duration {
	return min(producePauseMin<<min(retries, 8), producePauseMax)
}

// Produce implements port.Producer.
func (p *producer) Produce(ctx context.Context, messages []port.Message) (sent int, err error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		return 0, errProducerClosed
	}
	for i := range messages {
		select {
		case p.slots <- struct{}{}:
		case <-ctx.Done():
			return i, ctx.Err()
		}
		select {
		case p.async.Input() <- encode(&messages[i]):
		case <-ctx.Done():
			<-p.slots
			return i, ctx.Err()
		}
	}
	return len(messages), nil
}

// encode keeps nil apart from empty: a nil value is a tombstone, and a nil key lets any partition take the message.
func encode(m *port.Message) *sarama.ProducerMessage {
	out := &sarama.ProducerMessage{Topic: m.Topic}
	if m.Key != nil {
		out.Key = sarama.ByteEncoder(m.Key)
	}
	if m.Value != nil {
		out.Value = sarama.ByteEncoder(m.Value)
	}
	return out
}

// Close implements port.Producer.
func (p *producer) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	for range cap(p.slots) { // until nothing is under way: once told to close, sarama gives up what it would have to send again
		p.slots <- struct{}{}
	}
	p.async.AsyncClose()
	p.reports.Wait()
	return nil
}

func (p *producer) reportSuccesses() {
	for m := range p.async.Successes() {
		<-p.slots
		p.delivered(m.Topic, nil)
	}
}

func (p *producer) reportFailures() {
	for e := range p.async.Errors() {
		<-p.slots
		p.delivered(e.Msg.Topic, fmt.Errorf("produce to %s/%d: %w", e.Msg.Topic, e.Msg.Partition, e.Err))
	}
}
