package window

import (
	"time"

	"citystream/engine/commitlog"
	"citystream/engine/record"
)

// Limits say when open files are flushed at the latest.
type Limits struct {
	Rows        int64         // of one file
	Bytes       int64         // of one file, as held in column buffers
	Age         time.Duration // of the oldest open file
	OpenWindows int           // of one partition
}

// An Open is an open file as the flush policy sees it: one a window, and the dead letters of an hour.
type Open struct {
	End    record.Micros // of its window; a file without event time (dead letters) has 0 and is never closed by the watermark
	Opened record.Micros // by the worker's clock
	Rows   int64
	Bytes  int64
	Late   bool // its window was closed when the file was opened
}

// Due says which of the open files are to be flushed now and why; none if reason is empty. watermark is where it stands,
// judged where it stood in the newest entry.
//
// The watermark flushes all windows that it has passed, and alone among the reasons it is due without any open file: when it has
// passed the end of a window since the newest entry, so that the log says so also of partitions without rows in it. Age flushes
// everything, so that one entry and one file a window serve all that came meanwhile. Rows, bytes and the number of windows flush only the file
// that is too large, or the largest.
func Due(open []Open, watermark, judged, now record.Micros, length time.Duration, limits Limits) (reason commitlog.Reason, chosen []int) {
	closes := Start(watermark, length) > Start(judged, length)
	for i, o := range open {
		if o.End != 0 && o.End <= watermark {
			chosen = append(chosen, i)
			closes = closes || !o.Late
		}
	}
	if closes {
		return commitlog.ReasonWatermark, chosen
	}
	chosen = nil
	if r := agedOut(open, now, limits.Age); r != "" {
		for i := range open {
			chosen = append(chosen, i)
		}
		return r, chosen
	}
	for i, o := range open {
		if o.Rows >= limits.Rows {
			return commitlog.ReasonRows, []int{i}
		}
		if o.Bytes >= limits.Bytes {
			return commitlog.ReasonBytes, []int{i}
		}
	}
	if len(open) > limits.OpenWindows {
		return commitlog.ReasonMemory, []int{Largest(open)}
	}
	return "", nil
}

// agedOut returns the reason of a flush by age, or nothing: late if only late rows wait, for then it is they that make a file of their own.
func agedOut(open []Open, now record.Micros, age time.Duration) commitlog.Reason {
	aged, onTime := false, false
	for _, o := range open {
		aged = aged || now >= o.Opened.Add(age)
		onTime = onTime || !o.Late
	}
	switch {
	case !aged:
		return ""
	case onTime:
		return commitlog.ReasonAge
	default:
		return commitlog.ReasonLate
	}
}

// Largest returns the index of the file with most bytes. There is at least one.
func Largest(open []Open) int {
	best := 0
	for i, o := range open {
		if o.Bytes > open[best].Bytes {
			best = i
		}
	}
	return best
}
