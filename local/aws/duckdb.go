//go:build cgo

package aws

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
)

// A duck runs queries in DuckDB. Safe for concurrent use.
//
// Each query gets an instance of its own, in memory, which takes some 20 ms: it holds views of the tables that the query names, may
// open their files and no others, and is locked before the first word of the user's SQL runs in it. So nothing leaks from
// one query into the next, and what the statement check lets through by mistake meets a second wall.
type duck struct {
	options Options
	catalog *catalog
	spill   string // a directory a query while it runs
}

func newEngine(o Options, c *catalog, spill string) engine {
	return &duck{options: o, catalog: c, spill: spill}
}

// vanishedTries is how often a query starts again because a file went away between the listing and the reading: a compaction, for example.
const vanishedTries = 4

func (d *duck) run(ctx context.Context, q *query) (*result, error) {
	if q.statement.kind == showing {
		return d.catalog.show(q.statement, q.database)
	}
	for try := 1; ; try++ {
		r, err := d.once(ctx, q)
		if err == nil || ctx.Err() != nil || !vanished(err) || try == vanishedTries {
			return r, err
		}
	}
}

// vanished tells whether a file that was listed could not be opened any more.
func vanished(err error) bool {
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	var e *duckdb.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Type {
	case duckdb.ErrorTypeIO:
		return strings.Contains(e.Msg, "No files found") || strings.Contains(e.Msg, "No such file or directory")
	case duckdb.ErrorTypePermission: // what is no file is taken for a directory, which is not allowed
		return strings.Contains(e.Msg, `/**/*.parquet"`)
	}
	return false
}

// once runs a query on the files that are there now.
func (d *duck) once(ctx context.Context, q *query) (_ *result, err error) {
	s, err := d.open(ctx, q.id)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	p, err := s.parse(ctx, q)
	if err != nil {
		return nil, err
	}
	if err := s.prepare(ctx, p.tables, q.database); err != nil {
		return nil, err
	}
	return s.answer(ctx, q, p)
}

// A session is one instance of DuckDB with one connection, for one query. One goroutine uses it.
type session struct {
	*duck
	db       *sql.DB
	conn     *sql.Conn
	spill    string
	releases []func() // of the files in use
}

func (d *duck) open(ctx context.Context, id string) (*session, error) {
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		return nil, fmt.Errorf("start the SQL engine: %w", err)
	}
	s := &session{duck: d, db: sql.OpenDB(connector), spill: filepath.Join(d.spill, id)}
	if s.conn, err = s.db.Conn(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start the SQL engine: %w", err), s.db.Close())
	}
	return s, nil
}

func (s *session) close() error {
	err := errors.Join(s.conn.Close(), s.db.Close(), os.RemoveAll(s.spill))
	for _, release := range s.releases {
		release()
	}
	if err != nil {
		return fmt.Errorf("end the SQL engine: %w", err)
	}
	return nil
}

// exec runs statements of the session's own.
func (s *session) exec(ctx context.Context, statements ...string) error {
	for _, text := range statements {
		if _, err := s.conn.ExecContext(ctx, text); err != nil {
			return fmt.Errorf("set up the SQL engine: %w", err)
		}
	}
	return nil
}

// trinoFunctions give functions of Trino that DuckDB calls otherwise their own names.
var trinoFunctions = []string{
	`approx_distinct(x) AS approx_count_distinct(x)`,
	`sequence(a, b) AS generate_series(a, b)`,
	`from_unixtime(x) AS make_timestamp((x * 1000000)::BIGINT)`,
	`to_unixtime(x) AS epoch(x)`,
	`from_iso8601_timestamp(x) AS x::TIMESTAMPTZ`,
	`date_format(x, f) AS strftime(x, replace(replace(f, '%i', '%M'), '%s', '%S'))`,
	`json_extract_scalar(x, p) AS json_extract_string(x, p)`,
	`arbitrary(x) AS any_value(x)`,
}

// prepare makes the tables that a query names, and then closes the session to everything else.
func (s *session) prepare(ctx context.Context, tables []tableRef, database string) error {
	if database == "" {
		database = "default"
	}
	setup := []string{
		`SET threads = ` + fmt.Sprint(s.options.Threads),
		`SET memory_limit = '` + fmt.Sprint(s.options.MemoryBytes/1024) + `KiB'`,
		`SET temp_directory = ` + literal(s.spill),
		`SET autoinstall_known_extensions = false`,
		`SET autoload_known_extensions = false`,
		`SET TimeZone = 'UTC'`,
		`SET integer_division = true`,
		`ATTACH ':memory:' AS ` + identifier(catalogName),
		`CREATE SCHEMA IF NOT EXISTS ` + identifier(catalogName) + `.` + identifier(database),
	}
	for _, f := range trinoFunctions {
		setup = append(setup, `CREATE TEMP MACRO `+f)
	}
	var views, paths []string
	for _, t := range tables {
		view, files, err := s.view(ctx, t)
		if err != nil {
			return err
		}
		setup = append(setup, `CREATE SCHEMA IF NOT EXISTS `+identifier(catalogName)+`.`+identifier(t.database))
		views, paths = append(views, view), append(paths, files...)
	}
	setup = append(setup,
		`SET allowed_paths = `+list(paths),
		`SET enable_external_access = false`)
	setup = append(append(setup, views...),
		`USE `+identifier(catalogName)+`.`+identifier(database),
		`SET lock_configuration = true`)
	return s.exec(ctx, setup...)
}

// answer runs the user's statement and reads its result, up to the limits.
func (s *session) answer(ctx context.Context, q *query, p *plan) (*result, error) {
	rows, err := s.conn.QueryContext(ctx, q.sql)
	if err != nil {
		return nil, reason(err)
	}
	defer func() { _ = rows.Close() }() // after a whole reading there is nothing left to fail
	kinds, err := rows.ColumnTypes()
	if err != nil {
		return nil, fmt.Errorf("columns of the result: %w", err)
	}
	r := &result{header: true, columns: make([]column, len(kinds))}
	cells, targets := make([]any, len(kinds)), make([]any, len(kinds))
	for i, k := range kinds {
		r.columns[i] = columnOf(k)
		targets[i] = &cells[i]
	}
	p.rename(r.columns)
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return nil, fmt.Errorf("read the result: %w", err)
		}
		row := make([]*string, len(cells))
		for i, cell := range cells {
			row[i] = render(cell, r.columns[i].kind)
			if row[i] != nil {
				r.bytes += int64(len(*row[i]))
			}
		}
		r.rows = append(r.rows, row)
		r.bytes += int64(16 * len(row)) // a pointer and a string's header, roughly
		if len(r.rows) > s.options.ResultRows || r.bytes > s.options.ResultBytes {
			return nil, failed("EXCEEDED_LOCAL_LIMIT", "the result is larger than %d rows or %d bytes, the limit of this local endpoint: "+
				"add a LIMIT or aggregate",
				s.options.ResultRows, s.options.ResultBytes)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, reason(err)
	}
	return r, nil
}

// reasons are Athena's names for DuckDB's sorts of errors.
var reasons = map[duckdb.ErrorType]string{
	duckdb.ErrorTypeParser: "SYNTAX_ERROR", duckdb.ErrorTypeSyntax: "SYNTAX_ERROR", duckdb.ErrorTypeBinder: "COLUMN_NOT_FOUND",
	duckdb.ErrorTypeCatalog: "FUNCTION_NOT_FOUND", duckdb.ErrorTypeConversion: "INVALID_CAST_ARGUMENT",
	duckdb.ErrorTypeMismatchType: "TYPE_MISMATCH", duckdb.ErrorTypeOutOfRange: "NUMERIC_VALUE_OUT_OF_RANGE",
	duckdb.ErrorTypeDivideByZero: "DIVISION_BY_ZERO", duckdb.ErrorTypePermission: "PERMISSION_DENIED",
	duckdb.ErrorTypeInvalidInput: "INVALID_FUNCTION_ARGUMENT",
	duckdb.ErrorTypeOutOfMemory:  "EXCEEDED_LOCAL_MEMORY_LIMIT", duckdb.ErrorTypeIO: "HIVE_CANNOT_OPEN_SPLIT",
}

// reason puts Athena's name before DuckDB's words.
func reason(err error) error {
	var e *duckdb.Error
	if !errors.As(err, &e) {
		return err
	}
	name := reasons[e.Type]
	if name == "" {
		name = "GENERIC_INTERNAL_ERROR"
	}
	return fmt.Errorf("%s: %w", name, err)
}

// identifier quotes a name for SQL.
func identifier(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// literal quotes a text for SQL.
func literal(text string) string { return `'` + strings.ReplaceAll(text, `'`, `''`) + `'` }

// list returns an SQL list of texts.
func list(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = literal(t)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
