//go:build cgo

package aws

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/duckdb/duckdb-go/v2"
)

// A duckWarehouse keeps Redshift's databases in files of DuckDB, one each, under its directory. Safe for concurrent use.
//
// The file is attached to an instance whose main database is in memory: DuckDB cannot replay the log of a main file after a kill where a table
// with a function for a default was altered. The instance may open the attached file, and what is linked into the stage, and no other file;
// it is locked before a statement of a user runs in it. Objects that COPY reads, or the tables of an external schema, are linked into the stage
// for as long as the transaction lasts.
type duckWarehouse struct {
	options Options
	catalog *catalog
	dir     string // of the databases
	stage   string
	spill   string

	mu     sync.Mutex
	open   map[string]*duckDatabase
	closed bool
}

// rsDatabasesMax is how many databases may be open: each has memory of its own.
const rsDatabasesMax = 8

// A duckDatabase is one open database.
type duckDatabase struct {
	name      string
	db        *sql.DB
	locks     *rsLocks
	forbidden map[string]bool // functions, in lower case

	mu        sync.Mutex
	externals map[string]rsExternal // by name
}

func newWarehouse(o Options, c *catalog, dir, spill string) rsWarehouse {
	return &duckWarehouse{
		options: o, catalog: c, dir: dir, stage: filepath.Join(spill, "stage"), spill: spill, open: map[string]*duckDatabase{},
	}
}

// rsDatabaseName is what a database may be called: it names a file.
var rsDatabaseName = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,126}$`)

const rsDatabaseSuffix = ".duckdb"

func (w *duckWarehouse) databases() ([]string, error) {
	entries, err := os.ReadDir(w.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("list databases: %w", err)
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), rsDatabaseSuffix); ok {
			names = append(names, name)
		}
	}
	return names, nil
}

// database opens a database, and makes it at its first use.
func (w *duckWarehouse) database(ctx context.Context, name string) (*duckDatabase, error) {
	name = strings.ToLower(name)
	if !rsDatabaseName.MatchString(name) || slices.Contains([]string{"memory", "system", "temp"}, name) {
		return nil, &redshiftError{fmt.Sprintf("database %q does not exist", name), -1}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if d := w.open[name]; d != nil {
		return d, nil
	}
	switch {
	case w.closed:
		return nil, errors.New("the local endpoint is shutting down")
	case len(w.open) == rsDatabasesMax:
		return nil, &redshiftError{fmt.Sprintf("this local endpoint opens %d databases at most", rsDatabasesMax), -1}
	}
	d, err := w.openDatabase(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", name, err)
	}
	w.open[name] = d
	return d, nil
}

func (w *duckWarehouse) openDatabase(ctx context.Context, name string) (_ *duckDatabase, err error) {
	if err := errors.Join(os.MkdirAll(w.dir, 0o700), os.MkdirAll(w.stage, 0o700)); err != nil {
		return nil, err
	}
	if w.stage, err = filepath.EvalSymlinks(w.stage); err != nil {
		return nil, err
	}
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		return nil, err
	}
	d := &duckDatabase{name: name, db: sql.OpenDB(connector), locks: newRSLocks(), forbidden: map[string]bool{}, externals: map[string]rsExternal{}}
	d.db.SetMaxIdleConns(-1) // a connection's temporary tables end with it
	if err := d.setUp(ctx, w); err != nil {
		return nil, errors.Join(err, d.db.Close())
	}
	return d, nil
}

// rsExternalTable keeps the external schemas of a database.
const rsExternalTable = `main.external_schemas`

func (d *duckDatabase) setUp(ctx context.Context, w *duckWarehouse) error {
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	file := rsQuote(d.name)
	for _, text := range []string{
		`SET GLOBAL threads = ` + fmt.Sprint(w.options.Threads),
		`SET GLOBAL memory_limit = '` + fmt.Sprint(w.options.MemoryBytes/1024) + `KiB'`,
		`SET GLOBAL temp_directory = ` + rsLiteral(filepath.Join(w.spill, d.name)),
		`SET GLOBAL autoinstall_known_extensions = false`,
		`SET GLOBAL autoload_known_extensions = false`,
		`SET GLOBAL TimeZone = 'UTC'`,
		`SET GLOBAL integer_division = true`,
		`ATTACH ` + rsLiteral(filepath.Join(w.dir, d.name+rsDatabaseSuffix)) + ` AS ` + file,
		`CREATE SCHEMA IF NOT EXISTS ` + file + `.public`,
		`CREATE TABLE IF NOT EXISTS ` + file + `.` + rsExternalTable + ` (schemaname VARCHAR, databasename VARCHAR, region VARCHAR, iam_role VARCHAR)`,
		`SET GLOBAL allowed_directories = ` + list([]string{w.stage + "/"}),
		`SET GLOBAL enable_external_access = false`,
		`SET GLOBAL lock_configuration = true`,
	} {
		if _, err := conn.ExecContext(ctx, text); err != nil {
			return fmt.Errorf("set up the SQL engine: %w", err)
		}
	}
	err = rsEach(ctx, conn, `SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type IN ('table', 'pragma', 'table_macro')
		AND function_name NOT IN ('unnest', 'generate_series', 'range')
		AND function_name NOT IN (SELECT function_name FROM duckdb_functions() WHERE function_type IN ('scalar', 'aggregate', 'macro'))`,
		func(cells []any) { d.forbidden[strings.ToLower(fmt.Sprint(cells[0]))] = true })
	if err != nil {
		return err
	}
	for _, f := range hiddenRedshiftFunctions {
		d.forbidden[f] = true
	}
	return rsEach(ctx, conn, `SELECT schemaname, databasename, region, iam_role FROM `+file+`.`+rsExternalTable, func(c []any) {
		x := rsExternal{fmt.Sprint(c[0]), fmt.Sprint(c[1]), fmt.Sprint(c[2]), fmt.Sprint(c[3])}
		d.externals[x.name] = x
	})
}

// hiddenRedshiftFunctions tell of this machine, or run text as SQL.
var hiddenRedshiftFunctions = []string{"current_setting", "getenv", "getvariable", "version", "write_log", "current_connection_id", "current_query"}

// rsEach calls f with the cells of every row of a query of the endpoint's own.
func rsEach(ctx context.Context, conn *sql.Conn, text string, f func(cells []any)) error {
	rows, err := conn.QueryContext(ctx, text)
	if err != nil {
		return fmt.Errorf("ask the SQL engine: %w", err)
	}
	defer func() { _ = rows.Close() }()
	names, err := rows.Columns()
	if err != nil {
		return fmt.Errorf("ask the SQL engine: %w", err)
	}
	for rows.Next() {
		cells, targets := make([]any, len(names)), make([]any, len(names))
		for i := range cells {
			targets[i] = &cells[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return fmt.Errorf("ask the SQL engine: %w", err)
		}
		f(cells)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("ask the SQL engine: %w", err)
	}
	return nil
}

func (w *duckWarehouse) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	var faults []error
	for name, d := range w.open {
		faults = append(faults, d.db.Close())
		delete(w.open, name)
	}
	return errors.Join(append(faults, os.RemoveAll(w.stage))...)
}

// redshiftMacros are functions of Redshift that the engine has not.
var redshiftMacros = []string{
	`rs_unit(p) AS (CASE lower(p) ` +
		`WHEN 'year' THEN INTERVAL 1 YEAR WHEN 'years' THEN INTERVAL 1 YEAR WHEN 'y' THEN INTERVAL 1 YEAR WHEN 'yr' THEN INTERVAL 1 YEAR ` +
		`WHEN 'quarter' THEN INTERVAL 3 MONTH WHEN 'qtr' THEN INTERVAL 3 MONTH ` +
		`WHEN 'month' THEN INTERVAL 1 MONTH WHEN 'months' THEN INTERVAL 1 MONTH WHEN 'mon' THEN INTERVAL 1 MONTH ` +
		`WHEN 'week' THEN INTERVAL 7 DAY WHEN 'weeks' THEN INTERVAL 7 DAY WHEN 'w' THEN INTERVAL 7 DAY ` +
		`WHEN 'day' THEN INTERVAL 1 DAY WHEN 'days' THEN INTERVAL 1 DAY WHEN 'd' THEN INTERVAL 1 DAY ` +
		`WHEN 'hour' THEN INTERVAL 1 HOUR WHEN 'hours' THEN INTERVAL 1 HOUR WHEN 'h' THEN INTERVAL 1 HOUR WHEN 'hr' THEN INTERVAL 1 HOUR ` +
		`WHEN 'minute' THEN INTERVAL 1 MINUTE WHEN 'minutes' THEN INTERVAL 1 MINUTE WHEN 'm' THEN INTERVAL 1 MINUTE WHEN 'min' THEN INTERVAL 1 MINUTE ` +
		`WHEN 'second' THEN INTERVAL 1 SECOND WHEN 'seconds' THEN INTERVAL 1 SECOND WHEN 's' THEN INTERVAL 1 SECOND WHEN 'sec' THEN INTERVAL 1 SECOND ` +
		`WHEN 'millisecond' THEN INTERVAL 1 MILLISECOND WHEN 'ms' THEN INTERVAL 1 MILLISECOND ` +
		`ELSE error('datepart ' || p || ' is not one that this local endpoint knows') END)`,
	`rs_dateadd(p, n, x) AS CAST(x AS TIMESTAMP) + CAST(n AS BIGINT) * rs_unit(p)`,
	`rs_datediff(p, a, b) AS datediff(CASE lower(p) WHEN 'y' THEN 'year' WHEN 'yr' THEN 'year' WHEN 'mon' THEN 'month' WHEN 'w' THEN 'week' ` +
		`WHEN 'd' THEN 'day' WHEN 'h' THEN 'hour' WHEN 'hr' THEN 'hour' WHEN 'm' THEN 'minute' WHEN 'min' THEN 'minute' WHEN 's' THEN 'second' ` +
		`WHEN 'sec' THEN 'second' ELSE lower(p) END, CAST(a AS TIMESTAMP), CAST(b AS TIMESTAMP))`,
	`rs_charindex(part, whole) AS strpos(whole, part)`,
	`nvl2(x, a, b) AS CASE WHEN x IS NULL THEN b ELSE a END`,
	`json_parse(x) AS CAST(x AS JSON)`,
	`json_serialize(x) AS CAST(x AS VARCHAR)`,
}

// rsSystemViews are the views of Redshift's catalog that clients ask for. %s is the database.
var rsSystemViews = map[string]string{
	"svv_columns": `SELECT table_catalog, table_schema, table_name, column_name, ordinal_position, column_default, is_nullable,
		CASE data_type WHEN 'VARCHAR' THEN 'character varying' WHEN 'DOUBLE' THEN 'double precision' WHEN 'FLOAT' THEN 'real' WHEN 'BLOB' THEN 'binary varying'
			WHEN 'TIMESTAMP' THEN 'timestamp without time zone' WHEN 'JSON' THEN 'super'
			ELSE CASE WHEN data_type LIKE 'DECIMAL%%' THEN 'numeric' ELSE lower(data_type) END END AS data_type,
		CASE WHEN data_type = 'VARCHAR' THEN 65535 END AS character_maximum_length, numeric_precision, numeric_scale
		FROM information_schema.columns WHERE table_catalog = '%s' AND table_schema <> 'main'`,
	"svv_tables": `SELECT table_catalog, table_schema, table_name, table_type, NULL::VARCHAR AS remarks
		FROM information_schema.tables WHERE table_catalog = '%s' AND table_schema <> 'main'`,
	"svv_external_schemas": `SELECT row_number() OVER (ORDER BY schemaname) AS esoid, 1 AS eskind, schemaname, 1 AS esowner, databasename,
		'{"IAM_ROLE":"' || iam_role || '","REGION":"' || region || '"}' AS esoptions FROM "%s".main.external_schemas`,
	"svv_all_schemas": `SELECT '%[1]s' AS database_name, schema_name, 1 AS schema_owner, 'local' AS schema_type, NULL::VARCHAR AS schema_acl,
		NULL::VARCHAR AS source_database, NULL::VARCHAR AS schema_option
		FROM information_schema.schemata WHERE catalog_name = '%[1]s' AND schema_name <> 'main'
		UNION ALL SELECT '%[1]s', schemaname, 1, 'external', NULL, databasename, NULL FROM "%[1]s".main.external_schemas`,
}

// connect returns a connection to the database with Redshift's functions, and those of its views that the statements name.
func (d *duckDatabase) connect(ctx context.Context, sqls []string) (*sql.Conn, error) {
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to database %s: %w", d.name, err)
	}
	setup := []string{`USE ` + rsQuote(d.name) + `.public`}
	for _, m := range redshiftMacros {
		setup = append(setup, `CREATE TEMP MACRO `+m)
	}
	text := strings.ToLower(strings.Join(sqls, "\n"))
	for name, query := range rsSystemViews {
		if strings.Contains(text, name) {
			setup = append(setup, `CREATE TEMP VIEW `+name+` AS `+fmt.Sprintf(query, d.name))
		}
	}
	for _, s := range setup {
		if _, err := conn.ExecContext(ctx, s); err != nil {
			return nil, errors.Join(fmt.Errorf("set up the SQL engine: %w", err), conn.Close())
		}
	}
	return conn, nil
}
