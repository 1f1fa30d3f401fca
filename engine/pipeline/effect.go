package pipeline

import (
	"citystream/engine/commitlog"
	"citystream/engine/decode"
	"citystream/engine/record"
	"citystream/engine/schema"
)

// An Effect is work that Step wants done. The effects of a partition are done one after another in the order in which they were
// returned; each that has an outcome says which Input brings it. An effect that fails for a passing reason is tried again, with
// back-off, for as long as the partition lives: Step never hears of it.
type Effect interface{ effect() }

type (
	// FindLast looks for the last entry of the log, and how the topic stands. Outcome: Found.
	FindLast struct{ Attempt int }

	// Complete completes the uploads of a committed entry's files, in any order. One that is gone has become its object already, or
	// else the file is made again from Kafka: the records of its window in its offset range, under the entry's rules (I6). Outcome: Completed.
	Complete struct{ Entry *commitlog.Entry }

	// Put writes an entry into its slot by conditional create, once. Outcome: PutDone; no answer counts as unresolved.
	Put struct{ Entry *commitlog.Entry }

	// ReadSlot reads the slot of an entry whose write is unresolved. Outcome: SlotRead.
	ReadSlot struct{ Entry *commitlog.Entry }

	// Read starts fetching and decoding at From under Table, up to but not including Until where that is not 0. It replaces any
	// reading before. Outcome: Rows, again and again, each with Generation.
	Read struct {
		Generation  int
		From, Until record.Offset
		Table       *schema.Table
		TopicID     string // the topic that the offsets belong to
	}

	// StopReading ends fetching; Rows that are under way are still delivered, and given back by Release.
	StopReading struct{}

	// Open starts a Parquet file and its multipart upload.
	Open struct {
		File  FileID
		Table *schema.Table
		Key   string
	}

	// Append adds the named rows of a batch to an open file, or all of them if Rows is nil: rows of its good records, or of its dead
	// letters.
	Append struct {
		File  FileID
		Batch *decode.Batch
		Dead  bool
		Rows  []int32
	}

	// Release gives a batch back; every Append of it has been done by then.
	Release struct{ Batch *decode.Batch }

	// Close writes a file's end with its description, and its last part. Outcome: Closed, or UploadLost.
	Close struct {
		File FileID
		Slot commitlog.Slot
		From record.Offset // the file's offset range, for its footer
		To   record.Offset
	}

	// Discard forgets an open file and aborts its upload, as far as that works: what stays is an orphan that no entry names.
	Discard struct{ File FileID }

	// Abort aborts the upload of a closed file that no entry will name, likewise.
	Abort struct{ Key, Upload string }

	// Announce tells the others of an entry that is committed and whose files are complete.
	Announce struct{ Entry *commitlog.Entry }

	// Stop ends the partition's life.
	Stop struct {
		Err  error           // nil after a drain that nothing forced
		Seen commitlog.Epoch // the newest epoch in the log; a master whose epoch is not above it raises its own
	}
)

func (FindLast) effect()    {}
func (Complete) effect()    {}
func (Put) effect()         {}
func (ReadSlot) effect()    {}
func (Read) effect()        {}
func (StopReading) effect() {}
func (Open) effect()        {}
func (Append) effect()      {}
func (Release) effect()     {}
func (Close) effect()       {}
func (Discard) effect()     {}
func (Abort) effect()       {}
func (Announce) effect()    {}
func (Stop) effect()        {}

// A FileID names an open file within one partition's life.
type FileID int64
