package drivestate_test

import (
	"context"
	"fmt"
	"hash/crc32"
	"sync"
	"testing"

	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/fleet"
)

// cluster is a small Kafka cluster in memory: topics that outlive their producers. It is a port.Source, and makes port.Producers that
// can die at any message.
type cluster struct {
	mu     sync.Mutex
	topics map[string]*topic
	made   int // topics so far, for their ids
	fault  func(call string) error
}

type topic struct {
	id         string
	partitions []partition
}

type partition struct {
	start record.Offset
	keys  [][]byte
}

func (p *partition) end() record.Offset { return p.start + record.Offset(len(p.keys)) }

func newCluster(partitions int) *cluster {
	c := &cluster{topics: map[string]*topic{}}
	for _, name := range fleet.DefaultTopics().Names() {
		c.make(name, partitions)
	}
	return c
}

// make makes a topic, or makes it anew.
func (c *cluster) make(name string, partitions int) {
	c.made++
	c.topics[name] = &topic{id: fmt.Sprint("id-", c.made), partitions: make([]partition, partitions)}
}

func (c *cluster) append(name string, key []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.topics[name] == nil {
		c.make(name, 2)
	}
	partitions := c.topics[name].partitions
	p := &partitions[int(crc32.ChecksumIEEE(key))%len(partitions)]
	p.keys = append(p.keys, key)
}

// count returns how many records there are of each id.
func (c *cluster) count() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]int{}
	for _, t := range c.topics {
		for _, p := range t.partitions {
			for _, key := range p.keys {
				out[string(key)]++
			}
		}
	}
	return out
}

func (c *cluster) failing(call string) error {
	if c.fault == nil {
		return nil
	}
	return c.fault(call)
}

func (c *cluster) Topics(_ context.Context, names []string) ([]port.Topic, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []port.Topic
	for _, name := range names {
		if t := c.topics[name]; t != nil {
			out = append(out, port.Topic{Name: name, ID: t.id, Partitions: len(t.partitions)})
		}
	}
	return out, c.failing("topics")
}

func (c *cluster) Offsets(_ context.Context, tp record.TopicPartition) (start, end record.Offset, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.topics[tp.Topic].partitions[tp.Partition]
	return p.start, p.end(), c.failing("offsets")
}

func (c *cluster) EpochEnd(context.Context, record.TopicPartition, int32) (record.Offset, bool, error) {
	return 0, false, nil
}

func (c *cluster) Open(tp record.TopicPartition, from record.Offset) port.Reader {
	return &reader{c, tp, from}
}

func (c *cluster) Close() error { return nil }

type reader struct {
	cluster *cluster
	tp      record.TopicPartition
	at      record.Offset
}

func (r *reader) Close() {}

// Fetch returns up to seven records.
func (r *reader) Fetch(context.Context) (port.Fetched, error) {
	c := r.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.failing("fetch"); err != nil {
		return port.Fetched{}, err
	}
	p := c.topics[r.tp.Topic].partitions[r.tp.Partition]
	if r.at < p.start || r.at > p.end() {
		return port.Fetched{}, port.ErrOffsetOutOfRange
	}
	got := port.Fetched{End: p.end(), Release: func() {}}
	for len(got.Records) < 7 && r.at < p.end() {
		got.Records = append(got.Records, record.Record{Offset: r.at, Key: p.keys[r.at-p.start], Value: []byte("{}")})
		r.at++
	}
	got.Next = r.at
	return got, nil
}

// producer appends to the cluster. After so many messages it dies: what comes then is neither in the topics nor reported, and of the
// last few before only that they were sent.
type producer struct {
	cluster   *cluster
	delivered func(topic string, err error)
	kill      context.CancelFunc // ends the process; called at the message after the last
	lives     int                // messages to go
}

func (c *cluster) producer(lives int, kill context.CancelFunc) func(func(string, error)) (port.Producer, error) {
	return func(delivered func(string, error)) (port.Producer, error) {
		return &producer{cluster: c, delivered: delivered, kill: kill, lives: lives}, nil
	}
}

func (p *producer) Produce(ctx context.Context, messages []port.Message) (int, error) {
	for i, m := range messages {
		if p.lives == 0 {
			p.kill()
			<-ctx.Done()
			return i, ctx.Err()
		}
		p.lives--
		p.cluster.append(m.Topic, m.Key)
		if p.lives > 3 {
			p.delivered(m.Topic, nil)
		}
	}
	return len(messages), nil
}

func (p *producer) Close() error { return nil }

// checkExactlyOnce compares the topics with the drives that were finished.
func (c *cluster) checkExactlyOnce(t testing.TB, drives ...fleet.Drive) {
	t.Helper()
	count := c.count()
	total := int64(0)
	for _, d := range drives {
		total += d.Records()
		for i := range d.Vehicles {
			for v := d.Vehicle(i); !v.Arrived(); {
				for _, r := range v.Step(nil) {
					if n := count[string(r.Key)]; n != 1 {
						t.Fatalf("drive %d: the record %s is there %d times", d.Number, r.Value, n)
					}
				}
			}
		}
	}
	if int64(len(count)) != total {
		t.Fatalf("%d ids are in the topics of %d", len(count), total)
	}
}
