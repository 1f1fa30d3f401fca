package pipeline

import (
	"fmt"

	"citystream/engine/commitlog"
	"citystream/engine/record"
	"citystream/engine/schema"
	"citystream/engine/window"
)

// onRows routes a batch to files and moves the position on.
func (p *Partition) onRows(in Rows) []Effect {
	if p.phase != reading || in.Generation != p.generation || p.drain != "" {
		return release(in)
	}
	p.noteIdle(in)
	p.noteGaps(in)
	p.end = in.End
	if in.LeaderEpoch >= 0 {
		p.epoch = in.LeaderEpoch
	}
	effects := p.routeRows(in, nil)
	effects = p.routeDead(in, effects)
	if in.Batch != nil {
		p.countTombstones(in)
		effects = append(effects, Release{in.Batch})
	}
	p.position = max(p.position, in.Next)
	if p.until != 0 && p.position >= p.until && p.flush == nil {
		return p.cut(commitlog.ReasonSchema, in.Now, p.all(), effects)
	}
	return p.flushIfDue(in.Now, effects)
}

// noteIdle keeps since when fetches have returned nothing at the end of the log. Not to have read is not idle.
func (p *Partition) noteIdle(in Rows) {
	switch {
	case in.Next > p.position || in.Next < in.End:
		p.idleSince = 0
	case p.idleSince == 0:
		p.idleSince = in.Now
	}
}

// noteGaps counts the offsets without a record, which compaction and transactions leave.
func (p *Partition) noteGaps(in Rows) {
	from := max(p.position, p.readThrough)
	if in.Next <= from {
		return
	}
	gaps := int64(in.Next - from)
	if b := in.Batch; b != nil {
		for _, list := range [][]record.Offset{b.Offsets, b.DeadOffsets, b.Tombstones} {
			for i := len(list) - 1; i >= 0 && list[i] >= from; i-- {
				gaps--
			}
		}
	}
	if gaps < 0 {
		panic(fmt.Sprintf("pipeline: %s: %d more records than offsets in [%d, %d)", p.cfg.Log, -gaps, from, in.Next))
	}
	p.counted.Gaps += gaps
	p.wait(in.Now)
}

// wait notes that something was read that the log does not account for.
func (p *Partition) wait(now record.Micros) {
	if p.waiting == 0 {
		p.waiting = now
	}
}

// routeRows sends each good record to the file of its window.
//
// A record below its window's flushed-through offset is in a committed file already. A record of a closed window is late; closed is
// what the newest entry with a read-through offset at or below the record says, so that a second reading decides as the first did.
func (p *Partition) routeRows(in Rows, effects []Effect) []Effect {
	b := in.Batch
	if b == nil {
		return effects
	}
	var f *file // of the row before: most rows share their window with it
	perRow := int64(0)
	if n := len(b.Offsets); n > 0 {
		perRow = int64(b.Good.SizeBytes()) / int64(n)
	}
	for i, o := range b.Offsets {
		event := b.EventTimes[i]
		isNew := o >= p.readThrough
		if isNew {
			p.observe(event, b.KafkaTimes[i], in.Now)
		}
		if f == nil || f.window != window.Start(event, p.table.Window) || f.late {
			var ok bool
			if f, ok, effects = p.fileFor(o, event, isNew, in.Now, effects); !ok {
				continue
			}
		}
		f.add(o, event, perRow, int32(i))
	}
	return p.appendPicked(in, false, effects)
}

// observe takes a record's event time into the watermark.
func (p *Partition) observe(event, kafka, now record.Micros) {
	before := p.watermark.At()
	if p.watermark.Observe(event, kafka, now) {
		p.counted.Future++
		return
	}
	p.eventMax = max(p.eventMax, event)
	if before == 0 && p.floor == 0 {
		p.floor = p.watermark.At()
	}
}

// fileFor returns the open file that a record at offset o belongs to, opening it where needed; ok is false where the record is not
// to be written: it is in a committed file already, or dropped.
func (p *Partition) fileFor(o record.Offset, event record.Micros, isNew bool, now record.Micros, effects []Effect) (*file, bool, []Effect) {
	start := window.Start(event, p.table.Window)
	if o < p.flushedThrough(start) {
		return nil, false, effects
	}
	end := start.Add(p.table.Window)
	late := end <= p.judged
	if late && isNew {
		if p.table.Late == schema.Drop {
			p.counted.LateDropped++
		} else {
			p.counted.LateRows++
		}
	}
	if late && p.table.Late == schema.Drop {
		return nil, false, effects
	}
	for _, f := range p.open {
		if f.window == start && !f.dead {
			return f, true, effects
		}
	}
	table := p.table
	if side := table.LateTable(); late && side != nil {
		table = side
	}
	f := &file{window: start, end: end, from: o, eventMin: event, eventMax: event, opened: now, late: late, table: table.Name}
	return f, true, append(effects, p.openFile(f, table))
}

func (p *Partition) openFile(f *file, t *schema.Table) Effect {
	p.files++
	f.id = p.files
	f.key = p.cfg.Log.FileKey(p.cfg.Prefix, t.Name, p.cfg.Owner.Epoch, p.claim, f.window, f.from)
	p.open = append(p.open, f)
	return Open{File: f.id, Table: t, Key: f.key}
}

// flushedThrough returns the offset below which all records of a window are in committed files.
func (p *Partition) flushedThrough(start record.Micros) record.Offset {
	for _, w := range p.flushed {
		if w.Start == start {
			return w.FlushedThrough
		}
	}
	return 0
}

func (f *file) add(o record.Offset, event record.Micros, bytes int64, row int32) {
	f.rows++
	f.bytes += bytes
	f.eventMin, f.eventMax = min(f.eventMin, event), max(f.eventMax, event)
	f.from = min(f.from, o)
	f.picked = append(f.picked, row)
}

// routeDead sends the undecodable records to the file of the hour of their Kafka timestamp. Those below the read-through offset
// are in committed files already.
func (p *Partition) routeDead(in Rows, effects []Effect) []Effect {
	b := in.Batch
	if b == nil || len(b.DeadOffsets) == 0 {
		return effects
	}
	perRow := int64(b.Dead.SizeBytes()) / int64(len(b.DeadOffsets))
	for i, o := range b.DeadOffsets {
		if o < p.readThrough {
			continue
		}
		var f *file
		f, effects = p.deadFile(o, b.DeadKafkaTimes[i], in.Now, effects)
		f.add(o, b.DeadKafkaTimes[i], perRow, int32(i))
		p.counted.DeadLetters++
	}
	return p.appendPicked(in, true, effects)
}

func (p *Partition) deadFile(o record.Offset, at, now record.Micros, effects []Effect) (*file, []Effect) {
	start := window.Start(at, p.cfg.DeadLetters.Window)
	for _, f := range p.open {
		if f.dead && f.window == start {
			return f, effects
		}
	}
	f := &file{dead: true, window: start, from: o, eventMin: at, eventMax: at, opened: now, table: p.cfg.DeadLetters.Name}
	return f, append(effects, p.openFile(f, p.cfg.DeadLetters))
}

// appendPicked turns the rows that were picked for each file into one Append a file.
func (p *Partition) appendPicked(in Rows, dead bool, effects []Effect) []Effect {
	total := len(in.Batch.Offsets)
	if dead {
		total = len(in.Batch.DeadOffsets)
	}
	for _, f := range p.open {
		if len(f.picked) > 0 {
			picked := f.picked
			if len(picked) == total { // as most often
				f.picked, picked = picked[:0], nil
			} else {
				f.picked = nil // the effect owns it now
			}
			effects = append(effects, Append{File: f.id, Batch: in.Batch, Dead: dead, Rows: picked})
			p.wait(in.Now)
		}
	}
	return effects
}

func (p *Partition) countTombstones(in Rows) {
	for _, o := range in.Batch.Tombstones {
		if o >= p.readThrough {
			p.counted.Tombstones++
		}
	}
}
