package actors

import (
	"context"
	"errors"
	"sort"

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
		retries: d.fetches,
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
}

func (r *reader) run() {
	source := r.device.node.Source.Open(r.device.cfg.Log.TopicPartition, r.effect.From)
	defer source.Close()
	position := r.effect.From
	var batch *decode.Batch
	defer func() {
		if batch != nil {
			r.device.credits <- batch
		}
	}()
	for r.effect.Until == 0 || position < r.effect.Until {
		if batch == nil {
			select {
			case batch = <-r.device.credits:
			case <-r.ctx.Done():
				return
			}
		}
		var got port.Fetched
		err := r.retries.do(r.ctx, "fetch", doesNotPass, func(ctx context.Context) (err error) {
			got, err = source.Fetch(ctx)
			return err
		})
		if err != nil {
			if r.ctx.Err() == nil {
				r.device.send(pipeline.Failed{Err: err})
			}
			return
		}
		rows := r.decode(got, batch)
		if rows.Batch != nil {
			batch = nil // it comes back by Release
		}
		position = rows.Next
		r.device.send(rows)
	}
}

// decode turns what was fetched into rows. A fetch without records leaves the batch unused.
func (r *reader) decode(got port.Fetched, batch *decode.Batch) pipeline.Rows {
	defer got.Release()
	rows := pipeline.Rows{Generation: r.effect.Generation, Next: got.Next, End: got.End, LeaderEpoch: got.LeaderEpoch}
	records := got.Records
	if until := r.effect.Until; until != 0 && rows.Next > until {
		rows.Next = until
		records = records[:sort.Search(len(records), func(i int) bool { return records[i].Offset >= until })]
	}
	if len(records) > 0 {
		r.decoder.Decode(batch, records)
		rows.Batch = batch
		table := r.device.node.Metrics.Records.MustCurryWith(map[string]string{"table": r.device.cfg.Log.Table})
		table.WithLabelValues("decoded").Add(float64(len(batch.Offsets)))
		table.WithLabelValues("dead_letter").Add(float64(len(batch.DeadOffsets)))
		table.WithLabelValues("tombstone").Add(float64(len(batch.Tombstones)))
	}
	rows.Now = now()
	return rows
}

// doesNotPass reports whether a fetch cannot succeed by being tried again: Kafka no longer has the offset, or not yet any more.
func doesNotPass(err error) bool { return errors.Is(err, port.ErrOffsetOutOfRange) }
