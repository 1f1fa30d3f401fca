package pipeline

import (
	"time"

	"citystream/engine/commitlog"
	"citystream/engine/record"
)

// Status is what a partition tells of itself.
type Status struct {
	Owned       bool // the claim is in the log
	Position    record.Offset
	End         record.Offset // of Kafka's log
	Resume      record.Offset // of the newest committed entry; the next three too
	ReadThrough record.Offset
	First       record.Offset
	Committed   record.Micros // watermark
	Counters    commitlog.Counters
	Slot        commitlog.Slot
	Reason      commitlog.Reason
	Watermark   record.Micros // as it stands, ahead of the log
	EventMax    record.Micros // greatest event time that moved the watermark
	AtEnd       time.Duration // for how long fetches have found nothing at the end of the log; 0 = not
	Idle        bool          // for the idle timeout
	OpenFiles   int
	OpenRows    int64
	Flushing    bool
}

// Status returns what the partition tells of itself at a time of the worker's clock.
func (p *Partition) Status(now record.Micros) Status {
	s := Status{Position: p.position, End: p.end, Watermark: p.watermark.At(), EventMax: p.eventMax, OpenFiles: len(p.open), Flushing: p.flush != nil}
	if p.phase != reading {
		return s
	}
	s.Owned, s.Idle = true, p.idle(now)
	if p.idleSince != 0 {
		s.AtEnd = max(now.Time().Sub(p.idleSince.Time()), 1)
	}
	s.Resume, s.ReadThrough, s.First = p.last.Resume, p.last.ReadThrough, p.last.First
	s.Committed, s.Counters, s.Slot, s.Reason = p.last.Watermark, p.last.Counters, p.last.Slot, p.last.Reason
	for _, f := range p.open {
		s.OpenRows += f.rows
	}
	return s
}
