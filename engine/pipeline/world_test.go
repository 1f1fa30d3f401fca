package pipeline

import (
	"fmt"
	"slices"
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

	tooLate int // writes that met a slot of another
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
		f.rows = append(f.rows, appended(e)...)
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
	if taken {
		w.tooLate++
	}
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

// fetch delivers the next records to a reading life.
func (w *world) fetch(l *life, n int) { l.next = w.deliverRows(l, l.read.Generation, l.next, n) }

// appended returns the offsets of an Append's rows.
func appended(e Append) []record.Offset {
	offsets := e.Batch.Offsets
	if e.Dead {
		offsets = e.Batch.DeadOffsets
	}
	if e.Rows == nil {
		return offsets
	}
	var picked []record.Offset
	for _, i := range e.Rows {
		picked = append(picked, offsets[i])
	}
	return picked
}

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

// newColumns returns columns of n rows, so that they have a size.
func newColumns(n int) *columns.Batch {
	b := columns.NewBatch([]schema.Column{{Name: "x", Type: schema.Long}})
	for range n {
		b.Columns[0].AppendInt(0)
	}
	return b
}
