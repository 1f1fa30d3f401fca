package actors

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"citystream/engine/commitlog"
	"citystream/engine/decode"
	"citystream/engine/pipeline"
	"citystream/engine/port"
)

// read starts a reader; the one before has been told to end. Each sends rows of its own generation only.
func (d *device) read(e pipeline.Read) {
	d.stopReading()
	ctx, cancel := context.WithCancel(d.ctx)
	d.reading = cancel
	r := &reader{
		device: d, ctx: ctx, effect: e,
		retries: d.fetches, expected: expectedFirst,
		decoder: decode.NewDecoder(e.Table, d.cfg.Log.TopicPartition),
	}
	go d.guard(r.run)
}

func (d *device) stopReading() {
	if d.reading != nil {
		d.reading()
		d.reading = nil
	}
}

// reader fetches and decodes one partition, at most as far ahead as there are credits. Fetching and decoding alternate in one
// goroutine; encoding runs beside it in the device's.
type reader struct {
	device  *device
	ctx     context.Context
	effect  pipeline.Read
	retries *retries
	decoder *decode.Decoder

	expected int64 // bytes of the next fetch and its batch: those of the last, less after each that is smaller
}

// What a batch is taken to have before it is there: the first one, and at least.
const (
	expectedFirst = 256 << 10
	expectedMin   = 16 << 10
)

func (r *reader) run() {
	source := r.device.node.Source.Open(r.device.cfg.Log.TopicPartition, r.effect.From)
	defer source.Close()
	position := r.effect.From
	doubted := false // the topic was missing: it may be another one when it comes back
	for r.effect.Until == 0 || position < r.effect.Until {
		select {
		case r.device.credits <- struct{}{}:
		case <-r.ctx.Done():
			return
		}
		rows, ok := r.next(source, &doubted)
		if rows.Batch == nil {
			<-r.device.credits
		}
		if !ok {
			return
		}
		records := 0
		if rows.Batch != nil {
			records = rows.Batch.Records()
		}
		if rows.Now > 0 {
			position = rows.Next
			r.device.send(rows)
		}
		if r.device.share.budget.pace.wait(r.ctx, records) != nil {
			return
		}
	}
}

// next fetches and decodes once. It is false where the reading has ended; without an outcome, Now is 0.
func (r *reader) next(source port.Reader, doubted *bool) (pipeline.Rows, bool) {
	if err := r.device.share.admit(r.ctx, r.expected); err != nil {
		return pipeline.Rows{}, false
	}
	got, err := r.fetch(source, doubted)
	if err != nil {
		r.device.share.change(-r.expected)
		return pipeline.Rows{}, r.failed(err)
	}
	rows, fetched := r.decode(got)
	held := int64(0)
	if rows.Batch != nil {
		held = int64(rows.Batch.MemoryBytes())
	}
	r.device.share.change(held - r.expected)
	r.expected = max(held+fetched, r.expected/2, expectedMin)
	return rows, true
}

// fetch fetches once. A topic that was missing may be another one when it comes back.
func (r *reader) fetch(source port.Reader, doubted *bool) (got port.Fetched, err error) {
	err = r.retries.do(r.ctx, "fetch", doesNotPass, func(ctx context.Context) (err error) {
		if *doubted {
			if err := r.sameTopic(ctx); err != nil {
				return err
			}
			*doubted = false
		}
		got, err = source.Fetch(ctx)
		*doubted = errors.Is(err, port.ErrNoTopic)
		return err
	})
	return got, err
}

// failed tells the partition of an error that does not pass, and reports whether reading goes on.
func (r *reader) failed(err error) bool {
	if errors.Is(err, port.ErrOffsetOutOfRange) {
		r.device.send(pipeline.OutOfRange{Generation: r.effect.Generation})
		return pause(r.ctx, time.Second) // said again if an entry was just being written
	}
	var changed *commitlog.TopicChangedError
	if errors.As(err, &changed) {
		r.device.send(pipeline.Drain{Now: now(), Reason: commitlog.ReasonTopic, Err: err})
	}
	return false // or the reading was ended
}

// sameTopic checks that offsets still mean what they meant: that the topic was not deleted and made again.
func (r *reader) sameTopic(ctx context.Context) error {
	name := r.device.cfg.Log.Topic
	topics, err := r.device.node.Source.Topics(ctx, []string{name})
	switch {
	case err != nil:
		return err
	case len(topics) == 0:
		return fmt.Errorf("topic %s: %w", name, port.ErrNoTopic)
	case topics[0].ID != r.effect.TopicID:
		return &commitlog.TopicChangedError{Logged: r.effect.TopicID, Found: topics[0].ID}
	}
	return nil
}

// decode turns what was fetched into rows, and returns how many bytes the records have. Without records there is no batch.
func (r *reader) decode(got port.Fetched) (rows pipeline.Rows, fetched int64) {
	defer got.Release()
	rows = pipeline.Rows{Generation: r.effect.Generation, Next: got.Next, End: got.End, LeaderEpoch: got.LeaderEpoch}
	records := got.Records
	if until := r.effect.Until; until != 0 && rows.Next > until {
		rows.Next = until
		records = records[:sort.Search(len(records), func(i int) bool { return records[i].Offset >= until })]
	}
	if len(records) > 0 {
		batch := r.device.share.budget.takeBatch(r.effect.Table)
		r.decoder.Decode(batch, records)
		rows.Batch, fetched = batch, batch.TakenBytes()
		table := r.device.cfg.Log.Table
		for outcome, n := range map[string]int{"decoded": len(batch.Offsets), "dead_letter": len(batch.DeadOffsets), "tombstone": len(batch.Tombstones)} {
			r.device.node.Metrics.Records.WithLabelValues(table, outcome).Add(float64(n))
		}
	}
	rows.Now = now()
	return rows, fetched
}

// doesNotPass reports whether a fetch cannot succeed by being tried again: Kafka no longer has the offset, or not yet any more, or the
// topic is another one.
func doesNotPass(err error) bool {
	var changed *commitlog.TopicChangedError
	return errors.Is(err, port.ErrOffsetOutOfRange) || errors.As(err, &changed)
}
