package kafka

import (
	"context"
	"fmt"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kmsg"

	"citystream/engine/record"
)

// epochEndVersion is the last version of OffsetForLeaderEpoch with fixed-length fields, since Kafka 2.3.
const epochEndVersion = 3

// epochEnd asks the leader where an epoch ends. Sarama does not know this request; it is rare, and has a connection of its own.
func (s *Source) epochEnd(ctx context.Context, at leader, tp record.TopicPartition, epoch int32) (record.Offset, bool, error) {
	w, err := dialWire(ctx, at.addr, &s.o)
	if err != nil {
		return 0, false, err
	}
	defer w.close()
	request := kmsg.NewPtrOffsetForLeaderEpochRequest()
	request.Version, request.ReplicaID = epochEndVersion, -1
	topic := kmsg.NewOffsetForLeaderEpochRequestTopic()
	topic.Topic = tp.Topic
	partition := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
	partition.Partition, partition.CurrentLeaderEpoch, partition.LeaderEpoch = int32(tp.Partition), -1, epoch
	topic.Partitions = append(topic.Partitions, partition)
	request.Topics = append(request.Topics, topic)
	response := kmsg.NewPtrOffsetForLeaderEpochResponse()
	if err := w.ask(ctx, request, response, answerTimeout); err != nil {
		return 0, false, err
	}
	if len(response.Topics) != 1 || len(response.Topics[0].Partitions) != 1 {
		return 0, false, at.wrap(fmt.Errorf("%w to OffsetForLeaderEpoch", errMalformed))
	}
	end := response.Topics[0].Partitions[0]
	if code := sarama.KError(end.ErrorCode); code != sarama.ErrNoError {
		return 0, false, at.wrap(code)
	}
	return record.Offset(end.EndOffset), end.LeaderEpoch >= 0 && end.EndOffset >= 0, nil
}
