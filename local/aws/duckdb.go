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
	"slices"
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
	definer *definer
	spill   string // a directory a query while it runs
}

func newEngine(o Options, d *definer, spill string) engine {
	return &duck{options: o, catalog: d.catalog, definer: d, spill: spill}
}

// vanishedTries is how often a query starts again because a file went away between the listing and the reading: a compaction, for example.
const vanishedTries = 4

func (d *duck) run(ctx context.Context, q *query) (*result, error) {
	switch {
	case q.statement.kind == showing:
		return d.catalog.show(q.statement, q.database)
	case q.statement.kind == defining && q.statement.query == nil:
		return d.definer.run(ctx, q)
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
	if q.statement.write != nil {
		if err := d.definer.writer.ready(); err != nil {
			return nil, err
		}
	}
	s, err := d.open(ctx, q.id)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	p, err := s.parse(ctx, q.statement.query, q.database)
	if err != nil {
		return nil, err
	}
	if err := s.prepare(ctx, p, q.database); err != nil {
		return nil, err
	}
	switch q.statement.kind {
	case creating:
		return s.create(ctx, q, p)
	case inserting:
		return s.insert(ctx, q, p)
	case unloading:
		return s.unload(ctx, q, p)
	case defining:
		return s.defineView(ctx, q, p)
	}
	return s.answer(ctx, q, p)
}

// A session is one instance of DuckDB with one connection, for one query. One goroutine uses it.
type session struct {
	*duck
	db       *sql.DB
	conn     *sql.Conn
	spill    string
	releases []func()         // of the files in use
	sizes    map[string]int64 // of the files in use, by their paths
	scanned  int64            // bytes that the user's query has read
	hidden   bool             // tables have their hidden columns
}

// Directories of a query, below its own.
const (
	spillDir  = "spill"
	outputDir = "output" // the one where the engine may write
)

func (d *duck) open(ctx context.Context, id string) (*session, error) {
	spill := filepath.Join(d.spill, id)
	if err := os.MkdirAll(spill, 0o700); err != nil { // the engine makes the last folder of a path only
		return nil, fmt.Errorf("start the SQL engine: %w", err)
	}
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		return nil, fmt.Errorf("start the SQL engine: %w", err)
	}
	s := &session{duck: d, db: sql.OpenDB(connector), spill: spill}
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

// prepare makes the tables that a query names, and then closes the session to everything else.
func (s *session) prepare(ctx context.Context, p *plan, database string) error {
	views, err := s.expand(ctx, p.tables)
	if err != nil {
		return err
	}
	s.hidden = p.script.hidden || slices.ContainsFunc(views, func(v *storedView) bool { return v.plan.script.hidden })
	if s.hidden {
		p.script = p.script.hiding()
	}
	setup := s.settings(database)
	text := p.script.text
	for _, v := range views {
		text += "\n" + v.plan.script.text
	}
	for _, f := range functionsFor(text) {
		setup = append(setup, `CREATE TEMP MACRO `+f)
	}
	var made, paths []string
	for _, t := range tablesOf(p, views) {
		view, files, err := s.view(ctx, t, referencesTo(t, p, views))
		if err != nil {
			return err
		}
		setup = append(setup, `CREATE SCHEMA IF NOT EXISTS `+schemaName(t.database))
		made, paths = append(made, view), append(paths, files...)
	}
	for _, v := range views {
		setup = append(setup, `CREATE SCHEMA IF NOT EXISTS `+schemaName(v.ref.database), `CREATE SCHEMA IF NOT EXISTS `+schemaName(v.database))
		made = append(made, v.statement(s.hidden)...)
	}
	setup = append(setup,
		`SET allowed_paths = `+list(paths),
		`SET allowed_directories = `+list([]string{filepath.Join(s.spill, outputDir) + "/"}),
		`SET enable_external_access = false`)
	setup = append(append(setup, made...), `USE `+schemaName(orDefault(database)), `SET lock_configuration = true`)
	return s.exec(ctx, setup...)
}

// settings returns what every session begins with.
func (s *session) settings(database string) []string {
	return append([]string{
		`SET threads = ` + fmt.Sprint(s.options.Threads),
		`SET memory_limit = '` + fmt.Sprint(s.options.MemoryBytes/1024) + `KiB'`,
		`SET temp_directory = ` + literal(filepath.Join(s.spill, spillDir)),
		`SET autoinstall_known_extensions = false`,
		`SET autoload_known_extensions = false`,
		`SET TimeZone = 'UTC'`,
		`SET integer_division = true`,
		`ATTACH ':memory:' AS ` + identifier(catalogName),
		`CREATE SCHEMA IF NOT EXISTS ` + schemaName(orDefault(database)),
	}, profiling...)
}

func schemaName(database string) string {
	return identifier(catalogName) + `.` + identifier(strings.ToLower(database))
}

// answer runs the user's statement and reads its result, up to the limits.
func (s *session) answer(ctx context.Context, q *query, p *plan) (*result, error) {
	prefix := q.statement.prefix
	rows, err := s.conn.QueryContext(ctx, prefix+p.script.text)
	if err != nil {
		return nil, reason(err, prefix, p.script)
	}
	defer func() { _ = rows.Close() }() // after a whole reading there is nothing left to fail
	kinds, err := rows.ColumnTypes()
	if err != nil {
		return nil, fmt.Errorf("columns of the result: %w", err)
	}
	r := &result{header: q.statement.kind == selecting, columns: make([]column, len(kinds))}
	cells, targets := make([]any, len(kinds)), make([]any, len(kinds))
	for i, k := range kinds {
		r.columns[i] = columnOf(k)
		targets[i] = &cells[i]
	}
	if q.statement.kind == selecting {
		p.rename(r.columns)
	}
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
		return nil, reason(err, prefix, p.script)
	}
	if err := rows.Close(); err != nil {
		return nil, reason(err, prefix, p.script)
	}
	r.scanned = s.bytesScanned()
	if q.statement.kind == explaining {
		return planOf(r), nil
	}
	return r, nil
}

// planOf makes the result of an EXPLAIN of what the engine tells, whose last column is a text of many lines.
func planOf(r *result) *result {
	var text strings.Builder
	for _, row := range r.rows {
		if last := row[len(row)-1]; last != nil {
			text.WriteString(*last)
		}
	}
	plan := lines("Query Plan", strings.TrimRight(text.String(), "\n"))
	plan.columns[0].kind, plan.scanned = "varchar", r.scanned
	return plan
}
