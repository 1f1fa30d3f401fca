package kafka_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"citystream/engine/adapter/kafka"
	"citystream/engine/record"
	"citystream/local/broker"
)

func TestGroupOffsetsAreWhatLagToolsRead(t *testing.T) {
	t.Parallel()
	groupOffsets(t, start(t, broker.Options{Dir: t.TempDir()}).Addr())
}

// groupOffsets commits twice for two topics, and reads back as a tool does.
func groupOffsets(t *testing.T, addr string) {
	c := cluster{addr}
	c.createTopic(t, "group-a", 2)
	c.createTopic(t, "group-b", 1)
	groups, err := kafka.NewGroups(kafka.Options{Brokers: []string{addr}})
	if err != nil {
		t.Fatal(err)
	}
	defer groups.Close()
	at := func(topic string, partition int) record.TopicPartition {
		return record.TopicPartition{Topic: topic, Partition: record.Partition(partition)}
	}
	for _, next := range []map[record.TopicPartition]record.Offset{
		{at("group-a", 0): 5, at("group-a", 1): 7, at("group-b", 0): 1},
		{at("group-a", 1): 9},
	} {
		if err := groups.CommitGroup(t.Context(), "city", next); err != nil {
			t.Fatal(err)
		}
	}
	for tp, want := range map[record.TopicPartition]int64{at("group-a", 0): 5, at("group-a", 1): 9, at("group-b", 0): 1} {
		if got := committedOffset(t, c, "city", tp); got != want {
			t.Errorf("%v: the group is at %d, not %d", tp, got, want)
		}
	}
	err = groups.CommitGroup(t.Context(), "city", map[record.TopicPartition]record.Offset{at("group-none", 0): 1})
	if err == nil {
		t.Error("offsets of a topic that does not exist were taken")
	}
}

// committedOffset asks Kafka for a group's offset; -1 is none.
func committedOffset(t *testing.T, c cluster, group string, tp record.TopicPartition) int64 {
	t.Helper()
	client := c.client(t)
	defer client.Close()
	request := kmsg.NewPtrOffsetFetchRequest()
	request.Group = group
	topic := kmsg.NewOffsetFetchRequestTopic()
	topic.Topic, topic.Partitions = tp.Topic, []int32{int32(tp.Partition)}
	request.Topics = append(request.Topics, topic)
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	gt := kmsg.NewOffsetFetchRequestGroupTopic()
	gt.Topic, gt.Partitions = tp.Topic, topic.Partitions
	g.Topics = append(g.Topics, gt)
	request.Groups = append(request.Groups, g)
	answer, err := request.RequestWith(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	if err := kerr.ErrorForCode(answer.ErrorCode); err != nil {
		t.Fatal(err)
	}
	for _, g := range answer.Groups {
		for _, topic := range g.Topics {
			for _, p := range topic.Partitions {
				return p.Offset
			}
		}
	}
	for _, topic := range answer.Topics {
		for _, p := range topic.Partitions {
			return p.Offset
		}
	}
	t.Fatalf("no offset in %+v", answer)
	return 0
}
