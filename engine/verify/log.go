package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"citystream/engine/port"
	"citystream/engine/record"
)

// logCheck goes through one log, entry by entry.
type logCheck struct {
	*verifier
	*logName
	report  LogReport
	before  *entry
	rules   *rules
	flushed map[place]record.Offset // end of the newest file of a window
	closed  []closing               // when the watermark passed which window
	seen    offsets                 // of rows and dead letters, from the resume offset on
	dead    offsets
	topic   *topicPass
	missing []file // of the entry before

	rowsBase, deadBase int64 // counted before the first slot that counts
}

// place is a window of a table.
type place struct {
	table  string
	window record.Micros
}

// closing says that from an offset on rows before a watermark are late.
type closing struct {
	watermark record.Micros
	from      record.Offset
}

func (c *logCheck) violated(invariant string, slot int64, f *file, what string, args ...any) {
	v := Violation{
		Invariant: invariant, Table: c.table, Topic: c.tp.Topic, Partition: int(c.tp.Partition), Slot: slot, What: fmt.Sprintf(what, args...),
	}
	if f != nil {
		v.File, v.From, v.To = f.Key, f.From, f.To
	}
	c.verifier.report.violated(v)
}

// log proves one log.
func (v *verifier) log(ctx context.Context, l *logName) error {
	c := &logCheck{verifier: v, logName: l, flushed: map[place]record.Offset{}, seen: offsets{}, dead: offsets{}}
	c.report = LogReport{Table: l.table, Topic: l.tp.Topic, Partition: int(l.tp.Partition)}
	defer func() { v.report.Logs = append(v.report.Logs, c.report) }()
	if v.Source != nil {
		c.topic = &topicPass{check: c}
		defer c.topic.close()
	}
	v.lows[originOf(l.table, l.tp)] = l.low
	proved, err := c.provedBefore(ctx)
	if err != nil {
		return err
	}
	for slot := l.low; slot <= l.last; slot++ {
		e, err := c.read(ctx, slot)
		if err != nil {
			return err
		}
		if e == nil {
			c.violated("I1", slot, nil, "the slot is missing, but the log goes on to slot %d", l.last)
			return nil // what follows hangs in the air
		}
		if c.rules, err = v.rulesOf(ctx, e.Fingerprint); err != nil {
			return err
		}
		c.chain(e)
		if err := c.files(ctx, e, slot <= proved); err != nil {
			return err
		}
		c.account(e)
		c.close(e)
		if err := c.settle(ctx, proved); err != nil {
			return err
		}
		c.before = e
		c.report.Entries++
	}
	c.report.Unchanged = proved >= 0 && proved >= l.last-1
	return c.end(ctx)
}

// settle ends the look at the entry before, whose files are complete now, or were given up by this entry.
func (c *logCheck) settle(ctx context.Context, proved int64) error {
	b := c.before
	if b == nil {
		return nil
	}
	if b.Slot <= proved || b.Slot == c.low && c.low > 0 { // of deleted slots' files nothing is known
		c.topic.skip(b.Resume)
	} else if err := c.topic.upTo(ctx, b); err != nil {
		return err
	}
	c.seen.dropBelow(b.Resume)
	c.dead.dropBelow(b.Resume)
	if b.Resume == b.ReadThrough && c.verifier.report.Count == 0 {
		c.State.note(c.logName, b.Slot, b.ID)
	}
	return nil
}

// end looks at what only a successor would have settled: files of the last entry may still be uploads.
func (c *logCheck) end(ctx context.Context) error {
	for _, f := range c.missing {
		uploads, err := c.Store.ListUploads(ctx, f.Key)
		if err != nil {
			return fmt.Errorf("look for the upload of %s: %w", f.Key, err)
		}
		if slices.ContainsFunc(uploads, func(u port.Upload) bool { return u.ID == f.Upload }) {
			c.report.Pending++
			continue
		}
		c.violated("I2", c.last, &f, "the file is committed, but neither it nor its upload exists; it has %d rows", f.Rows)
	}
	if c.before == nil || c.report.Pending > 0 {
		return nil
	}
	return c.topic.upTo(ctx, c.before)
}

// provedBefore returns the slot up to which an earlier run has proved the log, -1 if none has or if the log is another now.
func (c *logCheck) provedBefore(ctx context.Context) (int64, error) {
	slot := c.State.of(c.logName)
	if slot < c.low {
		return -1, nil
	}
	e, err := c.read(ctx, slot)
	if err != nil || e == nil || e.ID != c.State.Logs[c.String()].ID {
		return -1, err
	}
	return slot, nil
}

// read returns a slot's entry, nil if there is none.
func (c *logCheck) read(ctx context.Context, slot int64) (*entry, error) {
	body, _, err := c.Store.Get(ctx, c.key(slot))
	if errors.Is(err, port.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read slot %d: %w", slot, err)
	}
	e := &entry{}
	if err := json.Unmarshal(body, e); err != nil {
		c.violated("I1", slot, nil, "the slot holds no entry: %v", err)
		return nil, nil
	}
	return e, nil
}

// chain holds an entry against the one before it: the log's order, its owners, and that nothing goes back.
func (c *logCheck) chain(e *entry) {
	slot := c.low + c.report.Entries
	if e.Slot != slot || e.ID == "" {
		c.violated("I1", slot, nil, "the slot holds the entry of slot %d with id %q", e.Slot, e.ID)
	}
	if e.Resume > e.ReadThrough || e.First > e.Resume {
		c.violated("I5", slot, nil, "first offset %d, resume offset %d, read-through offset %d are out of order", e.First, e.Resume, e.ReadThrough)
	}
	if e.Kind == "claim" && len(e.Files) > 0 {
		c.violated("I2", slot, nil, "a claim names files")
	}
	for _, w := range e.Windows {
		if w.FlushedThrough <= e.Resume || w.FlushedThrough > e.ReadThrough {
			c.violated("I4", slot, nil, "window %s is flushed through %d, outside of (%d, %d]", w.Start.Time().Format("2006-01-02T15:04"), w.FlushedThrough, e.Resume, e.ReadThrough)
		}
	}
	c.report.First, c.report.Resume, c.report.ReadThrough, c.report.Lost = e.First, e.Resume, e.ReadThrough, e.Counters.Lost
	b := c.before
	if b == nil {
		c.rowsBase, c.deadBase = e.Counters.Rows, e.Counters.DeadLetters
		for _, f := range e.Files { // counted by this entry itself
			if f.Table == deadLetters {
				c.deadBase -= f.Rows
			} else {
				c.rowsBase -= f.Rows
			}
		}
		return
	}
	if e.Previous != b.ID {
		c.violated("I1", slot, nil, "it follows entry %q, but slot %d holds entry %q", e.Previous, b.Slot, b.ID)
	}
	if e.Owner.Epoch < b.Owner.Epoch || e.Owner.Epoch == b.Owner.Epoch && e.Owner.Version < b.Owner.Version {
		c.violated("I1", slot, nil, "an owner of epoch %d, version %d writes after one of epoch %d, version %d", e.Owner.Epoch, e.Owner.Version, b.Owner.Epoch, b.Owner.Version)
	}
	if e.Owner != b.Owner && e.Kind != "claim" {
		c.violated("I1", slot, nil, "a new owner writes without a claim")
	}
	if e.Resume < b.Resume || e.ReadThrough < b.ReadThrough || e.Watermark < b.Watermark || e.EventMax < b.EventMax || e.First != b.First {
		c.violated("I5", slot, nil, "it goes back: resume %d, read-through %d, watermark %d, greatest event time %d, first %d, after %d, %d, %d, %d, %d",
			e.Resume, e.ReadThrough, e.Watermark, e.EventMax, e.First, b.Resume, b.ReadThrough, b.Watermark, b.EventMax, b.First)
	}
	if e.TopicID != b.TopicID {
		c.violated("I5", slot, nil, "it is of another topic of that name: id %s after %s", e.TopicID, b.TopicID)
	}
}

// close notes which windows an entry's watermark has passed. Closings that passed no new window are left out, so that they are as many as windows.
func (c *logCheck) close(e *entry) {
	length := record.Micros(c.rules.Window.Microseconds())
	if n := len(c.closed); n == 0 || e.Watermark/length > c.closed[n-1].watermark/length {
		c.closed = append(c.closed, closing{e.Watermark, e.ReadThrough})
	}
}

// lateFrom returns the offset from which on rows of a window that ends so are late, and false if it was not closed.
func (c *logCheck) lateFrom(end record.Micros) (record.Offset, bool) {
	i, _ := slices.BinarySearchFunc(c.closed, end, func(a closing, end record.Micros) int { return int(min(max(a.watermark-end, -1), 1)) })
	if i == len(c.closed) {
		return 0, false
	}
	return c.closed[i].from, true
}

// account checks that counters and offsets add up. Where everything that was read is committed, each offset is one of: a row, a dead
// letter, dropped, a tombstone, a gap (I3).
func (c *logCheck) account(e *entry) {
	n, b := e.Counters, counters{}
	if c.before != nil {
		b = c.before.Counters
	}
	rows, dead, bytes := int64(0), int64(0), int64(0)
	for _, f := range e.Files {
		bytes += f.Bytes
		if f.Table == deadLetters {
			dead += f.Rows
		} else {
			rows += f.Rows
		}
	}
	if c.before != nil && (n.Rows-b.Rows != rows || n.DeadLetters-b.DeadLetters != dead || n.Files-b.Files != int64(len(e.Files)) || n.Bytes-b.Bytes != bytes) {
		c.violated("I3", e.Slot, nil, "its counters grow by %d rows, %d dead letters, %d files, %d bytes, but its files have %d, %d, %d, %d",
			n.Rows-b.Rows, n.DeadLetters-b.DeadLetters, n.Files-b.Files, n.Bytes-b.Bytes, rows, dead, len(e.Files), bytes)
	}
	if e.Resume == e.ReadThrough && n.Lost == 0 {
		if sum := n.Rows + n.DeadLetters + n.LateDropped + n.Tombstones + n.Gaps; sum != int64(e.ReadThrough-e.First) {
			c.violated("I3", e.Slot, nil, "%d offsets were read, but %d rows, %d dead letters, %d dropped, %d tombstones and %d gaps are %d",
				e.ReadThrough-e.First, n.Rows, n.DeadLetters, n.LateDropped, n.Tombstones, n.Gaps, sum)
		}
	}
}
