package drivestate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/fleet"
)

// errGone means that records sent since the drive began are no longer in a topic.
var errGone = errors.New("records sent meanwhile are no longer in the topic")

// The source is asked again after an error that may pass, with waits that double.
const (
	tries   = 10
	waitMin = 50 * time.Millisecond
	waitMax = 2 * time.Second
)

// ends returns where the topics end now. Topics that do not exist yet are left out.
func ends(ctx context.Context, source port.Source, topics fleet.Topics) (map[string]topicEnd, error) {
	found, err := list(ctx, source, topics)
	if err != nil {
		return nil, err
	}
	out := map[string]topicEnd{}
	for _, t := range found {
		at := topicEnd{ID: t.ID, Ends: make([]record.Offset, t.Partitions)}
		for p := range at.Ends {
			if _, at.Ends[p], err = offsets(ctx, source, record.TopicPartition{Topic: t.Name, Partition: record.Partition(p)}); err != nil {
				return nil, err
			}
		}
		out[t.Name] = at
	}
	return out, nil
}

// collect adds to sent what the topics have of its drive, reading from the ends before the drive.
func collect(ctx context.Context, source port.Source, topics fleet.Topics, before map[string]topicEnd, sent *fleet.Sent) error {
	found, err := list(ctx, source, topics)
	if err != nil {
		return err
	}
	for _, t := range found {
		for p := range t.Partitions {
			var from record.Offset // a topic or partition that is newer than the drive is read whole
			if was := before[t.Name]; was.ID == t.ID && p < len(was.Ends) {
				from = was.Ends[p]
			}
			tp := record.TopicPartition{Topic: t.Name, Partition: record.Partition(p)}
			if err := collectPartition(ctx, source, tp, from, sent); err != nil {
				return fmt.Errorf("%v from offset %d: %w", tp, from, err)
			}
		}
	}
	return nil
}

func collectPartition(ctx context.Context, source port.Source, tp record.TopicPartition, from record.Offset, sent *fleet.Sent) error {
	start, end, err := offsets(ctx, source, tp)
	if err != nil {
		return err
	}
	if from < start {
		return fmt.Errorf("%w, which starts at offset %d", errGone, start)
	}
	if from > end { // the partition lost its end, and what was sent with it: what is there now may be anything
		from = start
	}
	reader := source.Open(tp, from)
	defer reader.Close()
	for at := from; at < end; {
		var got port.Fetched
		if err := again(ctx, func() (err error) { got, err = reader.Fetch(ctx); return err }); err != nil {
			if errors.Is(err, port.ErrOffsetOutOfRange) { // retention was faster
				return fmt.Errorf("%w: %w", errGone, err)
			}
			return err
		}
		for _, r := range got.Records {
			sent.Add(r.Key)
		}
		at = got.Next
		got.Release()
	}
	return nil
}

func list(ctx context.Context, source port.Source, topics fleet.Topics) (found []port.Topic, err error) {
	names := topics.Names()
	err = again(ctx, func() (err error) { found, err = source.Topics(ctx, names[:]); return err })
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	return found, nil
}

func offsets(ctx context.Context, source port.Source, tp record.TopicPartition) (start, end record.Offset, err error) {
	err = again(ctx, func() (err error) { start, end, err = source.Offsets(ctx, tp); return err })
	if err != nil {
		return 0, 0, fmt.Errorf("offsets of %v: %w", tp, err)
	}
	return start, end, nil
}

// again asks the source until it answers, a number of times.
func again(ctx context.Context, ask func() error) error {
	wait := waitMin
	for try := 1; ; try++ {
		err := ask()
		if err == nil || try == tries || errors.Is(err, port.ErrNoTopic) || errors.Is(err, port.ErrOffsetOutOfRange) {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(ctx.Err(), err)
		case <-timer.C:
		}
		wait = min(2*wait, waitMax)
	}
}
