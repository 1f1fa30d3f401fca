//go:build cgo

package aws

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
)

// A duckTransaction runs the statements of one call in one transaction of the engine. One goroutine uses it.
//
// The engine's transaction begins with the first statement that needs it, which is after LOCK where that comes first: so what it sees is the
// state after whoever held the lock before, as in Redshift.
type duckTransaction struct {
	*duckWarehouse
	database *duckDatabase
	conn     *sql.Conn
	locks    *rsTransaction
	begun    bool
	files    string            // in the stage: what this transaction reads
	schemas  map[string]string // external schemas, and where the engine has their views
	releases []func()
	made     []rsExternal // known to others once committed
	dropped  []string
}

// run implements warehouse.
func (w *duckWarehouse) run(ctx context.Context, j *rsJob) ([]*rsResult, error) {
	d, err := w.database(ctx, j.database)
	if err != nil {
		return nil, redshiftWords(err, nil)
	}
	conn, err := d.connect(ctx, j.sqls)
	if err != nil {
		return nil, err
	}
	t := &duckTransaction{duckWarehouse: w, database: d, conn: conn, locks: d.locks.begin(), files: filepath.Join(w.stage, j.id), schemas: map[string]string{}}
	defer t.close()
	if err := t.prepareExternals(ctx, j); err != nil {
		return nil, redshiftWords(err, nil)
	}
	var results []*rsResult
	for i, text := range j.sqls {
		j.progress(i)
		r, err := t.statement(ctx, text)
		if err != nil {
			return results, err
		}
		results = append(results, r)
	}
	if err := t.commit(ctx); err != nil {
		return results, redshiftWords(err, nil)
	}
	return results, nil
}

// statement runs one statement.
func (t *duckTransaction) statement(ctx context.Context, text string) (*rsResult, error) {
	s, err := readRedshift(text, t.schemas, func(f string) bool { return t.database.forbidden[f] })
	if err != nil {
		return nil, redshiftWords(err, &redshiftStatement{source: text, sql: text})
	}
	r, err := t.execute(ctx, s)
	if err != nil {
		return nil, redshiftWords(err, s)
	}
	return r, nil
}

func (t *duckTransaction) execute(ctx context.Context, s *redshiftStatement) (*rsResult, error) {
	if s.kind == rsLock {
		for _, n := range s.tables {
			if _, err := t.columns(ctx, n); err != nil {
				return nil, err
			}
			if err := t.locks.lock(ctx, n.name); err != nil {
				return nil, err
			}
		}
		return &rsResult{}, nil
	}
	if err := t.locks.touch(ctx, s.names); err != nil {
		return nil, err
	}
	switch s.kind {
	case rsNothing:
		return &rsResult{}, nil
	case rsTruncate:
		return t.truncate(ctx, s)
	}
	if err := t.begin(ctx); err != nil {
		return nil, err
	}
	for _, text := range s.before {
		if _, err := t.conn.ExecContext(ctx, text); err != nil {
			return nil, err
		}
	}
	if s.kind == rsQuery || s.kind == rsChange {
		if err := t.check(s); err != nil {
			return nil, err
		}
	}
	switch s.kind {
	case rsQuery:
		return t.query(ctx, s)
	case rsCopy:
		return t.copy(ctx, s)
	case rsExternalSchema:
		return t.externalSchema(ctx, s)
	case rsDropSchema:
		return t.dropSchema(ctx, s)
	}
	done, err := t.conn.ExecContext(ctx, s.sql)
	if err != nil {
		return nil, err
	}
	n, err := done.RowsAffected()
	return &rsResult{affected: n}, err
}

// rsStatementTypes are the statements that the engine is let run for a user.
var rsStatementTypes = []duckdb.StmtType{
	duckdb.STATEMENT_TYPE_SELECT, duckdb.STATEMENT_TYPE_INSERT, duckdb.STATEMENT_TYPE_UPDATE, duckdb.STATEMENT_TYPE_DELETE, duckdb.STATEMENT_TYPE_EXPLAIN,
	duckdb.STATEMENT_TYPE_CREATE, duckdb.STATEMENT_TYPE_ALTER, duckdb.STATEMENT_TYPE_DROP,
}

// check asks the engine itself what it takes a statement for: one, and no COPY that would write over what lies in the stage, which are the objects
// themselves.
func (t *duckTransaction) check(s *redshiftStatement) error {
	return t.conn.Raw(func(driver any) (err error) {
		statement, err := driver.(*duckdb.Conn).Prepare(s.sql)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, statement.Close()) }()
		kind, err := statement.(*duckdb.Stmt).StatementType()
		if err == nil && !slices.Contains(rsStatementTypes, kind) {
			err = &redshiftError{"this local endpoint does not take this statement", -1}
		}
		return err
	})
}

func (t *duckTransaction) begin(ctx context.Context) error {
	if t.begun {
		return nil
	}
	if _, err := t.conn.ExecContext(ctx, "BEGIN"); err != nil {
		return err
	}
	t.begun = true
	return nil
}

func (t *duckTransaction) commit(ctx context.Context) error {
	if t.begun {
		t.begun = false // a failed COMMIT rolls back
		if _, err := t.conn.ExecContext(ctx, "COMMIT"); err != nil {
			return err
		}
	}
	t.database.mu.Lock()
	for _, x := range t.made {
		t.database.externals[x.name] = x
	}
	for _, name := range t.dropped {
		delete(t.database.externals, name)
	}
	t.database.mu.Unlock()
	t.made, t.dropped = nil, nil
	return nil
}

// truncate commits what was done before, as Redshift does, and itself; locks end with it.
func (t *duckTransaction) truncate(ctx context.Context, s *redshiftStatement) (*rsResult, error) {
	if err := t.commit(ctx); err != nil {
		return nil, err
	}
	if _, err := t.conn.ExecContext(ctx, s.sql); err != nil {
		return nil, err
	}
	t.locks.end()
	return &rsResult{}, nil
}

// close rolls back what was not committed, and gives everything back. What fails here changes nothing in how the transaction ended.
func (t *duckTransaction) close() {
	var faults []error
	if t.begun {
		_, err := t.conn.ExecContext(context.Background(), "ROLLBACK")
		if err != nil && !strings.Contains(err.Error(), "no transaction is active") {
			faults = append(faults, err)
		}
	}
	for _, views := range t.schemas {
		_, err := t.conn.ExecContext(context.Background(), "DROP SCHEMA IF EXISTS "+views+" CASCADE")
		faults = append(faults, err)
	}
	faults = append(faults, t.conn.Close(), os.RemoveAll(t.files))
	t.locks.end()
	for _, release := range t.releases {
		release()
	}
	if err := errors.Join(faults...); err != nil {
		t.options.Logger.Warn("a transaction's resources could not be given back", "error", err)
	}
}

// An rsEngineColumn is a column of a table, with its type in the engine's words.
type rsEngineColumn struct{ name, kind string }

// columns returns the columns of a table that is there.
func (t *duckTransaction) columns(ctx context.Context, n rsName) ([]rsEngineColumn, error) {
	if t.schemas[n.schema] != "" {
		return nil, &redshiftError{fmt.Sprintf("operation is not supported on external table %q", n.name), -1}
	}
	rows, err := t.conn.QueryContext(ctx, "SELECT * FROM "+n.sql()+" LIMIT 0")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	kinds, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	columns := make([]rsEngineColumn, len(kinds))
	for i, k := range kinds {
		columns[i] = rsEngineColumn{k.Name(), k.DatabaseTypeName()}
	}
	return columns, rows.Err()
}

func (t *duckTransaction) query(ctx context.Context, s *redshiftStatement) (*rsResult, error) {
	rows, err := t.conn.QueryContext(ctx, s.sql)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	kinds, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	r := &rsResult{set: true}
	targets := make([]any, len(kinds))
	cells := make([]any, len(kinds))
	for i, k := range kinds {
		r.columns = append(r.columns, redshiftColumn(k))
		targets[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		row := make([]any, len(cells))
		for i, c := range cells {
			row[i] = redshiftCell(c, r.columns[i].Type)
			r.bytes += rsCellBytes(row[i])
		}
		r.rows = append(r.rows, row)
		if len(r.rows) > t.options.ResultRows || r.bytes > t.options.ResultBytes {
			return nil, &redshiftError{fmt.Sprintf("the result is larger than %d rows or %d bytes, the limit of this local endpoint: add a LIMIT or aggregate",
				t.options.ResultRows, t.options.ResultBytes), -1}
		}
	}
	return r, rows.Err()
}
