// Package verify proves from what is stored that the guarantees hold: from the commit logs, the files' footers and contents, and, where
// it is given a Kafka cluster, from the records themselves.
//
// A proof that shares the code of what it proves repeats its mistakes. So this package reads the objects of a bucket by itself: it has
// its own types for the entries, its own reader of the files (parquet-go), its own decoder of records (Reference), and imports nothing
// that writes. It only reads. It keeps a bit for each offset between the resume and the read-through offset of a log, a number for each
// window, and eight bytes for each file, whatever the size of the data.
package verify

import (
	"context"
	"errors"
	"fmt"

	"citystream/engine/port"
	"citystream/engine/record"
)

// Options say what is to be proved.
type Options struct {
	Store     port.Store
	Source    port.Source // nil: records are not compared with Kafka's
	RawPrefix string      // of the files' keys, without a slash at the end
	State     *State      // where a run that was interrupted goes on; nil: everything is read
	Progress  func(Progress)
}

// Progress is how far a run has come.
type Progress struct {
	Logs, LogsAll int
	Log           string // the one at work
	Files, Rows   int64
}

// A Violation is one broken promise, with its place.
type Violation struct {
	Invariant string        `json:"invariant"` // I1 to I10, as in engine/doc.go; "files" for what no entry names
	Table     string        `json:"table,omitempty"`
	Topic     string        `json:"topic,omitempty"`
	Partition int           `json:"partition"`
	Slot      int64         `json:"slot"` // -1 where it is not about a slot
	File      string        `json:"file,omitempty"`
	From      record.Offset `json:"from"` // offsets concerned: [from, to)
	To        record.Offset `json:"to"`
	What      string        `json:"what"`
}

func (v Violation) String() string {
	text := v.Invariant + ": "
	if v.Table != "" {
		text += fmt.Sprintf("%s/%s/%d ", v.Table, v.Topic, v.Partition)
	}
	if v.Slot >= 0 {
		text += fmt.Sprintf("slot %d ", v.Slot)
	}
	if v.To > v.From {
		text += fmt.Sprintf("offsets %d to %d ", v.From, v.To-1)
	}
	if v.File != "" {
		text += v.File + " "
	}
	return text + "- " + v.What
}

// A LogReport is what was found of one log.
type LogReport struct {
	Table       string        `json:"table"`
	Topic       string        `json:"topic"`
	Partition   int           `json:"partition"`
	Entries     int64         `json:"entries"`
	Files       int64         `json:"files"`
	Rows        int64         `json:"rows"`
	DeadLetters int64         `json:"dead_letters"`
	First       record.Offset `json:"first"`
	Resume      record.Offset `json:"resume"`
	ReadThrough record.Offset `json:"read_through"`
	Pending     int           `json:"pending"`   // files of the last entry whose uploads are still open
	Compared    int64         `json:"compared"`  // records held against Kafka's
	Gone        int64         `json:"gone"`      // rows whose records Kafka no longer has
	Lost        int64         `json:"lost"`      // records given up, as the log says
	Unchanged   bool          `json:"unchanged"` // proved by an earlier run, and not grown since
}

// violationsKept bounds the list of a report; all are counted.
const violationsKept = 1000

// A Report is the outcome.
type Report struct {
	Proved      bool        `json:"proved"`
	Logs        []LogReport `json:"logs"`
	Violations  []Violation `json:"violations"`
	Count       int64       `json:"violations_total"`
	OldFiles    int64       `json:"files_of_deleted_slots"` // named by slots that retention has deleted: not proved
	WithRecords bool        `json:"compared_with_kafka"`
}

func (r *Report) violated(v Violation) {
	r.Count++
	if len(r.Violations) < violationsKept {
		r.Violations = append(r.Violations, v)
	}
}

// ErrNothing says that there is nothing to prove: not a proof, but more likely the wrong bucket.
var ErrNothing = errors.New("the bucket has no commit log, so there is nothing to prove: is it the right bucket")

// Run proves what is in a bucket. The error says that something could not be read; a broken promise is in the report.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	v := &verifier{
		Options: o, tables: map[string]*rules{}, named: map[string]*keySet{}, lows: map[string]int64{},
		report: &Report{WithRecords: o.Source != nil, Logs: []LogReport{}, Violations: []Violation{}},
	}
	logs, err := v.findLogs(ctx)
	if err != nil {
		return nil, err
	}
	if len(logs) == 0 {
		return nil, ErrNothing
	}
	v.logs, v.progress.LogsAll = logs, len(logs)
	for _, l := range logs {
		v.progress.Log = l.String()
		o.Progress(v.progress)
		if err := v.log(ctx, l); err != nil {
			return nil, fmt.Errorf("log %s: %w", l, err)
		}
		v.progress.Logs++
	}
	o.Progress(v.progress)
	if err := v.strays(ctx); err != nil {
		return nil, err
	}
	v.report.Proved = v.report.Count == 0
	return v.report, nil
}

// verifier is the state of one run.
type verifier struct {
	Options
	report   *Report
	logs     []*logName
	progress Progress
	tables   map[string]*rules  // by fingerprint
	named    map[string]*keySet // by folder of a table: the files that entries name
	lows     map[string]int64   // by prefix of the files' names of a log: the first slot that counts
}
