package pipeline

import (
	"citystream/engine/commitlog"
	"citystream/engine/decode"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/schema"
)

// An Input is something that happened. Times are of the worker's clock.
type Input interface{ input() }

type (
	// Begin starts the partition's life.
	Begin struct{ Now record.Micros }

	// Found is the outcome of FindLast: the last entry, nil for an empty log, and the topic as it stands. Default is where an empty log begins.
	Found struct {
		Attempt  int
		Now      record.Micros
		Last     *commitlog.Entry
		Table    *schema.Table // as it was under Last's fingerprint, where that is not the configured one
		TopicID  string
		Start    record.Offset // of the Kafka log
		End      record.Offset
		EpochEnd record.Offset // end of Last's leader epoch in Kafka; negative if unknown
		Default  record.Offset
	}

	// Completed is the outcome of Complete. Lost are the files that are gone and that Kafka no longer has the records for.
	Completed struct {
		Now   record.Micros
		Entry *commitlog.Entry
		Lost  []commitlog.Loss
	}

	// PutDone is the outcome of Put. Written means that the store said so; else the outcome is unresolved. Low is the first slot
	// that counts, looked up after the write.
	PutDone struct {
		Entry   *commitlog.Entry
		Written bool
		Low     commitlog.Slot
	}

	// SlotRead is the outcome of ReadSlot; Found is nil if the slot is free. Low was looked up afterwards.
	SlotRead struct {
		Entry *commitlog.Entry
		Found *commitlog.Entry
		Low   commitlog.Slot
	}

	// Rows is what one fetch brought, decoded. An empty Batch says how far the partition has been read.
	Rows struct {
		Generation  int
		Now         record.Micros
		Batch       *decode.Batch
		Next        record.Offset
		End         record.Offset
		LeaderEpoch int32
	}

	// Closed is the outcome of Close.
	Closed struct {
		File   FileID
		Now    record.Micros
		Upload string
		Parts  []port.Part
		Rows   int64
		Bytes  int64
	}

	// UploadLost says that a file's upload is gone before it was committed.
	UploadLost struct{ File FileID }

	// Shed asks for an open file to be flushed, because memory is short.
	Shed struct {
		Now  record.Micros
		File FileID
	}

	// OutOfRange says that Kafka no longer has the offset to be read next, or does not have it any more.
	OutOfRange struct{ Generation int }

	// Tick is the time going by: about every second, or more often.
	Tick struct{ Now record.Micros }

	// Advance moves the watermark of a partition that has nothing more to read: to that of the other partitions, or, at the end of the
	// stream, past every window.
	Advance struct {
		Now    record.Micros
		To     record.Micros
		Reason commitlog.Reason
	}

	// Drain ends the partition's life after everything that was read is committed. Err is why, where that is a fault that needs a person.
	Drain struct {
		Now    record.Micros
		Reason commitlog.Reason
		Err    error
	}

	// Failed says that an effect failed for a reason that does not pass. The partition stops, loudly, and alone.
	Failed struct{ Err error }
)

func (Begin) input()      {}
func (Found) input()      {}
func (Completed) input()  {}
func (PutDone) input()    {}
func (SlotRead) input()   {}
func (Rows) input()       {}
func (Closed) input()     {}
func (UploadLost) input() {}
func (Shed) input()       {}
func (OutOfRange) input() {}
func (Tick) input()       {}
func (Advance) input()    {}
func (Drain) input()      {}
func (Failed) input()     {}
