package pipeline

import (
	"fmt"

	"citystream/engine/commitlog"
	"citystream/engine/record"
	"citystream/engine/window"
)

// A DataLostError says that Kafka no longer has records that the log has not accounted for.
type DataLostError struct {
	Resume, Start, End record.Offset
	EpochEnd           record.Offset // where Kafka's log continues with another leader epoch, negative if that is not the reason
}

func (e *DataLostError) Error() string {
	switch {
	case e.Resume < e.Start:
		return fmt.Sprintf("records from offset %d on are needed, but Kafka's log begins at %d: retention has removed records that were not committed yet",
			e.Resume, e.Start)
	case e.EpochEnd >= 0:
		return fmt.Sprintf("records up to offset %d were read, but Kafka's log was cut at %d by an unclean leader election: it may hold other records now",
			e.Resume, e.EpochEnd)
	default:
		return fmt.Sprintf("records up to offset %d were read, but Kafka's log ends at %d: it was truncated", e.Resume, e.End)
	}
}

// A FilesLostError says that committed files are gone, and that Kafka no longer has the records to make them again.
type FilesLostError struct {
	Lost []commitlog.Loss
}

func (e *FilesLostError) Error() string {
	l := e.Lost[0]
	return fmt.Sprintf("%d committed files are gone from the store, and Kafka no longer has their records; the first is %s with %d rows of the offsets from %d to %d",
		len(e.Lost), l.Key, l.Rows, l.From, l.To-1)
}

// restart begins the takeover: at the start of the life, and whenever a write turned out to be lost to another entry.
func (p *Partition) restart(effects []Effect) []Effect {
	if p.phase == reading {
		effects = append(effects, StopReading{})
	}
	effects = p.discardAll(effects)
	p.phase, p.found, p.unresolved = taking, nil, nil
	p.attempt++
	p.generation++
	if p.drain != "" { // what was read is lost to this life; the next owner reads it again
		return append(effects, p.stop(p.drainErr)...)
	}
	return append(effects, FindLast{p.attempt})
}

// onFound checks the ground and makes the last entry's files whole. Only then is the claim written: after a claim nobody would look
// at the files of the entry before it again (I2).
func (p *Partition) onFound(in Found) []Effect {
	if in.Attempt != p.attempt || p.phase != taking {
		return nil
	}
	p.found, p.end = &in, in.End
	if in.Last == nil {
		return p.writeClaim(in.Now, nil)
	}
	if _, err := commitlog.NextClaim(in.Last, p.ground(in.Now, nil)); err != nil {
		return p.stop(err)
	}
	if err := p.lostBy(in); err != nil {
		return p.stop(err)
	}
	if len(in.Last.Files) == 0 {
		return p.writeClaim(in.Now, nil)
	}
	return []Effect{Complete{in.Last}}
}

// lostBy reports whether Kafka still has what the log wants to read next, and has not exchanged what was read. Records that are gone may
// be allowed to be; offsets that come again with other records never, for a committed offset names one record.
func (p *Partition) lostBy(in Found) error {
	r := in.Last.Resume
	if r > in.End || r < in.Start && !p.cfg.AllowLoss {
		return &DataLostError{Resume: r, Start: in.Start, End: in.End, EpochEnd: -1}
	}
	if in.EpochEnd >= 0 && in.EpochEnd < r {
		return &DataLostError{Resume: r, Start: in.Start, End: in.End, EpochEnd: in.EpochEnd}
	}
	return nil
}

func (p *Partition) ground(now record.Micros, lost []commitlog.Loss) commitlog.Ground {
	return commitlog.Ground{
		Owner: p.cfg.Owner, ID: p.nextID(), Now: now, TopicID: p.found.TopicID,
		Fingerprint: p.cfg.Table.Fingerprint(), Start: p.found.Default, Kept: p.found.Start, Lost: lost,
	}
}

// nextID returns an entry id that no other entry has.
func (p *Partition) nextID() string {
	p.ids++
	return fmt.Sprintf("%s-%d", p.cfg.Life, p.ids)
}

func (p *Partition) writeClaim(now record.Micros, lost []commitlog.Loss) []Effect {
	claim, err := commitlog.NextClaim(p.found.Last, p.ground(now, lost))
	if err != nil {
		return p.stop(err)
	}
	p.unresolved = claim
	return []Effect{Put{claim}}
}

// begin starts reading after the claim was won, at the resume offset with the state that the log has.
func (p *Partition) begin(claim *commitlog.Entry) []Effect {
	p.phase, p.claim, p.last, p.lastAt = reading, claim.Slot, claim, claim.Written
	p.position, p.epoch, p.idleSince, p.waiting = claim.Resume, claim.LeaderEpoch, 0, 0
	p.judged, p.floor, p.readThrough = claim.Watermark, claim.Watermark, claim.ReadThrough
	p.eventMax = claim.EventMax
	p.flushed = append([]commitlog.WindowState(nil), claim.Windows...)
	p.counted, p.lost = commitlog.Counters{}, nil
	p.table, p.until = p.cfg.Table, 0
	if claim.Fingerprint != p.cfg.Table.Fingerprint() {
		p.table, p.until = p.found.Table, claim.ReadThrough
	}
	p.watermark = window.NewWatermark(claim.Watermark, p.table.Lateness, p.table.MaxFuture)
	p.found = nil
	if p.drain != "" {
		return p.stop(p.drainErr)
	}
	return []Effect{Announce{claim}, p.read()}
}

// read starts a new generation of reading at the position.
func (p *Partition) read() Effect {
	p.generation++
	return Read{Generation: p.generation, From: p.position, Until: p.until, Table: p.table, TopicID: p.last.TopicID}
}
