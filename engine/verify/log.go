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
	flushed map[place]record.Offset         // end of the newest file of a window
	open    map[record.Micros]record.Offset // likewise, of the table's windows that reach above the resume offset
	ids     keySet                          // of the entries
	claim   int64                           // the newest claim's slot, -1 before one is seen
	closed  []closing                       // when the watermark passed which window
	seen    offsets                         // of rows and dead letters, from the resume offset on
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

// log proves one log. Where retention deletes its first slots meanwhile, it begins anew with those that are left.
func (v *verifier) log(ctx context.Context, l *logName) error {
	for {
		deleted, err := v.slots(ctx, l)
		if err != nil || !deleted {
			return err
		}
	}
}

// slots proves a log from its low slot on. It returns true, and reports nothing of the log, where that slot is no longer the low one.
func (v *verifier) slots(ctx context.Context, l *logName) (deleted bool, err error) {
	c := &logCheck{verifier: v, logName: l, flushed: map[place]record.Offset{}, open: map[record.Micros]record.Offset{}, claim: -1}
	c.report = LogReport{Table: l.table, Topic: l.tp.Topic, Partition: int(l.tp.Partition)}
	defer func() {
		if !deleted {
			v.report.Logs = append(v.report.Logs, c.report)
		}
	}()
	if v.Source != nil {
		c.topic = &topicPass{check: c}
		defer c.topic.close()
	}
	v.lows[originOf(l.table, l.tp)] = l.low
	proved, err := c.provedBefore(ctx)
	if err != nil {
		return false, err
	}
	for slot := l.low; slot <= l.last; slot++ {
		e, err := c.read(ctx, slot)
		if err != nil {
			return false, err
		}
		if e == nil {
			return c.missingSlot(ctx, slot) // what follows hangs in the air
		}
		if err := c.entry(ctx, e, slot, proved); err != nil {
			return false, err
		}
	}
	c.report.Unchanged = proved >= 0 && proved >= l.last-1
	return false, c.end(ctx)
}

// missingSlot says that a slot is gone, unless retention has deleted it just now.
func (c *logCheck) missingSlot(ctx context.Context, slot int64) (deleted bool, err error) {
	low, err := c.lowOf(ctx, *c.logName)
	if err != nil {
		return false, err
	}
	if low > slot && low > c.low {
		c.low, c.last = low, max(c.last, low)
		return true, nil
	}
	c.violated("I1", slot, nil, "the slot is missing or holds no entry, but the log goes on to slot %d", c.last)
	return false, nil
}

// entry proves one entry.
func (c *logCheck) entry(ctx context.Context, e *entry, slot, proved int64) (err error) {
	if e.Format > formatKnown {
		return fmt.Errorf("slot %d has format %d, this program knows %d: run a newer version", slot, e.Format, formatKnown)
	}
	before := c.rules // of the entry before, whose missing files are looked at once more
	if c.rules, err = c.rulesOf(ctx, e.Fingerprint); err != nil {
		return err
	}
	if err := c.givenUp(ctx, e, before); err != nil {
		return err
	}
	c.chain(e, slot)
	if err := c.files(ctx, e, slot <= proved); err != nil {
		return err
	}
	c.windows(e)
	c.account(e)
	c.close(e)
	if err := c.settle(ctx, proved); err != nil {
		return err
	}
	c.before = e
	c.report.Entries++
	return nil
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
		c.State.note(c.logName, b.Slot, b.ID, c.Source != nil)
	}
	return nil
}

// end looks at what only a successor would have settled: files of the last entry may still be uploads.
func (c *logCheck) end(ctx context.Context) error {
	if c.ids.doubled() {
		c.violated("I1", -1, nil, "two entries have the same id")
	}
	missing := c.missing
	c.missing = nil
	for _, f := range missing {
		uploads, err := c.Store.ListUploads(ctx, f.Key)
		if err != nil {
			return fmt.Errorf("look for the upload of %s: %w", f.Key, err)
		}
		if slices.ContainsFunc(uploads, func(u port.Upload) bool { return u.ID == f.Upload }) {
			c.report.Pending++
			continue
		}
		if err := c.contents(ctx, c.before, &f); err != nil { // it may have been completed meanwhile
			return err
		}
		if len(c.missing) > 0 {
			c.violated("I2", c.last, &f, "the file is committed, but neither it nor its upload exists; it has %d rows", f.Rows)
			c.missing = nil
		}
	}
	if c.before == nil || c.report.Pending > 0 {
		return nil
	}
	return c.topic.upTo(ctx, c.before)
}

// provedBefore returns the slot up to which an earlier run has proved the log, -1 if none has or if the log is another now.
func (c *logCheck) provedBefore(ctx context.Context) (int64, error) {
	slot := c.State.of(c.logName, c.Source != nil)
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
		c.violated("I1", slot, nil, "the slot cannot be read: %v", err)
		return nil, nil
	}
	return e, nil
}

// chain holds an entry against the one before it: the log's order, its owners, and that nothing goes back.
func (c *logCheck) chain(e *entry, slot int64) {
	if e.Slot != slot || e.ID == "" || e.Format < 1 {
		c.violated("I1", slot, nil, "the slot holds the entry of slot %d with id %q of format %d", e.Slot, e.ID, e.Format)
	}
	c.ids.add(e.ID)
	if e.Kind == "claim" {
		c.claim = slot
	}
	if e.Resume > e.ReadThrough || e.First > e.Resume {
		c.violated("I5", slot, nil, "first offset %d, resume offset %d, read-through offset %d are out of order", e.First, e.Resume, e.ReadThrough)
	}
	if e.Kind == "claim" && len(e.Files) > 0 {
		c.violated("I2", slot, nil, "a claim names files")
	}
	c.report.First, c.report.Resume, c.report.ReadThrough, c.report.Lost = e.First, e.Resume, e.ReadThrough, e.Counters.Lost
	b := c.before
	if b == nil {
		c.begins(e)
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
	if e.Claim != nil && c.claim >= 0 && *e.Claim != c.claim {
		c.violated("I1", slot, nil, "its owner claimed in slot %d, as it says, but the newest claim is in slot %d", *e.Claim, c.claim)
	}
	if e.Resume < b.Resume || e.ReadThrough < b.ReadThrough || e.Watermark < b.Watermark || e.EventMax < b.EventMax || e.First != b.First {
		c.violated("I5", slot, nil, "it goes back: resume %d, read-through %d, watermark %d, greatest event time %d, first %d, after %d, %d, %d, %d, %d",
			e.Resume, e.ReadThrough, e.Watermark, e.EventMax, e.First, b.Resume, b.ReadThrough, b.Watermark, b.EventMax, b.First)
	}
	if e.TopicID != b.TopicID {
		c.violated("I5", slot, nil, "it is of another topic of that name: id %s after %s", e.TopicID, b.TopicID)
	}
	before := b.Counters.values()
	for i, n := range e.Counters.values() {
		if n < before[i] {
			c.violated("I5", slot, nil, "a counter goes back from %d to %d: %+v after %+v", before[i], n, e.Counters, b.Counters)
		}
	}
}

// begins checks what a log begins with, and takes over what is known of deleted slots.
func (c *logCheck) begins(e *entry) {
	if c.low == 0 {
		if e.Kind != "claim" || e.First != e.Resume || e.Resume != e.ReadThrough || e.Counters != (counters{}) || len(e.Windows) > 0 {
			c.violated("I3", e.Slot, nil, "a log begins with a claim of which nothing was read, but this is a %s with first offset %d, resume offset %d, read-through offset %d, %+v",
				e.Kind, e.First, e.Resume, e.ReadThrough, e.Counters)
		}
		return
	}
	for _, w := range e.Windows { // files of this entry itself raise them to no more
		c.open[w.Start] = w.FlushedThrough
		if !slices.ContainsFunc(e.Files, func(f file) bool { return f.Window == w.Start && f.Table != deadLetters }) {
			c.flushed[place{c.table, w.Start}] = w.FlushedThrough
		}
	}
}

// windows checks that the entry says of each window how far it is flushed: as far as its newest file goes, where that is not below the
// resume offset (I4). A later reading goes by it: a window left out would be written twice, one set too far would have a hole.
func (c *logCheck) windows(e *entry) {
	said := map[record.Micros]record.Offset{}
	for _, w := range e.Windows {
		if _, twice := said[w.Start]; twice || w.FlushedThrough <= e.Resume || w.FlushedThrough > e.ReadThrough {
			c.violated("I4", e.Slot, nil, "window %s is named twice, or flushed through %d, outside of (%d, %d]", w.Start.Time(), w.FlushedThrough, e.Resume, e.ReadThrough)
		}
		said[w.Start] = w.FlushedThrough
	}
	for start, through := range c.open {
		if through <= e.Resume {
			delete(c.open, start)
		} else if said[start] != through {
			c.violated("I4", e.Slot, nil, "window %s has files up to offset %d, but is flushed through %d, as the entry says", start.Time(), through, said[start])
		}
	}
	for start, through := range said {
		if c.open[start] == 0 {
			c.violated("I4", e.Slot, nil, "window %s is flushed through %d, as the entry says, but has no such file", start.Time(), through)
		}
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
	given := int64(0)
	for _, l := range e.Lost {
		given += l.count()
	}
	if c.before != nil && n.Lost-b.Lost != given {
		c.violated("I3", e.Slot, nil, "its counters grow by %d lost records, but it names losses of %d", n.Lost-b.Lost, given)
	}
	if e.Resume == e.ReadThrough { // of the records that were given up some were counted before
		if sum := n.Rows + n.DeadLetters + n.LateDropped + n.Tombstones + n.Gaps; sum > int64(e.ReadThrough-e.First) || sum+n.Lost < int64(e.ReadThrough-e.First) {
			c.violated("I3", e.Slot, nil, "%d offsets were read, but %d rows, %d dead letters, %d dropped, %d tombstones and %d gaps are %d",
				e.ReadThrough-e.First, n.Rows, n.DeadLetters, n.LateDropped, n.Tombstones, n.Gaps, sum)
		}
	}
}
