// Package kafka is the engine's Kafka: the source of records, the producer, and the making of topics.
//
// Reading works on batches, not on messages: the fetches of all readers of a broker share two connections (see lane), and what comes
// for one of them becomes one slice of records whose keys and values alias the answer, which goes back to a pool when all its readers
// have released it. Only committed records come out: the records of aborted transactions, control records and what lies below the
// wanted offset are taken out here, and the position moves on over all of them.
//
// Sarama does the rest: metadata, offsets, producing.
//
// Troubles that pass by themselves (a broker restarts, a leader moves) are waited out for a while with growing pauses; passing is
// the one function that tells them from those that do not. Nothing is ever reset in silence: an offset that the log does not
// have, and a topic that is gone or was made anew, are errors of their own.
package kafka

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"citystream/engine/port"
	"citystream/engine/record"
)

// Options say how to reach a cluster. Only Brokers has no default.
type Options struct {
	Brokers     []string      // host:port of some brokers
	ClientID    string        // shown in the brokers' logs and quotas, default citystream
	MaxWait     time.Duration // how long a fetch at the end of a partition waits for records, default 500 ms
	MaxBytes    int32         // bytes of one fetch, default 4 MiB; a larger single batch comes all the same
	DialTimeout time.Duration // default 5 s
	Patience    time.Duration // how long a call waits out a passing trouble before it returns it, default 15 s
	TLS         *tls.Config   // nil for plain text
	Logger      *slog.Logger  // default none
}

const (
	fetchBytesMax  = 256 << 20 // largest single batch that is fetched
	answerTimeout  = 20 * time.Second
	goneAnswersMin = 3 // that many times in a row must the cluster deny a topic: a broker that has just started knows little
)

func (o *Options) complete() error {
	if len(o.Brokers) == 0 {
		return errors.New("no brokers given: name at least one as host:port")
	}
	if o.ClientID == "" {
		o.ClientID = "citystream"
	}
	if o.MaxWait <= 0 {
		o.MaxWait = 500 * time.Millisecond
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 4 << 20
	}
	o.MaxBytes = min(o.MaxBytes, fetchBytesMax)
	if o.DialTimeout <= 0 {
		o.DialTimeout = 5 * time.Second
	}
	if o.Patience <= 0 {
		o.Patience = 15 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// config returns a sarama configuration for one connection, or for one producer.
func (o *Options) config() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V3_6_0_0
	c.ClientID = o.ClientID
	c.Net.DialTimeout = o.DialTimeout
	c.Net.ReadTimeout = o.MaxWait + answerTimeout
	c.Net.WriteTimeout = answerTimeout
	c.Net.TLS.Enable = o.TLS != nil
	c.Net.TLS.Config = o.TLS
	return c
}

// A Source reads from a Kafka cluster. It implements port.Source and is safe for concurrent use.
type Source struct {
	o     Options
	ended context.Context // ends with Close
	end   context.CancelFunc
	slabs slabPool

	harvests sync.Pool // of *harvest

	mu    sync.Mutex
	idle  map[string][]*link // at most idleLinks a broker; nil once closed
	lanes map[laneKey]*lane  // nil once closed
	known []string           // addresses that the cluster advertised last

	finding chan struct{}    // of one slot: taken by who uses found
	found   map[string]found // by topic
}

var _ port.Source = (*Source)(nil)

// NewSource connects to a cluster. If it cannot be reached the error says what to check.
func NewSource(o Options) (*Source, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("kafka source: %w", err)
	}
	s := &Source{o: o, idle: map[string][]*link{}, lanes: map[laneKey]*lane{}, finding: make(chan struct{}, 1), found: map[string]found{}}
	s.ended, s.end = context.WithCancel(context.Background())
	if err := s.reach(); err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("kafka source: %w", err)
	}
	return s, nil
}

// Topics implements port.Source.
func (s *Source) Topics(ctx context.Context, names []string) ([]port.Topic, error) {
	if len(names) == 0 {
		return nil, nil
	}
	var topics []port.Topic
	after := time.Now()
	err := s.retry(ctx, func(ctx context.Context) error {
		m, err := s.metadataOf(ctx, names, after)
		if err != nil {
			after = time.Now()
			return err
		}
		topics, err = existing(m)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look up topics: %w", err)
	}
	return topics, nil
}

// existing returns the topics of a metadata answer, without those that are said not to exist.
func existing(m *sarama.MetadataResponse) ([]port.Topic, error) {
	topics := make([]port.Topic, 0, len(m.Topics))
	for _, t := range m.Topics {
		switch t.Err {
		case sarama.ErrNoError:
			topics = append(topics, port.Topic{Name: t.Name, ID: topicID(t.Uuid), Partitions: len(t.Partitions)})
		case sarama.ErrUnknownTopicOrPartition:
		default:
			return nil, fmt.Errorf("topic %s: %w", t.Name, t.Err)
		}
	}
	return topics, nil
}

// topicID spells a topic id like any UUID; empty for the zero id of clusters before topic ids.
func topicID(id sarama.Uuid) string {
	if id == (sarama.Uuid{}) {
		return ""
	}
	h := hex.EncodeToString(id[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// Offsets implements port.Source.
func (s *Source) Offsets(ctx context.Context, tp record.TopicPartition) (start, end record.Offset, err error) {
	err = s.atLeader(ctx, tp, func(ctx context.Context, l leader) (err error) {
		if start, err = s.offset(ctx, l, tp, sarama.OffsetOldest); err != nil {
			return err
		}
		end, err = s.offset(ctx, l, tp, sarama.OffsetNewest)
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("offsets of %s: %w", tp, err)
	}
	return start, max(start, end), nil
}

// offset asks for one end of a partition's committed records.
func (s *Source) offset(ctx context.Context, at leader, tp record.TopicPartition, which int64) (record.Offset, error) {
	request := sarama.NewOffsetRequest(sarama.V3_6_0_0)
	request.IsolationLevel = sarama.ReadCommitted
	request.AddBlock(tp.Topic, int32(tp.Partition), which, 1)
	var response *sarama.OffsetResponse
	err := s.ask(ctx, at.addr, func(b *sarama.Broker) (err error) {
		response, err = b.GetAvailableOffsets(request)
		return err
	})
	if err != nil {
		return 0, err
	}
	block := response.GetBlock(tp.Topic, int32(tp.Partition))
	if block == nil {
		return 0, at.wrap(sarama.ErrIncompleteResponse)
	}
	if block.Err != sarama.ErrNoError {
		return 0, at.wrap(block.Err)
	}
	return record.Offset(block.Offset), nil
}

// EpochEnd implements port.Source. For an epoch that the partition passed over, the answer is the end of the greatest epoch below
// it, which is where a log that had records of that epoch was cut.
func (s *Source) EpochEnd(ctx context.Context, tp record.TopicPartition, leaderEpoch int32) (end record.Offset, ok bool, err error) {
	err = s.atLeader(ctx, tp, func(ctx context.Context, l leader) (err error) {
		end, ok, err = s.epochEnd(ctx, l, tp, leaderEpoch)
		return err
	})
	if err != nil {
		return 0, false, fmt.Errorf("end of leader epoch %d of %s: %w", leaderEpoch, tp, err)
	}
	return end, ok, nil
}

// atLeader retries op with the partition's leader, which is looked up anew after a trouble.
func (s *Source) atLeader(ctx context.Context, tp record.TopicPartition, op func(context.Context, leader) error) error {
	after := time.Now()
	return s.retry(ctx, func(ctx context.Context) error {
		l, err := s.locate(ctx, tp, after)
		if err == nil {
			err = op(ctx, l)
		}
		if err != nil {
			after = time.Now()
		}
		return err
	})
}

// Open implements port.Source.
func (s *Source) Open(tp record.TopicPartition, from record.Offset) port.Reader {
	return &reader{source: s, tp: tp, position: from, epoch: -1, maxBytes: s.o.MaxBytes, behind: true, after: time.Now()}
}

// Close implements port.Source.
func (s *Source) Close() error {
	s.end()
	s.mu.Lock()
	idle := s.idle
	s.idle, s.lanes = nil, nil
	s.mu.Unlock()
	for _, links := range idle {
		for _, l := range links {
			l.close()
		}
	}
	return nil
}

// bound returns a context that ends with ctx or with the source.
func (s *Source) bound(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.ended, func() { cancel(errClosed) })
	return ctx, func() { stop(); cancel(nil) }
}

// retry runs op until it succeeds, fails for good, or has failed for as long as the patience lasts.
func (s *Source) retry(ctx context.Context, op func(context.Context) error) error {
	ctx, done := s.bound(ctx)
	defer done()
	began, gone := time.Now(), 0
	for attempt := range math.MaxInt {
		err := op(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, port.ErrNoTopic):
			if gone++; gone >= goneAnswersMin {
				return err
			}
		case !passing(err) || time.Since(began) > s.o.Patience:
			return err
		default:
			gone = 0
		}
		if attempt == 0 {
			s.o.Logger.Debug("kafka: trying again after a passing trouble", "error", err)
		}
		if !pause(ctx, attempt) {
			return context.Cause(ctx)
		}
	}
	return nil
}
