package pipeline

import (
	"fmt"
	"maps"
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
	old   map[commitlog.Slot]*commitlog.Entry // deleted by retention; kept here for the proof
	low   commitlog.Slot
	kept  record.Offset // Kafka's log begins here
	loss  bool          // the configuration allows it
	lost  map[record.Offset]bool
	gone  map[string]bool // keys of committed files that could not be made again
	made  int             // files made again
	// uploads: key -> rows; a nil map entry is an upload that was completed or aborted.
	uploads  map[string]upload
	files    map[string]upload // by key: what readers see
	lives    []*life           // those that have not been killed
	all      []*life
	delayed  []*commitlog.Entry // writes that were given up and are still under way
	epoch    commitlog.Epoch    // of the newest master
	version  int64              // of its newest assignment
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
	gone bool // aborted, as a lifecycle rule does
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
		t: t, now: base + 100*hour, epoch: 1,
		table: &schema.Table{
			Name: "cars", Topic: "cars", Window: time.Hour, Lateness: 2 * time.Minute, MaxFuture: time.Hour, Late: late,
			Columns: []schema.Column{{Name: "at", Type: schema.Timestamp, Required: true}},
		},
		slots: map[commitlog.Slot]*commitlog.Entry{}, old: map[commitlog.Slot]*commitlog.Entry{}, lost: map[record.Offset]bool{}, gone: map[string]bool{},
		uploads: map[string]upload{}, files: map[string]upload{},
	}
}

func (w *world) begin() *life {
	epoch := w.epoch
	switch assigned := rapid.IntRange(0, 9).Draw(w.t, "assigned"); {
	case w.version == 0 || assigned > 2:
		w.version++
	case assigned == 2: // a new master
		w.epoch++
		epoch = w.epoch
	case assigned == 1: // by a master that does not know that it leads no longer
		epoch = max(1, epoch-1)
	default: // another life under the same assignment, as after a crash
	}
	l := &life{open: map[FileID]*upload{}}
	w.all = append(w.all, l)
	l.p = New(Config{
		Log: commitlog.Log{Table: "cars", TopicPartition: record.TopicPartition{Topic: "cars", Partition: 0}}, Table: w.table,
		DeadLetters: schema.DeadLetters(), Prefix: "raw", IdleTimeout: 10 * time.Second, SealAfter: 10 * time.Minute, AllowLoss: w.loss,
		Owner:  commitlog.Owner{Epoch: epoch, Version: w.version, Worker: "w", Incarnation: "i"},
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
		if e.Slot >= w.low && (last == nil || e.Slot > last.Slot) {
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
		answer(Found{Attempt: e.Attempt, Now: w.now, Last: w.last(), Table: w.table, TopicID: "t", Start: w.kept, End: record.Offset(len(w.kafka)), EpochEnd: -1, Default: w.kept})
	case Complete:
		if lost && len(e.Entry.Files) > 1 { // the first file appeared, then the store failed: it is tried again
			w.complete(e.Entry.Files[0])
			l.effects = append([]Effect{e}, l.effects...)
			break
		}
		var gone []commitlog.Loss
		for _, f := range e.Entry.Files {
			if !w.complete(f) {
				gone = append(gone, commitlog.Loss{From: f.From, To: f.To, Key: f.Key, Rows: f.Rows})
			}
		}
		answer(Completed{Now: w.now, Entry: e.Entry, Lost: gone})
	case Put:
		w.put(e.Entry, lost, took, answer)
	case ReadSlot:
		answer(SlotRead{Entry: e.Entry, Found: w.slots[e.Entry.Slot], Low: w.low})
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

// complete makes a committed file appear: from its upload, or from Kafka. It returns false if neither can be.
func (w *world) complete(f commitlog.File) bool {
	u, ok := w.uploads[f.Upload]
	old, exists := w.files[f.Key]
	switch {
	case ok && !u.gone:
		if exists {
			w.t.Fatalf("%s is written twice: %v, then %v", f.Key, old.rows, u.rows)
		}
		w.files[f.Key] = u
		delete(w.uploads, f.Upload)
		return true
	case exists:
		return true
	case !ok:
		w.t.Fatalf("upload of committed %s is gone", f.Key)
	}
	again := w.rebuilt(f)
	if f.From < w.kept {
		w.gone[f.Key] = true
		for _, o := range u.rows {
			w.lost[o] = true
		}
		return false
	}
	if !slices.Equal(again, u.rows) {
		w.t.Fatalf("(I6) %s had the rows %v, and is made again with %v", f.Key, u.rows, again)
	}
	w.made++
	u.gone = false
	w.files[f.Key] = u
	return true
}

// rebuilt returns the rows that a file has by its description alone.
func (w *world) rebuilt(f commitlog.File) []record.Offset {
	var rows []record.Offset
	for o := f.From; o < f.To; o++ {
		r := w.kafka[o]
		switch f.Table {
		case schema.DeadLetterTable:
			if r.kind == "dead" && window.Start(deadTime(o), time.Hour) == f.Window {
				rows = append(rows, o)
			}
		default:
			if r.kind == "row" && window.Start(r.event, time.Hour) == f.Window {
				rows = append(rows, o)
			}
		}
	}
	return rows
}

// deadTime is the Kafka timestamp of an undecodable record.
func deadTime(o record.Offset) record.Micros { return base + record.Micros(o/20)*hour }

func (w *world) put(e *commitlog.Entry, lost, took bool, answer func(Input)) {
	_, taken := w.slots[e.Slot]
	switch {
	case lost && !took:
		w.delayed = append(w.delayed, e)
	case !taken:
		w.write(e)
	}
	answer(PutDone{Entry: e, Written: !taken && !lost, Low: w.low})
}

// write lets an entry into its free slot. Below low it does not count.
func (w *world) write(e *commitlog.Entry) {
	if e.Slot >= w.low {
		w.check(e)
	}
	w.slots[e.Slot] = e
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
		if _, ok := w.files[f.Key]; !ok && !w.gone[f.Key] {
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
		w.write(e)
	}
}

// retain raises low to a slot of the log, or deletes what lies below it: a step of its own, as a sweeper may be killed between the two.
func (w *world) retain() {
	last := w.last()
	if last == nil || rapid.Bool().Draw(w.t, "delete") {
		for s, e := range w.slots {
			if s < w.low {
				if w.old[s] == nil {
					w.old[s] = e
				}
				delete(w.slots, s)
			}
		}
		return
	}
	w.low = max(w.low, last.Slot-commitlog.Slot(rapid.IntRange(0, 3).Draw(w.t, "slots kept")))
}

// expire takes records from the beginning of Kafka's log away: up to what is committed and complete, or beyond where that is allowed.
func (w *world) expire() {
	last := w.last()
	if last == nil {
		return
	}
	to := last.Resume
	for _, f := range last.Files {
		to = min(to, f.From)
	}
	if w.loss {
		to = last.Resume
		to += record.Offset(rapid.IntRange(0, 10).Draw(w.t, "lost records"))
	}
	w.kept = max(w.kept, min(to, record.Offset(len(w.kafka))))
}

// abort lets a lifecycle rule take an upload away, of whoever it is.
func (w *world) abort() {
	ids := slices.Sorted(maps.Keys(w.uploads))
	if len(ids) > 0 {
		id := rapid.SampledFrom(ids).Draw(w.t, "aborted upload")
		u := w.uploads[id]
		u.gone = true
		w.uploads[id] = u
	}
}

// fetch delivers the next records to a reading life.
func (w *world) fetch(l *life, n int) { l.next = w.deliverRows(l, l.read.Generation, l.next, n) }

// deliverRows sends up to n records from an offset on, and returns the offset behind them.
func (w *world) deliverRows(l *life, generation int, from record.Offset, n int) record.Offset {
	if from < w.kept {
		l.inputs = append(l.inputs, OutOfRange{generation})
		return from
	}
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
			b.DeadKafkaTimes = append(b.DeadKafkaTimes, deadTime(next))
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
		if rapid.IntRange(0, 40).Draw(w.t, "clock jumps") == 0 {
			w.now += record.Micros(rapid.IntRange(-3600, 3600).Draw(w.t, "jump")) * 1_000_000
		}
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
		switch rapid.IntRange(0, 4).Draw(w.t, "mishap") {
		case 0:
			l.inputs = append(l.inputs, UploadLost{})
		case 1:
			w.abort()
		case 2:
			w.expire()
		default:
			w.retain()
		}
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
	w.epoch++ // of a master that is above what it has seen in the log
	l := w.begin()
	for l.p.cfg.Owner.Epoch < w.epoch {
		l = w.begin()
	}
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
	log := w.log()
	for _, e := range log {
		for _, f := range e.Files {
			committedKeys[f.Key] = f
		}
		for _, l := range e.Lost {
			for o := l.From; l.Key == "" && o < l.To; o++ {
				w.lost[o] = true
			}
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
			} else if !w.lost[record.Offset(o)] {
				missing++
			}
		case "dead":
			want.DeadLetters++
			if !written && !w.lost[record.Offset(o)] {
				w.t.Fatalf("dead letter %d is lost", o)
			}
		case "tombstone":
			want.Tombstones++
		case "gap":
			want.Gaps++
		}
	}
	c := last.Counters
	if len(w.lost) > 0 { // what was lost is counted in part: it may have been read before
		w.proveWatermarks(log)
		return
	}
	if missing != c.LateDropped || w.table.Late == schema.Append && missing > 0 {
		w.t.Fatalf("(I3) %d rows are in no file, %d were dropped", missing, c.LateDropped)
	}
	if c.Rows != want.Rows || c.DeadLetters != want.DeadLetters || c.Tombstones != want.Tombstones || c.Gaps != want.Gaps {
		w.t.Fatalf("counters say %+v, the files %+v", c, want)
	}
	w.proveWatermarks(log)
}

// log returns all entries that ever counted, in order.
func (w *world) log() []*commitlog.Entry {
	var log []*commitlog.Entry
	for s := commitlog.Slot(0); ; s++ {
		e := w.old[s]
		if s >= w.low || e == nil {
			e = w.slots[s]
		}
		if e == nil {
			return log
		}
		log = append(log, e)
	}
}

// proveWatermarks checks that no entry's watermark passed a window with on-time rows that were read and not yet flushed (I10).
func (w *world) proveWatermarks(log []*commitlog.Entry) {
	for i, e := range log {
		for _, later := range log[i+1:] {
			for _, f := range later.Files {
				if f.Table == w.table.Name && f.From < e.ReadThrough && f.Window+hour <= e.Watermark && w.judgedOnTime(log, f, e) {
					w.t.Fatalf("(I10) slot %d stands at %d, but slot %d flushes rows of the window from %d read before it", e.Slot, e.Watermark, later.Slot, f.Window)
				}
			}
		}
	}
}

// judgedOnTime reports whether a row of a file was on time by the newest entry with a read-through offset at or below it.
func (w *world) judgedOnTime(log []*commitlog.Entry, f commitlog.File, e *commitlog.Entry) bool {
	for _, o := range w.files[f.Key].rows {
		if o >= e.ReadThrough {
			continue
		}
		mark := record.Micros(0)
		for _, before := range log {
			if before.ReadThrough > o {
				break
			}
			mark = before.Watermark
		}
		if f.Window+hour > mark {
			return true
		}
	}
	return false
}

func TestEveryRecordIsCommittedOnceWhateverHappens(t *testing.T) {
	for name, c := range map[string]struct {
		policy schema.LatePolicy
		loss   bool
	}{
		"late rows appended":                            {schema.Append, false},
		"late rows dropped":                             {schema.Drop, false},
		"Kafka loses records, and that is written down": {schema.Append, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				w := newWorld(t, c.policy)
				w.loss = c.loss
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
