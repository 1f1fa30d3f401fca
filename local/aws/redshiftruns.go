package aws

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// rsStatus is where a statement stands, in the Data API's words.
type rsStatus string

const (
	rsSubmitted rsStatus = "SUBMITTED"
	rsStarted   rsStatus = "STARTED"
	rsFinished  rsStatus = "FINISHED"
	rsFailed    rsStatus = "FAILED"
	rsAborted   rsStatus = "ABORTED"
)

// A rsWarehouse runs the statements of a call in one transaction. Its errors are shown to whoever asked.
type rsWarehouse interface {
	// run returns the results of the statements that were run: with an error, those before the one that failed.
	run(ctx context.Context, j *rsJob) ([]*rsResult, error)
	databases() ([]string, error)
	close() error
}

// An rsJob is what a warehouse is to run. progress is called before each statement.
type rsJob struct {
	id, database string
	sqls         []string
	progress     func(at int)
}

// An rsResult is what a statement returned. A cell is nil, bool, int64, float64, string or []byte.
type rsResult struct {
	set      bool // rows came back, however few
	columns  []rsColumn
	rows     [][]any
	affected int64
	bytes    int64
}

// An rsColumn is a column of a result as the Data API tells of it.
type rsColumn struct {
	Name      string `json:"name"`
	Label     string `json:"label"`
	Type      string `json:"typeName"`
	Length    int    `json:"length"`
	Precision int    `json:"precision"`
	Scale     int    `json:"scale"`
	Nullable  int    `json:"nullable"`
	Signed    bool   `json:"isSigned"`
	Schema    string `json:"schemaName,omitempty"`
	Table     string `json:"tableName,omitempty"`
	Default   string `json:"columnDefault,omitempty"`
}

// An rsExecution is one call's statements from their submission on.
type rsExecution struct {
	id      string
	request *rsExecute
	sqls    []string
	batch   bool
	status  rsStatus
	at      int // the statement that runs, or failed
	reason  string
	results []*rsResult

	created, started, updated time.Time
	cancel                    context.CancelFunc
}

const (
	rsAtOnce = 10  // transactions at a time; those that wait for a lock count
	rsActive = 200 // as in the Data API
)

// rsRuns runs statements, and keeps what became of the last ones. Safe for concurrent use.
type rsRuns struct {
	engine    rsWarehouse
	atOnce    chan struct{} // one rsToken a running transaction
	keptMax   int
	bytesMax  int64 // of all kept results
	life      context.Context
	end       context.CancelFunc
	finishing sync.WaitGroup

	mu       sync.Mutex
	all      map[string]*rsExecution
	tokens   map[string]string // client rsToken -> id
	open     int
	finished []string // ids, oldest first
	bytes    int64
	closed   bool
}

func newRSRuns(o Options, w rsWarehouse) *rsRuns {
	life, end := context.WithCancel(context.Background())
	return &rsRuns{
		engine: w, atOnce: make(chan struct{}, rsAtOnce), keptMax: 4 * o.QueriesKept, bytesMax: 4 * o.ResultBytes, life: life, end: end,
		all: map[string]*rsExecution{}, tokens: map[string]string{},
	}
}

// close stops all statements and waits for their end.
func (r *rsRuns) close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.end()
	r.finishing.Wait()
	return r.engine.close()
}

// start accepts statements and returns their execution. A second start with the same token is the first one again.
func (r *rsRuns) start(in *rsExecute, sqls []string, batch bool) (rsExecution, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id, ok := r.tokens[in.ClientToken]; ok && in.ClientToken != "" {
		x := r.all[id]
		if !slices.Equal(x.sqls, sqls) || x.request.Database != in.Database {
			return rsExecution{}, rsInvalid("Idempotent parameters do not match: the client token was used for other statements")
		}
		return *x, nil
	}
	switch {
	case r.closed:
		return rsExecution{}, &apiError{kind: "InternalServerException", message: "The local endpoint is shutting down.", status: 500}
	case r.open >= rsActive:
		return rsExecution{}, fault("ActiveStatementsExceededException", "Active statements exceeded the allowed quota (%d).", rsActive)
	}
	ctx, cancel := context.WithCancel(r.life)
	x := &rsExecution{
		id: uuid.NewString(), request: in, sqls: sqls, batch: batch, status: rsSubmitted, created: time.Now(), updated: time.Now(), cancel: cancel,
	}
	r.all[x.id] = x
	if in.ClientToken != "" {
		r.tokens[in.ClientToken] = x.id
	}
	r.open++
	r.finishing.Go(func() {
		defer cancel()
		results, err := r.run(ctx, x)
		r.finish(x, results, err, ctx.Err() != nil)
	})
	return *x, nil
}

// run waits for its turn, then runs the statements.
func (r *rsRuns) run(ctx context.Context, x *rsExecution) ([]*rsResult, error) {
	select {
	case r.atOnce <- struct{}{}:
		defer func() { <-r.atOnce }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return r.engine.run(ctx, &rsJob{id: x.id, database: x.request.Database, sqls: x.sqls, progress: func(at int) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if x.status, x.at, x.updated = rsStarted, at, time.Now(); x.started.IsZero() {
			x.started = x.updated
		}
	}})
}

// finish records what became of statements, and forgets the oldest ones.
func (r *rsRuns) finish(x *rsExecution, results []*rsResult, err error, stopped bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	x.updated = time.Now()
	switch {
	case err == nil:
		x.status, x.results = rsFinished, results
		for _, s := range results {
			r.bytes += s.bytes
		}
	case stopped || errors.Is(err, context.Canceled):
		x.status, x.reason = rsAborted, "Query cancelled on user's request"
	default:
		x.status, x.reason = rsFailed, err.Error()
	}
	r.open--
	r.finished = append(r.finished, x.id)
	for len(r.finished) > 1 && (len(r.finished) > r.keptMax || r.bytes > r.bytesMax) {
		r.forget(r.finished[0])
		r.finished = slices.Delete(r.finished, 0, 1)
	}
}

func (r *rsRuns) forget(id string) {
	x := r.all[id]
	for _, s := range x.results {
		r.bytes -= s.bytes
	}
	delete(r.all, id)
	delete(r.tokens, x.request.ClientToken)
}

// find returns statements as they stand now.
func (r *rsRuns) find(id string) (rsExecution, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if x := r.all[id]; x != nil {
		return *x, nil
	}
	return rsExecution{}, &apiError{kind: "ResourceNotFoundException", message: "Query does not exist.", more: map[string]string{"ResourceId": id}}
}

// stop interrupts statements. Those that have ended cannot be stopped.
func (r *rsRuns) stop(id string) error {
	x, err := r.find(id)
	if err != nil {
		return err
	}
	if x.status == rsFinished || x.status == rsFailed || x.status == rsAborted {
		return rsInvalid("Could not cancel a query that is already in %s state with ID: %s", x.status, id)
	}
	x.cancel()
	return nil
}

// list returns all statements that are known, newest first.
func (r *rsRuns) list() []rsExecution {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]rsExecution, 0, len(r.all))
	for _, x := range r.all {
		all = append(all, *x)
	}
	slices.SortFunc(all, func(a, b rsExecution) int { return b.created.Compare(a.created) })
	return all
}
