package verify

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"

	"citystream/engine/port"
	"citystream/engine/record"
)

// files proves what an entry says of its files, and, unless that was proved before, what is in them.
func (c *logCheck) files(ctx context.Context, e *entry, proved bool) error {
	for i := range e.Files {
		f := &e.Files[i]
		c.name(f)
		c.ranges(e, f)
		c.report.Files++
		c.progress.Files++
		if f.Table == deadLetters {
			c.report.DeadLetters += f.Rows
		} else {
			c.report.Rows += f.Rows
		}
		if proved { // its rows were; that it is still there costs one request
			if err := c.stillThere(ctx, e, f); err != nil {
				return err
			}
			continue
		}
		if err := c.contents(ctx, e, f); err != nil {
			return err
		}
		c.progress.Rows += f.Rows
		c.Progress(c.progress)
	}
	return nil
}

// givenUp settles the missing files of the entry before: this entry says that they are lost, or they must be there.
func (c *logCheck) givenUp(ctx context.Context, e *entry, before *rules) error {
	lost := map[string]bool{}
	for _, l := range e.Lost {
		lost[l.Key] = true
		c.topic.lost(l)
	}
	missing, rules := c.missing, c.rules
	c.missing, c.rules = nil, before
	for i := range missing {
		f := &missing[i]
		if lost[f.Key] {
			continue
		}
		if err := c.contents(ctx, c.before, f); err != nil { // it may have been completed after the first look, and then this slot written
			return err
		}
		if len(c.missing) > 0 {
			c.violated("I2", c.before.Slot, f, "the file is missing, but slot %d was written after it; it has %d rows", e.Slot, f.Rows)
			c.missing = nil
		}
	}
	c.rules = rules
	return nil
}

// stillThere looks at a file whose rows an earlier run has proved.
func (c *logCheck) stillThere(ctx context.Context, e *entry, f *file) error {
	o, err := c.Store.Head(ctx, f.Key)
	switch {
	case errors.Is(err, port.ErrNotFound):
		c.missing = append(c.missing, *f)
	case err != nil:
		return fmt.Errorf("look at %s: %w", f.Key, err)
	case o.SizeBytes != f.Bytes && !rebuilt(o, f):
		c.violated("I6", e.Slot, f, "the file has %d bytes, %d were committed", o.SizeBytes, f.Bytes)
	}
	return nil
}

// ranges holds a file's offsets against those of the files before it (I4), against what is accounted for (I3), and against what the
// watermark has closed (I10).
func (c *logCheck) ranges(e *entry, f *file) {
	at := place{f.Table, f.Window}
	if folder := c.RawPrefix + "/" + f.Table + "/" + f.Window.Time().Format("date=2006-01-02/hour=15"); path.Dir(f.Key) != folder {
		c.violated("I6", e.Slot, f, "the file does not lie in the Hive partition of its window, %s/", folder)
	}
	if f.From >= f.To || f.To > e.ReadThrough {
		c.violated("I4", e.Slot, f, "the offset range is empty, or ends behind the read-through offset %d", e.ReadThrough)
	}
	if end := c.flushed[at]; f.From < end {
		c.violated("I4", e.Slot, f, "the offset range begins below %d, where the window's file before it ends", end)
	}
	c.flushed[at] = max(c.flushed[at], f.To)
	if c.before != nil && f.From < c.before.Resume {
		c.violated("I3", e.Slot, f, "the offset range begins below the resume offset %d of the slot before: those records are accounted for", c.before.Resume)
	}
	if f.Table == deadLetters {
		return
	}
	if f.Table != c.table && f.Table != c.table+lateSuffix {
		c.violated("I6", e.Slot, f, "a file of table %s in this log", f.Table)
	}
	c.open[f.Window] = max(c.open[f.Window], f.To)
	end := f.Window + record.Micros(c.rules.Window.Microseconds())
	if late, closed := c.lateFrom(end); closed && f.From < late {
		c.violated("I10", e.Slot, f, "an entry before closed the window when records up to %d were read, but the rows from %d on came later", late-1, f.From)
	}
}

// contents proves what is in a file: its footer, and each row.
func (c *logCheck) contents(ctx context.Context, e *entry, f *file) error {
	o, err := c.Store.Head(ctx, f.Key)
	if errors.Is(err, port.ErrNotFound) {
		c.missing = append(c.missing, *f)
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at %s: %w", f.Key, err)
	}
	if o.SizeBytes != f.Bytes && !rebuilt(o, f) {
		c.violated("I6", e.Slot, f, "the file has %d bytes, %d were committed", o.SizeBytes, f.Bytes)
		return nil
	}
	expected, err := c.expect(ctx, f)
	if err != nil {
		return err
	}
	defer expected.close()
	check := &rowCheck{logCheck: c, entry: e, file: f, expected: expected, last: -1}
	bytes := &blocks{ctx: ctx, store: c.Store, key: f.Key, size: o.SizeBytes}
	if !rebuilt(o, f) {
		err = bytes.checkParts(f.Parts)
	}
	if err == nil {
		err = readRows(ctx, bytes, check)
	}
	var wrong *contentError
	if errors.As(err, &wrong) {
		c.violated("I6", e.Slot, f, "%s", wrong.what)
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", f.Key, err)
	}
	return check.end(ctx)
}

// rebuilt reports whether a file was made again from Kafka, with other bytes and the same rows.
func rebuilt(o port.Object, f *file) bool {
	return o.Metadata["citystream-rebuilt"] == "1" && o.Metadata["citystream-rows"] == strconv.FormatInt(f.Rows, 10) &&
		o.Metadata["citystream-from"] == strconv.FormatInt(int64(f.From), 10) && o.Metadata["citystream-to"] == strconv.FormatInt(int64(f.To), 10)
}

// rowCheck proves the rows of one file as they are read.
type rowCheck struct {
	*logCheck
	entry    *entry
	file     *file
	expected *expected
	columns  columnPlaces
	rows     int64
	last     record.Offset
	min, max record.Micros
	said     int // violations of single rows
}

// rowsSaid bounds how many wrong rows of one file are said.
const rowsSaid = 10

func (c *rowCheck) wrong(invariant string, o record.Offset, what string, args ...any) {
	c.said++
	if c.said <= rowsSaid {
		f := *c.file
		f.From, f.To = o, o+1
		c.violated(invariant, c.entry.Slot, &f, what, args...)
	}
}

// footer checks what the file says of itself.
func (c *rowCheck) footer(rows int64, value func(key string) string) error {
	f := c.file
	for key, want := range map[string]string{
		"citystream.table": f.Table, "citystream.topic": c.tp.Topic, "citystream.partition": strconv.Itoa(int(c.tp.Partition)), "citystream.log": c.String(),
		"citystream.slot": strconv.FormatInt(c.entry.Slot, 10), "citystream.offset.from": strconv.FormatInt(int64(f.From), 10),
		"citystream.offset.to": strconv.FormatInt(int64(f.To), 10),
	} {
		if got := value(key); got != want {
			return &contentError{fmt.Sprintf("its footer says %s %q, its entry %q", key, got, want)}
		}
	}
	if rows != f.Rows {
		return &contentError{fmt.Sprintf("its footer says %d rows, its entry %d", rows, f.Rows)}
	}
	return nil
}

// row checks one row.
func (c *rowCheck) row(ctx context.Context, r rowValues) error {
	f := c.file
	o := r.offset
	event := r.time
	if f.Table != deadLetters && c.rules.EventTime >= 0 {
		event = r.event
	}
	c.rows++
	switch {
	case o < f.From || o >= f.To:
		c.wrong("I4", o, "the row's offset is outside of its file's range [%d, %d)", f.From, f.To)
		return nil // nor is it looked for anywhere else
	case o <= c.last:
		c.wrong("I3", o, "the offset comes after %d in its file", c.last)
	}
	c.last = max(c.last, o)
	if r.partition != c.tp.Partition {
		c.wrong("I6", o, "the row is of partition %d", r.partition)
	}
	if w := c.rules.windowOf(f, event); w != f.Window {
		c.wrong("I6", o, "the row's time %s lies outside of its file's window from %s", event.Time(), f.Window.Time())
	}
	if c.rows == 1 {
		c.min, c.max = event, event
	}
	c.min, c.max = min(c.min, event), max(c.max, event)
	if !c.seen.add(o) {
		c.wrong("I3", o, "the record is in more than one file")
	}
	if f.Table == deadLetters {
		c.dead.add(o)
	}
	if c.seen.full() {
		return fmt.Errorf("rows between the resume offset %d and the read-through offset %d lie too far apart to be held against each other", c.entry.Resume, c.entry.ReadThrough)
	}
	return c.expected.compare(ctx, c, r)
}

// end checks what only all rows together show.
func (c *rowCheck) end(ctx context.Context) error {
	f := c.file
	if c.rows != f.Rows {
		c.violated("I6", c.entry.Slot, f, "it has %d rows, %d were committed", c.rows, f.Rows)
	}
	if c.rows > 0 && (c.min != f.EventMin || c.max != f.EventMax) {
		c.violated("I6", c.entry.Slot, f, "its times go from %s to %s, its entry says from %s to %s", c.min.Time(), c.max.Time(), f.EventMin.Time(), f.EventMax.Time())
	}
	return c.expected.end(ctx, c)
}
