package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/schema"
)

// record kinds, as Reference judges them.
type kind uint8

const (
	isRow kind = iota
	isDead
	isTombstone
)

// judged is a record of Kafka's and what must have become of it.
type judged struct {
	offset record.Offset
	time   record.Micros
	event  record.Micros
	kind   kind
	row    []any
	key    any // of a dead letter, with the value as it came
	value  string
}

// records reads a partition from an offset to another, and judges what it reads.
type records struct {
	reader   port.Reader
	tp       record.TopicPartition
	position record.Offset
	held     *port.Fetched   // what the reader has brought, until all of it is passed on
	rest     []record.Record // of it
}

// fetch returns the next records below to, judged, none if there are no more. A fetch may bring records behind to: they are kept for the
// next call, for the reader does not bring them again.
func (r *records) fetch(ctx context.Context, to record.Offset, judge func(record.Record) judged) ([]judged, error) {
	for r.position < to {
		if r.held == nil {
			got, err := r.reader.Fetch(ctx)
			if err != nil {
				return nil, fmt.Errorf("read %s from offset %d on: %w", r.tp, r.position, err)
			}
			r.held, r.rest = &got, got.Records
		}
		var all []judged
		for len(r.rest) > 0 && r.rest[0].Offset < to {
			if r.rest[0].Offset >= r.position {
				all = append(all, judge(r.rest[0]))
			}
			r.rest = r.rest[1:]
		}
		if len(r.rest) > 0 {
			r.position = to
		} else {
			r.position = max(r.position, r.held.Next)
			r.release()
		}
		if len(all) > 0 {
			return all, nil
		}
	}
	return nil, nil
}

func (r *records) release() {
	if r.held != nil {
		r.held.Release()
		r.held, r.rest = nil, nil
	}
}

func (r *records) close() {
	r.release()
	r.reader.Close()
}

func judge(rules *rules, k record.Record) judged {
	j := judged{offset: k.Offset, time: k.Timestamp, event: k.Timestamp, kind: isTombstone}
	if k.Value == nil {
		return j
	}
	row, ok := Reference(rules.Table, k.Value)
	if !ok {
		j.kind, j.value = isDead, string(k.Value)
		if k.Key != nil {
			j.key = string(k.Key)
		}
		return j
	}
	j.kind, j.row = isRow, row
	if rules.EventTime >= 0 {
		j.event = record.Micros(row[rules.EventTime].(int64))
	}
	return j
}

// expected is what a file must have, row by row, by Kafka's records of its range. Nil expects nothing.
type expected struct {
	records
	queue []judged
}

func (c *logCheck) expect(ctx context.Context, f *file) (*expected, error) {
	if c.Source == nil {
		return nil, nil
	}
	start, end, err := c.Source.Offsets(ctx, c.tp)
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", c.tp, err)
	}
	if f.To > end {
		c.violated("I3", -1, f, "Kafka's log ends at %d", end)
		return nil, nil
	}
	e := &expected{}
	e.tp, e.position = c.tp, max(f.From, start)
	e.reader = c.Source.Open(c.tp, e.position)
	return e, nil
}

func (e *expected) close() {
	if e != nil {
		e.records.close()
	}
}

// next returns the next record of the range, whatever file it belongs into, nil if there is none; drop takes it away.
func (e *expected) next(ctx context.Context, c *rowCheck) (*judged, error) {
	if len(e.queue) == 0 {
		var err error
		if e.queue, err = e.fetch(ctx, c.file.To, func(k record.Record) judged { return judge(c.rules, k) }); err != nil || e.queue == nil {
			return nil, err
		}
	}
	return &e.queue[0], nil
}

func (e *expected) drop() { e.queue = e.queue[1:] }

// belongs reports whether a record is one of the file's.
func (c *rowCheck) belongs(j *judged) bool {
	if c.file.Table == deadLetters {
		return j.kind == isDead && c.rules.windowOf(c.file, j.time) == c.file.Window
	}
	return j.kind == isRow && c.rules.windowOf(c.file, j.event) == c.file.Window
}

// compare holds a row against the record that it must be. A record that Kafka no longer has, after retention or compaction, proves nothing.
func (e *expected) compare(ctx context.Context, c *rowCheck, r rowValues) error {
	if e == nil {
		return nil
	}
	for {
		j, err := e.next(ctx, c)
		switch {
		case err != nil:
			return err
		case j == nil || j.offset > r.offset:
			c.report.Gone++
			return nil
		case j.offset == r.offset:
			c.sameAs(r, j)
			e.drop()
			return nil
		case c.belongs(j):
			c.wrong("I6", j.offset, "the record belongs into this file, and is not there")
		}
		e.drop()
	}
}

// sameAs holds a row against the record at its offset.
func (c *rowCheck) sameAs(r rowValues, j *judged) {
	c.report.Compared++
	if !c.belongs(j) {
		c.wrong("I6", r.offset, "the record at this offset does not belong into this file")
		return
	}
	if j.time != r.time {
		c.wrong("I6", r.offset, "its Kafka timestamp is %s, Kafka says %s", r.time.Time(), j.time.Time())
	}
	for i, column := range c.own() {
		want := any(nil)
		switch {
		case c.file.Table != deadLetters:
			want = j.row[i]
		case column.Name == "error":
			continue // the decoder's own words
		default:
			want = map[string]any{"topic": c.tp.Topic, "key": j.key, "value": j.value}[column.Name]
		}
		if got := valueOf(r.values[c.columns.own[i]], column.Type); got != want {
			c.wrong("I6", r.offset, "column %s is %s, the record says %s", column.Name, show(got, column), show(want, column))
		}
	}
}

// show returns a value in a length that can be read. Bytes of dead letters are not shown.
func show(v any, column schema.Column) string {
	if column.Type == schema.Binary && v != nil {
		return fmt.Sprintf("%d bytes", len(v.(string)))
	}
	text := fmt.Sprint(v)
	if len(text) > 60 {
		text = text[:60] + "..."
	}
	return text
}

// end checks that Kafka has no record more for the file.
func (e *expected) end(ctx context.Context, c *rowCheck) error {
	for e != nil {
		j, err := e.next(ctx, c)
		if err != nil || j == nil {
			return err
		}
		if c.belongs(j) {
			c.wrong("I6", j.offset, "the record belongs into this file, and is not there")
		}
		e.drop()
	}
	return nil
}

// topicPass reads a topic once, and looks for each record below the resume offset in what the files had. Nil passes nothing.
type topicPass struct {
	check      *logCheck
	in         *records
	whole      bool // from the log's first offset on
	losses     []loss
	dropped    int64
	tombstones int64
}

func (t *topicPass) close() {
	if t != nil && t.in != nil {
		t.in.close()
	}
}

// lost notes that offsets, or the rows of a file, were given up.
func (t *topicPass) lost(l loss) {
	if t != nil {
		t.losses = append(t.losses, l)
	}
}

// skip leaves out what an earlier run has proved.
func (t *topicPass) skip(to record.Offset) {
	if t == nil || t.in != nil && t.in.position >= to {
		return
	}
	t.close()
	c := t.check
	t.in, t.whole = &records{reader: c.Source.Open(c.tp, to), tp: c.tp, position: to}, false
}

// open begins at the log's first offset, or where Kafka's log begins.
func (t *topicPass) open(ctx context.Context, e *entry) (bool, error) {
	c := t.check
	topics, err := c.Source.Topics(ctx, []string{c.tp.Topic})
	if err != nil {
		return false, fmt.Errorf("look at topic %s: %w", c.tp.Topic, err)
	}
	if len(topics) != 1 || topics[0].ID != e.TopicID {
		c.violated("I5", e.Slot, nil, "Kafka does not have the topic that was read (id %s): it was deleted, and perhaps made again", e.TopicID)
		return false, nil
	}
	start, end, err := c.Source.Offsets(ctx, c.tp)
	if err != nil {
		return false, fmt.Errorf("look at %s: %w", c.tp, err)
	}
	if end < e.Resume {
		c.violated("I3", e.Slot, nil, "the resume offset is %d, but Kafka's log ends at %d", e.Resume, end)
		return false, nil
	}
	from := max(start, e.First)
	if t.in != nil {
		from = max(start, t.in.position)
		t.in.close()
	}
	t.whole = t.in == nil && from == e.First
	t.in = &records{reader: c.Source.Open(c.tp, from), tp: c.tp, position: from}
	return true, nil
}

// upTo passes the records below an entry's resume offset.
func (t *topicPass) upTo(ctx context.Context, e *entry) error {
	if t == nil || t.in != nil && t.in.position >= e.Resume {
		return nil
	}
	if t.in == nil {
		if ok, err := t.open(ctx, e); err != nil || !ok {
			t.in = &records{reader: t.check.Source.Open(t.check.tp, 0), tp: t.check.tp, position: 1 << 62} // said once
			return err
		}
	}
	for {
		all, err := t.in.fetch(ctx, e.Resume, t.judge)
		if errors.Is(err, port.ErrOffsetOutOfRange) { // Kafka's retention has gone on meanwhile
			if ok, err := t.open(ctx, e); err != nil || !ok {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if all == nil {
			break
		}
		for i := range all {
			t.find(e, &all[i])
		}
	}
	if n := e.Counters.Tombstones; t.whole && e.Resume == e.ReadThrough && t.tombstones > n { // compaction may have removed some since
		t.check.violated("I3", e.Slot, nil, "%d tombstones were read, as the log says, but Kafka has %d", n, t.tombstones)
	}
	if n := e.Counters.LateDropped; t.whole && e.Resume == e.ReadThrough && len(t.losses) == 0 && t.dropped != n {
		t.check.violated("I3", e.Slot, nil, "%d late records were dropped, as the log says, but %d records are in no file", n, t.dropped)
	}
	return nil
}

// judge decodes only what is in no file: the others were held against their rows already.
func (t *topicPass) judge(k record.Record) judged {
	switch c := t.check; {
	case k.Value == nil || !c.seen.has(k.Offset):
		return judge(c.rules, k)
	case c.dead.has(k.Offset):
		return judged{offset: k.Offset, kind: isDead}
	default:
		return judged{offset: k.Offset, kind: isRow}
	}
}

// find looks for one record.
func (t *topicPass) find(e *entry, j *judged) {
	c := t.check
	inFile := c.seen.has(j.offset)
	given := slices.ContainsFunc(t.losses, func(l loss) bool { return j.offset >= l.From && j.offset < l.To })
	at := &file{From: j.offset, To: j.offset + 1}
	if j.kind == isTombstone {
		t.tombstones++
	}
	switch {
	case given:
	case j.kind == isTombstone && inFile:
		c.violated("I3", e.Slot, at, "the record has no value, but is in a file")
	case j.kind == isDead && !inFile:
		c.violated("I3", e.Slot, at, "the record cannot be decoded, and is no dead letter")
	case j.kind == isRow && !inFile && c.rules.Late == schema.Drop && c.wasLate(j):
		t.dropped++
	case j.kind == isRow && !inFile:
		c.violated("I3", e.Slot, at, "the record is below the resume offset, and in no file")
	}
}

// wasLate reports whether an entry had closed the record's window before it was read.
func (c *logCheck) wasLate(j *judged) bool {
	end := c.rules.windowOf(&file{Table: c.table}, j.event) + record.Micros(c.rules.Window.Microseconds())
	from, closed := c.lateFrom(end)
	return c.low > 0 || closed && j.offset >= from // with deleted slots it is not known since when
}
