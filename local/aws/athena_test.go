//go:build cgo

package aws

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	athenasdk "github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"citystream/engine/enginetest"
	"citystream/engine/port"
)

// cells runs a statement and returns its rows as text, a row a line, with the columns' names first.
func (e *endpoint) cells(t *testing.T, sql string) string {
	t.Helper()
	r, err := e.query().Run(t.Context(), enginetest.KnownDatabase, sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return tabbed(r)
}

func tabbed(r *port.Result) string {
	names := make([]string, len(r.Columns))
	for i, c := range r.Columns {
		names[i] = c.Name + ":" + c.Type
	}
	lines := []string{strings.Join(names, "|")}
	for _, row := range r.Rows {
		texts := make([]string, len(row))
		for i, c := range row {
			texts[i] = "NULL"
			if c != nil {
				texts[i] = *c
			}
		}
		lines = append(lines, strings.Join(texts, "|"))
	}
	return strings.Join(lines, "\n")
}

// fails runs a statement that must fail and returns why.
func (e *endpoint) fails(t *testing.T, sql string) string {
	t.Helper()
	r, err := e.query().Run(t.Context(), enginetest.KnownDatabase, sql)
	if !errors.Is(err, port.ErrQueryFailed) {
		t.Fatalf("%s: got %v, %v, want ErrQueryFailed", sql, r, err)
	}
	return err.Error()
}

func TestSQLReadsNothingButTheTablesThatItNames(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	e.known(t)
	secret := filepath.Join(t.TempDir(), "secret.csv")
	if err := os.WriteFile(secret, []byte("a,b\nhidden,hidden\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		"SELECT * FROM read_csv('" + secret + "')",
		"SELECT * FROM read_csv('/etc/passwd')",
		"SELECT * FROM read_text('/etc/passwd')",
		"SELECT * FROM read_blob('/etc/passwd')",
		"SELECT * FROM read_parquet('" + e.lake + "/lake/raw/known_data/date=2026-11-22/hour=05/a.parquet')",
		"SELECT * FROM '/etc/passwd'",
		"SELECT * FROM \"" + secret + "\"",
		"SELECT * FROM glob('/etc/*')",
		"SELECT * FROM query('SELECT 1')",
		"SELECT * FROM query_table('known_data')",
		"SELECT * FROM duckdb_settings()",
		"SELECT * FROM duckdb_settings",
		"SELECT * FROM sqlite_master",
		"SELECT * FROM information_schema.tables",
		"SELECT getenv('HOME')",
		"SELECT current_setting('allowed_paths')",
		"SELECT (SELECT count(*) FROM read_csv('/etc/passwd'))",
		"WITH x AS (SELECT * FROM read_csv('/etc/passwd')) SELECT * FROM x",
		"SELECT 1 UNION ALL SELECT count(*) FROM read_csv('/etc/passwd')",
		"SELECT 1; SELECT 2",
		"SELECT 1; COPY (SELECT 1) TO '/tmp/x'",
		"EXPLAIN COPY (SELECT 1) TO '/tmp/x'",
		"EXPLAIN ANALYZE SELECT * FROM read_csv('/etc/passwd')",
		"COPY (SELECT 1) TO '/tmp/x'", "COPY known_data TO '/tmp/x'",
		"ATTACH '/tmp/x.db'", "INSTALL httpfs", "LOAD httpfs", "SET threads = 8", "RESET lock_configuration", "PRAGMA database_list",
		"CREATE TABLE x AS SELECT 1", "INSERT INTO known_data VALUES (1)", "DELETE FROM known_data", "DROP VIEW known_data", "CALL pragma_version()",
		"EXPORT DATABASE '/tmp/x'", "USE memory", "VACUUM", "CHECKPOINT", "FROM read_csv('/etc/passwd')", "-- SELECT\nSET threads = 8",
		"SELECT 1 AS a -- \r; COPY (SELECT 1) TO '/tmp/x'", "SELECT 1 AS a /* /* */ '*/ ; COPY (SELECT 1) TO ''/tmp/x'' --'", "SELECT * FROM known_data, '" + secret + "'",
		"SELECT * FROM ('" + secret + "' CROSS JOIN known_data)", "SELECT * FROM (TABLE '" + secret + "')", "SELECT * FROM (SUMMARIZE '" + secret + "')", "SELECT * FROM x: '" + secret + "'",
		"SELECT E'\\'', (SELECT a FROM ''" + secret + "'') --'", "SELECT e'\\', 1 AS a FROM '" + secret + "' --'", "SELECT 1e'\\', 1 AS a FROM '" + secret + "' --'",
		"SELECT U&'\\', 1 AS a FROM '" + secret + "' --'", "SELECT 1$$'$$ AS a FROM '" + secret + "' --'", "SELECT * FROM\u00a0'" + secret + "'",
		"/* SELECT */ ATTACH 'x'", "SHOW ALL TABLES", "DESCRIBE '/etc/passwd'", "", ";",
	} {
		if got := e.fails(t, sql); strings.Contains(got, "hidden") || strings.Contains(got, "root:") {
			t.Errorf("%s tells %s", sql, got)
		}
	}
}

// The statement check is one wall; this is what stands behind it.
func TestTheEngineItselfIsLocked(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	e.known(t)
	d, ok := e.Server.athena.runs.engine.(*duck)
	if !ok {
		t.Fatal("no DuckDB")
	}
	s, err := d.open(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}()
	if err := s.prepare(t.Context(), &plan{script: &script{}, tables: []tableRef{{"smart-city", "known_data"}}}, "smart-city"); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(t.TempDir(), "x")
	for _, sql := range []string{
		"SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM read_text('/etc/hostname')", "SELECT * FROM glob('/*')", "SELECT getenv('HOME')",
		"COPY (SELECT 1) TO '" + target + "'", "ATTACH '" + target + "'", "EXPORT DATABASE '" + target + "'",
		"INSTALL httpfs", "LOAD httpfs", "SET threads = 1", "SET enable_external_access = true", "SET allowed_paths = ['/etc/passwd']",
		"RESET lock_configuration", "SET lock_configuration = false", "SELECT * FROM read_parquet('http://127.0.0.1:1/x.parquet')",
	} {
		if _, err := s.conn.ExecContext(t.Context(), sql); err == nil {
			t.Errorf("%s was run", sql)
		}
	}
	if _, err := os.Stat(target); err == nil {
		t.Error("a file was written")
	}
}

// A sample row whose partition keys are columns of the file too.
type confused struct {
	ID   string `parquet:"id"`
	Date string `parquet:"date"`
	Hour int32  `parquet:"hour"`
}

// The columns of a table at three times of its life.
type (
	older struct {
		DeviceID string `parquet:"deviceId"`
		Year     int32  `parquet:"year"`
	}
	newer struct {
		Extra    *int64   `parquet:"extra"`
		Year     int64    `parquet:"YEAR"`
		DeviceID string   `parquet:"DEVICEID"`
		Speed    float32  `parquet:"speed"`
		Unknown  *float64 `parquet:"unknown"`
		Filename string   `parquet:"filename"`
	}
)

func TestColumnsAreTakenByNameAndMissingOnesAreNull(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	a, b := hivePartition("a", "date", "2026-11-22", "hour", "05"), hivePartition("a", "date", "2026-11-22", "hour", "06")
	write(t, e.lake, "lake/raw/a/date=2026-11-22/hour=05/1.parquet", older{"d1", 2020})
	write(t, e.lake, "lake/raw/a/date=2026-11-22/hour=06/2.parquet", newer{new(int64(7)), 2021, "d2", 1.5, nil, "own"})
	e.ensure(t, port.CatalogTable{
		Name: "a", Location: "s3://lake/raw/a/", PartitionKeys: enginetest.KnownTable.PartitionKeys,
		Columns: []port.CatalogColumn{
			{Name: "deviceid", Type: "string"},
			{Name: "year", Type: "bigint"},
			{Name: "speed", Type: "double"},
			{Name: "extra", Type: "bigint"},
			{Name: "never", Type: "timestamp"},
			{Name: "filename", Type: "string"},
		},
	}, a, b)
	want := "deviceid:varchar|year:bigint|speed:double|extra:bigint|never:timestamp|filename:varchar|date:varchar|hour:varchar\n" +
		"d1|2020|NULL|NULL|NULL|NULL|2026-11-22|05\nd2|2021|1.5|7|NULL|own|2026-11-22|06"
	if got := e.cells(t, "SELECT * FROM a ORDER BY hour"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestPartitionKeysHaveTheRegisteredValues(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	row := confused{"r", "of the file", 77}
	odd := port.HivePartition{Values: []string{"it's a / 'day'", "5"}, Location: "s3://lake/elsewhere"}
	lying := port.HivePartition{Values: []string{"2026-11-23", "05"}, Location: "s3://lake/raw/a/date=2026-11-22/hour=06/"}
	for _, key := range []string{
		"lake/raw/a/date=2026-11-22/hour=05/1.parquet",
		"lake/raw/a/date=2026-11-22/hour=05/deeper/2.parquet",
		"lake/raw/a/date=2026-11-22/hour=05/_hidden.parquet",
		"lake/raw/a/date=2026-11-22/hour=05/.hidden.parquet",
		"lake/raw/a/date=2026-11-22/hour=05/_temporary/3.parquet",
		"lake/raw/a/date=2026-11-22/hour=06/1.parquet",
		"lake/raw/a/date=2026-11-22/hour=07/not registered.parquet",
		"lake/elsewhere/1.parquet",
		"lake/elsewhere2/a neighbour.parquet",
	} {
		write(t, e.lake, key, row)
	}
	if err := os.WriteFile(filepath.Join(e.lake, "lake/elsewhere/empty.parquet"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	e.ensure(t, port.CatalogTable{
		Name: "a", Location: "s3://lake/raw/a/", PartitionKeys: enginetest.KnownTable.PartitionKeys,
		Columns: []port.CatalogColumn{{Name: "id", Type: "string"}},
	}, hivePartition("a", "date", "2026-11-22", "hour", "05"), odd, lying, hivePartition("a", "date", "2026-11-22", "hour", "08"))
	want := "id:varchar|date:varchar|hour:varchar\nr|2026-11-22|05\nr|2026-11-22|05\nr|2026-11-23|05\nr|it's a / 'day'|5"
	if got := e.cells(t, "SELECT * FROM a ORDER BY date, hour"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := e.cells(t, "SELECT hour FROM a WHERE date = '2026-11-23'"); got != "hour:varchar\n05" {
		t.Errorf("got %s", got)
	}
	if got, want := e.cells(t, "SHOW PARTITIONS a"), "partition:string\ndate=2026-11-22/hour=05\ndate=2026-11-22/hour=08\n"+
		"date=2026-11-23/hour=05\ndate=it's a / 'day'/hour=5"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAFilterOnAPartitionKeyOpensOnlyItsFiles(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	write(t, e.lake, "lake/raw/a/date=2026-11-22/hour=05/1.parquet", confused{"r", "", 0})
	broken := filepath.Join(e.lake, "lake/raw/a/date=2026-11-22/hour=06/1.parquet")
	if err := os.MkdirAll(filepath.Dir(broken), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(broken, []byte("no Parquet"), 0o600); err != nil {
		t.Fatal(err)
	}
	e.ensure(t, port.CatalogTable{
		Name: "a", Location: "s3://lake/raw/a/", PartitionKeys: enginetest.KnownTable.PartitionKeys,
		Columns: []port.CatalogColumn{{Name: "id", Type: "string"}},
	}, hivePartition("a", "date", "2026-11-22", "hour", "05"), hivePartition("a", "date", "2026-11-22", "hour", "06"))
	if got := e.cells(t, "SELECT id FROM a WHERE hour = '05'"); got != "id:varchar\nr" {
		t.Errorf("got %s", got)
	}
	e.fails(t, "SELECT id FROM a")
}

func TestResultsLookAsInAthena(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	e.known(t)
	for sql, want := range map[string]string{
		"SELECT count(*), sum(year), 1/2, id, max(speed) AS top FROM known_data WHERE id = 'r01' GROUP BY id": "_col0:bigint|_col1:bigint|_col2:integer|id:varchar|top:double\n1|2001|0|r01|1.5",
		"SELECT *, 1 + 1, count(*) OVER () FROM (SELECT id, hour FROM known_data WHERE id = 'r02')":           "id:varchar|hour:varchar|_col2:integer|_col3:bigint\nr02|05|2|1",
		"SELECT count(*) FROM known_data UNION ALL SELECT 1 ORDER BY 1":                                       "_col0:bigint\n1\n25",
		"WITH known_data AS (SELECT 'mine' AS x) SELECT * FROM known_data":                                    "x:varchar\nmine",
		"VALUES (1, 'a')": "_col0:integer|_col1:varchar\n1|a",
		"SELECT 1e0 a, 1e7 b, -12345678.5e0 c, 1e-4 d, 0.1e0 e, CAST('NaN' AS double) f, CAST('-Infinity' AS double) g":                                                                              "a:double|b:double|c:double|d:double|e:double|f:double|g:double\n1.0|1.0E7|-1.23456785E7|1.0E-4|0.1|NaN|-Infinity",
		"SELECT CAST(-1.5 AS decimal(10,2)) a, CAST(0.05 AS decimal(3,2)) b":                                                                                                                         "a:decimal|b:decimal\n-1.50|0.05",
		"SELECT TIMESTAMP '2026-11-22 06:40:00' a, TIMESTAMP '2026-11-22 06:40:00.9995' b, DATE '2026-11-22' c, true d, NULL e, ARRAY[1, 2] f, TIMESTAMP '2026-11-22 06:40:00' AT TIME ZONE 'UTC' g": "a:timestamp|b:timestamp|c:date|d:boolean|e:integer|f:array|g:timestamp with time zone\n2026-11-22 06:40:00.000|2026-11-22 06:40:01.000|2026-11-22|true|NULL|[1, 2]|2026-11-22 06:40:00.000 UTC",
		"SELECT sum(count) a FROM known_data WHERE year >= 2023":                                                                                                                                     "a:bigint\n51677046505472",
		"SELECT approx_distinct(hour) a, date_format(TIMESTAMP '2026-11-22 06:40:05', '%Y-%m-%d %H:%i:%s') b FROM known_data":                                                                        "a:bigint|b:varchar\n2|2026-11-22 06:40:05",
		"SHOW TABLES":                        "tab_name:string\nknown_data",
		"show tables in \"smart-city\" 'k*'": "tab_name:string\nknown_data",
		"SHOW TABLES LIKE '*x*|*y*'":         "tab_name:string",
		"SHOW DATABASES;":                    "database_name:string\nsmart-city",
		"SHOW COLUMNS IN known_data":         "field:string\nid\nnote\nyear\ncount\nspeed\nactive\ntimestamp\nraw\ndate\nhour",
		"DESCRIBE `smart-city`.known_data":   "col_name:string|data_type:string|comment:string\nid|string|\nnote|string|\nyear|int|\ncount|bigint|\nspeed|double|\nactive|boolean|\ntimestamp|timestamp|\nraw|binary|\ndate|string|\nhour|string|\n||\n# Partition Information||\n# col_name|data_type|comment\n||\ndate|string|\nhour|string|",
	} {
		if got := e.cells(t, sql); got != want {
			t.Errorf("%s\ngot\n%s\nwant\n%s", sql, got, want)
		}
	}
	if got := e.cells(t, "EXPLAIN SELECT * FROM known_data"); !strings.Contains(got, "PARQUET") || !strings.HasPrefix(got, "Query Plan:varchar\n") {
		t.Errorf("EXPLAIN tells %s", got)
	}
}

func TestWhatIsWrongWithAQueryIsToldInAthenasWords(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	e.known(t)
	for sql, want := range map[string]string{
		"SELECT *\nFROM nothing":                 "TABLE_NOT_FOUND: line 2:6: Table 'awsdatacatalog.smart-city.nothing' does not exist",
		`SELECT * FROM "no"."nothing"`:           "SCHEMA_NOT_FOUND: line 1:15: Schema 'no' does not exist",
		`SELECT * FROM "x"."no"."nothing"`:       "CATALOG_NOT_FOUND: line 1:15: Catalog 'x' does not exist",
		"SELECT FROM WHERE":                      "SYNTAX_ERROR: line 1:",
		"SELECT * FROM known_data; SELECT 1":     "SYNTAX_ERROR: only one statement",
		"SELECT nothing FROM known_data":         "COLUMN_NOT_FOUND",
		"SELECT CAST(id AS int) FROM known_data": "INVALID_CAST_ARGUMENT",
		"DELETE FROM known_data":                 "line 1:1: NOT_SUPPORTED: DELETE works on Iceberg tables",
		"SELECT id\n  ,nothing FROM known_data":  "COLUMN_NOT_FOUND: line 2:4: Column 'nothing' cannot be resolved",
		"SELECT id, nosuch(id) FROM known_data":  "FUNCTION_NOT_FOUND: line 1:12: Function 'nosuch' not registered",
		"DESCRIBE nothing":                       "TABLE_NOT_FOUND",
		"SELECT 'open":                           "a quote is not closed",
	} {
		if got := e.fails(t, sql); !strings.Contains(got, want) {
			t.Errorf("%s\ngot  %s\nwant %s", sql, got, want)
		}
	}
}

// start begins a statement and returns its id.
func (e *endpoint) start(t *testing.T, sql string) (string, error) {
	t.Helper()
	out, err := e.athena.StartQueryExecution(t.Context(), &athenasdk.StartQueryExecutionInput{
		QueryString: &sql, WorkGroup: sdk.String("primary"), QueryExecutionContext: &types.QueryExecutionContext{Database: sdk.String("smart-city")},
	}, func(o *athenasdk.Options) { o.RetryMaxAttempts = 1 })
	if err != nil {
		return "", err
	}
	return *out.QueryExecutionId, nil
}

func TestAFewQueriesRunSomeWaitAndTheRestIsRefused(t *testing.T) {
	t.Parallel()
	e := open(t, Options{QueriesAtOnce: 1, QueriesWaiting: 1})
	e.known(t)
	first := must[string](t)(e.start(t, endless))
	e.await(t, first, types.QueryExecutionStateRunning)
	second := must[string](t)(e.start(t, "SELECT 1"))
	if x := e.await(t, second, types.QueryExecutionStateQueued); x.Status.CompletionDateTime != nil {
		t.Error("a waiting query is completed")
	}
	_, err := e.start(t, "SELECT 2")
	wantCode(t, "third query", err, "TooManyRequestsException")
	_, err = e.athena.GetQueryResults(t.Context(), &athenasdk.GetQueryResultsInput{QueryExecutionId: &first})
	wantCode(t, "results of a running query", err, "InvalidRequestException")
	must[*athenasdk.StopQueryExecutionOutput](t)(e.athena.StopQueryExecution(t.Context(), &athenasdk.StopQueryExecutionInput{QueryExecutionId: &first}))
	e.await(t, first, types.QueryExecutionStateCancelled)
	x := e.await(t, second, types.QueryExecutionStateSucceeded)
	if x.Status.SubmissionDateTime == nil || x.Status.CompletionDateTime == nil || x.StatementType != types.StatementTypeDml {
		t.Errorf("execution is %+v", x)
	}
	must[*athenasdk.StopQueryExecutionOutput](t)(e.athena.StopQueryExecution(t.Context(), &athenasdk.StopQueryExecutionInput{QueryExecutionId: &second}))
	e.await(t, second, types.QueryExecutionStateSucceeded)
}

func TestAWaitingQueryCanBeStopped(t *testing.T) {
	t.Parallel()
	e := open(t, Options{QueriesAtOnce: 1})
	first, second := must[string](t)(e.start(t, endless)), must[string](t)(e.start(t, endless))
	e.await(t, first, types.QueryExecutionStateRunning, types.QueryExecutionStateQueued)
	for _, id := range []string{second, first} {
		must[*athenasdk.StopQueryExecutionOutput](t)(e.athena.StopQueryExecution(t.Context(), &athenasdk.StopQueryExecutionInput{QueryExecutionId: &id}))
		e.await(t, id, types.QueryExecutionStateCancelled)
	}
}

func TestClosingStopsWhatRuns(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	id := must[string](t)(e.start(t, endless))
	e.await(t, id, types.QueryExecutionStateRunning)
	closed := make(chan struct{})
	go func() {
		e.Server.athena.close()
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(20 * time.Second):
		t.Fatal("a query outlives its server")
	}
}

func TestAStartWithTheSameTokenIsTheSameQuery(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	start := func(sql string) (*athenasdk.StartQueryExecutionOutput, error) {
		return e.athena.StartQueryExecution(t.Context(), &athenasdk.StartQueryExecutionInput{
			QueryString: &sql, ClientRequestToken: sdk.String("0123456789012345678901234567890123456789"),
		})
	}
	a, b := must[*athenasdk.StartQueryExecutionOutput](t)(start("SELECT 1")), must[*athenasdk.StartQueryExecutionOutput](t)(start("SELECT 1"))
	if *a.QueryExecutionId != *b.QueryExecutionId {
		t.Error("two queries for one token")
	}
	_, err := start("SELECT 2")
	wantCode(t, "other query with the token", err, "InvalidRequestException")
}

func TestResultsComeInPagesBehindAHeader(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	e.known(t)
	id := must[string](t)(e.start(t, "SELECT id, note FROM known_data WHERE id < 'r03' ORDER BY id"))
	e.await(t, id, types.QueryExecutionStateSucceeded)
	pages := athenasdk.NewGetQueryResultsPaginator(e.athena, &athenasdk.GetQueryResultsInput{QueryExecutionId: &id, MaxResults: sdk.Int32(2)})
	var got []string
	for pages.HasMorePages() {
		page := must[*athenasdk.GetQueryResultsOutput](t)(pages.NextPage(t.Context()))
		for _, r := range page.ResultSet.Rows {
			got = append(got, fmt.Sprintf("%s %t", *r.Data[0].VarCharValue, r.Data[1].VarCharValue != nil))
		}
		got = append(got, "/")
	}
	if want := []string{"id true", "r00 false", "/", "r01 true", "r02 true", "/"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	other := must[string](t)(e.start(t, "SELECT 1"))
	e.await(t, other, types.QueryExecutionStateSucceeded)
	_, err := e.athena.GetQueryResults(t.Context(), &athenasdk.GetQueryResultsInput{QueryExecutionId: &other, NextToken: sdk.String(id + "/2")})
	wantCode(t, "token of another query", err, "InvalidRequestException")
}

func TestResultsAreBoundedAndTheOldestAreForgotten(t *testing.T) {
	t.Parallel()
	e := open(t, Options{ResultRows: 100, ResultBytes: 10_000, QueriesKept: 2})
	if got := e.cells(t, "SELECT count(*) FROM (SELECT * FROM unnest(sequence(1, 1000)) t(x))"); got != "_col0:bigint\n1000" {
		t.Errorf("got %s", got)
	}
	for _, sql := range []string{"SELECT * FROM unnest(sequence(1, 101)) t(x)", "SELECT repeat('x', 10001)"} {
		if got := e.fails(t, sql); !strings.Contains(got, "EXCEEDED_LOCAL_LIMIT") {
			t.Errorf("%s: %s", sql, got)
		}
	}
	id := must[string](t)(e.start(t, "SELECT 1"))
	e.await(t, id, types.QueryExecutionStateSucceeded)
	for range 2 {
		e.cells(t, "SELECT 1")
	}
	_, err := e.athena.GetQueryExecution(t.Context(), &athenasdk.GetQueryExecutionInput{QueryExecutionId: &id})
	wantCode(t, "forgotten query", err, "InvalidRequestException")
}

func TestTheFirstWorkGroupIsPrimary(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	out := must[*athenasdk.GetWorkGroupOutput](t)(e.athena.GetWorkGroup(t.Context(), &athenasdk.GetWorkGroupInput{WorkGroup: sdk.String("primary")}))
	if *out.WorkGroup.Name != "primary" || out.WorkGroup.State != types.WorkGroupStateEnabled {
		t.Errorf("got %+v", out.WorkGroup)
	}
	_, err := e.athena.GetWorkGroup(t.Context(), &athenasdk.GetWorkGroupInput{WorkGroup: sdk.String("other")})
	wantCode(t, "other work group", err, "InvalidRequestException")
	groups := must[*athenasdk.ListWorkGroupsOutput](t)(e.athena.ListWorkGroups(t.Context(), &athenasdk.ListWorkGroupsInput{}))
	if len(groups.WorkGroups) != 1 {
		t.Errorf("got %+v", groups.WorkGroups)
	}
}

// vanishing objects lists a file that is gone for the first times that it is asked.
type vanishing struct {
	Objects
	left atomic.Int32
}

func (v *vanishing) List(ctx context.Context, bucket, prefix string) ([]Object, error) {
	found, err := v.Objects.List(ctx, bucket, prefix)
	if v.left.Add(-1) >= 0 {
		found = append(found, Object{Key: prefix + "gone.parquet", SizeBytes: 100})
	}
	return found, err
}

// File gives the path of what is listed without a look.
func (v *vanishing) File(ctx context.Context, bucket string, o Object) (string, func(), error) {
	path, release, err := v.Objects.File(ctx, bucket, o)
	if err != nil && v.left.Load()%2 == 0 {
		d, ok := v.Objects.(*DiskObjects)
		if !ok {
			return "", nil, err
		}
		path, err = d.path(bucket, o.Key)
		return path, func() {}, err
	}
	return path, release, err
}

func TestAFileThatVanishesMakesTheQueryListAgain(t *testing.T) {
	t.Parallel()
	lake := t.TempDir()
	objects, err := NewDiskObjects(lake)
	if err != nil {
		t.Fatal(err)
	}
	v := &vanishing{Objects: objects}
	e := open(t, Options{Objects: v})
	e.lake = lake
	e.known(t)
	for gone := range int32(4) {
		v.left.Store(gone)
		if got := e.cells(t, "SELECT count(*), max(id) FROM known_data"); got != "_col0:bigint|_col1:varchar\n25|r24" {
			t.Errorf("after %d: %s", gone, got)
		}
	}
	v.left.Store(1000)
	e.fails(t, "SELECT count(*), max(id) FROM known_data")
}

func TestATableWithoutPartitionKeysIsItsLocation(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	write(t, e.lake, "lake/flat/1.parquet", confused{"a", "", 0})
	write(t, e.lake, "lake/flat/more/2.parquet", confused{"b", "", 0})
	e.ensure(t, port.CatalogTable{Name: "flat", Location: "s3://lake/flat", Columns: []port.CatalogColumn{{Name: "id", Type: "string"}}})
	if got := e.cells(t, "SELECT id FROM flat ORDER BY id"); got != "id:varchar\na\nb" {
		t.Errorf("got %s", got)
	}
	e.ensure(t, port.CatalogTable{Name: "nothing", Location: "s3://nobody/nothing/", Columns: []port.CatalogColumn{{Name: "id", Type: "string"}}})
	if got := e.cells(t, "SELECT id FROM nothing"); got != "id:varchar" {
		t.Errorf("got %s", got)
	}
}
