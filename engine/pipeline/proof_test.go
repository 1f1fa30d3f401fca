package pipeline

import (
	"time"

	"citystream/engine/commitlog"
	"citystream/engine/record"
	"citystream/engine/schema"
	"citystream/engine/window"
)

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
	w.proveSides(log)
	c := last.Counters
	if len(w.lost) > 0 { // what was lost is counted in part: it may have been read before
		w.proveWatermarks(log)
		return
	}
	if missing != c.LateDropped || w.table.Late != schema.Drop && missing > 0 {
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
				if f.Table != schema.DeadLetterTable && f.From < e.ReadThrough && f.Window+hour <= e.Watermark && w.judgedOnTime(log, f, e) {
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
		if !w.wasLate(log, f.Window+hour, o) {
			return true
		}
	}
	return false
}

// proveSides checks that late rows, and no others, are in the side table, where there is one.
func (w *world) proveSides(log []*commitlog.Entry) {
	side := w.table.LateTable()
	if side == nil {
		return
	}
	for _, e := range log {
		for _, f := range e.Files {
			for _, o := range w.files[f.Key].rows {
				if f.Table != schema.DeadLetterTable && (f.Table == side.Name) != w.wasLate(log, f.Window+hour, o) {
					w.t.Fatalf("the row at %d is in %s", o, f.Key)
				}
			}
		}
	}
}

// wasLate reports whether the window that ends so was closed by the newest entry with a read-through offset at or below a record.
func (w *world) wasLate(log []*commitlog.Entry, end record.Micros, o record.Offset) bool {
	mark := record.Micros(0)
	for _, e := range log {
		if e.ReadThrough > o {
			break
		}
		mark = e.Watermark
	}
	return end <= mark
}
