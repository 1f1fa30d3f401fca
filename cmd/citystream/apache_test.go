//go:build kafka

package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"citystream/internal/apachekafka"
)

// ownTopics gives a test five topics of its own.
func ownTopics(t *testing.T) {
	for _, name := range []string{"VEHICLE", "GPS", "TRAFFIC", "WEATHER", "EMERGENCY"} {
		t.Setenv(name+"_TOPIC", strings.ToLower(name)+"-"+strings.ReplaceAll(filepath.Base(t.Name()), " ", "-"))
	}
	t.Setenv("CITYSTREAM_FLUSH_MAX_AGE", "1s")
}

// startPaced starts an up that drives for some seconds, and returns when something is committed.
func startPaced(t *testing.T, dir, kafka string) *exec.Cmd {
	t.Helper()
	c, _ := citystream(t, "up", "--data", dir, "--kafka", kafka, "--vehicles", "20", "--pace", "60", "--output", "json")
	c.Env = append(c.Env, "CITYSTREAM_LOG_LEVEL=info")
	pipe, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "registered Hive") {
			break
		}
	}
	go func() {
		for lines.Scan() { // so that the process never waits for a reader
		}
	}()
	return c
}

func TestOnApacheKafka(t *testing.T) {
	b := apachekafka.Start(t)
	t.Run("every record is in the files once", func(t *testing.T) {
		ownTopics(t)
		dir := t.TempDir()
		checkSummary(t, runUp(t, "--data", dir, "--kafka", b.Addr, "--vehicles", "20"), 2000)
		expectProved(t, 10_000, "--data", dir, "--kafka", b.Addr)
	})
	t.Run("after kill -9 of up too", func(t *testing.T) {
		ownTopics(t)
		dir := t.TempDir()
		c := startPaced(t, dir, b.Addr)
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait() // it was killed
		checkSummary(t, runUp(t, "--data", dir, "--kafka", b.Addr, "--vehicles", "20"), 2000)
		expectProved(t, 10_000, "--data", dir, "--kafka", b.Addr)
	})
	t.Run("after kill -9 of the broker too", func(t *testing.T) {
		if !b.Own() {
			t.Skip("the cluster of KAFKA_BOOTSTRAP_SERVERS is not ours to kill")
		}
		ownTopics(t)
		dir := t.TempDir()
		c := startPaced(t, dir, b.Addr)
		b.Kill()
		b.Restart()
		if err := c.Wait(); err != nil {
			t.Fatalf("up has not come to its end: %v", err)
		}
		expectProved(t, 10_000, "--data", dir, "--kafka", b.Addr)
	})
	t.Run("a compacted topic with transactions", func(t *testing.T) { compactedTopic(t, b.Addr) })
}

// compactedTopic carries a topic with aborted transactions, and with gaps that compaction has left, by a table from YAML.
func compactedTopic(t *testing.T, kafka string) {
	t.Setenv("CITYSTREAM_FLUSH_MAX_AGE", "500ms")
	client, err := kgo.NewClient(kgo.SeedBrokers(kafka), kgo.DefaultProduceTopic("shop.orders"), kgo.ProducerLinger(0))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	createCompacted(t, client, "shop.orders")
	order := func(key, id int) *kgo.Record {
		return &kgo.Record{Key: fmt.Appendf(nil, "k%d", key), Value: fmt.Appendf(nil, `{"head":{"id":"o%d","placedAt":1767323045123},"amounts":[%d]}`, id, id)}
	}
	for i := range 60 {
		if err := client.ProduceSync(t.Context(), order(i%3, i)).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	left := untilCompacted(t, client, kafka, order)
	transact(t, kafka, false, order(100, 100), order(101, 101))
	transact(t, kafka, true, order(102, 102), order(103, 103))

	dir := t.TempDir()
	file := filepath.Join(dir, "citystream.yaml")
	if err := os.WriteFile(file, []byte(strings.Replace(ordersYAML, "  - city\n", "", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	c, _ := citystream(t, "up", "--stay", "--vehicles", "0", "--data", data, "--config", file, "--kafka", kafka, "--output", "json")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, data, "SELECT max(number), count(*) FILTER (WHERE number IN ('o100', 'o101')) FROM orders WHERE number LIKE 'o1__'", "o103,0")
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Fatalf("after Ctrl-C: %v", err)
	}
	r := runVerification(t, "--data", data, "--kafka", kafka)
	if !r.Proved || len(r.Logs) != 1 {
		t.Fatalf("%+v", r)
	}
	if l := r.Logs[0]; l.Rows > int64(left)+2 || l.Rows < 4 {
		t.Errorf("%d rows, Kafka had at most %d records and 2 of a transaction", l.Rows, left)
	}
}

func createCompacted(t *testing.T, client *kgo.Client, name string) {
	t.Helper()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, 1, 1
	for k, v := range map[string]string{"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01", "max.compaction.lag.ms": "200"} {
		topic.Configs = append(topic.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: k, Value: kmsg.StringPtr(v)})
	}
	request := kmsg.NewPtrCreateTopicsRequest()
	request.Topics = append(request.Topics, topic)
	response, err := request.RequestWith(t.Context(), client)
	if err == nil {
		err = kerr.ErrorForCode(response.Topics[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// untilCompacted waits until Kafka has dropped some of the records, and returns how many are left. A record now and then lets Kafka
// begin new segments: only old ones are compacted.
func untilCompacted(t *testing.T, client *kgo.Client, kafka string, order func(key, id int) *kgo.Record) int {
	t.Helper()
	for deadline, produced := time.Now().Add(60*time.Second), 60; ; produced++ {
		if err := client.ProduceSync(t.Context(), order(produced%3, produced)).FirstErr(); err != nil {
			t.Fatal(err)
		}
		consumer, err := kgo.NewClient(kgo.SeedBrokers(kafka), kgo.ConsumeTopics("shop.orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		if err != nil {
			t.Fatal(err)
		}
		count, last := 0, int64(-1)
		for last < int64(produced) {
			fetches := consumer.PollFetches(t.Context())
			fetches.EachRecord(func(r *kgo.Record) { count, last = count+1, r.Offset })
		}
		consumer.Close()
		if count < produced/2 {
			return count
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d records are left: Kafka does not compact", count, produced)
		}
		<-time.After(100 * time.Millisecond)
	}
}

func transact(t *testing.T, kafka string, commit bool, records ...*kgo.Record) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(kafka), kgo.DefaultProduceTopic("shop.orders"), kgo.TransactionalID(fmt.Sprint("test-", commit)))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := client.EndTransaction(context.Background(), kgo.TransactionEndTry(commit)); err != nil {
		t.Fatal(err)
	}
}
