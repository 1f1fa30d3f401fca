package pipeline

import (
	"fmt"
	"slices"

	"citystream/engine/commitlog"
	"citystream/engine/record"
	"citystream/engine/window"
)

// flushIfDue cuts where a limit or the watermark says so, unless a flush is under way.
func (p *Partition) flushIfDue(now record.Micros, effects []Effect) []Effect {
	if p.phase != reading || p.flush != nil || p.unresolved != nil {
		return effects
	}
	reason, chosen := window.Due(p.asOpen(), p.watermark.At(), p.floor, now, p.table.Window, p.cfg.Limits)
	switch {
	case reason == commitlog.ReasonWatermark && p.advanced != "":
		return p.cut(p.advanced, now, p.pick(chosen), effects)
	case reason != "":
		return p.cut(reason, now, p.pick(chosen), effects)
	case p.waiting != 0 && now >= p.waiting.Add(p.cfg.Limits.Age):
		return p.cut(commitlog.ReasonAge, now, p.all(), effects)
	case len(p.last.Files) > 0 && now >= p.lastAt.Add(p.cfg.SealAfter):
		return p.cut(commitlog.ReasonSeal, now, nil, effects)
	}
	if shed := p.toShed(); len(shed) > 0 {
		return p.cut(commitlog.ReasonMemory, now, shed, effects)
	}
	return effects
}

// toShed returns the open files that were asked for. Those that are not open any more are being flushed already.
func (p *Partition) toShed() []*file {
	var files []*file
	for _, f := range p.open {
		if slices.Contains(p.shed, f.id) {
			files = append(files, f)
		}
	}
	p.shed = nil
	return files
}

func (p *Partition) asOpen() []window.Open {
	open := make([]window.Open, len(p.open))
	for i, f := range p.open {
		open[i] = window.Open{End: f.end, Opened: f.opened, Rows: f.rows, Bytes: f.bytes, Late: f.late}
	}
	return open
}

func (p *Partition) pick(chosen []int) []*file {
	files := make([]*file, len(chosen))
	for i, c := range chosen {
		files[i] = p.open[c]
	}
	return files
}

func (p *Partition) all() []*file { return slices.Clone(p.open) }

// cut forms the next entry: everything that was read so far is before it, everything read from now on after it.
//
// With the chosen files go all dead letters, which the read-through offset accounts for, and every window that the entry's watermark
// passes, so that no entry closes a window which still has rows to come (I10). While records are read again, up to the read-through
// offset, the watermark stands where the log has it (only new records move it), so no window closes then.
func (p *Partition) cut(reason commitlog.Reason, now record.Micros, chosen []*file, effects []Effect) []Effect {
	at := p.position
	mark := max(p.judged, p.watermark.At())
	entry := &commitlog.Entry{
		Format: commitlog.Format, ID: p.nextID(), Previous: p.last.ID, Slot: p.last.Slot + 1, Kind: commitlog.Flush,
		Owner: p.cfg.Owner, Claim: p.claim, Reason: reason, Written: now, TopicID: p.last.TopicID, Fingerprint: p.last.Fingerprint,
	}
	if reason == commitlog.ReasonSeal {
		entry.Kind = commitlog.Seal
	}
	var staying []*file
	var closed []closing
	for _, f := range p.open {
		if !f.dead && f.end > mark && !slices.Contains(chosen, f) {
			staying = append(staying, f)
			continue
		}
		closed = append(closed, closing{id: f.id, entry: f.logged(at)})
		effects = append(effects, Close{File: f.id, Slot: entry.Slot, From: f.from, To: at})
		if !f.dead {
			p.setFlushed(f.window, at)
		}
	}
	p.open = staying
	p.flush = &flush{entry: entry, files: closed}
	entry.State, entry.Lost = p.stateAt(at, mark), p.lost
	if entry.Resume == entry.ReadThrough {
		entry.Fingerprint = p.cfg.Table.Fingerprint()
	}
	p.judged, p.floor, p.advanced, p.readThrough = mark, max(p.floor, mark), "", entry.ReadThrough
	p.flushed = append([]commitlog.WindowState(nil), entry.Windows...)
	p.counted, p.lost, p.waiting = commitlog.Counters{}, nil, 0
	return p.writeIfClosed(effects)
}

// logged returns what the entry says of a file that ends at the cut; upload, rows and bytes follow when it is closed.
func (f *file) logged(at record.Offset) commitlog.File {
	return commitlog.File{
		Table: f.table, Key: f.key, Rows: f.rows, Window: f.window, EventMin: f.eventMin, EventMax: f.eventMax, From: f.from, To: at,
	}
}

func (p *Partition) setFlushed(start record.Micros, at record.Offset) {
	for i := range p.flushed {
		if p.flushed[i].Start == start {
			p.flushed[i].FlushedThrough = max(p.flushed[i].FlushedThrough, at)
			return
		}
	}
	p.flushed = append(p.flushed, commitlog.WindowState{Start: start, FlushedThrough: at})
}

// stateAt returns the state of an entry cut at an offset: below the resume offset nothing is pending, and a window's flushed-through
// offset is kept until the resume offset reaches it.
func (p *Partition) stateAt(at record.Offset, mark record.Micros) commitlog.State {
	s := commitlog.State{
		First: p.last.First, Resume: at, ReadThrough: max(p.readThrough, at), LeaderEpoch: p.epoch, Watermark: mark, EventMax: p.eventMax,
		Counters: add(p.last.Counters, p.counted),
	}
	for _, f := range p.open {
		s.Resume = min(s.Resume, f.from)
	}
	for _, w := range p.flushed {
		if w.FlushedThrough > s.Resume {
			s.Windows = append(s.Windows, w)
		}
	}
	if s.Resume < p.last.Resume || mark < p.last.Watermark {
		panic(fmt.Sprintf("pipeline: %s: entry would go back from resume %d, watermark %d to %d, %d (I5)",
			p.cfg.Log, p.last.Resume, p.last.Watermark, s.Resume, mark))
	}
	return s
}

func add(a, b commitlog.Counters) commitlog.Counters {
	return commitlog.Counters{
		Rows: a.Rows + b.Rows, DeadLetters: a.DeadLetters + b.DeadLetters, LateRows: a.LateRows + b.LateRows,
		LateDropped: a.LateDropped + b.LateDropped, Tombstones: a.Tombstones + b.Tombstones, Gaps: a.Gaps + b.Gaps,
		Future: a.Future + b.Future, Lost: a.Lost + b.Lost, Files: a.Files + b.Files, Bytes: a.Bytes + b.Bytes,
	}
}

// onClosed takes a finished file into the entry in preparation.
func (p *Partition) onClosed(in Closed) []Effect {
	if p.flush == nil {
		return nil // of a flush that was given up
	}
	for i := range p.flush.files {
		c := &p.flush.files[i]
		if c.id != in.File {
			continue
		}
		if in.Rows != c.entry.Rows {
			panic(fmt.Sprintf("pipeline: %s: %d rows were routed to %s, %d were written", p.cfg.Log, c.entry.Rows, c.entry.Key, in.Rows))
		}
		c.closed = true
		c.entry.Upload, c.entry.Parts, c.entry.Bytes = in.Upload, in.Parts, in.Bytes
	}
	return p.writeIfClosed(nil)
}

// writeIfClosed writes the entry once all of its files are closed.
func (p *Partition) writeIfClosed(effects []Effect) []Effect {
	for _, c := range p.flush.files {
		if !c.closed {
			return effects
		}
	}
	e := p.flush.entry
	for _, c := range p.flush.files {
		e.Files = append(e.Files, c.entry)
		e.Counters.Files++
		e.Counters.Bytes += c.entry.Bytes
		if c.entry.Table != p.cfg.DeadLetters.Name {
			e.Counters.Rows += c.entry.Rows
		}
	}
	p.unresolved, p.flush.written = e, true
	return append(effects, Put{e})
}

// onPut resolves a write, or reads back what became of it.
func (p *Partition) onPut(in PutDone) []Effect {
	if p.unresolved == nil || in.Entry.ID != p.unresolved.ID {
		return nil
	}
	switch {
	case in.Low > in.Entry.Slot: // the slot was free because it was deleted: the log has gone on without this owner
		return p.restart(nil)
	case in.Written:
		return p.won()
	default:
		return []Effect{ReadSlot{in.Entry}}
	}
}

func (p *Partition) onSlotRead(in SlotRead) []Effect {
	if p.unresolved == nil || in.Entry.ID != p.unresolved.ID {
		return nil
	}
	if in.Low > in.Entry.Slot {
		return p.restart(nil)
	}
	switch commitlog.ReadBack(p.unresolved, in.Found) {
	case commitlog.Again:
		return []Effect{Put{p.unresolved}}
	case commitlog.Won:
		return p.won()
	default:
		return p.restart(nil)
	}
}

// won goes on after an entry is known to be in the log: a claim begins the reading, a flush completes its files.
func (p *Partition) won() []Effect {
	e := p.unresolved
	p.unresolved = nil
	if e.Kind == commitlog.Claim {
		return p.begin(e)
	}
	if len(e.Files) == 0 {
		return p.committed(e, e.Written)
	}
	return []Effect{Complete{e}}
}

// onCompleted goes on when the files of an entry are objects: the last owner's before the claim, or one's own.
func (p *Partition) onCompleted(in Completed) []Effect {
	takeover := p.phase == taking && p.found != nil && in.Entry == p.found.Last
	if !takeover && (p.flush == nil || in.Entry != p.flush.entry) {
		return nil
	}
	if len(in.Lost) > 0 && !p.cfg.AllowLoss {
		return p.stop(&FilesLostError{in.Lost})
	}
	if takeover {
		return p.writeClaim(in.Now, in.Lost)
	}
	for _, l := range in.Lost {
		p.lost = append(p.lost, l)
		p.counted.Lost += l.Count()
	}
	return p.committed(in.Entry, in.Now)
}

// committed ends a flush, and begins what waited for it.
func (p *Partition) committed(e *commitlog.Entry, now record.Micros) []Effect {
	p.last, p.lastAt, p.flush = e, now, nil
	effects := []Effect{Announce{e}}
	if p.drain != "" {
		return p.drained(now, effects)
	}
	if p.until != 0 && p.position >= p.until {
		if e.Fingerprint != p.cfg.Table.Fingerprint() {
			return p.cut(commitlog.ReasonSchema, now, p.all(), effects)
		}
		p.table, p.until = p.cfg.Table, 0
		p.watermark.Lateness, p.watermark.MaxFuture = p.table.Lateness, p.table.MaxFuture
		effects = append(effects, p.read())
	}
	return p.flushIfDue(now, effects)
}

// onUploadLost starts again from the log: the rows of the lost file are read once more.
func (p *Partition) onUploadLost(in UploadLost) []Effect {
	if p.unresolved != nil || p.phase != reading {
		return nil
	}
	return p.restart(nil)
}

// onOutOfRange starts again from the log: the takeover finds out what Kafka still has, and what to do about it.
func (p *Partition) onOutOfRange(in OutOfRange) []Effect {
	if in.Generation != p.generation || p.phase != reading || p.unresolved != nil {
		return nil // an entry that is being written resolves first; the reader asks again
	}
	return p.restart(nil)
}

// onAdvance moves the watermark of a partition that has read everything there is.
func (p *Partition) onAdvance(in Advance) []Effect {
	if p.phase != reading || p.drain != "" || in.To <= p.watermark.At() || p.idleSince == 0 {
		return nil
	}
	if in.Reason == commitlog.ReasonIdle && !p.idle(in.Now) {
		return nil
	}
	p.watermark.Advance(in.To)
	p.advanced = in.Reason
	return p.flushIfDue(in.Now, nil)
}

// idle reports whether fetches have found nothing at the end of the log for the idle timeout.
func (p *Partition) idle(now record.Micros) bool {
	return p.idleSince != 0 && now >= p.idleSince.Add(p.cfg.IdleTimeout)
}

// onDrain ends reading; what was read is committed, then the life ends.
func (p *Partition) onDrain(in Drain) []Effect {
	if p.drain != "" {
		return nil
	}
	p.drain, p.drainErr = in.Reason, in.Err
	if p.phase == taking {
		if p.unresolved != nil {
			return nil // the claim resolves first
		}
		return p.stop(p.drainErr)
	}
	effects := []Effect{StopReading{}}
	if p.flush != nil {
		return effects
	}
	return p.drained(in.Now, effects)
}

// drained writes the last entry if something is not accounted for, else ends.
func (p *Partition) drained(now record.Micros, effects []Effect) []Effect {
	if len(p.open) > 0 || p.position > p.last.ReadThrough {
		return p.cut(p.drain, now, p.all(), effects)
	}
	return append(effects, p.stop(p.drainErr)...)
}
