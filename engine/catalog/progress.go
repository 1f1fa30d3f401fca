package catalog

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"citystream/engine/commitlog"
	"citystream/engine/record"
)

// progressFormat is the version of the progress objects. Those of format 0 only had slots: they are begun anew, which costs one reading of
// the logs and registers nothing twice.
const progressFormat = 1

// A Cursor is how far the catalog has come with one log.
type Cursor struct {
	Slot      commitlog.Slot `json:"slot"`      // the newest whose files are registered
	Watermark record.Micros  `json:"watermark"` // of that slot's entry
}

// Slots names, for Kafka partitions of one topic, a slot each.
type Slots map[record.Partition]commitlog.Slot

// Progress is how far the catalog has come with the logs of one table and topic. Every file of a slot up to its cursor is in a
// registered Hive partition, and is counted by an announcement or its window is in Windows: any Progress that was ever written is
// a true one, so that an older one brings work and no error. It is a value of its owner; not safe for concurrent use.
type Progress struct {
	Format int                         `json:"format"`
	Logs   map[record.Partition]Cursor `json:"logs"`
	// Windows of the table that have files which no announcement counts yet, with the newest slots that have some.
	Windows map[record.Micros]Slots `json:"windows,omitempty"`
}

// NewProgress returns the progress of one who has seen nothing.
func NewProgress() Progress {
	return Progress{Format: progressFormat, Logs: map[record.Partition]Cursor{}, Windows: map[record.Micros]Slots{}}
}

// ProgressKey returns the key of the object that holds the progress with the logs of a table and topic.
func ProgressKey(table, topic string) string {
	return fmt.Sprintf("%scatalog/%s/%s.json", commitlog.Root, table, topic)
}

// After returns the slot behind which a log is still to be looked at.
func (p Progress) After(n record.Partition) commitlog.Slot {
	if c, ok := p.Logs[n]; ok {
		return c.Slot
	}
	return commitlog.None
}

// Note takes in the next entry of a log, whose files are registered.
func (p Progress) Note(log commitlog.Log, e *commitlog.Entry) {
	c := p.Logs[log.Partition]
	p.Logs[log.Partition] = Cursor{Slot: e.Slot, Watermark: max(c.Watermark, e.Watermark)}
	for _, f := range e.Files {
		if f.Table == log.Table { // dead letters and late rows are no part of what a watermark promises
			p.Touch(f.Window)[log.Partition] = e.Slot
		}
	}
}

// Touch says that a window has files which no announcement counts, and returns the slots that are known to have some.
func (p Progress) Touch(window record.Micros) Slots {
	if p.Windows[window] == nil {
		p.Windows[window] = Slots{}
	}
	return p.Windows[window]
}

// Closed returns the event time up to which all of the topic's partitions are held to be complete; 0 while one of them is not heard of.
func (p Progress) Closed(partitions int) record.Micros {
	if partitions == 0 {
		return 0
	}
	least := p.Logs[0].Watermark
	for n := range partitions {
		least = min(least, p.Logs[record.Partition(n)].Watermark)
	}
	return least
}

// Due returns the windows that are to be announced, in order: those that are closed, and have files that are not counted yet.
func (p Progress) Due(partitions int, length time.Duration) []record.Micros {
	closed := p.Closed(partitions)
	var due []record.Micros
	for w := range p.Windows {
		if IsClosed(w, length, closed) {
			due = append(due, w)
		}
	}
	slices.Sort(due)
	return due
}

// IsClosed tells whether a window lies wholly before the time up to which everything is complete.
func IsClosed(window record.Micros, length time.Duration, closed record.Micros) bool {
	return closed > 0 && window.Add(length) <= closed
}

// Clone returns a copy that shares nothing.
func (p Progress) Clone() Progress {
	p.Logs, p.Windows = maps.Clone(p.Logs), maps.Clone(p.Windows)
	for w, s := range p.Windows {
		p.Windows[w] = maps.Clone(s)
	}
	return p
}

// Encode returns the bytes of the progress' object.
func (p Progress) Encode() []byte { return encode(p) }

// DecodeProgress reads a progress' object.
func DecodeProgress(b []byte) (Progress, error) {
	var p Progress
	if err := json.Unmarshal(b, &p); err != nil {
		return p, fmt.Errorf("catalog progress: %w", err)
	}
	switch {
	case p.Format > progressFormat:
		return p, fmt.Errorf("catalog progress: format %d, this program knows %d: run a newer version", p.Format, progressFormat)
	case p.Format < progressFormat || p.Logs == nil:
		return NewProgress(), nil
	case p.Windows == nil:
		p.Windows = map[record.Micros]Slots{}
	}
	return p, nil
}

// encode returns a value of this package as JSON.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("catalog: %T cannot be encoded: %v", v, err)) // plain fields only: cannot fail
	}
	return b
}
