package port

import (
	"context"

	"citystream/engine/record"
)

// GroupOffsets are the offsets that consumer groups have committed to Kafka. The engine itself never reads them: where it goes on is in the commit
// logs. They are written for the tools that show how far a group is behind.
type GroupOffsets interface {
	// CommitGroup says for partitions which record a group reads next. A group with members of its own is refused.
	CommitGroup(ctx context.Context, group string, next map[record.TopicPartition]record.Offset) error
}
