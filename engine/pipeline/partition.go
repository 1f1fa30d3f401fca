// Package pipeline is one partition of one table as a state machine: from taking its commit log over, through reading, routing rows
// to windows and flushing them, to handing it on.
//
// Step takes one input and returns the work now wanted, to be done in order; outcomes come back as later inputs. So the whole
// protocol of exactly-once is in one place, and can be run against a simulated world. Reading goes on while a flush is under way:
// rows that come after the cut go to new files. One flush is under way at a time (I2).
//
// The package reads no clock and does no IO.
package pipeline

import (
	"fmt"
	"time"

	"citystream/engine/commitlog"
	"citystream/engine/record"
	"citystream/engine/schema"
	"citystream/engine/window"
)

// Config is what a partition's life is made of.
type Config struct {
	Log         commitlog.Log
	Table       *schema.Table
	DeadLetters *schema.Table
	Owner       commitlog.Owner
	Life        string // differs for every Partition that was ever made: an assignment can have several lives, one after a crash of the other
	Prefix      string // of the raw zone's keys, without a slash at the end
	Limits      window.Limits
	IdleTimeout time.Duration
	SealAfter   time.Duration
	AllowLoss   bool // go on where Kafka has lost records, and write the loss down, instead of stopping
}

// phase says how far the partition's life has come.
type phase uint8

const (
	taking  phase = iota // finding the log's end, completing its last files, claiming
	reading              // the claim is written
	stopped
)

// A Partition is the state of one partition of one table. Owned by the partition's actor; not safe for concurrent use.
type Partition struct {
	cfg     Config
	phase   phase
	attempt int // counts takeovers, to tell outcomes of an earlier one
	ids     int // counts entries formed, for their ids

	// The log, as far as it is known.
	last       *commitlog.Entry // the newest own entry that is committed and complete
	lastAt     record.Micros    // when it was, by the worker's clock
	claim      commitlog.Slot   // of the own claim
	found      *Found           // during a takeover
	unresolved *commitlog.Entry // the entry that is being written
	flush      *flush           // the flush under way

	// Reading.
	table      *schema.Table // the rules that records are judged by: the log's while [resume, read-through) is read again
	generation int
	position   record.Offset // next to read
	until      record.Offset // where reading under an older schema ends; 0 = nowhere
	end        record.Offset // of Kafka's log
	epoch      int32         // leader epoch of the last batch
	idleSince  record.Micros // since when fetches have found nothing at the log's end; 0 = not
	waiting    record.Micros // since when something read is not accounted for in the log; 0 = nothing is

	// Time and rows.
	watermark   window.Watermark
	judged      record.Micros // watermark of the newest entry, committed or in preparation: it decides who is late
	floor       record.Micros // where the next closing of a window is counted from
	advanced    commitlog.Reason
	readThrough record.Offset           // of the newest entry, committed or in preparation
	flushed     []commitlog.WindowState // likewise
	counted     commitlog.Counters      // since that entry
	lost        []commitlog.Loss        // likewise
	open        []*file
	files       FileID
	eventMax    record.Micros

	shed []FileID // files to be flushed because memory is short

	drain    commitlog.Reason // why the partition is to end, once it is
	drainErr error            // if that is a fault
}

// file is one open Parquet file: of a window, or of an hour of dead letters.
type file struct {
	id       FileID
	dead     bool
	window   record.Micros
	end      record.Micros // of the window
	from     record.Offset // first row
	rows     int64
	bytes    int64
	eventMin record.Micros
	eventMax record.Micros
	opened   record.Micros
	late     bool
	key      string
	table    string
	picked   []int32 // rows of the batch being routed
}

// flush is an entry in preparation: its files are being closed, then it is written, then they are completed.
type flush struct {
	entry   *commitlog.Entry
	files   []closing
	written bool
}

// closing is a file of a flush.
type closing struct {
	id     FileID
	closed bool
	entry  commitlog.File
}

// New returns a partition before its Begin.
func New(cfg Config) *Partition { return &Partition{cfg: cfg} }

// Step takes one input and returns the work now wanted, to be done in order. It never blocks and never fails: time arrives with
// the inputs, and the outcome of an effect returns as a later input. A broken invariant panics.
func (p *Partition) Step(in Input) []Effect {
	if p.phase == stopped {
		return release(in)
	}
	switch in := in.(type) {
	case Begin:
		return p.restart(nil)
	case Found:
		return p.onFound(in)
	case Completed:
		return p.onCompleted(in)
	case PutDone:
		return p.onPut(in)
	case SlotRead:
		return p.onSlotRead(in)
	case Rows:
		return p.onRows(in)
	case Closed:
		return p.onClosed(in)
	case UploadLost:
		return p.onUploadLost(in)
	case Shed:
		p.shed = append(p.shed, in.File)
		return p.flushIfDue(in.Now, nil)
	case OutOfRange:
		return p.onOutOfRange(in)
	case Tick:
		return p.flushIfDue(in.Now, nil)
	case Advance:
		return p.onAdvance(in)
	case Drain:
		return p.onDrain(in)
	case Failed:
		return p.stop(in.Err)
	default:
		panic(fmt.Sprintf("pipeline: unknown input %T", in))
	}
}

// release gives back what an input carries that is not wanted any more.
func release(in Input) []Effect {
	if rows, ok := in.(Rows); ok && rows.Batch != nil {
		return []Effect{Release{rows.Batch}}
	}
	return nil
}

// stop ends the life at once; what is not committed is read again by the next owner.
func (p *Partition) stop(err error) []Effect {
	effects := p.discardAll([]Effect{StopReading{}})
	p.phase = stopped
	return append(effects, Stop{Err: err, Seen: p.seen()})
}

// seen returns the newest epoch found in the log.
func (p *Partition) seen() commitlog.Epoch {
	switch {
	case p.found != nil && p.found.Last != nil:
		return p.found.Last.Owner.Epoch
	case p.last != nil:
		return p.last.Owner.Epoch
	default:
		return 0
	}
}

// discardAll forgets every file that is open or about to be committed. Once the entry of a flush may be in the log, its uploads
// are no longer ours to abort.
func (p *Partition) discardAll(effects []Effect) []Effect {
	if p.flush != nil && p.unresolved == nil && !p.flush.written {
		for _, f := range p.flush.files {
			if f.closed {
				effects = append(effects, Abort{Key: f.entry.Key, Upload: f.entry.Upload})
			} else {
				effects = append(effects, Discard{f.id})
			}
		}
	}
	for _, f := range p.open {
		effects = append(effects, Discard{f.id})
	}
	p.open, p.flush, p.shed = nil, nil, nil
	return effects
}
