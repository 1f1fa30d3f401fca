package actors

import (
	"context"
	"fmt"

	"citystream/engine/port"
)

// stepsAtOnce is how many steps go to the producer in one call at most.
const stepsAtOnce = 64

// fleetSender carries the records of steps from the fleet's queue to the producer: the one goroutine of a fleet that waits.
type fleetSender struct {
	trip     *trip
	producer port.Producer
	ctx      context.Context // ended by force
	give     func(stepsTaken)

	messages []port.Message // of the steps under way, reused
}

// run sends until the fleet is drained or the context ends, and then waits for what the producer has taken.
func (s *fleetSender) run() {
	defer s.trip.ended.Store(true)
	for s.next() {
	}
	if err := s.producer.Close(); err != nil {
		s.trip.fail(fmt.Errorf("close producer: %w", err))
	}
}

// next sends what is in the queue. It returns false when nothing more is to be sent.
func (s *fleetSender) next() bool {
	select {
	case <-s.ctx.Done():
		return false
	case <-s.trip.drained: // no credit is out, so the queue is empty
		return false
	case step := <-s.trip.queue:
		return s.send(step)
	}
}

// send gives a step and those that wait behind it to the producer, and their credits back.
func (s *fleetSender) send(step stepRecords) bool {
	s.messages = s.messages[:0]
	taken := make(stepsTaken, 0, min(len(s.trip.queue)+1, stepsAtOnce))
	for {
		s.messages = append(s.messages, step.messages[:step.count]...)
		taken = append(taken, step.stepTaken)
		if len(taken) == cap(taken) {
			break
		}
		step = <-s.trip.queue // does not wait: nobody else takes from the queue
	}
	if err := s.produce(); err != nil {
		s.trip.fail(fmt.Errorf("produce: %w", err))
		return false
	}
	s.give(taken)
	return true
}

// produce counts the messages before they can be delivered, and takes back those that were not taken.
func (s *fleetSender) produce() error {
	s.count(s.messages, 1)
	sent, err := s.producer.Produce(s.ctx, s.messages)
	if err != nil {
		s.count(s.messages[sent:], -1)
	}
	clear(s.messages) // the producer owns the buffers now
	return err
}

func (s *fleetSender) count(messages []port.Message, by int64) {
	for _, m := range messages {
		s.trip.byTopic[m.Topic].produced.Add(by)
	}
}
