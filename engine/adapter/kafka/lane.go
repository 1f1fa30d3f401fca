package kafka

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kmsg"

	"citystream/engine/record"
)

// A lane carries the fetches of many readers to one broker in few requests, over one connection. Each broker has two: one for readers
// that have more to read, whose requests return at once, and one for those at their partitions' ends, whose requests wait for records
// there. In one lane, those who wait would hold up the others.
//
// A lane has a goroutine from the first fetch until none has come for a while.
type lane struct {
	source *Source
	key    laneKey

	mu     sync.Mutex
	asked  []*ask // not sent yet
	wake   chan struct{}
	closed bool
}

type laneKey struct {
	addr   string
	behind bool // for readers with more to read
}

// laneIdleMax is how long a lane's connection is kept without a fetch.
const laneIdleMax = 30 * time.Second

// An ask is one reader's fetch on its way.
type ask struct {
	tp       record.TopicPartition
	from     record.Offset
	maxBytes int32
	epoch    int32 // the leader's as the metadata told it, for the broker to compare with its own

	since  time.Time
	answer chan answer // of one slot
	gone   bool        // nobody waits any more; guarded by the lane
}

// An answer is one partition's part of a broker's. Who receives it releases the slab, which is nil with an error.
type answer struct {
	part kmsg.FetchResponseTopicPartition
	slab *slab
	err  error
}

// fetch sends a fetch along the lane and waits for its answer.
func (s *Source) fetch(ctx context.Context, key laneKey, a *ask) (answer, error) {
	a.since, a.answer = time.Now(), make(chan answer, 1)
	l, err := s.join(key, a)
	if err != nil {
		return answer{}, err
	}
	select {
	case got := <-a.answer:
		return got, got.err
	case <-ctx.Done():
		l.leave(a)
		return answer{}, ctx.Err()
	}
}

// join puts a fetch into its lane, which is opened if need be.
func (s *Source) join(key laneKey, a *ask) (*lane, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lanes == nil {
		return nil, errClosed
	}
	if l := s.lanes[key]; l != nil && l.add(a) {
		return l, nil
	}
	l := &lane{source: s, key: key, wake: make(chan struct{}, 1)}
	l.add(a)
	s.lanes[key] = l
	go l.run()
	return l, nil
}

func (l *lane) add(a *ask) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.asked = append(l.asked, a)
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return true
}

// leave gives a fetch up.
func (l *lane) leave(a *ask) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a.gone = true
	select {
	case got := <-a.answer:
		if got.slab != nil {
			got.slab.release()
		}
	default:
	}
}

// deliver answers a fetch, or releases what nobody waits for any more.
func (l *lane) deliver(a *ask, got answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !a.gone {
		a.answer <- got
	} else if got.slab != nil {
		got.slab.release()
	}
}

// waiting returns the fetches that go into the next request: those that somebody still waits for, the old ones first, and one for each
// partition at most. An answer names partitions and not fetches, so a second reader of a partition, which stands elsewhere in it, would be
// given the first one's records: it waits for its turn.
func (l *lane) waiting(old []*ask) []*ask {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := make(map[record.TopicPartition]bool, len(old)+len(l.asked))
	var all, later []*ask
	for _, a := range slices.Concat(old, l.asked) {
		switch {
		case a.gone:
		case taken[a.tp]:
			later = append(later, a)
		default:
			taken[a.tp] = true
			all = append(all, a)
		}
	}
	l.asked = later
	return all
}

func (l *lane) run() {
	ctx := l.source.ended
	var w *wire
	defer func() {
		if w != nil {
			w.close()
		}
	}()
	var asks []*ask
	for {
		if asks = l.waiting(asks); len(asks) == 0 {
			if !l.rest(ctx) {
				return
			}
			continue
		}
		err := error(nil)
		if w == nil {
			w, err = dialWire(ctx, l.key.addr, &l.source.o)
		}
		if err == nil {
			asks, err = l.request(ctx, w, asks)
		}
		if err != nil {
			if ctx.Err() != nil {
				err = errClosed
			}
			for _, a := range asks {
				l.deliver(a, answer{err: err})
			}
			asks = nil
			if w != nil {
				w.close()
				w = nil
			}
		}
	}
}

// rest waits for a fetch. It is false when the lane has ended: the source was closed, or nothing came for long.
func (l *lane) rest(ctx context.Context) bool {
	timer := time.NewTimer(laneIdleMax)
	defer timer.Stop()
	select {
	case <-l.wake:
		return true
	case <-ctx.Done():
	case <-timer.C:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.asked) > 0 {
		return true
	}
	l.closed = true
	return false
}

// request sends one request for all fetches and returns those that are not answered: their partitions had nothing new.
func (l *lane) request(ctx context.Context, w *wire, asks []*ask) ([]*ask, error) {
	o := &l.source.o
	var s *slab
	body, err := w.exchange(ctx, l.spell(w, asks), o.MaxWait+answerTimeout, func(n int) []byte {
		s = l.source.slabs.take(n)
		return s.data
	})
	if s != nil {
		defer s.release()
	}
	if err != nil {
		return asks, err
	}
	response := kmsg.FetchResponse{Version: w.fetch}
	if err := response.ReadFrom(body); err != nil {
		return asks, fmt.Errorf("broker %s: %w to a fetch: %w", w.addr, errMalformed, err)
	}
	if response.ErrorCode != 0 {
		return asks, fmt.Errorf("broker %s: %w", w.addr, sarama.KError(response.ErrorCode))
	}
	return l.hand(asks, &response, s), nil
}

// spell puts the fetches into one request, in their order: the broker fills the answer in that order, up to its limit.
func (l *lane) spell(w *wire, asks []*ask) *kmsg.FetchRequest {
	o := &l.source.o
	request := kmsg.NewPtrFetchRequest()
	request.Version = w.fetch
	request.ReplicaID = -1
	request.MaxWaitMillis = int32(o.MaxWait.Milliseconds())
	request.MinBytes = 1
	request.IsolationLevel = 1 // committed records only, with the list of those that are not
	request.SessionEpoch = -1  // no fetch session
	index := map[string]int{}
	for _, a := range asks {
		i, known := index[a.tp.Topic]
		if !known {
			i = len(request.Topics)
			index[a.tp.Topic] = i
			topic := kmsg.NewFetchRequestTopic()
			topic.Topic = a.tp.Topic
			request.Topics = append(request.Topics, topic)
		}
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch = int32(a.tp.Partition), int64(a.from), a.maxBytes, a.epoch
		request.Topics[i].Partitions = append(request.Topics[i].Partitions, p)
		request.MaxBytes = max(request.MaxBytes, a.maxBytes)
	}
	request.MaxBytes = max(request.MaxBytes, min(o.MaxBytes, answerBytes/answerShare)*answerShare)
	return request
}

// Limits of one answer.
const (
	answerShare = 4       // so many partitions' bytes in one answer
	answerBytes = 8 << 20 // but not more than this, unless one partition's are
)

// hand gives each fetch its part of the answer, and returns those that go on waiting.
func (l *lane) hand(asks []*ask, response *kmsg.FetchResponse, s *slab) []*ask {
	parts := map[record.TopicPartition]*kmsg.FetchResponseTopicPartition{}
	for i := range response.Topics {
		t := &response.Topics[i]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			parts[record.TopicPartition{Topic: t.Topic, Partition: record.Partition(p.Partition)}] = p
		}
	}
	var left []*ask
	for _, a := range asks {
		p := parts[a.tp]
		switch {
		case p == nil:
			l.deliver(a, answer{err: fmt.Errorf("broker %s: %w", l.key.addr, sarama.ErrIncompleteResponse)})
		case p.ErrorCode == 0 && len(p.RecordBatches) == 0 && time.Since(a.since) < l.source.o.MaxWait:
			left = append(left, a)
		default:
			s.held.Add(1)
			l.deliver(a, answer{part: *p, slab: s})
		}
	}
	return left
}
