package actors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"citystream/engine/commitlog"
	"citystream/engine/pipeline"
	"citystream/engine/port"
)

// hintEvery is how many slots lie between two hints: at most so many are listed to find a log's end.
const hintEvery = 100

// hint is the object at Log.HintKey: some slot of the log that exists.
type hint struct {
	Slot commitlog.Slot `json:"slot"`
}

func encodeHint(s commitlog.Slot) []byte {
	b, err := json.Marshal(hint{s})
	if err != nil {
		panic(err) // one integer: cannot fail
	}
	return b
}

// findLast finds the newest entry of the log, and how the topic stands.
func (d *device) findLast(e pipeline.FindLast) error {
	done, err := d.share.budget.turn(d.ctx)
	if err != nil {
		return err
	}
	defer done()
	found := pipeline.Found{Attempt: e.Attempt, EpochEnd: -1}
	if found.Last, err = d.lastEntry(); err != nil {
		return err
	}
	if found.Last == nil || found.Last.Fingerprint != d.cfg.Table.Fingerprint() { // else it was written before that entry
		if err := d.publishSchema(); err != nil {
			return err
		}
	}
	if found.Last != nil {
		if found.Table, err = d.schemaOf(found.Last.Fingerprint); err != nil {
			return err
		}
	}
	if err := d.topic(&found); err != nil {
		return err
	}
	found.Now = now()
	d.send(found)
	return nil
}

// lastEntry returns the newest entry, nil of an empty log. An entry may be deleted between its listing and its reading, but only
// when it has long had successors.
func (d *device) lastEntry() (*commitlog.Entry, error) {
	for range 3 {
		slot, err := lastSlot(d.ctx, d.node.Store, d.cfg.Log, d.retries)
		if err != nil || slot == commitlog.None {
			return nil, err
		}
		if e, err := d.entry(slot); e != nil || err != nil {
			return e, err
		}
	}
	return nil, fmt.Errorf("the last slot of log %s is listed and cannot be read: something else deletes its objects", d.cfg.Log)
}

// publishSchema keeps the text of the table's rules beside the log, so that a later version can read again what this one has begun.
func (d *device) publishSchema() error {
	t := d.cfg.Table
	err := d.retries.do(d.ctx, "write schema", isConflict, func(ctx context.Context) error {
		return d.node.Store.PutIfAbsent(ctx, commitlog.SchemaKey(t.Fingerprint()), t.Canonical())
	})
	if isConflict(err) {
		return nil // it is there: the fingerprint is the hash of the text
	}
	return err
}

func isConflict(err error) bool { return errors.Is(err, port.ErrConflict) }

// topic asks Kafka how the partition stands.
func (d *device) topic(found *pipeline.Found) error {
	tp := d.cfg.Log.TopicPartition
	return d.retries.do(d.ctx, "look at the topic", nil, func(ctx context.Context) error {
		topics, err := d.node.Source.Topics(ctx, []string{tp.Topic})
		if err != nil {
			return err
		}
		if len(topics) == 0 {
			return fmt.Errorf("topic %s: %w", tp.Topic, port.ErrNoTopic)
		}
		found.TopicID = topics[0].ID
		if found.Start, found.End, err = d.node.Source.Offsets(ctx, tp); err != nil {
			return err
		}
		found.Default = found.Start
		if d.node.Latest {
			found.Default = found.End
		}
		if found.Last != nil && found.Last.LeaderEpoch >= 0 {
			end, ok, err := d.node.Source.EpochEnd(ctx, tp, found.Last.LeaderEpoch)
			if err != nil {
				return err
			}
			if ok {
				found.EpochEnd = end
			}
		}
		return nil
	})
}

// Pages of listings, in keys.
const (
	listFirst = hintEvery // a log that has more has a hint
	listPage  = 1000
)

// lastSlot finds the newest slot of a log by listing it: a short one whole, of a long one what follows the hint.
func lastSlot(ctx context.Context, store port.Store, log commitlog.Log, retries *retries) (commitlog.Slot, error) {
	last, more, err := listSlots(ctx, store, log, commitlog.None, listFirst, retries)
	if err != nil || !more {
		return last, err
	}
	hinted, err := readHint(ctx, store, log, retries)
	if err != nil {
		return last, err
	}
	for last = max(last, hinted); more && err == nil; {
		last, more, err = listSlots(ctx, store, log, last-1, listPage, retries) // the hinted slot is listed again: it must exist
	}
	return last, err
}

// listSlots returns the greatest slot in a page of those behind a slot, or else the one after it, and whether there may be more.
func listSlots(
	ctx context.Context, store port.Store, log commitlog.Log, behind commitlog.Slot, limit int, retries *retries,
) (last commitlog.Slot, more bool, err error) {
	var page []port.Object
	after := ""
	if behind >= 0 {
		after = log.Key(behind)
	}
	err = retries.do(ctx, "list log", nil, func(ctx context.Context) (err error) {
		page, err = store.List(ctx, log.Prefix(), after, limit)
		return err
	})
	last = behind
	for _, o := range page {
		if s, ok := log.SlotOf(o.Key); ok {
			last = max(last, s)
		}
	}
	return last, len(page) == limit, err
}

func readHint(ctx context.Context, store port.Store, log commitlog.Log, retries *retries) (commitlog.Slot, error) {
	var body []byte
	err := retries.do(ctx, "read hint", isNotFound, func(ctx context.Context) (err error) {
		body, _, err = store.Get(ctx, log.HintKey())
		return err
	})
	switch {
	case errors.Is(err, port.ErrNotFound):
		return commitlog.None, nil
	case err != nil:
		return commitlog.None, err
	}
	var h hint
	if err := json.Unmarshal(body, &h); err != nil {
		return commitlog.None, fmt.Errorf("hint %s: %w: delete the object, the log is then listed from its start", log.HintKey(), err)
	}
	return max(h.Slot, commitlog.None), nil
}
