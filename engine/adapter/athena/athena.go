// Package athena is the port.Query over Amazon Athena.
//
// The problem: Athena runs a statement in the background, tells of its end only when asked, and sends its rows in pages of text. The
// idea: start, ask again and again with growing pauses, read the pages. A statement that is not wanted any more is stopped, since it costs
// money as long as it runs.
package athena

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"citystream/engine/port"
)

// Options say how statements are run. The zero value is good for a work group that has an output location of its own.
type Options struct {
	WorkGroup      string        // default: primary
	OutputLocation string        // s3:// of result files; default: the work group's
	PollMin        time.Duration // first pause between two looks; default 50 ms, doubled each time
	PollMax        time.Duration // longest pause; default 2 s
	RowsMax        int           // largest result of Run; default 1,000,000

	Progress func(Progress) // told at each look at a running statement, and when it has ended; nil is nobody
}

// Progress is how far a statement is.
type Progress struct {
	ID           string
	State        string // QUEUED, RUNNING, SUCCEEDED, FAILED or CANCELLED
	ScannedBytes int64
}

// A Query runs statements in Athena. Safe for concurrent use.
type Query struct {
	client  *athena.Client
	options Options
}

var _ port.Query = (*Query)(nil)

// catalog is the name of the Glue Data Catalog in Athena.
const catalog = "AwsDataCatalog"

const (
	pageMax   = 1000             // rows of a page, the most that Athena gives
	startWait = 15 * time.Second // for a start, and for a stop, that must not be given up halfway
)

// New returns the query service that a client talks to.
func New(client *athena.Client, o Options) *Query {
	if o.PollMin <= 0 {
		o.PollMin = 50 * time.Millisecond
	}
	if o.PollMax <= 0 {
		o.PollMax = 2 * time.Second
	}
	if o.RowsMax <= 0 {
		o.RowsMax = 1_000_000
	}
	return &Query{client, o}
}

// Run implements port.Query.
func (q *Query) Run(ctx context.Context, database, sql string) (*port.Result, error) {
	result := &port.Result{}
	err := q.Stream(ctx, database, sql, func(page *port.Result) error {
		rows := append(result.Rows, page.Rows...)
		*result = *page
		result.Rows = rows
		if len(rows) > q.options.RowsMax {
			return fmt.Errorf("more than %d rows: add a LIMIT or aggregate", q.options.RowsMax)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// Stream runs a statement to its end, and calls each with its rows, page by page: once at least, with the columns. When ctx ends, or nothing can
// be learnt of the statement any more, it stops it. An error of each ends it.
func (q *Query) Stream(ctx context.Context, database, sql string, each func(page *port.Result) error) error {
	id, err := q.start(ctx, database, sql)
	if err != nil {
		return fmt.Errorf("athena: start: %w", err)
	}
	execution, err := q.wait(ctx, id)
	if err != nil {
		if execution == nil { // it may run still
			err = errors.Join(err, q.stop(ctx, id))
		}
		return fmt.Errorf("athena: query %s: %w", id, err)
	}
	if isUnload(sql) { // its rows are in files
		return each(&port.Result{ID: id, ScannedBytes: scanned(execution)})
	}
	if err := q.read(ctx, id, execution, each); err != nil {
		return fmt.Errorf("athena: results of query %s: %w", id, err)
	}
	return nil
}

func isUnload(sql string) bool {
	const word = "UNLOAD"
	sql = strings.TrimSpace(sql)
	return len(sql) > len(word) && strings.EqualFold(sql[:len(word)], word)
}

// scanned returns the bytes that a statement has read and is billed for.
func scanned(x *types.QueryExecution) int64 {
	if x == nil || x.Statistics == nil {
		return 0
	}
	return aws.ToInt64(x.Statistics.DataScannedInBytes)
}

// start begins a statement. It is not given up when ctx ends: a statement whose id is not known could not be stopped.
func (q *Query) start(ctx context.Context, database, sql string) (string, error) {
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	in := &athena.StartQueryExecutionInput{
		QueryString: &sql, QueryExecutionContext: &types.QueryExecutionContext{Catalog: aws.String(catalog)},
	}
	if database != "" {
		in.QueryExecutionContext.Database = &database
	}
	if q.options.WorkGroup != "" {
		in.WorkGroup = &q.options.WorkGroup
	}
	if q.options.OutputLocation != "" {
		in.ResultConfiguration = &types.ResultConfiguration{OutputLocation: &q.options.OutputLocation}
	}
	lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), startWait)
	defer cancel()
	out, err := q.client.StartQueryExecution(lasting, in)
	var refused *types.InvalidRequestException
	switch {
	case errors.As(err, &refused):
		return "", fmt.Errorf("%w: %s", port.ErrQueryFailed, refused.ErrorMessage())
	case err != nil:
		return "", err
	}
	return aws.ToString(out.QueryExecutionId), nil
}

// wait asks until the statement has ended, and returns nil if it is not known to have.
func (q *Query) wait(ctx context.Context, id string) (*types.QueryExecution, error) {
	for pause := q.options.PollMin; ; pause = min(2*pause, q.options.PollMax) {
		out, err := q.client.GetQueryExecution(ctx, &athena.GetQueryExecutionInput{QueryExecutionId: &id})
		if err != nil {
			return nil, err
		}
		done, err := ended(out.QueryExecution)
		q.tell(id, out.QueryExecution)
		if done {
			return out.QueryExecution, err
		}
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
	}
}

// tell tells how far a statement is.
func (q *Query) tell(id string, x *types.QueryExecution) {
	if q.options.Progress != nil && x != nil && x.Status != nil {
		q.options.Progress(Progress{ID: id, State: string(x.Status.State), ScannedBytes: scanned(x)})
	}
}

// ended tells whether a statement has ended, and how.
func ended(x *types.QueryExecution) (bool, error) {
	if x == nil || x.Status == nil {
		return true, errors.New("the service tells no status")
	}
	switch x.Status.State {
	case types.QueryExecutionStateSucceeded:
		return true, nil
	case types.QueryExecutionStateFailed, types.QueryExecutionStateCancelled:
		reason := aws.ToString(x.Status.StateChangeReason)
		if e := x.Status.AthenaError; reason == "" && e != nil {
			reason = aws.ToString(e.ErrorMessage)
		}
		return true, fmt.Errorf("%w (%s): %s", port.ErrQueryFailed, x.Status.State, reason)
	}
	return false, nil
}

// stop ends a statement that nobody waits for any more.
func (q *Query) stop(ctx context.Context, id string) error {
	lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), startWait)
	defer cancel()
	if _, err := q.client.StopQueryExecution(lasting, &athena.StopQueryExecutionInput{QueryExecutionId: &id}); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	return nil
}

// read reads a result page by page.
func (q *Query) read(ctx context.Context, id string, x *types.QueryExecution, each func(*port.Result) error) error {
	var columns []port.CatalogColumn
	pages := athena.NewGetQueryResultsPaginator(q.client, &athena.GetQueryResultsInput{QueryExecutionId: &id, MaxResults: aws.Int32(pageMax)})
	for first := true; pages.HasMorePages(); first = false {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		result := &port.Result{ID: id, Columns: columns, ScannedBytes: scanned(x)}
		if page.ResultSet != nil {
			rows := page.ResultSet.Rows
			if first {
				columns = columnsOf(page.ResultSet.ResultSetMetadata)
				result.Columns = columns
				if isHeader(rows, columns, x.StatementType) {
					rows = rows[1:]
				}
			}
			for _, r := range rows {
				result.Rows = append(result.Rows, cellsOf(r, len(columns)))
			}
		}
		if err := each(result); err != nil {
			return err
		}
	}
	return nil
}

func columnsOf(meta *types.ResultSetMetadata) []port.CatalogColumn {
	if meta == nil {
		return nil
	}
	columns := make([]port.CatalogColumn, len(meta.ColumnInfo))
	for i, c := range meta.ColumnInfo {
		columns[i] = port.CatalogColumn{Name: aws.ToString(c.Name), Type: aws.ToString(c.Type)}
	}
	return columns
}

// isHeader tells whether the first row is the columns' names: for queries it is, for SHOW and DESCRIBE it is not.
func isHeader(rows []types.Row, columns []port.CatalogColumn, kind types.StatementType) bool {
	if kind == types.StatementTypeDdl || kind == types.StatementTypeUtility || len(rows) == 0 || len(rows[0].Data) != len(columns) {
		return false
	}
	for i, d := range rows[0].Data {
		if aws.ToString(d.VarCharValue) != columns[i].Name {
			return false
		}
	}
	return true
}

// cellsOf returns a row's cells, one a column: SHOW may send fewer.
func cellsOf(r types.Row, columns int) []*string {
	cells := make([]*string, max(columns, len(r.Data)))
	for i, d := range r.Data {
		cells[i] = d.VarCharValue
	}
	return cells
}
