package kafka_test

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"citystream/engine/adapter/kafka"
	"citystream/engine/enginetest"
	"citystream/engine/record"
	"citystream/local/broker"
)

func TestTheKafkaSourceIsASource(t *testing.T) {
	t.Parallel()
	enginetest.SourceSuite(t, func(t *testing.T) enginetest.SourceHarness {
		b := start(t, broker.Options{Dir: t.TempDir()})
		return harness(t, cluster{b.Addr()})
	})
}

// harness is what the source's suite needs of a cluster.
func harness(t *testing.T, c cluster) enginetest.SourceHarness {
	return enginetest.SourceHarness{
		Source:      source(t, kafka.Options{Brokers: []string{c.addr}, MaxWait: 50 * time.Millisecond, MaxBytes: 64 << 10}),
		CreateTopic: c.createTopic,
		DeleteTopic: c.deleteTopic,
		Append: func(t testing.TB, tp record.TopicPartition, records ...record.Record) {
			c.append(t, "none", tp, records)
		},
		Gap: func(t testing.TB, tp record.TopicPartition) {
			c.transact(t, tp, record.Record{Timestamp: 1, Value: []byte("aborted")})(false)
		},
		Truncate: c.truncate,
		Codecs:   []string{"none", "gzip", "snappy", "lz4", "zstd"},
		AppendWith: func(t testing.TB, codec string, tp record.TopicPartition, r ...record.Record) {
			c.append(t, codec, tp, r)
		},
		Transact: c.transact,
	}
}

func start(t *testing.T, o broker.Options) *broker.Broker {
	t.Helper()
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	b, err := broker.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func source(t *testing.T, o kafka.Options) *kafka.Source {
	t.Helper()
	s, err := kafka.NewSource(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// A cluster changes what lies behind a source, with another client than the one under test.
type cluster struct{ addr string }

func (c cluster) client(t testing.TB, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	opts = append(opts, kgo.SeedBrokers(c.addr), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(8<<20),
		kgo.BrokerMaxWriteBytes(64<<20), kgo.ProducerLinger(0))
	client, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func (c cluster) createTopic(t testing.TB, name string, partitions int) {
	t.Helper()
	if _, err := kafka.EnsureTopics(context.Background(), []string{c.addr}, []kafka.TopicSpec{{Name: name, Partitions: int32(partitions)}}); err != nil {
		t.Fatal(err)
	}
	client := c.client(t)
	defer client.Close()
	request := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = kmsg.StringPtr(name)
	request.Topics = append(request.Topics, topic)
	for deadline := time.Now().Add(20 * time.Second); ; { // Kafka answers before every broker knows of it
		response, err := request.RequestWith(context.Background(), client)
		if err == nil && response.Topics[0].ErrorCode == 0 && len(response.Topics[0].Partitions) == partitions {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("topic %s is not there: %v, %v", name, err, response)
		}
	}
}

func (c cluster) deleteTopic(t testing.TB, name string) {
	t.Helper()
	if err := c.tryDelete(t, name); err != nil {
		t.Fatal(err)
	}
}

func (c cluster) tryDelete(t testing.TB, name string) error {
	t.Helper()
	client := c.client(t)
	defer client.Close()
	request := kmsg.NewPtrDeleteTopicsRequest()
	topic := kmsg.NewDeleteTopicsRequestTopic()
	topic.Topic = kmsg.StringPtr(name)
	request.TopicNames, request.Topics = []string{name}, append(request.Topics, topic)
	response, err := request.RequestWith(context.Background(), client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(response.Topics[0].ErrorCode)
}

func (c cluster) truncate(t testing.TB, tp record.TopicPartition, start record.Offset) {
	t.Helper()
	client := c.client(t)
	defer client.Close()
	request := kmsg.NewPtrDeleteRecordsRequest()
	topic := kmsg.NewDeleteRecordsRequestTopic()
	topic.Topic = tp.Topic
	partition := kmsg.NewDeleteRecordsRequestTopicPartition()
	partition.Partition, partition.Offset = int32(tp.Partition), int64(start)
	topic.Partitions = append(topic.Partitions, partition)
	request.Topics = append(request.Topics, topic)
	response, err := request.RequestWith(context.Background(), client)
	if err == nil {
		err = kerr.ErrorForCode(response.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (c cluster) append(t testing.TB, codec string, tp record.TopicPartition, records []record.Record) {
	t.Helper()
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	client := c.client(t, kgo.ProducerBatchCompression(codecs[codec]), kgo.UnknownTopicRetries(100)) // a new topic is not everywhere at once
	defer client.Close()
	if err := client.ProduceSync(context.Background(), messages(tp, records)...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// transact adds records in an open transaction and returns what ends it.
func (c cluster) transact(t testing.TB, tp record.TopicPartition, records ...record.Record) func(commit bool) {
	t.Helper()
	client := c.client(t, kgo.TransactionalID(t.Name()+time.Now().String()))
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := client.ProduceSync(context.Background(), messages(tp, records)...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	end := c.highWatermark(t, tp)
	return func(commit bool) {
		defer client.Close()
		end = max(end, c.highWatermark(t, tp))
		if err := client.EndTransaction(context.Background(), kgo.TransactionEndTry(commit)); err != nil {
			t.Error(err)
		}
		for deadline := time.Now().Add(20 * time.Second); c.highWatermark(t, tp) <= end; { // Kafka answers before the marker is written
			if time.Now().After(deadline) {
				t.Fatalf("no marker behind offset %d", end)
			}
		}
	}
}

// highWatermark returns the end of a partition, open transactions included.
func (c cluster) highWatermark(t testing.TB, tp record.TopicPartition) int64 {
	t.Helper()
	client := c.client(t)
	defer client.Close()
	request := kmsg.NewPtrListOffsetsRequest()
	topic := kmsg.NewListOffsetsRequestTopic()
	topic.Topic = tp.Topic
	partition := kmsg.NewListOffsetsRequestTopicPartition()
	partition.Partition, partition.Timestamp = int32(tp.Partition), -1
	topic.Partitions = append(topic.Partitions, partition)
	request.ReplicaID, request.Topics = -1, append(request.Topics, topic)
	response, err := request.RequestWith(context.Background(), client)
	if err == nil {
		err = kerr.ErrorForCode(response.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
	return response.Topics[0].Partitions[0].Offset
}

func messages(tp record.TopicPartition, records []record.Record) []*kgo.Record {
	out := make([]*kgo.Record, len(records))
	for i, r := range records {
		out[i] = &kgo.Record{Topic: tp.Topic, Partition: int32(tp.Partition), Key: r.Key, Value: r.Value, Timestamp: r.Timestamp.Time()}
	}
	return out
}
