package actors

import (
	"context"
	"errors"
	"fmt"
	"sort"

	"citystream/engine/columns"
	"citystream/engine/commitlog"
	"citystream/engine/decode"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/schema"
	"citystream/engine/window"
)

// A goneError says that Kafka cannot give a committed file's records again.
type goneError struct{ reason string }

func (e *goneError) Error() string { return "Kafka no longer has its records: " + e.reason }

// rebuild makes a committed file again: it has every record of its window in its offset range and no other, so Kafka and the rules
// under which the entry was written say what is in it (I6).
func (d *device) rebuild(e *commitlog.Entry, f commitlog.File) error {
	table, err := d.schemaOf(e.Fingerprint)
	if err != nil {
		return err
	}
	if err := d.hasRecords(e, f); err != nil {
		return err
	}
	dead := f.Table == d.cfg.DeadLetters.Name
	layout := table
	if side := table.LateTable(); side != nil && f.Table == side.Name {
		layout = side
	}
	if dead {
		layout = d.cfg.DeadLetters
	}
	file := d.newFile(0, f.Key, layout, rebuiltMetadata(f))
	rows, err := d.copyRows(file, table, f, dead)
	if err == nil && rows > f.Rows {
		err = fmt.Errorf("there are %d records of it in Kafka, but %d were committed: the topic's records are not those that were read", rows, f.Rows)
	}
	if err == nil && rows < f.Rows {
		err = &goneError{fmt.Sprintf("it has %d of %d", rows, f.Rows)}
	}
	if err == nil {
		_, err = d.finish(file, e.Slot, f.From, f.To)
	}
	if err != nil {
		if file.upload != "" {
			d.abort(file.key, file.upload)
		}
		return err
	}
	return d.retries.do(d.ctx, "complete rebuilt file", nil, func(ctx context.Context) error {
		err := d.node.Store.CompleteUpload(ctx, file.key, file.upload, file.parts)
		if !isNoUpload(err) {
			return err
		}
		o, err := d.node.Store.Head(ctx, file.key) // the answer of the try before may have been lost
		if err == nil && !isRebuilt(o, f) {
			return fmt.Errorf("%s is there, but is not the file that was made again", f.Key)
		}
		return err
	})
}

// hasRecords checks that the topic is still the one that was read, and that its log still has the file's offsets.
func (d *device) hasRecords(e *commitlog.Entry, f commitlog.File) error {
	tp := d.cfg.Log.TopicPartition
	return d.retries.do(d.ctx, "look at the topic", isGone, func(ctx context.Context) error {
		topics, err := d.node.Source.Topics(ctx, []string{tp.Topic})
		if err != nil {
			return err
		}
		if len(topics) == 1 && topics[0].ID != e.TopicID {
			return &goneError{"the topic was deleted and made again"}
		}
		start, end, err := d.node.Source.Offsets(ctx, tp)
		if err == nil && (f.From < start || f.To > end) {
			return &goneError{fmt.Sprintf("its log has the offsets from %d to %d", start, end-1)}
		}
		return err
	})
}

func isGone(err error) bool {
	var gone *goneError
	return errors.As(err, &gone)
}

// copyRows reads a file's offset range again and appends the records of its window; it returns how many there were.
func (d *device) copyRows(file *openFile, table *schema.Table, f commitlog.File, dead bool) (int64, error) {
	source := d.node.Source.Open(d.cfg.Log.TopicPartition, f.From)
	defer source.Close()
	decoder, batch := decode.NewDecoder(table, d.cfg.Log.TopicPartition), decode.NewBatch(table)
	rows := int64(0)
	for position := f.From; position < f.To; {
		var got port.Fetched
		err := d.retries.do(d.ctx, "fetch", doesNotPass, func(ctx context.Context) (err error) {
			got, err = source.Fetch(ctx)
			return err
		})
		if errors.Is(err, port.ErrOffsetOutOfRange) {
			return rows, &goneError{err.Error()}
		}
		if err != nil {
			return rows, err
		}
		position = got.Next
		records := got.Records[:sort.Search(len(got.Records), func(i int) bool { return got.Records[i].Offset >= f.To })]
		decoder.Decode(batch, records)
		got.Release()
		of, picked := pickWindow(batch, table, d.cfg.DeadLetters, f.Window, dead)
		rows += int64(len(picked))
		if err := d.write(file, of, picked); err != nil {
			return rows, err
		}
		batch.Reset()
	}
	return rows, nil
}

// pickWindow returns the rows of a batch that belong to a window: of the table by event time, of the dead letters by Kafka's. The
// list is never nil, which would mean all of them.
func pickWindow(b *decode.Batch, table, deadLetters *schema.Table, start record.Micros, dead bool) (of *columns.Batch, rows []int32) {
	of, times, length := b.Good, b.EventTimes, table.Window
	if dead {
		of, times, length = b.Dead, b.DeadKafkaTimes, deadLetters.Window
	}
	rows = make([]int32, 0, len(times))
	for i, at := range times {
		if window.Start(at, length) == start {
			rows = append(rows, int32(i))
		}
	}
	return of, rows
}
