package kafka

import (
	"context"
	"fmt"

	"github.com/IBM/sarama"

	"citystream/engine/port"
	"citystream/engine/record"
)

// A reader reads one partition. It is used by one goroutine.
type reader struct {
	source   *Source
	tp       record.TopicPartition
	position record.Offset
	epoch    int32 // leader epoch of the last batch read
	maxBytes int32 // of the next fetch; grows while a batch does not fit

	topicID string // as first seen; the offsets of a topic made anew mean something else
	leader  leader
	link    *link // to leader; nil before the first fetch and after a trouble
}

var _ port.Reader = (*reader)(nil)

// Fetch implements port.Reader.
func (r *reader) Fetch(ctx context.Context) (port.Fetched, error) {
	var fetched port.Fetched
	err := r.source.retry(ctx, func(ctx context.Context) (err error) {
		fetched, err = r.fetch(ctx)
		if err != nil {
			r.Close() // whatever it was, the next attempt looks up the leader again
		}
		return err
	})
	if err != nil {
		return port.Fetched{}, fmt.Errorf("fetch %s at offset %d: %w", r.tp, r.position, err)
	}
	r.position = fetched.Next
	return fetched, nil
}

// Close implements port.Reader.
func (r *reader) Close() {
	if r.link != nil {
		r.link.close()
		r.link = nil
	}
}

// fetch makes one attempt.
func (r *reader) fetch(ctx context.Context) (port.Fetched, error) {
	if err := r.connect(ctx); err != nil {
		return port.Fetched{}, err
	}
	for {
		block, err := r.poll(ctx)
		if err != nil {
			return port.Fetched{}, err
		}
		records := r.source.slice()
		got, err := committed((*records)[:0], block, r.position)
		if err != nil {
			r.source.giveBack(records)
			return port.Fetched{}, err
		}
		*records = got.records
		if got.next == r.position && got.partial {
			r.source.giveBack(records)
			if err := r.grow(); err != nil {
				return port.Fetched{}, err
			}
			continue
		}
		r.maxBytes = r.source.o.MaxBytes
		if got.epoch >= 0 {
			r.epoch = got.epoch
		}
		return port.Fetched{
			Records: got.records, Next: got.next, End: stableEnd(block), LeaderEpoch: r.epoch,
			Release: func() { r.source.giveBack(records) },
		}, nil
	}
}

// connect makes sure that there is a connection to the partition's leader.
func (r *reader) connect(ctx context.Context) error {
	if r.link != nil {
		return nil
	}
	at, err := r.source.locate(ctx, r.tp)
	if err != nil {
		return err
	}
	if r.topicID != "" && at.topicID != r.topicID {
		return fmt.Errorf("topic %s was deleted and made again (id %s, now %s): %w", r.tp.Topic, r.topicID, at.topicID, port.ErrNoTopic)
	}
	r.topicID, r.leader, r.link = at.topicID, at, newLink(at.addr, &r.source.o)
	return nil
}

// poll asks once and turns the broker's answer into an error where it is one.
func (r *reader) poll(ctx context.Context) (*sarama.FetchResponseBlock, error) {
	response, err := r.link.fetch(ctx, &r.source.o, want{tp: r.tp, from: r.position, maxBytes: r.maxBytes, epoch: r.leader.epoch})
	if err != nil {
		return nil, err
	}
	if response.ErrorCode != 0 {
		return nil, r.leader.wrap(sarama.KError(response.ErrorCode))
	}
	block := response.GetBlock(r.tp.Topic, int32(r.tp.Partition))
	switch {
	case block == nil:
		return nil, r.leader.wrap(sarama.ErrIncompleteResponse)
	case block.Err == sarama.ErrOffsetOutOfRange:
		return nil, r.leader.wrap(port.ErrOffsetOutOfRange)
	case block.Err != sarama.ErrNoError:
		return nil, r.leader.wrap(block.Err)
	}
	return block, nil
}

// grow doubles the size of the next fetch because not even one batch came whole.
func (r *reader) grow() error {
	if r.maxBytes >= fetchBytesMax {
		return fmt.Errorf("%w of %d bytes", errBatchTooLarge, fetchBytesMax)
	}
	r.maxBytes = min(2*r.maxBytes, fetchBytesMax)
	return nil
}

// stableEnd returns the end of the committed records.
func stableEnd(block *sarama.FetchResponseBlock) record.Offset {
	if block.LastStableOffset < 0 {
		return record.Offset(block.HighWaterMarkOffset)
	}
	return record.Offset(block.LastStableOffset)
}

// slice takes a slice of records from the pool; giveBack returns it, without holding on to what the records alias.
func (s *Source) slice() *[]record.Record {
	if p, ok := s.pool.Get().(*[]record.Record); ok {
		return p
	}
	return new([]record.Record)
}

func (s *Source) giveBack(p *[]record.Record) {
	clear(*p)
	*p = (*p)[:0]
	s.pool.Put(p)
}
