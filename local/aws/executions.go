package aws

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// state is where a query stands, in Athena's words.
type state string

const (
	stateQueued    state = "QUEUED"
	stateRunning   state = "RUNNING"
	stateSucceeded state = "SUCCEEDED"
	stateFailed    state = "FAILED"
	stateCancelled state = "CANCELLED"
)

// An engine runs statements. Its errors are shown to whoever asked.
type engine interface {
	run(ctx context.Context, q *query) (*result, error)
}

// A query is one statement to run. Names without a database belong to the given one.
type query struct {
	id, sql, database string
	statement         statement
}

// A result is what a statement returned. A nil cell is NULL.
type result struct {
	columns []column
	rows    [][]*string
	bytes   int64
	header  bool // clients get the columns' names as the first row: so for queries, not for SHOW and DESCRIBE
}

// A column of a result: kind is Athena's type.
type column struct {
	name, kind       string
	precision, scale int // of decimals
}

// An execution is one query from its submission on.
type execution struct {
	request   *startRequest
	statement statement
	state     state
	reason    string // of a failure or a cancellation
	result    *result

	submitted, started, completed time.Time
	cancel                        context.CancelFunc
}

// executions runs queries: a few at once, some waiting, and keeps what became of the last ones. Safe for concurrent use.
type executions struct {
	engine    engine
	atOnce    chan struct{} // one token a running query
	openMax   int           // running and waiting
	keptMax   int
	bytesMax  int64 // of all kept results
	life      context.Context
	end       context.CancelFunc
	finishing sync.WaitGroup

	mu       sync.Mutex
	all      map[string]*execution
	tokens   map[string]string // client request token -> id
	open     int
	finished []string // ids, oldest first
	bytes    int64    // of kept results
	closed   bool
}

func newExecutions(o Options, e engine) *executions {
	life, end := context.WithCancel(context.Background())
	return &executions{
		engine: e, atOnce: make(chan struct{}, o.QueriesAtOnce), openMax: o.QueriesAtOnce + o.QueriesWaiting, keptMax: o.QueriesKept,
		bytesMax: 4 * o.ResultBytes, life: life, end: end, all: map[string]*execution{}, tokens: map[string]string{},
	}
}

// close stops all queries and waits for their end.
func (r *executions) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.end()
	r.finishing.Wait()
}

// start accepts a query and returns its id. A second start with the same token is the first one again.
func (r *executions) start(in *startRequest, s statement) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id, ok := r.tokens[in.ClientRequestToken]; ok && in.ClientRequestToken != "" {
		if first := r.all[id].request; first.QueryString != in.QueryString || first.QueryExecutionContext != in.QueryExecutionContext {
			return "", invalid("Idempotent parameters do not match")
		}
		return id, nil
	}
	switch {
	case r.closed:
		return "", &apiError{kind: "InternalServerException", message: "The local endpoint is shutting down.", status: 500}
	case r.open >= r.openMax:
		return "", &apiError{
			kind: "TooManyRequestsException", message: "You have exceeded the limit for the number of queries you can run concurrently.",
			more: map[string]string{"Reason": "CONCURRENT_QUERY_LIMIT_EXCEEDED"},
		}
	}
	ctx, cancel := context.WithCancel(r.life)
	id := uuid.NewString()
	r.all[id] = &execution{request: in, statement: s, state: stateQueued, submitted: time.Now(), cancel: cancel}
	if in.ClientRequestToken != "" {
		r.tokens[in.ClientRequestToken] = id
	}
	r.open++
	r.finishing.Go(func() {
		defer cancel()
		q := &query{id: id, sql: in.QueryString, database: in.QueryExecutionContext.Database, statement: s}
		result, err := r.run(ctx, q)
		r.finish(id, result, err, ctx.Err() != nil)
	})
	return id, nil
}

// run waits for its turn, then runs the query.
func (r *executions) run(ctx context.Context, q *query) (*result, error) {
	select {
	case r.atOnce <- struct{}{}:
		defer func() { <-r.atOnce }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	r.mu.Lock()
	r.all[q.id].state, r.all[q.id].started = stateRunning, time.Now()
	r.mu.Unlock()
	return r.engine.run(ctx, q)
}

// finish records what became of a query, and forgets the oldest ones.
func (r *executions) finish(id string, result *result, err error, stopped bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	x := r.all[id]
	x.completed = time.Now()
	switch {
	case err == nil:
		x.state, x.result = stateSucceeded, result
		r.bytes += result.bytes
	case stopped || errors.Is(err, context.Canceled):
		x.state, x.reason = stateCancelled, "Query cancelled by user"
	default:
		x.state, x.reason = stateFailed, err.Error()
	}
	r.open--
	r.finished = append(r.finished, id)
	for len(r.finished) > 1 && (len(r.finished) > r.keptMax || r.bytes > r.bytesMax) {
		r.forget(r.finished[0])
		r.finished = slices.Delete(r.finished, 0, 1)
	}
}

func (r *executions) forget(id string) {
	x := r.all[id]
	if x.result != nil {
		r.bytes -= x.result.bytes
	}
	delete(r.all, id)
	delete(r.tokens, x.request.ClientRequestToken)
}

// find returns a query as it stands now.
func (r *executions) find(id string) (execution, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if x := r.all[id]; x != nil {
		return *x, nil
	}
	return execution{}, invalid("QueryExecution %s was not found", id)
}

// stop interrupts a query. One that has ended stays as it is.
func (r *executions) stop(id string) error {
	x, err := r.find(id)
	if err == nil {
		x.cancel()
	}
	return err
}
