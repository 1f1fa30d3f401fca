// Package window holds the rules of event time: which window a record belongs to, how far the watermark is, which windows it
// closes, and when open files are flushed.
//
// Event time is what the record says; the watermark is the event time up to which a partition is held to be complete. A window is
// a UTC hour, the grain of the Hive partitions. The package is pure: the time of the worker's clock is an input.
package window

import (
	"time"

	"citystream/engine/record"
)

// Start returns the start of the window of the given length that holds t; windows before 1970 too are left-closed.
func Start(t record.Micros, length time.Duration) record.Micros {
	n := record.Micros(length.Microseconds())
	r := t % n
	if r < 0 {
		r += n
	}
	return t - r
}

// A Watermark follows the event times of one partition. It never goes back (I5).
// Owned by the partition's state machine; not safe for concurrent use.
type Watermark struct {
	Lateness  time.Duration // how far it stays behind the greatest event time
	MaxFuture time.Duration // event times further ahead of their record's Kafka timestamp, or of the worker's clock, do not move it

	at record.Micros
}

// NewWatermark returns a watermark that stands at the given time; 0 is before everything.
func NewWatermark(at record.Micros, lateness, maxFuture time.Duration) Watermark {
	return Watermark{Lateness: lateness, MaxFuture: maxFuture, at: at}
}

// At returns where the watermark stands, 0 before the first record.
func (w *Watermark) At() record.Micros { return w.at }

// Observe takes the event time of one record. It reports whether the event time lay too far in the future to be believed: further
// than MaxFuture after the earlier of the record's Kafka timestamp and the worker's clock (a producer's wrong clock can spoil
// both the event time and the Kafka timestamp, so neither alone is trusted).
func (w *Watermark) Observe(event, kafka, now record.Micros) (future bool) {
	if event > min(kafka, now).Add(w.MaxFuture) {
		return true
	}
	w.Advance(event.Add(-w.Lateness))
	return false
}

// Advance moves the watermark forward to t; an earlier t changes nothing.
func (w *Watermark) Advance(t record.Micros) { w.at = max(w.at, t) }
