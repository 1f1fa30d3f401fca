package kafka

import (
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"citystream/engine/port"
	"citystream/engine/record"
)

// Limits of a replayer.
const (
	replayAttempts  = 20 // one that was locked out by a second replayer must not try for long
	replayPauseMin  = 50 * time.Millisecond
	replayPauseMax  = 400 * time.Millisecond
	messageBytesMax = 8 << 20
)

// A Replayer sends messages and how far a source was gone through in one transaction, so that each is sent once however often it is
// begun again: the progress is an offset that a consumer group commits with the messages. A second replayer of the same name locks
// the first one out. Not safe for concurrent use.
type Replayer struct {
	producer sarama.SyncProducer
	admin    sarama.ClusterAdmin
	group    string
	source   record.TopicPartition
}

// NewReplayer begins where the replayer of that name before it has ended for the source: what that has left open is rolled back.
func NewReplayer(o ProducerOptions, name string, source record.TopicPartition) (*Replayer, error) {
	config, err := o.replayConfig()
	if err != nil {
		return nil, fmt.Errorf("kafka replayer: %w", err)
	}
	config.Producer.Transaction.ID = fmt.Sprintf("%s-%s-%d", name, source.Topic, source.Partition)
	producer, err := sarama.NewSyncProducer(o.Brokers, config)
	if err != nil {
		return nil, fmt.Errorf("kafka replayer: %w", err)
	}
	admin, err := sarama.NewClusterAdmin(o.Brokers, config)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("kafka replayer: %w", err), producer.Close())
	}
	return &Replayer{producer: producer, admin: admin, group: name, source: source}, nil
}

// replayConfig is for sarama's producer, which knows transactions with offsets of a group that has no members.
func (o *ProducerOptions) replayConfig() (*sarama.Config, error) {
	common := Options{Brokers: o.Brokers, ClientID: o.ClientID, Logger: o.Logger}
	if err := common.complete(); err != nil {
		return nil, err
	}
	c := common.config()
	c.Producer.Idempotent = true
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Net.MaxOpenRequests = 1 // with more, a batch that is sent again may overtake another
	c.Producer.Partitioner = sarama.NewHashPartitioner
	c.Producer.Return.Successes, c.Producer.Return.Errors = true, true
	c.Producer.MaxMessageBytes = messageBytesMax
	c.Producer.Retry.Max, c.Producer.Retry.BackoffFunc = replayAttempts, replayPause
	c.Metadata.Retry.Max, c.Metadata.Retry.BackoffFunc = replayAttempts, replayPause
	c.Producer.Transaction.Retry.Max = replayAttempts
	return c, nil
}

func replayPause(retries, _ int) time.Duration {
	return min(replayPauseMin<<min(retries, 8), replayPauseMax)
}

// encode keeps nil apart from empty: a nil value is a tombstone, and a nil key lets any partition take the message.
func encode(m *port.Message) *sarama.ProducerMessage {
	out := &sarama.ProducerMessage{Topic: m.Topic}
	if m.Key != nil {
		out.Key = sarama.ByteEncoder(m.Key)
	}
	if m.Value != nil {
		out.Value = sarama.ByteEncoder(m.Value)
	}
	return out
}

// Progress returns the offset of the source from which on nothing was sent yet, 0 at the first time.
func (r *Replayer) Progress() (record.Offset, error) {
	for attempt := 0; ; attempt++ {
		offset, err := r.progress()
		if err == nil {
			return offset, nil
		}
		if attempt == replayAttempts || !coordinatorMoves(err) {
			return 0, fmt.Errorf("kafka replayer: read the progress of %s: %w", r.group, err)
		}
		<-time.After(replayPause(attempt, 0))
	}
}

// coordinatorMoves reports whether the group's coordinator is just coming up, or is another one now.
func coordinatorMoves(err error) bool {
	return errors.Is(err, sarama.ErrOffsetsLoadInProgress) || errors.Is(err, sarama.ErrConsumerCoordinatorNotAvailable) || errors.Is(err, sarama.ErrNotCoordinatorForConsumer)
}

func (r *Replayer) progress() (record.Offset, error) {
	response, err := r.admin.ListConsumerGroupOffsets(r.group, map[string][]int32{r.source.Topic: {int32(r.source.Partition)}})
	if err != nil {
		return 0, err
	}
	block := response.GetBlock(r.source.Topic, int32(r.source.Partition))
	switch {
	case block == nil || block.Err == sarama.ErrGroupIDNotFound || response.Err == sarama.ErrGroupIDNotFound:
		return 0, nil
	case block.Err != sarama.ErrNoError:
		return 0, block.Err
	case response.Err != sarama.ErrNoError:
		return 0, response.Err
	}
	return record.Offset(max(block.Offset, 0)), nil
}

// Send sends the messages and moves the progress to next, both or neither.
func (r *Replayer) Send(messages []port.Message, next record.Offset) error {
	if err := r.producer.BeginTxn(); err != nil {
		return fmt.Errorf("kafka replayer: begin: %w", err)
	}
	err := r.send(messages, next)
	if err == nil {
		if err = r.producer.CommitTxn(); err == nil {
			return nil
		}
	}
	return errors.Join(fmt.Errorf("kafka replayer: %w", err), r.producer.AbortTxn())
}

func (r *Replayer) send(messages []port.Message, next record.Offset) error {
	all := make([]*sarama.ProducerMessage, len(messages))
	for i := range messages {
		all[i] = encode(&messages[i])
	}
	if err := r.producer.SendMessages(all); err != nil {
		return err
	}
	done := map[string][]*sarama.PartitionOffsetMetadata{r.source.Topic: {{Partition: int32(r.source.Partition), Offset: int64(next)}}}
	return r.producer.AddOffsetsToTxn(done, r.group)
}

// Close ends the connections; a transaction that is open is rolled back by the next replayer.
func (r *Replayer) Close() error { return errors.Join(r.producer.Close(), r.admin.Close()) }
