package redshift

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata/types"

	"citystream/engine/port"
)

// The service's limits.
const (
	statementsMax = 40      // of a batch
	statementMax  = 100_000 // bytes of one statement
)

const (
	tries     = 8                // of a call or a transaction that met a busy service
	startWait = 15 * time.Second // for a start, and for a cancellation, that must not be given up halfway
	retryMax  = 5 * time.Second  // longest pause between tries
)

// A step is a statement of a transaction. wrong, if there is one, says what it means when the service cannot run the statement.
type step struct {
	sql   string
	wrong error
}

// transaction runs statements as one transaction and returns the rows of the last one. What was rolled back because of another
// transaction is run again. If the context ends, the transaction is cancelled, and may be done all the same.
func (w *Warehouse) transaction(ctx context.Context, steps ...step) (rows [][]string, err error) {
	for i, s := range steps {
		if len(s.sql) > statementMax || i >= statementsMax {
			return nil, fmt.Errorf("%w: %d statements, of %d bytes: at most %d of %d are taken", port.ErrQueryFailed, len(steps), len(s.sql),
				statementsMax, statementMax)
		}
	}
	err = w.again(ctx, rolledBack, func() error {
		rows, err = w.once(ctx, steps)
		return err
	})
	return rows, err
}

func (w *Warehouse) once(ctx context.Context, steps []step) ([][]string, error) {
	id, err := w.start(ctx, steps)
	if err != nil {
		return nil, err
	}
	done, err := w.wait(ctx, id)
	if err != nil {
		if ctx.Err() != nil {
			err = errors.Join(err, w.cancel(ctx, id))
		}
		return nil, fmt.Errorf("statement %s: %w", id, err)
	}
	if err := outcome(done, steps); err != nil {
		return nil, fmt.Errorf("statement %s: %w", id, err)
	}
	if n := len(done.SubStatements); n > 0 {
		last := done.SubStatements[n-1]
		if !aws.ToBool(last.HasResultSet) {
			return nil, nil
		}
		return w.read(ctx, aws.ToString(last.Id))
	}
	if !aws.ToBool(done.HasResultSet) {
		return nil, nil
	}
	return w.read(ctx, id)
}

// start sends the statements. The token makes a second sending of the same ones the first again, and a context that ends meanwhile does
// not cut the call short: a transaction whose id is not known could not be cancelled.
func (w *Warehouse) start(ctx context.Context, steps []step) (id string, err error) {
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	token := rand.Text()
	err = w.again(ctx, busy, func() error {
		lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), startWait)
		defer cancel()
		id, err = w.send(lasting, token, steps)
		return asPort(lasting, err)
	})
	return id, err
}

func (w *Warehouse) send(ctx context.Context, token string, steps []step) (string, error) {
	o := w.options
	if len(steps) == 1 {
		out, err := w.client.ExecuteStatement(ctx, &redshiftdata.ExecuteStatementInput{
			Sql: &steps[0].sql, ClientToken: &token, Database: &o.Database,
			WorkgroupName: given(o.Workgroup), ClusterIdentifier: given(o.Cluster), DbUser: given(o.DBUser), SecretArn: given(o.SecretARN),
		})
		if err != nil {
			return "", err
		}
		return aws.ToString(out.Id), nil
	}
	texts := make([]string, len(steps))
	for i, s := range steps {
		texts[i] = s.sql
	}
	out, err := w.client.BatchExecuteStatement(ctx, &redshiftdata.BatchExecuteStatementInput{
		Sqls: texts, ClientToken: &token, Database: &o.Database,
		WorkgroupName: given(o.Workgroup), ClusterIdentifier: given(o.Cluster), DbUser: given(o.DBUser), SecretArn: given(o.SecretARN),
	})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.Id), nil
}

// given returns nil for an empty text.
func given(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// wait asks until the statements have ended. A service that cannot be asked leaves the outcome unknown.
func (w *Warehouse) wait(ctx context.Context, id string) (*redshiftdata.DescribeStatementOutput, error) {
	for pause := w.options.PollMin; ; pause = min(2*pause, w.options.PollMax) {
		var out *redshiftdata.DescribeStatementOutput
		err := w.again(ctx, busy, func() (err error) {
			out, err = w.client.DescribeStatement(ctx, &redshiftdata.DescribeStatementInput{Id: &id})
			return asPort(ctx, err)
		})
		switch {
		case errors.Is(err, port.ErrNotFound): // a service that has forgotten it
			return nil, fmt.Errorf("%w: what became of it is not known: %w", port.ErrTransient, err)
		case err != nil:
			return nil, err
		case out.Status == types.StatusStringFinished, out.Status == types.StatusStringFailed, out.Status == types.StatusStringAborted:
			return out, nil
		}
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// outcome returns nil for statements that ended well.
func outcome(done *redshiftdata.DescribeStatementOutput, steps []step) error {
	words := aws.ToString(done.Error)
	switch done.Status {
	case types.StatusStringFinished:
		return nil
	case types.StatusStringAborted:
		return fmt.Errorf("%w: it was cancelled: %s", port.ErrTransient, words)
	}
	at := 0
	for i, s := range done.SubStatements {
		if s.Status == types.StatementStatusStringFailed {
			at = i
			if words == "" {
				words = aws.ToString(s.Error)
			}
			break
		}
	}
	err := failed(words)
	if at < len(steps) && steps[at].wrong != nil && errors.Is(err, port.ErrQueryFailed) {
		return fmt.Errorf("%w (%s)", steps[at].wrong, words)
	}
	return err
}

// cancel ends statements whose caller is gone.
func (w *Warehouse) cancel(ctx context.Context, id string) error {
	lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), startWait)
	defer cancel()
	_, err := w.client.CancelStatement(lasting, &redshiftdata.CancelStatementInput{Id: &id})
	var ended *types.ValidationException // it was faster
	if err != nil && !errors.As(err, &ended) {
		return fmt.Errorf("cancel: %w", err)
	}
	return nil
}

// read returns the rows of a result as text; NULL is empty.
func (w *Warehouse) read(ctx context.Context, id string) ([][]string, error) {
	var rows [][]string
	pages := redshiftdata.NewGetStatementResultPaginator(w.client, &redshiftdata.GetStatementResultInput{Id: &id})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("result of statement %s: %w", id, asPort(ctx, err))
		}
		for _, record := range page.Records {
			row := make([]string, len(record))
			for i, field := range record {
				row[i] = text(field)
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

func text(field types.Field) string {
	switch f := field.(type) {
	case *types.FieldMemberStringValue:
		return f.Value
	case *types.FieldMemberLongValue:
		return strconv.FormatInt(f.Value, 10)
	case *types.FieldMemberBooleanValue:
		return strconv.FormatBool(f.Value)
	case *types.FieldMemberDoubleValue:
		return strconv.FormatFloat(f.Value, 'g', -1, 64)
	}
	return ""
}

// query runs one statement and returns its rows.
func (w *Warehouse) query(ctx context.Context, sql string) ([][]string, error) {
	return w.transaction(ctx, step{sql: sql})
}

// number runs a query of one number.
func (w *Warehouse) number(ctx context.Context, sql string) (int64, error) {
	rows, err := w.query(ctx, sql)
	if err != nil {
		return 0, err
	}
	return numberOf(rows)
}

func numberOf(rows [][]string) (int64, error) {
	if len(rows) != 1 || len(rows[0]) != 1 {
		return 0, fmt.Errorf("the service answered %d rows where one number was asked for", len(rows))
	}
	n, err := strconv.ParseInt(rows[0][0], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the service's answer: %w", err)
	}
	return n, nil
}

// again calls f until it succeeds, fails in another way than the given one, or has been tried often enough. It waits longer each time, and
// never equally long, so that two who met once do not meet again.
func (w *Warehouse) again(ctx context.Context, passing func(error) bool, f func() error) error {
	for try := 1; ; try++ {
		err := f()
		if err == nil || !passing(err) {
			return err
		}
		if try == tries {
			return fmt.Errorf("given up after %d tries: %w", tries, err)
		}
		if ended := sleep(ctx, min(w.options.Retry<<(try-1), retryMax)); ended != nil {
			return errors.Join(ended, err)
		}
	}
}

// sleep waits for about the given time.
func sleep(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause/2 + mathrand.N(pause))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
