package broker_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"citystream/local/broker"
)

// brokerDir, set in the environment, makes the test binary a broker on that directory: the process that a test kills.
const brokerDir = "CITYSTREAM_TEST_BROKER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(brokerDir); dir != "" {
		b, err := broker.Open(broker.Options{Dir: dir, Listen: "127.0.0.1:0", Partitions: 2})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(b.Addr())
		select {}
	}
	os.Exit(m.Run())
}

func open(t *testing.T, o broker.Options) *broker.Broker {
	t.Helper()
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	b, err := broker.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func config() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V3_6_0_0
	c.Producer.Return.Successes = true
	return c
}

func client(t *testing.T, addr string) sarama.Client {
	t.Helper()
	c, err := sarama.NewClient([]string{addr}, config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func produce(t *testing.T, addr, topic string, from, to int) {
	t.Helper()
	p, err := sarama.NewSyncProducer([]string{addr}, config())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	var messages []*sarama.ProducerMessage
	for i := from; i < to; i++ {
		messages = append(messages, &sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder("k"), Value: sarama.StringEncoder(fmt.Sprint(i))})
	}
	if err := p.SendMessages(messages); err != nil {
		t.Fatal(err)
	}
}

// values reads a topic's messages from all partitions to the end, in order within each partition.
func values(t *testing.T, c sarama.Client, topic string) []string {
	t.Helper()
	consumer, err := sarama.NewConsumerFromClient(c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = consumer.Close() }()
	partitions, err := c.Partitions(topic)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, p := range partitions {
		start, end := bounds(t, c, topic, p)
		if start == end {
			continue
		}
		pc, err := consumer.ConsumePartition(topic, p, start)
		if err != nil {
			t.Fatal(err)
		}
		for m := range pc.Messages() {
			out = append(out, string(m.Value))
			if m.Offset == end-1 {
				break
			}
		}
		_ = pc.Close()
	}
	return out
}

func bounds(t *testing.T, c sarama.Client, topic string, partition int32) (start, end int64) {
	t.Helper()
	start, err := c.GetOffset(topic, partition, sarama.OffsetOldest)
	if err != nil {
		t.Fatal(err)
	}
	end, err = c.GetOffset(topic, partition, sarama.OffsetNewest)
	if err != nil {
		t.Fatal(err)
	}
	return start, end
}

type identity struct{ cluster, topic string }

func identify(t *testing.T, c sarama.Client, topic string) identity {
	t.Helper()
	b := c.LeastLoadedBroker()
	_ = b.Open(c.Config())
	m, err := b.GetMetadata(sarama.NewMetadataRequest(sarama.V3_6_0_0, []string{topic}))
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Topics) != 1 || m.Topics[0].Err != sarama.ErrNoError || m.ClusterID == nil {
		t.Fatalf("metadata of %s: %+v", topic, m)
	}
	return identity{*m.ClusterID, m.Topics[0].Uuid.String()}
}

func TestAnyProducerMakesItsTopicByProducingToIt(t *testing.T) {
	t.Parallel()
	b := open(t, broker.Options{Dir: t.TempDir(), Partitions: 3})
	produce(t, b.Addr(), "vehicle_data", 0, 10)
	c := client(t, b.Addr())
	partitions, err := c.Partitions("vehicle_data")
	if err != nil || len(partitions) != 3 {
		t.Fatalf("partitions %v, %v; want 3", partitions, err)
	}
	if got := values(t, c, "vehicle_data"); strings.Join(got, " ") != "0 1 2 3 4 5 6 7 8 9" {
		t.Fatalf("read back %v", got)
	}
}

func TestIdsAndMessagesStayOverARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := open(t, broker.Options{Dir: dir, Partitions: 2})
	produce(t, b.Addr(), "a", 0, 100)
	c := client(t, b.Addr())
	want, before := values(t, c, "a"), identify(t, c, "a")
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = open(t, broker.Options{Dir: dir, Partitions: 2})
	c = client(t, b.Addr())
	if after := identify(t, c, "a"); after != before {
		t.Errorf("identity was %v, is %v", before, after)
	}
	if got := values(t, c, "a"); len(got) != 100 || strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%d messages after the restart, want %d", len(got), len(want))
	}
}

func TestAKilledBrokerLosesAndDoublesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var before identity
	for life := range 3 {
		addr, kill := child(t, dir)
		produce(t, addr, "a", life*500, (life+1)*500)
		c := client(t, addr)
		if life == 0 {
			before = identify(t, c, "a")
		} else if now := identify(t, c, "a"); now != before {
			t.Errorf("life %d: identity was %v, is %v", life, before, now)
		}
		got := values(t, c, "a")
		if len(got) != (life+1)*500 {
			t.Errorf("life %d: %d messages, want %d", life, len(got), (life+1)*500)
		}
		for i, v := range got {
			if v != fmt.Sprint(i) {
				t.Fatalf("life %d: message %d is %s", life, i, v)
			}
		}
		_ = c.Close()
		kill()
	}
}

// child runs a broker in a process of its own and returns its address and what kills it.
func child(t *testing.T, dir string) (addr string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), brokerDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dead := false
	kill = func() {
		if !dead {
			dead = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	t.Cleanup(kill)
	line := bufio.NewScanner(out)
	if !line.Scan() {
		t.Fatal("the broker's process did not say its address")
	}
	return line.Text(), kill
}

func TestASecondBrokerOnADirectoryIsToldWhoHoldsIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, broker.Options{Dir: dir})
	_, err := broker.Open(broker.Options{Dir: dir, Listen: "127.0.0.1:0"})
	if !errors.Is(err, broker.ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("process %d", os.Getpid())) {
		t.Fatalf("error %v, want ErrLocked with this process", err)
	}
}

func TestAPortInUseIsNamedAndTheDirectoryIsLeftFree(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	dir := t.TempDir()
	_, err = broker.Open(broker.Options{Dir: dir, Listen: l.Addr().String()})
	if !errors.Is(err, broker.ErrAddressInUse) || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Fatalf("error %v, want ErrAddressInUse with the address", err)
	}
	open(t, broker.Options{Dir: dir})
}

func TestOptionsThatCannotWorkAreRefused(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]broker.Options{
		"no directory":                       {Listen: "127.0.0.1:0"},
		"an address that others reach":       {Dir: t.TempDir(), Listen: "0.0.0.0:0"},
		"no host, which means all addresses": {Dir: t.TempDir(), Listen: ":0"},
		"a host by name":                     {Dir: t.TempDir(), Listen: "example.org:0"},
		"no port":                            {Dir: t.TempDir(), Listen: "127.0.0.1"},
		"a file for a directory":             {Dir: file, Listen: "127.0.0.1:0"},
		"a negative retention":               {Dir: t.TempDir(), Listen: "127.0.0.1:0", Retention: -1},
		"a negative number of partitions":    {Dir: t.TempDir(), Listen: "127.0.0.1:0", Partitions: -1},
	} {
		if b, err := broker.Open(o); err == nil {
			t.Errorf("%s: no error", name)
			_ = b.Close()
		}
	}
}

func TestRetentionDropsOldMessagesAndKeepsTheEndEvenOverAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := open(t, broker.Options{Dir: dir, Partitions: 1, Retention: 40 * time.Millisecond})
	for i := range 20 {
		produce(t, b.Addr(), "a", i, i+1)
	}
	c := client(t, b.Addr())
	deadline := time.Now().Add(10 * time.Second)
	for start := int64(0); start != 19; {
		var end int64
		start, end = bounds(t, c, "a", 0)
		if end != 20 || start > 19 || time.Now().After(deadline) {
			t.Fatalf("log is [%d, %d), want [19, 20)", start, end)
		}
	}
	_ = c.Close()
	copied := t.TempDir() // what a kill at this moment leaves behind
	if err := os.CopyFS(filepath.Join(copied, "d"), os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	after := open(t, broker.Options{Dir: filepath.Join(copied, "d"), Partitions: 1, Retention: time.Hour})
	if _, end := bounds(t, client(t, after.Addr()), "a", 0); end != 20 {
		t.Errorf("after a kill the log ends at %d, want 20", end)
	}
}

func TestAGroupThatNobodyKnowsHasNoOffsetsInsteadOfAnError(t *testing.T) {
	t.Parallel()
	b := open(t, broker.Options{Dir: t.TempDir(), Partitions: 1})
	produce(t, b.Addr(), "a", 0, 5)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cfg := config()
	cfg.Consumer.Offsets.Initial = sarama.OffsetOldest
	group, err := sarama.NewConsumerGroup([]string{b.Addr()}, "never seen", cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = group.Close() }()
	read := &counter{want: 5, done: cancel}
	if err := group.Consume(ctx, []string{"a"}, read); err != nil {
		t.Fatal(err)
	}
	if read.got != 5 {
		t.Fatalf("the group read %d messages, want 5", read.got)
	}
	admin, err := sarama.NewClusterAdmin([]string{b.Addr()}, config())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close() }()
	offsets, err := admin.ListConsumerGroupOffsets("another", map[string][]int32{"a": {0}})
	if err != nil || offsets.Err != sarama.ErrNoError || offsets.GetBlock("a", 0) == nil || offsets.GetBlock("a", 0).Offset != -1 {
		t.Fatalf("offsets of an unknown group: %+v, %v", offsets, err)
	}
}

type counter struct {
	want, got int
	done      func()
}

func (c *counter) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (c *counter) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (c *counter) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for m := range claim.Messages() {
		s.MarkMessage(m, "")
		if c.got++; c.got == c.want {
			c.done()
		}
	}
	return nil
}
