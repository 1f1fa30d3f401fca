package actors

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"citystream/engine/catalog"
	"citystream/engine/commitlog"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/transform"
	"citystream/messages"
)

// transformer keeps the tables of the transformed zone up to date: it runs each transform for each announced Hive partition, and leads readers
// to the result by one change in the catalog. A round does what is due, a few runs at a time, new hours before a backlog. What fails is tried again by itself, later
// each time. One goroutine begins a round at a time.
type transformer struct {
	node    *Node
	board   *board
	targets map[string]*target
	learnt  time.Time // when the results were looked at last
}

// target is the table of one transform.
type target struct {
	transform *transform.Transform
	ready     bool

	mu     sync.Mutex
	done   map[record.Micros]catalog.Edition
	failed map[record.Micros]*failure
}

// failure says how a window's runs have failed since the last that went well.
type failure struct {
	tries int
	until time.Time
	err   error
}

// roundRuns is how many runs of a round follow each other: what is announced meanwhile waits no longer for the next round.
const roundRuns = 10

// runMax is how long a run may take; Athena ends a query of its own accord after half an hour, where the account says nothing else.
const runMax = 35 * time.Minute

func newTransformer(node *Node, board *board) *transformer {
	t := &transformer{node: node, board: board, targets: map[string]*target{}}
	for _, x := range node.Transforms {
		t.targets[x.Name] = &target{transform: x, done: map[record.Micros]catalog.Edition{}, failed: map[record.Micros]*failure{}}
	}
	return t
}

// round runs all that is due.
func (t *transformer) round(ctx context.Context) outcome {
	var o outcome
	var due []catalog.Run
	var prepared []*target
	if h := t.node.Housekeeping; h > 0 && time.Since(t.learnt) > h { // another catalog may have had its last word late
		for _, x := range t.targets {
			x.ready = false
		}
		t.learnt = time.Now()
	}
	for _, x := range t.node.Transforms {
		target := t.targets[x.Name]
		if err := t.prepare(ctx, target); err != nil {
			o.err = errors.Join(o.err, fmt.Errorf("transform %s: %w", x.Name, err))
			continue
		}
		o.part = true
		prepared = append(prepared, target)
		due = append(due, t.due(target)...)
	}
	due, o.again = t.rested(due)
	if len(due) == 0 {
		return o
	}
	t.runAll(ctx, catalog.InTurns(due, roundRuns*max(1, t.node.TransformsAtOnce)))
	var left []catalog.Run
	for _, x := range prepared {
		left = append(left, t.due(x)...)
	}
	if now, again := t.rested(left); len(now) > 0 { // too many for one round, or announced meanwhile
		o.again = time.Millisecond
	} else {
		o.again = again
	}
	return o
}

// due returns the runs that bring a table up to date.
func (t *transformer) due(x *target) (due []catalog.Run) {
	x.mu.Lock()
	defer x.mu.Unlock()
	t.board.with(func(tables map[string]*catalog.TableState) { due = catalog.DueRuns(x.transform, tables, x.done) })
	current, failed := len(x.done), map[record.Micros]*failure{}
	for _, run := range due {
		if f := x.failed[run.Window]; f != nil {
			failed[run.Window] = f
		}
		if _, ok := x.done[run.Window]; ok {
			current--
		}
	}
	x.failed = failed // what is not due any more was shown meanwhile
	t.board.noteResult(x.transform.Name, func(s *messages.TransformStatus) {
		s.Due, s.Current = int64(len(due)), int64(current)
		noteFailing(s, len(failed))
	})
	return due
}

// noteFailing says how many windows fail.
func noteFailing(s *messages.TransformStatus, n int) {
	if s.Failing = int64(n); n == 0 {
		s.Error = ""
	}
}

// rested returns the runs that need not wait any more after a failure, and when the first of the others may be tried again; 0 is none.
func (t *transformer) rested(due []catalog.Run) (now []catalog.Run, again time.Duration) {
	for _, run := range due {
		wait := t.targets[run.Transform.Name].waits(run.Window)
		switch {
		case wait <= 0:
			now = append(now, run)
		case again == 0 || wait < again:
			again = wait
		}
	}
	return now, again
}

// waits returns for how long a window is not tried again.
func (x *target) waits(window record.Micros) time.Duration {
	x.mu.Lock()
	defer x.mu.Unlock()
	if f := x.failed[window]; f != nil {
		return time.Until(f.until)
	}
	return 0
}

// runAll does runs, a few at a time.
func (t *transformer) runAll(ctx context.Context, due []catalog.Run) {
	var running sync.WaitGroup
	places := make(chan struct{}, max(1, t.node.TransformsAtOnce))
	for _, run := range due {
		places <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		running.Go(func() {
			defer func() { <-places }()
			t.do(ctx, run)
		})
	}
	running.Wait()
}

// do does one run, and notes how it went.
func (t *transformer) do(ctx context.Context, run catalog.Run) {
	x := t.targets[run.Transform.Name]
	timed, cancel := context.WithTimeout(ctx, runMax)
	defer cancel()
	result, err := t.run(timed, run)
	if ctx.Err() != nil {
		return // the catalog ends; that is no failure
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if err == nil {
		x.done[run.Window] = result.Edition
		delete(x.failed, run.Window)
		t.board.noteResult(x.transform.Name, func(s *messages.TransformStatus) { noteFailing(s, len(x.failed)) })
		return
	}
	f := x.failed[run.Window]
	if f == nil {
		f = &failure{}
		x.failed[run.Window] = f
	}
	f.tries, f.err = f.tries+1, err
	x.ready = x.ready && !isNotFound(err) // somebody has dropped the table: it is made again
	f.until = time.Now().Add(min(t.node.TransformRetry<<min(f.tries-1, 20), max(t.node.TransformRetry, transformRetryMax)))
	t.node.Metrics.Retries.WithLabelValues("transform " + x.transform.Name).Inc()
	t.node.Log.Warn("a transform has failed; it is tried again", "table", x.transform.Name, "hive_partition", commitlog.HivePath(run.Window),
		"tries", f.tries, "next", time.Until(f.until).Round(time.Second), "error", err)
	t.board.noteResult(x.transform.Name, func(s *messages.TransformStatus) {
		s.Failing, s.Error = int64(len(x.failed)), commitlog.HivePath(run.Window)+": "+err.Error()
	})
}

// transformRetryMax is the longest wait between two tries of a run: each costs money, and somebody may have to mend the SQL.
const transformRetryMax = 30 * time.Minute

// run makes the rows of one Hive partition. They are written to a folder that nobody else writes to; the result's object, which is created
// once, says that they count; then the catalog leads readers to them. Broken off anywhere, it can be done again.
func (t *transformer) run(ctx context.Context, run catalog.Run) (*catalog.Result, error) {
	x := run.Transform
	newest, err := t.newest(ctx, x.Name, run.Window)
	if err != nil {
		return nil, err
	}
	if !newest.Before(run.Edition) { // another catalog has paid for it
		made, err := t.result(ctx, x.Name, run.Window, newest)
		if err != nil {
			return nil, err
		}
		return t.show(ctx, x.Name, made)
	}
	folder := run.Folder(t.node.TransformedPrefix, NewIncarnation())
	location := "s3://" + t.node.Bucket + "/" + folder
	query := x.Query(t.node.Database, run.Window, run.Window.Add(t.node.windowOf(x.Table)))
	answer, err := t.node.Query.Run(ctx, t.node.Database, x.Unload(query, location))
	if err != nil {
		return nil, fmt.Errorf("run the query: %w", err)
	}
	result := &catalog.Result{
		Table: x.Name, Window: run.Window, Edition: run.Edition, Location: location, Reads: x.Reads(), QueryID: answer.ID, ScannedBytes: answer.ScannedBytes,
		Dollars: t.node.Price.Of(answer.ScannedBytes), DoneAt: time.Now().UTC().Truncate(time.Millisecond),
	}
	t.noteQuery(result)
	err = t.node.Store.PutIfAbsent(ctx, catalog.ResultKey(x.Name, run.Window, run.Edition), result.Encode())
	if errors.Is(err, port.ErrConflict) { // another catalog was first, or an own try that had no answer
		if result, err = t.result(ctx, x.Name, run.Window, run.Edition); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, fmt.Errorf("write the result: %w", err)
	}
	return t.show(ctx, x.Name, result)
}

func (n *Node) windowOf(table string) time.Duration {
	if t := n.Table(table); t != nil {
		return t.Window
	}
	return time.Hour
}

// noteRun says which query was the last, and what it has cost.
func noteRun(s *messages.TransformStatus, r *catalog.Result) {
	s.QueryId, s.HivePartition, s.Revision, s.ScannedBytes, s.Dollars = r.QueryID, commitlog.HivePath(r.Window), int64(r.Edition.Input), r.ScannedBytes, r.Dollars
}

// noteQuery counts a query that went well, whether its result counts or not: it is paid for.
func (t *transformer) noteQuery(r *catalog.Result) {
	t.node.Metrics.Scanned.WithLabelValues(r.Table).Add(float64(r.ScannedBytes))
	t.node.Metrics.Dollars.WithLabelValues(r.Table).Add(r.Dollars)
	t.node.Log.Info("transformed a Hive partition", "table", r.Table, "hive_partition", commitlog.HivePath(r.Window), "revision", r.Edition.Input,
		"query", r.QueryID, "scanned_bytes", r.ScannedBytes, "dollars", r.Dollars)
	t.board.noteResult(r.Table, func(s *messages.TransformStatus) {
		noteRun(s, r)
		s.Queries++
		s.TotalBytes += r.ScannedBytes
		s.TotalDollars += r.Dollars
	})
}
