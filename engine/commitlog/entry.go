// Package commitlog decides which files of a partition count.
//
// A partition's log is a row of numbered slots in the object store, one log for each table and Kafka partition. A slot is written
// once, by conditional create (I1), and names the files of one flush together with the Kafka offset to resume from. A file that no
// slot names was never committed. An owner takes a partition over by writing a claim into the next slot: from then on the writes
// of the owner before it meet an occupied slot and fail, however late they arrive.
//
// The package holds the entries, their keys, and the rules of taking over and of reading back. It reads no clock and does no IO.
package commitlog

import (
	"encoding/json"
	"fmt"

	"citystream/engine/port"
	"citystream/engine/record"
)

// Format is the version of the entries' encoding. A reader refuses a newer one.
const Format = 1

// A Slot is a numbered place in a log. The first is 0.
type Slot int64

// None is the slot before the first: the last slot of an empty log.
const None Slot = -1

// An Epoch is the number of a master's reign.
type Epoch int64

// An Owner is one life of one worker under one assignment. A newer assignment has a higher epoch, or within an epoch a higher version.
type Owner struct {
	Epoch       Epoch  `json:"epoch"`
	Version     int64  `json:"version"` // of the assignment, within the epoch
	Worker      string `json:"worker"`
	Incarnation string `json:"incarnation"`
}

// Supersedes reports whether o's assignment is newer than p's.
func (o Owner) Supersedes(p Owner) bool {
	return o.Epoch > p.Epoch || o.Epoch == p.Epoch && o.Version > p.Version
}

// A Kind says what an entry was written for.
type Kind string

// The kinds of entries.
const (
	Claim Kind = "claim" // a new owner; no files
	Flush Kind = "flush" // files, or only offsets and a watermark
	Seal  Kind = "seal"  // says that the files of the slot before are complete; nothing else changes
)

// A Reason says why an entry was written: a label of metrics and a field of the entry.
type Reason string

// The reasons of flushes.
const (
	ReasonWatermark   Reason = "watermark"     // the watermark passed the end of a window
	ReasonRows        Reason = "rows"          // a file reached its limit of rows
	ReasonBytes       Reason = "bytes"         // a file reached its limit of bytes
	ReasonAge         Reason = "age"           // the oldest open file reached its limit of age
	ReasonMemory      Reason = "memory"        // too many windows were open, or the worker's budget was used up
	ReasonRevoked     Reason = "revoked"       // the partition moves to another worker
	ReasonShutdown    Reason = "shutdown"      // the worker ends
	ReasonLate        Reason = "late"          // only late rows were waiting
	ReasonIdle        Reason = "idle"          // an idle partition follows the watermark of the others
	ReasonEndOfStream Reason = "end_of_stream" // all partitions were idle for the configured time
	ReasonSchema      Reason = "schema"        // the last flush under an older schema
	ReasonTopic       Reason = "topic"         // the topic was deleted and made again: the last flush of what was read of the old one
	ReasonTakeover    Reason = "takeover"      // a claim
	ReasonSeal        Reason = "seal"
)

// A File is one Parquet object of an entry. It has every record of its window with an offset in [From, To), and no other.
type File struct {
	Table    string        `json:"table"`
	Key      string        `json:"key"`
	Upload   string        `json:"upload"`
	Parts    []port.Part   `json:"parts"`
	Rows     int64         `json:"rows"`
	Bytes    int64         `json:"bytes"`
	Window   record.Micros `json:"window"` // start of the window
	EventMin record.Micros `json:"event_min"`
	EventMax record.Micros `json:"event_max"`
	From     record.Offset `json:"from"`
	To       record.Offset `json:"to"`
}

// A WindowState is what an entry keeps of a window: the records of the window below FlushedThrough are in committed files.
type WindowState struct {
	Start          record.Micros `json:"start"`
	FlushedThrough record.Offset `json:"flushed_through"`
}

// A Loss is a stretch of a partition that Kafka no longer had when it was needed: of offsets that were not committed yet, or of a
// committed file that was gone from the store and could not be made again. It is written down only where the configuration allows
// the loss of data; else the partition stops.
type Loss struct {
	From record.Offset `json:"from"`
	To   record.Offset `json:"to"`
	Key  string        `json:"key,omitempty"` // of the file; empty for offsets
	Rows int64         `json:"rows,omitempty"`
}

// Counters count records and files since the first claim. They cover the offsets below the read-through offset, Rows, Files and
// Bytes only what is in committed files.
type Counters struct {
	Rows        int64 `json:"rows"`
	DeadLetters int64 `json:"dead_letters"`
	LateRows    int64 `json:"late_rows"`    // rows that came late and were read; a part of Rows once flushed
	LateDropped int64 `json:"late_dropped"` // dropped by the late policy
	Tombstones  int64 `json:"tombstones"`   // records without a value
	Gaps        int64 `json:"gaps"`         // offsets without a record: compaction, transactions
	Future      int64 `json:"future"`       // event times clamped because they lay too far ahead
	Lost        int64 `json:"lost"`         // offsets, and rows of committed files, that were given up: see Loss
	Files       int64 `json:"files"`
	Bytes       int64 `json:"bytes"`
}

// State is what a log says of its partition, whole, in every entry: the last entry alone is enough to go on.
type State struct {
	First       record.Offset `json:"first"`        // where reading began, fixed by the first claim
	Resume      record.Offset `json:"resume"`       // every record below it is accounted for (I3)
	ReadThrough record.Offset `json:"read_through"` // dead letters, drops and counters are accounted for below it
	LeaderEpoch int32         `json:"leader_epoch"` // of the batch before Resume, -1 if unknown
	Watermark   record.Micros `json:"watermark"`    // 0 before the first record
	EventMax    record.Micros `json:"event_max"`    // greatest event time below ReadThrough that moved the watermark
	Windows     []WindowState `json:"windows,omitempty"`
	Counters    Counters      `json:"counters"`
}

// An Entry is what a slot holds. Entries are immutable once written.
type Entry struct {
	Format      int           `json:"format"`
	ID          string        `json:"id"`       // unique: tells an own retry from a stranger
	Previous    string        `json:"previous"` // id of the entry in the slot before
	Slot        Slot          `json:"slot"`
	Kind        Kind          `json:"kind"`
	Owner       Owner         `json:"owner"`
	Claim       Slot          `json:"claim"` // the slot of the owner's claim
	Reason      Reason        `json:"reason"`
	Written     record.Micros `json:"written"` // by the worker's clock; for people, nothing depends on it
	TopicID     string        `json:"topic_id"`
	Fingerprint string        `json:"fingerprint"` // of schema, decoder, windows and late policy
	Files       []File        `json:"files,omitempty"`
	Lost        []Loss        `json:"lost,omitempty"`
	State
}

// Encode returns the entry as JSON, the bytes of its object.
func (e *Entry) Encode() []byte {
	b, err := json.Marshal(e)
	if err != nil {
		panic(fmt.Sprintf("commitlog: entry cannot be encoded: %v", err)) // plain fields only: cannot fail
	}
	return b
}

// Decode reads an entry that was found in the given slot.
func Decode(slot Slot, b []byte) (*Entry, error) {
	var e Entry
	if err := json.Unmarshal(b, &e); err != nil {
		return nil, fmt.Errorf("commit log: slot %d is not an entry: %w", slot, err)
	}
	if e.Format > Format {
		return nil, fmt.Errorf("commit log: slot %d has format %d, this program knows %d: run a newer version", slot, e.Format, Format)
	}
	if e.Slot != slot || e.ID == "" || e.Format < 1 {
		return nil, fmt.Errorf("commit log: slot %d holds the entry of slot %d (id %q, format %d)", slot, e.Slot, e.ID, e.Format)
	}
	return &e, nil
}
