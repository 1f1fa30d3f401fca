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
	id, database string
	output       string // s3:// location of its files, with a slash at its end; or nothing
	statement    *statement
	cutoff       int64 // most bytes that it may scan; 0 is any number
}

// A result is what a statement returned. A nil cell is NULL.
type result struct {
	columns  []column
	rows     [][]*string
	bytes    int64
	header   bool     // clients get the columns' names as the first row: so for queries, not for SHOW and DESCRIBE
	updated  int64    // rows that were written
	scanned  int64    // bytes of the files that were read
	written  []string // s3:// names of the files that were written
	manifest string   // s3:// name of the file that lists them
}

// A column of a result: kind is Athena's type.
type column struct {
	name, kind       string
	precision, scale int // of decimals
}

// An execution is one query from its submission on.
type execution struct {
	request *startRequest
	query   *query
	group   string // its work group
	state   state
	reason  string // of a failure or a cancellation
	result  *result

	submitted, started, ran, completed time.Time // ran: the engine was done, and the result files were to be written
	cancel                             context.CancelFunc
}

// executions runs queries: a few at once, some waiting, and keeps what became of the last ones. Safe for concurrent use.
type executions struct {
	engine    engine
	outputs   *outputs
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
	order    []string // ids, oldest start first
	finished []string // ids, oldest end first
	bytes    int64    // of kept results
	closed   bool
}

func newExecutions(o Options, e engine, out *outputs) *executions {
	life, end := context.WithCancel(context.Background())
	return &executions{
		engine: e, outputs: out, atOnce: make(chan struct{}, o.QueriesAtOnce), openMax: o.QueriesAtOnce + o.QueriesWaiting, keptMax: o.QueriesKept,
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

// again returns the query that a request's token has started, or nothing.
func (r *executions) again(in *startRequest) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id, ok := r.tokens[in.ClientRequestToken]
	if !ok || in.ClientRequestToken == "" {
		return "", nil
	}
	first := r.all[id].request
	if first.QueryString != in.QueryString || first.QueryExecutionContext != in.QueryExecutionContext ||
		!slices.Equal(first.ExecutionParameters, in.ExecutionParameters) {
		return "", invalid("Idempotent parameters do not match")
	}
	return id, nil
}

// start accepts a query, and gives it its id.
func (r *executions) start(in *startRequest, group string, q *query) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id, ok := r.tokens[in.ClientRequestToken]; ok && in.ClientRequestToken != "" {
		return id, nil // the same request, sent twice at one time
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
	q.id = uuid.NewString()
	r.all[q.id] = &execution{request: in, query: q, group: group, state: stateQueued, submitted: time.Now(), cancel: cancel}
	r.order = append(r.order, q.id)
	if in.ClientRequestToken != "" {
		r.tokens[in.ClientRequestToken] = q.id
	}
	r.open++
	r.finishing.Go(func() {
		defer cancel()
		result, err := r.run(ctx, q)
		r.finish(q.id, result, err, ctx.Err() != nil)
	})
	return q.id, nil
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
	result, err := r.engine.run(ctx, q)
	if err != nil {
		return nil, err
	}
	if q.cutoff > 0 && result.scanned > q.cutoff {
		return nil, errCutoff
	}
	r.mu.Lock()
	r.all[q.id].ran = time.Now()
	r.mu.Unlock()
	return result, r.outputs.deliver(ctx, q, result)
}

// errCutoff ends a query that has read more than its work group allows.
var errCutoff = errors.New("bytes scanned limit was exceeded")

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
	case errors.Is(err, errCutoff):
		x.state, x.reason = stateCancelled, "Query cancelled! : Bytes scanned limit was exceeded"
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
	r.order = slices.DeleteFunc(r.order, func(o string) bool { return o == id })
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

// before returns up to limit ids of a work group's queries, the last start first, that come after the given one in that order; and whether
// there are more.
func (r *executions) before(group, id string, limit int) ([]string, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	end := len(r.order)
	if id != "" {
		if end = slices.Index(r.order, id); end < 0 {
			return nil, false, invalid("The NextToken is not one of this listing, or its query is forgotten.")
		}
	}
	ids := []string{}
	for _, o := range slices.Backward(r.order[:end]) {
		if r.all[o].group != group {
			continue
		}
		if len(ids) == limit {
			return ids, true, nil
		}
		ids = append(ids, o)
	}
	return ids, false, nil
}

// stop interrupts a query. One that has ended stays as it is.
func (r *executions) stop(id string) error {
	x, err := r.find(id)
	if err == nil {
		x.cancel()
	}
	return err
}
