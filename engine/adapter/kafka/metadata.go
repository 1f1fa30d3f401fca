package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"citystream/engine/port"
	"citystream/engine/record"
)

// A leader is the broker that serves a partition, as the cluster told it.
type leader struct {
	addr    string
	epoch   int32
	topicID string
}

func (l leader) wrap(err error) error { return fmt.Errorf("broker %s: %w", l.addr, err) }

// found is what the cluster told of a topic, and when.
type found struct {
	at time.Time
	m  *sarama.MetadataResponse
}

// find returns the metadata of a topic as the cluster told it after a moment. A thousand readers that look for their leaders at the same
// time wait for one answer, and few more are asked for.
func (s *Source) find(ctx context.Context, topic string, after time.Time) (*sarama.MetadataResponse, error) {
	select {
	case s.finding <- struct{}{}:
		defer func() { <-s.finding }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if f := s.found[topic]; f.at.After(after) {
		return f.m, nil
	}
	asked := time.Now()
	m, err := s.metadata(ctx, []string{topic})
	if err == nil && settled(m) {
		s.found[topic] = found{asked, m}
	}
	return m, err
}

// metadataOf returns the metadata of topics as the cluster told it after a moment. One topic is what each partition asks for at its
// takeover and its commits, many at the same time.
func (s *Source) metadataOf(ctx context.Context, topics []string, after time.Time) (*sarama.MetadataResponse, error) {
	if len(topics) == 1 {
		return s.find(ctx, topics[0], after)
	}
	return s.metadata(ctx, topics)
}

// settled reports whether an answer knows the topics and their leaders: one that does not is a reason to ask again.
func settled(m *sarama.MetadataResponse) bool {
	for _, t := range m.Topics {
		if t.Err != sarama.ErrNoError || slices.ContainsFunc(t.Partitions, func(p *sarama.PartitionMetadata) bool { return p.Err != sarama.ErrNoError }) {
			return false
		}
	}
	return true
}

// locate returns a partition's leader as the cluster told it after a moment. port.ErrNoTopic is one answer's word; retry asks more
// often.
func (s *Source) locate(ctx context.Context, tp record.TopicPartition, after time.Time) (leader, error) {
	m, err := s.find(ctx, tp.Topic, after)
	if err != nil {
		return leader{}, err
	}
	for _, t := range m.Topics {
		if t.Name == tp.Topic {
			return leaderOf(m, t, tp.Partition)
		}
	}
	return leader{}, fmt.Errorf("metadata of topic %s: %w", tp.Topic, sarama.ErrIncompleteResponse)
}

func leaderOf(m *sarama.MetadataResponse, t *sarama.TopicMetadata, number record.Partition) (leader, error) {
	switch t.Err {
	case sarama.ErrNoError:
	case sarama.ErrUnknownTopicOrPartition:
		return leader{}, fmt.Errorf("topic %s: %w", t.Name, port.ErrNoTopic)
	default:
		return leader{}, fmt.Errorf("metadata of topic %s: %w", t.Name, t.Err)
	}
	i := slices.IndexFunc(t.Partitions, func(p *sarama.PartitionMetadata) bool { return p.ID == int32(number) })
	if i < 0 {
		return leader{}, fmt.Errorf("topic %s has %d partitions: %w", t.Name, len(t.Partitions), port.ErrNoTopic)
	}
	p := t.Partitions[i]
	for _, b := range m.Brokers {
		if b.ID() == p.Leader {
			return leader{addr: b.Addr(), epoch: p.LeaderEpoch, topicID: topicID(t.Uuid)}, nil
		}
	}
	return leader{}, fmt.Errorf("partition %d of topic %s: %w", number, t.Name, sarama.ErrLeaderNotAvailable)
}

// metadata asks any broker for the named topics, or for all of them if none is named. It never makes a topic.
func (s *Source) metadata(ctx context.Context, topics []string) (*sarama.MetadataResponse, error) {
	var failures []error
	for _, addr := range s.addresses() {
		var response *sarama.MetadataResponse
		err := s.ask(ctx, addr, func(b *sarama.Broker) (err error) {
			response, err = b.GetMetadata(sarama.NewMetadataRequest(sarama.V3_6_0_0, topics))
			return err
		})
		if err == nil {
			s.learn(response)
			return response, nil
		}
		if ctx.Err() != nil {
			return nil, err
		}
		failures = append(failures, err)
	}
	return nil, errors.Join(failures...)
}

// addresses returns all brokers that could answer: those known from the cluster, then the configured ones.
func (s *Source) addresses() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Clone(s.known)
	for _, b := range s.o.Brokers {
		if !slices.Contains(all, b) {
			all = append(all, b)
		}
	}
	return all
}

func (s *Source) learn(m *sarama.MetadataResponse) {
	known := make([]string, 0, len(m.Brokers))
	for _, b := range m.Brokers {
		known = append(known, b.Addr())
	}
	s.mu.Lock()
	s.known = known
	s.mu.Unlock()
}

// ask runs one short request over an idle connection to the broker, or over a new one, and keeps it for the next.
func (s *Source) ask(ctx context.Context, addr string, request func(*sarama.Broker) error) error {
	l := s.takeIdle(addr)
	reused := l != nil
	if !reused {
		l = newLink(addr, &s.o)
	}
	err := l.do(ctx, request)
	if err != nil && reused && ctx.Err() == nil { // the broker may have dropped the idle connection long ago
		l.close()
		l = newLink(addr, &s.o)
		err = l.do(ctx, request)
	}
	s.keep(l)
	return err
}

// idleLinks is how many connections to a broker are kept: about as many partitions are taken over at the same time.
const idleLinks = 8

func (s *Source) takeIdle(addr string) *link {
	s.mu.Lock()
	defer s.mu.Unlock()
	links := s.idle[addr]
	if len(links) == 0 {
		return nil
	}
	l := links[len(links)-1]
	s.idle[addr] = links[:len(links)-1]
	return l
}

func (s *Source) keep(l *link) {
	s.mu.Lock()
	if links := s.idle[l.addr]; len(links) < idleLinks && !l.broken && s.idle != nil {
		s.idle[l.addr] = append(links, l)
		l = nil
	}
	s.mu.Unlock()
	if l != nil {
		l.close()
	}
}

// reach makes sure that the cluster answers and that the addresses it advertises can be connected to.
func (s *Source) reach() error {
	ctx, cancel := context.WithTimeout(s.ended, s.o.DialTimeout+answerTimeout)
	defer cancel()
	m, err := s.metadata(ctx, nil)
	if err != nil {
		return fmt.Errorf("cannot reach Kafka at %s: %w; check that a broker runs there, that host and port are right, and that the "+
			"listener is reachable from this machine and speaks %s", strings.Join(s.o.Brokers, ", "), err, s.protocol())
	}
	if len(m.Brokers) == 0 {
		return fmt.Errorf("kafka at %s answered, but names no brokers: it may still be starting", strings.Join(s.o.Brokers, ", "))
	}
	var failures []error
	for _, b := range m.Brokers {
		err := s.ask(ctx, b.Addr(), func(b *sarama.Broker) error {
			_, err := b.ApiVersions(&sarama.ApiVersionsRequest{})
			return err
		})
		if err == nil {
			return nil
		}
		failures = append(failures, err)
	}
	return fmt.Errorf("kafka at %s answered, but none of the addresses that it advertises can be reached: %w; check the broker's "+
		"advertised.listeners: they must name a host and port that this machine can connect to",
		strings.Join(s.o.Brokers, ", "), errors.Join(failures...))
}

func (s *Source) protocol() string {
	if s.o.TLS != nil {
		return "TLS"
	}
	return "plain text"
}
