package pipeline

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"citystream/engine/columns"
	"citystream/engine/commitlog"
	"citystream/engine/decode"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/schema"
	"citystream/engine/window"
)

// world is everything around the partition: a Kafka partition, a log, a store of uploads and files, and several lives of workers,
// which may go on beside each other as zombies do. A test draws what happens next.
type world struct {
	t     *rapid.T
	table *schema.Table
	now   record.Micros
	kafka []kafkaRecord
	slots map[commitlog.Slot]*commitlog.Entry
	// uploads: key -> rows; a nil map entry is an upload that was completed or aborted.
	uploads  map[string]upload
	files    map[string]upload // by key: what readers see
	lives    []*life           // those that have not been killed
	all      []*life
	delayed  []*commitlog.Entry // writes that were given up and are still under way
	version  int64
	uploaded int
}

type kafkaRecord struct {
	event record.Micros
	kind  string // row, dead, tombstone, gap
}

type upload struct {
	key  string
	dead bool
	rows []record.Offset
}

// life is one owner: its state machine, the effects it wants done, and the inputs under way to it.
type life struct {
	p       *Partition
	effects []Effect
	inputs  []Input
	open    map[FileID]*upload
	read    *Read
	next    record.Offset
	stale   *Read         // a reader that was told to stop, and has not heard it yet
	from    record.Offset // its position
	ended   bool
	err     error
}

const (
	minute = record.Micros(60_000_000)
	hour   = 60 * minute
	base   = 1000 * hour
)

func newWorld(t *rapid.T, late schema.LatePolicy) *world {
	return &world{
		t: t, now: base + 100*hour,
		table: &schema.Table{
			Name: "cars", Topic: "cars", Window: time.Hour, Lateness: 2 * time.Minute, MaxFuture: time.Hour, Late: late,
			Columns: []schema.Column{{Name: "at", Type: schema.Timestamp, Required: true}},
		},
		slots: map[commitlog.Slot]*commitlog.Entry{}, uploads: map[string]upload{}, files: map[string]upload{},
	}
}

func (w *world) begin() *life {
	if w.version == 0 || rapid.IntRange(0, 3).Draw(w.t, "assigned anew") > 0 {
		w.version++ // else it is another life under the same assignment, as after a crash
	}
	l := &life{open: map[FileID]*upload{}}
	w.all = append(w.all, l)
	l.p = New(Config{
		Log: commitlog.Log{Table: "cars", TopicPartition: record.TopicPartition{Topic: "cars", Partition: 0}}, Table: w.table,
		DeadLetters: schema.DeadLetters(), Prefix: "raw", IdleTimeout: 10 * time.Second, SealAfter: 10 * time.Minute,
		Owner:  commitlog.Owner{Epoch: 1, Version: w.version, Worker: "w", Incarnation: "i"},
		Life:   fmt.Sprint("life", len(w.all)),
		Limits: window.Limits{Rows: 6, Bytes: 1 << 40, Age: 20 * time.Second, OpenWindows: 3},
	})
	w.lives = append(w.lives, l)
	w.step(l, Begin{w.now})
	return l
}

func (w *world) step(l *life, in Input) { l.effects = append(l.effects, l.p.Step(in)...) }

// last is the newest entry.
func (w *world) last() *commitlog.Entry {
	var last *commitlog.Entry
	for _, e := range w.slots {
		if last == nil || e.Slot > last.Slot {
			last = e
		}
	}
	return last
}

// do does the first effect of a life. lost says that the answer of a write does not arrive: the effect took place, or did not.
func (w *world) do(l *life, lost, took bool) {
	e := l.effects[0]
	l.effects = l.effects[1:]
	answer := func(in Input) { l.inputs = append(l.inputs, in) }
	switch e := e.(type) {
	case FindLast:
		answer(Found{Attempt: e.Attempt, Now: w.now, Last: w.last(), Table: w.table, TopicID: "t", End: record.Offset(len(w.kafka)), EpochEnd: -1})
	case Complete:
		for _, f := range e.Entry.Files {
			w.complete(f)
		}
		answer(Completed{Now: w.now, Entry: e.Entry})
	case Put:
		w.put(e.Entry, lost, took, answer)
	case ReadSlot:
		answer(SlotRead{Entry: e.Entry, Found: w.slots[e.Entry.Slot]})
	case Read:
		l.read, l.next = &e, e.From
	case StopReading:
		if l.read != nil {
			l.stale, l.from = l.read, l.next
		}
		l.read = nil
	case Open:
		l.open[e.File] = &upload{key: e.Key, dead: e.Table.Name == schema.DeadLetterTable}
	case Append:
		f := l.open[e.File]
		for _, i := range e.Rows {
			if e.Dead {
				f.rows = append(f.rows, e.Batch.DeadOffsets[i])
			} else {
				f.rows = append(f.rows, e.Batch.Offsets[i])
			}
		}
	case Close:
		f := l.open[e.File]
		delete(l.open, e.File)
		w.uploaded++
		id := fmt.Sprint("u", w.uploaded)
		w.uploads[id] = *f
		answer(Closed{File: e.File, Now: w.now, Upload: id, Parts: []port.Part{{Number: 1}}, Rows: int64(len(f.rows)), Bytes: 1})
	case Discard:
		delete(l.open, e.File)
	case Abort:
		delete(w.uploads, e.Upload)
	case Stop:
		l.ended, l.err = true, e.Err
	case Release, Announce:
	default:
		w.t.Fatalf("unknown effect %T", e)
	}
}

func (w *world) complete(f commitlog.File) {
	if u, ok := w.uploads[f.Upload]; ok {
		if old, exists := w.files[f.Key]; exists {
			w.t.Fatalf("%s is written twice: %v, then %v", f.Key, old.rows, u.rows)
		}
		w.files[f.Key] = u
		delete(w.uploads, f.Upload)
	} else if _, ok := w.files[f.Key]; !ok {
		w.t.Fatalf("upload of committed %s is gone", f.Key)
	}
}

func (w *world) put(e *commitlog.Entry, lost, took bool, answer func(Input)) {
	_, taken := w.slots[e.Slot]
	switch {
	case lost && !took:
		w.delayed = append(w.delayed, e)
	case !taken:
		w.check(e)
		w.slots[e.Slot] = e
	}
	answer(PutDone{Entry: e, Written: !taken && !lost})
}

// check holds an entry against the invariants at the moment of its commit.
func (w *world) check(e *commitlog.Entry) {
	last := w.last()
	if last == nil {
		return
	}
	if e.Slot != last.Slot+1 || e.Previous != last.ID {
		w.t.Fatalf("slot %d follows %d", e.Slot, last.Slot)
	}
	for _, f := range last.Files { // (I2)
		if _, ok := w.files[f.Key]; !ok {
			w.t.Fatalf("(I2) slot %d is written while %s of slot %d is not complete", e.Slot, f.Key, last.Slot)
		}
	}
	if e.Resume < last.Resume || e.ReadThrough < last.ReadThrough || e.Watermark < last.Watermark {
		w.t.Fatalf("(I5) slot %d goes back: %+v after %+v", e.Slot, e.State, last.State)
	}
}

// land lets a write arrive that its writer has heard nothing of.
func (w *world) land() {
	if len(w.delayed) == 0 {
		return
	}
	e := w.delayed[0]
	w.delayed = w.delayed[1:]
	if _, taken := w.slots[e.Slot]; !taken {
		w.check(e)
		w.slots[e.Slot] = e
	}
}

// fetch delivers the next records to a reading life.
func (w *world) fetch(l *life, n int) { l.next = w.deliverRows(l, l.read.Generation, l.next, n) }

// deliverRows sends up to n records from an offset on, and returns the offset behind them.
func (w *world) deliverRows(l *life, generation int, from record.Offset, n int) record.Offset {
	b := &decode.Batch{}
	next := from
	for ; n > 0 && int(next) < len(w.kafka); n-- {
		r := w.kafka[next]
		switch r.kind {
		case "row":
			b.Offsets = append(b.Offsets, next)
			b.EventTimes = append(b.EventTimes, r.event)
			b.KafkaTimes = append(b.KafkaTimes, base+50*hour)
		case "dead":
			b.DeadOffsets = append(b.DeadOffsets, next)
			b.DeadKafkaTimes = append(b.DeadKafkaTimes, base+record.Micros(next/20)*hour)
		case "tombstone":
			b.Tombstones = append(b.Tombstones, next)
		}
		next++
	}
	rows := Rows{Generation: generation, Now: w.now, Next: next, End: record.Offset(len(w.kafka)), LeaderEpoch: -1}
	if next > from {
		b.Good, b.Dead = newColumns(len(b.Offsets)), newColumns(len(b.DeadOffsets))
		rows.Batch = b
	}
	l.inputs = append(l.inputs, rows)
	return next
}

func (w *world) produce(n int) {
	for range n {
		kind := rapid.SampledFrom([]string{"row", "row", "row", "row", "row", "dead", "tombstone", "gap"}).Draw(w.t, "kind")
		// Time moves on by a few minutes a record, with records up to two hours out of order and now and then one from the future.
		event := base + record.Micros(len(w.kafka))*3*minute - record.Micros(rapid.IntRange(0, 120).Draw(w.t, "behind"))*minute
		if rapid.IntRange(0, 30).Draw(w.t, "future") == 0 {
			event = base + 500*hour
		}
		w.kafka = append(w.kafka, kafkaRecord{event, kind})
	}
}

// act lets one thing happen.
func (w *world) act() {
	if len(w.lives) == 0 {
		w.begin()
	}
	l := w.lives[len(w.lives)-1]
	if rapid.IntRange(0, 4).Draw(w.t, "zombie") == 0 {
		l = w.lives[rapid.IntRange(0, len(w.lives)-1).Draw(w.t, "life")]
	}
	switch what := rapid.IntRange(0, 99).Draw(w.t, "what"); {
	case what < 45:
		if len(l.effects) > 0 {
			lost := rapid.IntRange(0, 5).Draw(w.t, "lost") == 0
			w.do(l, lost, lost && rapid.Bool().Draw(w.t, "took"))
		}
	case what < 70:
		w.deliver(l)
	case what < 80:
		if l.stale != nil && rapid.IntRange(0, 3).Draw(w.t, "stale") == 0 {
			l.from = w.deliverRows(l, l.stale.Generation, l.from, 3)
		} else if l.read != nil && !l.ended {
			w.fetch(l, rapid.IntRange(0, 5).Draw(w.t, "records"))
		}
	case what < 87:
		w.now += record.Micros(rapid.IntRange(0, 30).Draw(w.t, "seconds")) * 1_000_000
		l.inputs = append(l.inputs, Tick{w.now})
	case what < 92:
		w.produce(rapid.IntRange(1, 10).Draw(w.t, "produced"))
	case what < 94:
		l.inputs = append(l.inputs, Advance{Now: w.now, To: l.p.watermark.At() + hour, Reason: commitlog.ReasonIdle})
	case what < 95:
		l.inputs = append(l.inputs, Drain{Now: w.now, Reason: commitlog.ReasonRevoked})
	case what < 96:
		w.land()
	case what < 97:
		l.inputs = append(l.inputs, UploadLost{})
	case what < 98:
		w.lives = slices.DeleteFunc(w.lives, func(x *life) bool { return x == l }) // kill -9
	default:
		if len(w.lives) < 3 {
			w.begin() // beside those that live: they are zombies now
		}
	}
}

func (w *world) deliver(l *life) {
	if len(l.inputs) > 0 {
		in := l.inputs[0]
		l.inputs = l.inputs[1:]
		w.step(l, in)
	}
}

// finish lets a last owner read everything and drain.
func (w *world) finish() {
	w.lives = nil
	l := w.begin()
	for range 10_000 {
		switch {
		case l.ended:
			if l.err != nil {
				w.t.Fatalf("the last owner stopped: %v", l.err)
			}
			return
		case len(l.effects) > 0:
			w.do(l, false, false)
		case len(l.inputs) > 0:
			w.deliver(l)
		case l.read != nil && int(l.next) < len(w.kafka):
			w.fetch(l, 7)
		default:
			l.inputs = append(l.inputs, Drain{Now: w.now, Reason: commitlog.ReasonShutdown})
		}
	}
	w.t.Fatal("the last owner does not end")
}

// prove checks that every record is accounted for exactly once by what is committed (I3), and that files keep to their ranges (I4).
func (w *world) prove() {
	where := map[record.Offset]string{}
	committedKeys := map[string]commitlog.File{}
	for s := commitlog.Slot(0); w.slots[s] != nil; s++ {
		for _, f := range w.slots[s].Files {
			committedKeys[f.Key] = f
		}
	}
	for key, u := range w.files {
		f, ok := committedKeys[key]
		if !ok {
			w.t.Fatalf("file %s is in no entry", key)
		}
		for _, o := range u.rows {
			if before, ok := where[o]; ok {
				w.t.Fatalf("(I3) offset %d is in %s and in %s", o, before, key)
			}
			where[o] = key
			if o < f.From || o >= f.To {
				w.t.Fatalf("(I4) offset %d is outside of [%d, %d) of %s", o, f.From, f.To, key)
			}
			if !u.dead && window.Start(w.kafka[o].event, time.Hour) != f.Window {
				w.t.Fatalf("offset %d is in the window of another", o)
			}
		}
	}
	last := w.last()
	if int(last.ReadThrough) != len(w.kafka) || last.Resume != last.ReadThrough {
		w.t.Fatalf("drained at resume %d, read-through %d of %d", last.Resume, last.ReadThrough, len(w.kafka))
	}
	want := commitlog.Counters{}
	missing := int64(0)
	for o, r := range w.kafka {
		_, written := where[record.Offset(o)]
		switch r.kind {
		case "row":
			if written {
				want.Rows++
			} else {
				missing++
			}
		case "dead":
			want.DeadLetters++
			if !written {
				w.t.Fatalf("dead letter %d is lost", o)
			}
		case "tombstone":
			want.Tombstones++
		case "gap":
			want.Gaps++
		}
	}
	c := last.Counters
	if missing != c.LateDropped || w.table.Late == schema.Append && missing > 0 {
		w.t.Fatalf("(I3) %d rows are in no file, %d were dropped", missing, c.LateDropped)
	}
	if c.Rows != want.Rows || c.DeadLetters != want.DeadLetters || c.Tombstones != want.Tombstones || c.Gaps != want.Gaps {
		w.t.Fatalf("counters say %+v, the files %+v", c, want)
	}
	w.proveWatermarks()
}

// proveWatermarks checks that no entry's watermark passed a window with on-time rows that were read and not yet flushed (I10).
func (w *world) proveWatermarks() {
	for s := commitlog.Slot(0); w.slots[s] != nil; s++ {
		e := w.slots[s]
		for later := s + 1; w.slots[later] != nil; later++ {
			for _, f := range w.slots[later].Files {
				if f.Table == w.table.Name && f.From < e.ReadThrough && f.Window+hour <= e.Watermark && w.judgedOnTime(f, e) {
					w.t.Fatalf("(I10) slot %d stands at %d, but slot %d flushes rows of the window from %d read before it", s, e.Watermark, later, f.Window)
				}
			}
		}
	}
}

// judgedOnTime reports whether a row of a file was on time by the newest entry with a read-through offset at or below it.
func (w *world) judgedOnTime(f commitlog.File, e *commitlog.Entry) bool {
	for _, o := range w.files[f.Key].rows {
		if o >= e.ReadThrough {
			continue
		}
		mark := record.Micros(0)
		for s := commitlog.Slot(0); w.slots[s] != nil && w.slots[s].ReadThrough <= o; s++ {
			mark = w.slots[s].Watermark
		}
		if f.Window+hour > mark {
			return true
		}
	}
	return false
}

func TestEveryRecordIsCommittedOnceWhateverHappens(t *testing.T) {
	for name, policy := range map[string]schema.LatePolicy{"late rows appended": schema.Append, "late rows dropped": schema.Drop} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				w := newWorld(t, policy)
				w.produce(rapid.IntRange(1, 40).Draw(t, "first"))
				for range 250 {
					w.act()
				}
				w.finish()
				w.prove()
			})
		})
	}
}

// newColumns returns columns of n rows, so that they have a size.
func newColumns(n int) *columns.Batch {
	b := columns.NewBatch([]schema.Column{{Name: "x", Type: schema.Long}})
	for range n {
		b.Columns[0].AppendInt(0)
	}
	return b
}
