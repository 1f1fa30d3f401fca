package catalog

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"citystream/engine/commitlog"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/transform"
)

// DescribeResult returns the catalog's view of the table that a transform makes, below location.
func DescribeResult(t *transform.Transform, location string) port.CatalogTable {
	table := describe(t.Name, location)
	table.Columns = slices.Clone(t.Columns)
	table.Parameters["parquet.compression"] = "SNAPPY"
	table.Parameters["transform"] = fmt.Sprintf("version %d, of complete Hive partitions of %s", t.Version, strings.Join(t.Reads(), ", "))
	if t.Comment != "" {
		table.Parameters["comment"] = t.Comment
	}
	return table
}

// An Edition orders what a transform has made of a window: by its own version, then by how often its input was announced.
type Edition struct {
	Version int      `json:"version"`
	Input   Revision `json:"input"` // sum of the revisions of all tables that it reads: each announcement makes it greater
}

// Before reports whether f is newer than e.
func (e Edition) Before(f Edition) bool {
	return cmp.Or(cmp.Compare(e.Version, f.Version), cmp.Compare(e.Input, f.Input)) < 0
}

// A Run is one run of a transform that is due.
type Run struct {
	Transform *transform.Transform
	Window    record.Micros
	Edition   Edition
}

// TableState is what the catalog knows of the windows of one table. An entry of Announced lasts; the rest is as of the last look.
type TableState struct {
	Length    time.Duration
	Closed    record.Micros              // up to here all of the table's partitions are complete
	Pending   map[record.Micros]bool     // windows with files that no announcement counts
	Announced map[record.Micros]Revision // the newest revision of each
}

// settled tells whether a window is complete, and has no files that are to be announced yet. A window without files is complete as well.
func (s *TableState) settled(window record.Micros) bool {
	return s != nil && !s.Pending[window] && IsClosed(window, s.Length, s.Closed)
}

// DueRuns returns the runs that bring a transform's table up to date, the oldest windows first: one for each announced window of its
// table, of which the results so far are older than what is announced, as soon as the other tables' window is complete too.
func DueRuns(t *transform.Transform, tables map[string]*TableState, done map[record.Micros]Edition) []Run {
	main := tables[t.Table]
	if main == nil {
		return nil
	}
	var due []Run
	for window := range main.Announced {
		e := Edition{Version: t.Version}
		ready := true
		for _, name := range t.Reads() {
			s := tables[name]
			ready = ready && s.settled(window)
			if s != nil {
				e.Input += s.Announced[window]
			}
		}
		if was, ok := done[window]; ready && (!ok || was.Before(e)) {
			due = append(due, Run{Transform: t, Window: window, Edition: e})
		}
	}
	slices.SortFunc(due, func(a, b Run) int { return cmp.Compare(a.Window, b.Window) })
	return due
}

// InTurns returns up to limit of the runs, which are those of each transform one behind the other, oldest first: the newest of each transform,
// then the next of each, so that a backlog of one keeps neither the others nor new hours waiting.
func InTurns(due []Run, limit int) []Run {
	var turns [][]Run
	for _, run := range due {
		if n := len(turns); n > 0 && turns[n-1][0].Transform == run.Transform {
			turns[n-1] = append(turns[n-1], run)
		} else {
			turns = append(turns, []Run{run})
		}
	}
	var chosen []Run
	for len(chosen) < min(limit, len(due)) {
		for i, runs := range turns {
			if n := len(runs); n > 0 && len(chosen) < limit {
				chosen, turns[i] = append(chosen, runs[n-1]), runs[:n-1]
			}
		}
	}
	return chosen
}

// A Result says what a run has made: the rows of a Hive partition of the transformed zone. It is written once for each edition; who comes
// second with one throws away what it has made.
type Result struct {
	Table        string        `json:"table"`
	Window       record.Micros `json:"window"`
	Edition      Edition       `json:"edition"`
	Location     string        `json:"location"`        // s3:// of the rows
	Reads        []string      `json:"reads,omitempty"` // the tables whose revisions Edition.Input is the sum of
	QueryID      string        `json:"query_id"`
	ScannedBytes int64         `json:"scanned_bytes"`
	Dollars      float64       `json:"dollars"`
	DoneAt       time.Time     `json:"done_at"`
}

// ResultsPrefix returns the prefix of all results of a transform.
func ResultsPrefix(table string) string { return commitlog.Root + "transformed/" + table + "/" }

// EditionsPrefix returns the prefix of the results for one window. They sort as their editions do.
func EditionsPrefix(table string, window record.Micros) string {
	return ResultsPrefix(table) + commitlog.HivePath(window) + "/"
}

// ResultKey returns the key of a result.
func ResultKey(table string, window record.Micros, e Edition) string {
	return fmt.Sprintf("%sv%04d-r%06d.json", EditionsPrefix(table, window), e.Version, e.Input)
}

// ParseResultKey reads the window and the edition off the key of one of a transform's results.
func ParseResultKey(table, key string) (window record.Micros, e Edition, ok bool) {
	rest, ok := strings.CutPrefix(key, ResultsPrefix(table))
	if !ok {
		return 0, e, false
	}
	window, name, ok := cutWindow(rest)
	if !ok {
		return 0, e, false
	}
	version, input, ok := strings.Cut(strings.TrimSuffix(name, ".json"), "-")
	if !ok || !strings.HasPrefix(version, "v") || !strings.HasPrefix(input, "r") {
		return 0, e, false
	}
	v, err := strconv.Atoi(version[1:])
	r, wrong := strconv.ParseInt(input[1:], 10, 64)
	return window, Edition{Version: v, Input: Revision(r)}, err == nil && wrong == nil
}

// Folder returns the folder, relative to the bucket, that one try of a run writes its rows to. Each try has one of its own, since what a try
// that was broken off has left must not be read.
func (r Run) Folder(prefix, try string) string {
	return fmt.Sprintf("%s/%s/%s/v%04d-r%06d-%s/", prefix, r.Transform.Name, commitlog.HivePath(r.Window), r.Edition.Version, r.Edition.Input, try)
}

// WindowOfFolder returns the window of a folder that Folder has named.
func WindowOfFolder(prefix, table, folder string) (record.Micros, bool) {
	rest, ok := strings.CutPrefix(folder, prefix+"/"+table+"/")
	if !ok {
		return 0, false
	}
	window, try, ok := cutWindow(rest)
	return window, ok && len(try) > 1 && try[0] == 'v' && strings.Count(try, "/") == 1 && strings.HasSuffix(try, "/")
}

// Names of the parameters of a Hive partition of the transformed zone, beside those of an announcement.
const (
	ParamQuery   = "query_id"
	ParamVersion = "transform_version"
)

// Fits returns an error if the result, the newest of a transform, was made by the same version of it out of other tables: sums of revisions of
// other tables say nothing of each other, and hours would stay as they are.
func (r *Result) Fits(t *transform.Transform) error {
	if r.Edition.Version != t.Version || len(r.Reads) == 0 || slices.Equal(slices.Sorted(slices.Values(r.Reads)), slices.Sorted(slices.Values(t.Reads()))) {
		return nil
	}
	return fmt.Errorf("version %d of the transform reads %s, and has read %s before: a change of table or with needs a new version",
		t.Version, strings.Join(t.Reads(), ", "), strings.Join(r.Reads, ", "))
}

// Partition returns the Hive partition as the catalog is to show it.
func (r *Result) Partition() port.HivePartition {
	v := commitlog.HiveValues(r.Window)
	return port.HivePartition{Values: v[:], Location: r.Location, Parameters: map[string]string{
		ParamCompleteAt: r.DoneAt.Format(time.RFC3339), ParamRevision: strconv.FormatInt(int64(r.Edition.Input), 10),
		ParamVersion: strconv.Itoa(r.Edition.Version), ParamQuery: r.QueryID,
	}}
}

// EditionOf returns the edition that a Hive partition of the transformed zone shows.
func EditionOf(p port.HivePartition) Edition {
	v, _ := strconv.Atoi(p.Parameters[ParamVersion]) // what is no number is no edition, and older than each
	r, _ := strconv.ParseInt(p.Parameters[ParamRevision], 10, 64)
	return Edition{Version: v, Input: Revision(r)}
}

// RevisionOf returns the revision that a Hive partition of the raw zone shows; 0 is none.
func RevisionOf(p port.HivePartition) Revision {
	r, _ := strconv.ParseInt(p.Parameters[ParamRevision], 10, 64)
	return Revision(r)
}

// Encode returns the bytes of the result's object.
func (r *Result) Encode() []byte { return encode(r) }

// DecodeResult reads a result's object.
func DecodeResult(b []byte) (*Result, error) {
	var r Result
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("result of a transform: %w", err)
	}
	if r.Location == "" || r.Table == "" {
		return nil, fmt.Errorf("result of a transform: table %q, location %q: not one", r.Table, r.Location)
	}
	return &r, nil
}

// A Price is what a query costs.
type Price struct {
	PerTB    float64 // dollars for a TB that was scanned
	MinBytes int64   // that are counted for each query at least
}

// Of returns the dollars that a query costs which has scanned so much.
func (p Price) Of(scanned int64) float64 {
	const terabyte = 1 << 40
	return float64(max(scanned, p.MinBytes)) / terabyte * p.PerTB
}

// KeepOld is for how long the rows of an older result are kept: readers that have planned a query with its location still read them.
const KeepOld = 24 * time.Hour

// Sweep returns the folders of a transform's window that nobody needs any more, given all its folders with the time of the youngest object
// in each, the location that counts, and since when. What is younger than KeepOld may belong to a run that is under way.
func Sweep(folders map[string]time.Time, current string, since, now time.Time) []string {
	var gone []string
	for folder, youngest := range folders {
		if folder != current && now.Sub(youngest) > KeepOld && now.Sub(since) > KeepOld {
			gone = append(gone, folder)
		}
	}
	slices.Sort(gone)
	return gone
}
