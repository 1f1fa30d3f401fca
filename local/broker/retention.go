package broker

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// retain drops old messages from time to time until the broker is closed.
//
// The cluster has a retention of its own, which is switched off: it may empty a partition altogether, and a partition that is empty
// when the process is killed begins again at offset 0, where every reader's position lies beyond the end. Here the newest message
// of a partition always stays, and with it the partition's end.
func (b *Broker) retain(ctx context.Context, client *kgo.Client, retention time.Duration, logger *slog.Logger) {
	ticker := time.NewTicker(max(min(retention/4, retentionPeriodMax), time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			if err := dropBefore(ctx, client, now.Add(-retention)); err != nil && ctx.Err() == nil {
				logger.Warn("embedded broker: retention failed, it is tried again", "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// dropBefore deletes each partition's messages before the first one that is not older than cutoff, or before the newest one.
func dropBefore(ctx context.Context, client *kgo.Client, cutoff time.Time) error {
	metadata, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, client)
	if err != nil {
		return fmt.Errorf("list topics: %w", err)
	}
	cuts, err := offsetsAt(ctx, client, metadata, cutoff.UnixMilli())
	if err != nil {
		return err
	}
	starts, err := offsetsAt(ctx, client, metadata, logStart)
	if err != nil {
		return err
	}
	ends, err := offsetsAt(ctx, client, metadata, logEnd)
	if err != nil {
		return err
	}
	drop := kmsg.NewPtrDeleteRecordsRequest()
	for _, t := range metadata.Topics {
		topic := kmsg.NewDeleteRecordsRequestTopic()
		topic.Topic = *t.Topic
		for _, p := range t.Partitions {
			key := partition{*t.Topic, p.Partition}
			cut, newest := cuts[key], ends[key]-1
			if cut < 0 || cut > newest {
				cut = newest
			}
			if cut > starts[key] {
				dropped := kmsg.NewDeleteRecordsRequestTopicPartition()
				dropped.Partition, dropped.Offset = p.Partition, cut
				topic.Partitions = append(topic.Partitions, dropped)
			}
		}
		if len(topic.Partitions) > 0 {
			drop.Topics = append(drop.Topics, topic)
		}
	}
	if len(drop.Topics) == 0 {
		return nil
	}
	if _, err := drop.RequestWith(ctx, client); err != nil {
		return fmt.Errorf("delete old messages: %w", err)
	}
	return nil
}

const (
	logStart = -2 // as ListOffsets spells them
	logEnd   = -1
)

type partition struct {
	topic  string
	number int32
}

// offsetsAt returns the first offset at or after a moment in each partition, -1 where there is none.
func offsetsAt(ctx context.Context, client *kgo.Client, metadata *kmsg.MetadataResponse, millis int64) (map[partition]int64, error) {
	request := kmsg.NewPtrListOffsetsRequest()
	request.ReplicaID = -1
	for _, t := range metadata.Topics {
		topic := kmsg.NewListOffsetsRequestTopic()
		topic.Topic = *t.Topic
		for _, p := range t.Partitions {
			asked := kmsg.NewListOffsetsRequestTopicPartition()
			asked.Partition, asked.Timestamp = p.Partition, millis
			topic.Partitions = append(topic.Partitions, asked)
		}
		request.Topics = append(request.Topics, topic)
	}
	offsets := map[partition]int64{}
	if len(request.Topics) == 0 {
		return offsets, nil
	}
	response, err := request.RequestWith(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("list offsets: %w", err)
	}
	for _, t := range response.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return nil, fmt.Errorf("list offsets of %s/%d: %w", t.Topic, p.Partition, err)
			}
			offsets[partition{t.Topic, p.Partition}] = p.Offset
		}
	}
	return offsets, nil
}
