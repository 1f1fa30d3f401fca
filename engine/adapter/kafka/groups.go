package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"citystream/engine/port"
	"citystream/engine/record"
)

// Groups commits the offsets of consumer groups that have no members, as a client does that assigns partitions by itself. Safe for concurrent use.
type Groups struct{ client *kgo.Client }

var _ port.GroupOffsets = (*Groups)(nil)

// NewGroups makes a client of a cluster. It does not wait for the brokers.
func NewGroups(o Options) (*Groups, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("kafka groups: %w", err)
	}
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(int16(kmsg.OffsetCommit), 9) // the last that names topics; later ones take their ids
	options := []kgo.Opt{
		kgo.SeedBrokers(o.Brokers...), kgo.ClientID(o.ClientID), kgo.WithLogger(&clientLog{log: o.Logger}), kgo.MaxVersions(versions),
	}
	if o.TLS != nil {
		options = append(options, kgo.DialTLSConfig(o.TLS))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, fmt.Errorf("kafka groups: %w", err)
	}
	return &Groups{client}, nil
}

// CommitGroup implements port.GroupOffsets. Kafka's commits are the offsets that are read next: the last one plus one.
func (g *Groups) CommitGroup(ctx context.Context, group string, next map[record.TopicPartition]record.Offset) error {
	request := kmsg.NewPtrOffsetCommitRequest()
	request.Group, request.Generation = group, -1 // no member
	topics := map[string]int{}
	for tp, offset := range next {
		at, ok := topics[tp.Topic]
		if !ok {
			at = len(request.Topics)
			topics[tp.Topic] = at
			t := kmsg.NewOffsetCommitRequestTopic()
			t.Topic = tp.Topic
			request.Topics = append(request.Topics, t)
		}
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset = int32(tp.Partition), int64(offset)
		request.Topics[at].Partitions = append(request.Topics[at].Partitions, p)
	}
	answer, err := request.RequestWith(ctx, g.client) // finds the group's coordinator
	if err != nil {
		return fmt.Errorf("commit offsets of group %s: %w", group, err)
	}
	var faults []error
	for _, t := range answer.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				faults = append(faults, fmt.Errorf("commit offsets of group %s, %s/%d: %w", group, t.Topic, p.Partition, err))
			}
		}
	}
	return errors.Join(faults...)
}

// Close ends the connections.
func (g *Groups) Close() error { g.client.Close(); return nil }
