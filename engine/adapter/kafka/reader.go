package kafka

import (
	"context"
	"fmt"
	"time"

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
	behind   bool  // as far as known there is more to read

	topicID string    // as first seen; the offsets of a topic made anew mean something else
	leader  leader    // none before the first fetch and after a trouble
	after   time.Time // what was known of the leader before is not to be used
}

var _ port.Reader = (*reader)(nil)

// Fetch implements port.Reader.
func (r *reader) Fetch(ctx context.Context) (port.Fetched, error) {
	var fetched port.Fetched
	err := r.source.retry(ctx, func(ctx context.Context) (err error) {
		fetched, err = r.fetch(ctx)
		if err != nil { // whatever it was, the next attempt looks up the leader again
			r.leader, r.after = leader{}, time.Now()
		}
		return err
	})
	if err != nil {
		return port.Fetched{}, fmt.Errorf("fetch %s at offset %d: %w", r.tp, r.position, err)
	}
	r.position = fetched.Next
	r.behind = fetched.End > fetched.Next
	return fetched, nil
}

// Close implements port.Reader. The connections are the source's.
func (r *reader) Close() {}

// fetch makes one attempt.
func (r *reader) fetch(ctx context.Context) (port.Fetched, error) {
	if err := r.find(ctx); err != nil {
		return port.Fetched{}, err
	}
	for {
		got, err := r.poll(ctx)
		if err != nil {
			return port.Fetched{}, err
		}
		h := r.source.harvest()
		if err := h.committed(&got.part, r.position, &r.source.slabs); err != nil {
			got.slab.release()
			r.source.giveBack(h)
			return port.Fetched{}, r.leader.wrap(err)
		}
		if h.next == r.position && h.partial {
			got.slab.release()
			r.source.giveBack(h)
			if err := r.grow(); err != nil {
				return port.Fetched{}, err
			}
			continue
		}
		r.maxBytes = r.source.o.MaxBytes
		if h.epoch >= 0 {
			r.epoch = h.epoch
		}
		end := record.Offset(got.part.LastStableOffset)
		if end < 0 {
			end = record.Offset(got.part.HighWatermark)
		}
		return port.Fetched{
			Records: h.records, Next: h.next, End: end, LeaderEpoch: r.epoch,
			Release: func() {
				got.slab.release()
				r.source.giveBack(h)
			},
		}, nil
	}
}

// find makes sure that the partition's leader is known.
func (r *reader) find(ctx context.Context) error {
	if r.leader != (leader{}) {
		return nil
	}
	at, err := r.source.locate(ctx, r.tp, r.after)
	if err != nil {
		return err
	}
	if r.topicID != "" && at.topicID != r.topicID {
		return fmt.Errorf("topic %s was deleted and made again (id %s, now %s): %w", r.tp.Topic, r.topicID, at.topicID, port.ErrNoTopic)
	}
	r.topicID, r.leader = at.topicID, at
	return nil
}

// poll asks once and turns the broker's answer into an error where it is one.
func (r *reader) poll(ctx context.Context) (answer, error) {
	got, err := r.source.fetch(ctx, laneKey{r.leader.addr, r.behind}, &ask{tp: r.tp, from: r.position, maxBytes: r.maxBytes, epoch: r.leader.epoch})
	if err != nil {
		return answer{}, err
	}
	switch code := sarama.KError(got.part.ErrorCode); code {
	case sarama.ErrNoError:
		return got, nil
	case sarama.ErrOffsetOutOfRange:
		err = port.ErrOffsetOutOfRange
	default:
		err = code
	}
	got.slab.release()
	return answer{}, r.leader.wrap(err)
}

// grow doubles the size of the next fetch because not even one batch came whole.
func (r *reader) grow() error {
	if r.maxBytes >= fetchBytesMax {
		return fmt.Errorf("%w of %d bytes", errBatchTooLarge, fetchBytesMax)
	}
	r.maxBytes = min(2*r.maxBytes, fetchBytesMax)
	return nil
}

// harvest takes an empty one from the pool; giveBack returns it, without holding on to what the records alias.
func (s *Source) harvest() *harvest {
	if h, ok := s.harvests.Get().(*harvest); ok {
		return h
	}
	return &harvest{}
}

func (s *Source) giveBack(h *harvest) {
	h.release()
	clear(h.records)
	h.records = h.records[:0]
	s.harvests.Put(h)
}
