package port

import (
	"context"
	"errors"

	"citystream/engine/record"
)

// Errors of a Source that callers branch on.
var (
	ErrNoTopic          = errors.New("no such topic or partition")
	ErrOffsetOutOfRange = errors.New("offset out of range") // the reader's offset lies below the log's start or above its end
)

// A Source is a Kafka cluster, or the fake of one. All calls are safe for concurrent use.
type Source interface {
	// Topics returns those of the named topics that exist, with their partitions.
	Topics(ctx context.Context, names []string) ([]Topic, error)
	// Offsets returns the log start and the end of a partition: records lie in [start, end). End counts committed records only.
	Offsets(ctx context.Context, tp record.TopicPartition) (start, end record.Offset, err error)
	// EpochEnd returns the end offset of a leader epoch in a partition (OffsetForLeaderEpoch): where the log continues with a
	// newer epoch, or the log's end. ok is false where the cluster does not know the epoch.
	EpochEnd(ctx context.Context, tp record.TopicPartition, leaderEpoch int32) (end record.Offset, ok bool, err error)
	// Open returns a reader that begins at offset from. It does not wait for the broker.
	Open(tp record.TopicPartition, from record.Offset) Reader
	// Close ends all connections; readers fail from then on.
	Close() error
}

// A Topic is a topic's id, which changes when a topic is deleted and made again, and the number of its partitions.
type Topic struct {
	Name       string
	ID         string // Kafka's topic id, a UUID as text
	Partitions int
}

// A Reader reads one partition in order. One goroutine uses it.
type Reader interface {
	// Fetch waits until there are records at the reader's position, or until the source's waiting time has passed, and moves the
	// position on. Offsets may have gaps (compaction, transactions): only committed records are returned. An error leaves the
	// position as it was, and Fetch may be called again: after a passing trouble of the network or of a leader change it goes on.
	// ErrOffsetOutOfRange and ErrNoTopic do not pass by themselves.
	Fetch(ctx context.Context) (Fetched, error)
	Close()
}

// Fetched is what one Fetch brought. Its records are valid until Release is called, once, when they are decoded.
type Fetched struct {
	Records     []record.Record
	Next        record.Offset // position after this fetch; also moves over offsets without a record
	End         record.Offset // end of the partition's log (last stable offset) at the time of the fetch
	LeaderEpoch int32         // leader epoch of the last batch read, -1 if none is known
	Release     func()        // never nil
}
