package kafka_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"citystream/engine/adapter/kafka"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/local/broker"
)

// A tally counts what became of the messages of each topic.
type tally struct {
	mu     sync.Mutex
	ok     map[string]int
	failed []error
}

func (c *tally) delivered(topic string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.failed = append(c.failed, err)
		return
	}
	c.ok[topic]++
}

func (c *tally) count(topic string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ok[topic]
}

func produce(t *testing.T, p port.Producer, topic string, from, to int) {
	t.Helper()
	var messages []port.Message
	for i := from; i < to; i++ {
		messages = append(messages, port.Message{Topic: topic, Key: fmt.Appendf(nil, "k%d", i%7), Value: fmt.Appendf(nil, "%d", i)})
	}
	if sent, err := p.Produce(t.Context(), messages); err != nil || sent != len(messages) {
		t.Fatalf("sent %d of %d: %v", sent, len(messages), err)
	}
}

// readBack returns the values of a topic, checking that each key is in one partition and its values in their order.
func readBack(t *testing.T, addr, topic string, partitions int) map[string]bool {
	t.Helper()
	s := source(t, kafka.Options{Brokers: []string{addr}, MaxWait: 20 * time.Millisecond})
	seen, at, last := map[string]bool{}, map[string]int{}, map[string]int{}
	for p := range partitions {
		tp := record.TopicPartition{Topic: topic, Partition: record.Partition(p)}
		_, end, err := s.Offsets(t.Context(), tp)
		if err != nil {
			t.Fatal(err)
		}
		r := s.Open(tp, 0)
		for position := record.Offset(0); position < end; {
			f, err := r.Fetch(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, rec := range f.Records {
				key, value := string(rec.Key), string(rec.Value)
				var n int
				if _, err := fmt.Sscan(value, &n); err != nil {
					t.Fatal(err)
				}
				if seen[value] {
					t.Fatalf("%s came twice", value)
				}
				if was, ok := at[key]; ok && (was != p || n < last[key]) {
					t.Fatalf("key %s: %d in partition %d after %d in %d", key, n, p, last[key], was)
				}
				seen[value], at[key], last[key] = true, p, n
			}
			position = f.Next
			f.Release()
		}
		r.Close()
	}
	return seen
}

func TestEachMessageIsDeliveredOnceAndInTheOrderOfItsKey(t *testing.T) {
	t.Parallel()
	for _, codec := range []string{"", "none", "gzip", "snappy", "lz4", "zstd"} {
		t.Run("compression "+codec, func(t *testing.T) {
			t.Parallel()
			b := start(t, broker.Options{Dir: t.TempDir(), Partitions: 3})
			got := &tally{ok: map[string]int{}}
			p, err := kafka.NewProducer(kafka.ProducerOptions{Brokers: []string{b.Addr()}, Compression: codec, MaxInFlight: 100}, got.delivered)
			if err != nil {
				t.Fatal(err)
			}
			produce(t, p, "a", 0, 2000)
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			if len(got.failed) != 0 || got.count("a") != 2000 {
				t.Fatalf("delivered %d, %d failed, the first with %v", got.count("a"), len(got.failed), slices.Concat(got.failed, []error{nil})[0])
			}
			if seen := readBack(t, b.Addr(), "a", 3); len(seen) != 2000 {
				t.Fatalf("read back %d", len(seen))
			}
			if _, err := p.Produce(t.Context(), make([]port.Message, 1)); err == nil {
				t.Error("a closed producer produces")
			}
		})
	}
}

func TestABrokerThatIsAwayForAWhileLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := start(t, broker.Options{Dir: dir, Partitions: 2})
	addr := b.Addr()
	got := &tally{ok: map[string]int{}}
	p, err := kafka.NewProducer(kafka.ProducerOptions{Brokers: []string{addr}, MaxInFlight: 5000}, got.delivered)
	if err != nil {
		t.Fatal(err)
	}
	produce(t, p, "a", 0, 1000)
	waitUntil(t, func() bool { return got.count("a") == 1000 })
	s := source(t, kafka.Options{Brokers: []string{addr}, MaxWait: 20 * time.Millisecond})
	r := s.Open(record.TopicPartition{Topic: "a"}, 0)
	defer r.Close()
	first, err := r.Fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first.Release()

	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	produce(t, p, "a", 1000, 3000)
	away, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	if _, err := r.Fetch(away); err == nil {
		t.Error("fetched from a broker that is away")
	}
	<-away.Done()
	cancel()
	start(t, broker.Options{Dir: dir, Listen: addr, Partitions: 2})
	if _, err := r.Fetch(t.Context()); err != nil {
		t.Errorf("after the restart: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if len(got.failed) != 0 || got.count("a") != 3000 {
		t.Fatalf("delivered %d, %d failed, the first with %v", got.count("a"), len(got.failed), slices.Concat(got.failed, []error{nil})[0])
	}
	if seen := readBack(t, addr, "a", 2); len(seen) != 3000 {
		t.Fatalf("read back %d", len(seen))
	}
}

func waitUntil(t *testing.T, condition func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("the condition did not come true")
		}
	}
}

func TestAProducerWithAFullQueueWaitsAndSaysHowMuchItTook(t *testing.T) {
	t.Parallel()
	b := start(t, broker.Options{Dir: t.TempDir(), Partitions: 1})
	release := make(chan struct{})
	p, err := kafka.NewProducer(kafka.ProducerOptions{Brokers: []string{b.Addr()}, MaxInFlight: 10}, func(string, error) { <-release })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	messages := make([]port.Message, 100)
	for i := range messages {
		messages[i] = port.Message{Topic: "a", Value: []byte("v")}
	}
	sent, err := p.Produce(ctx, messages)
	if err == nil || sent != 10 {
		t.Errorf("sent %d, %v", sent, err)
	}
	close(release)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAnUnreachableClusterIsToldWithWhatToCheck(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	_, err = kafka.NewSource(kafka.Options{Brokers: []string{addr}})
	if err == nil || !strings.Contains(err.Error(), addr) || !strings.Contains(err.Error(), "check that a broker runs") {
		t.Errorf("source: %v", err)
	}
	_, err = kafka.NewProducer(kafka.ProducerOptions{Brokers: []string{addr}}, nil)
	if err == nil || !strings.Contains(err.Error(), addr) || !strings.Contains(err.Error(), "check that a broker runs") {
		t.Errorf("producer: %v", err)
	}
	if _, err := kafka.NewSource(kafka.Options{}); err == nil {
		t.Error("a source without brokers")
	}
	if _, err := kafka.NewProducer(kafka.ProducerOptions{Brokers: []string{addr}, Compression: "rar"}, nil); err == nil || !strings.Contains(err.Error(), "zstd") {
		t.Errorf("compression: %v", err)
	}
}

func TestTopicsAreMadeOnceAndThoseThatExistStayAsTheyAre(t *testing.T) {
	t.Parallel()
	b := start(t, broker.Options{Dir: t.TempDir(), Partitions: 5})
	specs := []kafka.TopicSpec{{Name: "b", Partitions: 2, Config: map[string]string{"retention.ms": "3600000"}}, {Name: "a"}}
	first, err := kafka.EnsureTopics(t.Context(), []string{b.Addr()}, specs)
	if err != nil {
		t.Fatal(err)
	}
	specs[0].Partitions = 9
	again, err := kafka.EnsureTopics(t.Context(), []string{b.Addr()}, append(specs, kafka.TopicSpec{Name: "c", Partitions: 1}))
	if err != nil {
		t.Fatal(err)
	}
	if len(first) != 2 || first[0].Name != "b" || first[0].Partitions != 2 || first[1].Partitions != 5 {
		t.Errorf("made %+v", first)
	}
	if len(again) != 3 || again[0] != first[0] || again[1] != first[1] || again[2].Partitions != 1 {
		t.Errorf("then %+v", again)
	}
	if _, err := kafka.EnsureTopics(t.Context(), []string{b.Addr()}, []kafka.TopicSpec{{Name: "d.e"}, {Name: "d_e"}}); err == nil {
		t.Error("two topics that Kafka does not tell apart")
	}
}
