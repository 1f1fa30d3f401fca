//go:build cgo

package aws

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata/types"
	"github.com/google/go-cmp/cmp"

	"citystream/engine/port"
)

// refused runs statements that must fail and returns why.
func (e *endpoint) refused(t *testing.T, sqls ...string) string {
	t.Helper()
	done := e.statement(t, sqls...)
	if done.Status != types.StatusStringFailed {
		t.Fatalf("%s: %s, want FAILED", sqls, done.Status)
	}
	return sdk.ToString(done.Error)
}

func TestRedshiftsOwnSQLIsUnderstood(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	for _, sql := range []string{
		`CREATE SCHEMA IF NOT EXISTS city AUTHORIZATION admin`,
		`CREATE TABLE city.trips (
			id BIGINT IDENTITY(1, 1) NOT NULL ENCODE az64,
			vehicle VARCHAR(max) ENCODE lzo DISTKEY,
			note CHARACTER VARYING(20) DEFAULT 'it''s none'::varchar NOT NULL,
			details SUPER, raw VARBYTE(100), price DECIMAL(8,2),
			moment TIMESTAMP DEFAULT GETDATE() SORTKEY, zoned TIMESTAMPTZ DEFAULT SYSDATE,
			PRIMARY KEY (id), UNIQUE (vehicle), FOREIGN KEY (vehicle) REFERENCES city.vehicles (id)
		) DISTSTYLE KEY BACKUP NO`,
		`CREATE TABLE IF NOT EXISTS city.trips (id int) DISTKEY (id) COMPOUND SORTKEY (id, id)`,
		`CREATE TABLE other (a int PRIMARY KEY, b int UNIQUE REFERENCES city.trips(id)) DISTSTYLE EVEN INTERLEAVED SORTKEY (a) ENCODE AUTO`,
		`INSERT INTO other VALUES (1, 1), (1, 1)`, // not enforced
		`ALTER TABLE other ADD COLUMN c SUPER ENCODE zstd`,
		`ALTER TABLE other ADD d varchar(max) DEFAULT 'x'`,
		`ALTER TABLE other ALTER DISTKEY a`, `ALTER TABLE other ADD CONSTRAINT pk PRIMARY KEY (a)`,
		`VACUUM other`, `ANALYZE other`, `GRANT SELECT ON other TO PUBLIC`,
		`INSERT INTO city.trips (vehicle, price, details, raw) VALUES ('a', 1.5, JSON_PARSE('{"x": 1}'), 'ab'::varbyte(2)), ('b', NVL(NULL, 2), NULL, NULL)`,
		`CREATE TABLE copied DISTSTYLE ALL AS SELECT id, vehicle FROM city.trips`,
		`CREATE TABLE alike (LIKE city.trips)`,
		`CREATE TABLE summary (a int)`, `INSERT INTO "public".summary (a) VALUES (1)`, // functions of the engine are called so too
		`CREATE VIEW seen AS SELECT vehicle FROM city.trips`,
	} {
		if done := e.statement(t, sql); done.Status != types.StatusStringFinished {
			t.Errorf("%s: %s: %s", sql, done.Status, sdk.ToString(done.Error))
		}
	}
	for sql, want := range map[string]string{
		`SELECT id, vehicle, note, price, details, raw FROM city.trips ORDER BY id`:                             `1|a|it's none|1.50|{"x":1}|6162;2|b|it's none|2.00||`,
		`SELECT a, b, c, d FROM "dev"."public"."other"`:                                                         "1|1||x;1|1||x",
		`SELECT DATEDIFF(minute, moment, GETDATE()), DATEDIFF(day, '2026-01-31', '2026-03-01') FROM city.trips`: "0|29;0|29",
		`SELECT DATEADD(month, 1, '2026-01-31'), dateadd(h, -2, TIMESTAMP '2026-01-01 01:00:00.5')`:             "2026-02-28 00:00:00|2025-12-31 23:00:00.5",
		`SELECT 7 / 2, NVL2(NULL, 1, 2), LEN('abc'), CHARINDEX('b', 'abc')`:                                     "3|2|3|2",
		`SELECT CAST('5' AS int) + 1, '7'::INT, CAST('x' AS VARCHAR(max))`:                                      "6|7|x",
		`SELECT APPROXIMATE COUNT(DISTINCT vehicle) FROM city.trips`:                                            "2",
		`SELECT 1 MINUS SELECT 2`: "1",
		`SELECT 'a\\b', 'it\'s', extract(year from '2026-01-01'::date)`:                                  `a\b|it's|2026`,
		`SELECT count(*) FROM copied`:                                                                    "2",
		`SELECT count(*), sum(a) FROM alike, other`:                                                      "0|",
		`SELECT vehicle FROM seen ORDER BY 1`:                                                            "a;b",
		`SELECT column_name || ' ' || data_type FROM svv_columns WHERE table_name = 'copied' ORDER BY 1`: "id bigint;vehicle character varying",
		`SELECT table_name FROM svv_tables WHERE table_schema = 'city'`:                                  "trips",
		`SELECT schema_name, schema_type FROM svv_all_schemas ORDER BY 1`:                                "city|local;public|local",
		`WITH x AS (SELECT 1 AS a) SELECT a FROM x;`:                                                     "1",
	} {
		if got := strings.Join(e.rows(t, sql), ";"); got != want {
			t.Errorf("%s: got %s, want %s", sql, got, want)
		}
	}
}

func TestErrorsHaveRedshiftsWordsAndThePlace(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	if got := e.statement(t, "CREATE TABLE t (id int, name varchar(10))"); got.Status != types.StatusStringFinished {
		t.Fatal(sdk.ToString(got.Error))
	}
	for sql, want := range map[string]string{
		"SELEKT 1":                                      "ERROR: syntax error at or near \"SELEKT\"\n  Position: 1",
		"SELECT id FROM\n  t WHEERE id = 1":             "ERROR: syntax error at or near \"id\"",
		"SELECT * FROM never":                           "ERROR: relation \"never\" does not exist\n  Position: 15",
		"SELECT NVL(id, 1), ü FROM t":                   "ERROR: column \"ü\" does not exist\n  Position: 20",
		"SELECT nope(id) FROM t":                        "ERROR: function nope does not exist\n  Position: 8",
		"SELECT 'x":                                     "ERROR: unterminated quoted string\n  Position: 8",
		"CREATE TABLE t (id int)":                       `ERROR: Relation "t" already exists`,
		"SELECT 1; SELECT 2":                            "ERROR: cannot insert multiple commands into a prepared statement\n  Position: 9",
		"SELECT CAST('no' AS INTEGER)":                  "ERROR: Could not convert string 'no' to INT32",
		"CREATE TABLE u (id int) SORTED":                "ERROR: syntax error at or near \"SORTED\"\n  Position: 25",
		"UNLOAD ('SELECT 1') TO 's3://x'":               "ERROR: UNLOAD is not taken by this local endpoint",
		"ALTER TABLE t ADD x timestamp DEFAULT SYSDATE": "ERROR: ALTER TABLE ADD COLUMN takes no function",
		"LOCK never":                                    "ERROR: relation \"never\" does not exist",
		"BEGIN":                                         "ERROR: transactions of several calls are not kept",
		"DROP SCHEMA never":                             `ERROR: schema "never" does not exist`,
		"COPY t FROM 's3://lake/x'":                     "ERROR: this local endpoint copies Parquet only",
		"COPY t FROM 's3://lake/x' FORMAT AS PARQUET":   "ERROR: Invalid credentials.",
		"COPY t FROM 's3://lake/x' IAM_ROLE default FORMAT AS PARQUET REGION 'x'": "ERROR: REGION argument is not supported for PARQUET based COPY",
		"COPY t FROM 's3://lake/x' IAM_ROLE default PARQUET MAXERROR 5":           "ERROR: MAXERROR argument is not supported for PARQUET based COPY",
		"COPY t (id) FROM 's3://lake/x' IAM_ROLE default PARQUET":                 "ERROR: Column mapping option argument is not supported",
		"COPY t FROM 's3://lake/x' IAM_ROLE default PARQUET":                      "ERROR: The specified S3 prefix 'x' does not exist",
		"COPY t FROM 's3://lake/x' IAM_ROLE default PARQUET MANIFEST":             "ERROR: Problem reading manifest file",
		"COPY t FROM '/etc/passwd' IAM_ROLE default PARQUET":                      "ERROR: The S3 location '/etc/passwd' is invalid",
		"CREATE EXTERNAL SCHEMA x FROM DATA CATALOG DATABASE 'd'":                 "ERROR: IAM_ROLE is required",
	} {
		if got := e.refused(t, sql); !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %q, want %q", sql, got, want)
		}
	}
}

type twoColumns struct {
	ID   int32  `parquet:"some_id"`
	Name string `parquet:"some_name"`
}

func manifestOf(t *testing.T, lake, name, entries string) {
	t.Helper()
	if err := (lakeStore{filepath.Join(lake, "lake")}).Put(t.Context(), name, []byte(`{"entries": [`+entries+`]}`)); err != nil {
		t.Fatal(err)
	}
}

func TestCopyIsByPositionAndStrict(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	write(t, e.lake, "lake/in/a.parquet", twoColumns{1, "one"}, twoColumns{2, "two"})
	write(t, e.lake, "lake/in/b.parquet", twoColumns{3, "three"})
	write(t, e.lake, "lake/long/a.parquet", twoColumns{1, strings.Repeat("x", 65_536)})
	info, err := os.Stat(filepath.Join(e.lake, "lake/in/a.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	entry := func(size int64) string {
		return fmt.Sprintf(`{"url": "s3://lake/in/a.parquet", "mandatory": true, "meta": {"content_length": %d}}`, size)
	}
	manifestOf(t, e.lake, "good", entry(info.Size()))
	manifestOf(t, e.lake, "size", entry(info.Size()+1))
	manifestOf(t, e.lake, "bare", `{"url": "s3://lake/in/a.parquet", "mandatory": true}`)
	manifestOf(t, e.lake, "gone", `{"url": "s3://lake/in/gone.parquet", "mandatory": true, "meta": {"content_length": 1}}`)
	for _, sql := range []string{"CREATE TABLE t (a int, b varchar(10))", "CREATE TABLE three (a int, b varchar, c int)", "CREATE TABLE big (a bigint, b varchar)"} {
		e.run(t, sql)
	}
	const from = " IAM_ROLE 'arn:aws:iam::1:role/x' FORMAT AS PARQUET"
	if got := e.rows(t, "COPY t FROM 's3://lake/in/'"+from, "COPY t FROM 's3://lake/good'"+from+" MANIFEST", "SELECT a, b FROM t ORDER BY 1"); strings.Join(got, ";") !=
		"1|one;1|one;2|two;2|two;3|three" {
		t.Errorf("got %v", got)
	}
	for sql, want := range map[string]string{
		"COPY three FROM 's3://lake/in/'" + from:            "Unmatched number of columns between table and file. Table columns: 3, Data columns: 2",
		"COPY big FROM 's3://lake/in/'" + from:              "incompatible Parquet schema for column 'a'",
		"COPY t FROM 's3://lake/size'" + from + " MANIFEST": "content_length",
		"COPY t FROM 's3://lake/bare'" + from + " MANIFEST": "meta.content_length",
		"COPY t FROM 's3://lake/gone'" + from + " MANIFEST": "NoSuchKey",
		"COPY t FROM 's3://lake/long/'" + from:              "Table: 65535, Data: 65536",
		"COPY t FROM 's3://lake/good'" + from:               "cannot be read as Parquet",
	} {
		if got := e.refused(t, sql); !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", sql, got, want)
		}
	}
	if got := e.rows(t, "SELECT count(*) FROM t"); got[0] != "5" {
		t.Errorf("failed copies left %v rows", got)
	}
}

func TestABatchIsOneTransaction(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	e.run(t, "CREATE TABLE t (id int)")
	done := e.statement(t, "INSERT INTO t VALUES (1)", "CREATE TABLE u (id int)", "INSERT INTO never VALUES (1)", "INSERT INTO t VALUES (2)")
	if !strings.HasPrefix(sdk.ToString(done.Error), `Query #3 failed with ERROR: relation "never" does not exist`) {
		t.Errorf("the batch says %s", sdk.ToString(done.Error))
	}
	var statuses []types.StatementStatusString
	for _, s := range done.SubStatements {
		statuses = append(statuses, s.Status)
	}
	want := []types.StatementStatusString{
		types.StatementStatusStringFinished, types.StatementStatusStringFinished, types.StatementStatusStringFailed, types.StatementStatusStringAborted,
	}
	if diff := cmp.Diff(want, statuses); diff != "" {
		t.Errorf("statuses differ (-want +got):\n%s", diff)
	}
	if got := e.rows(t, "SELECT count(*) FROM t"); got[0] != "0" {
		t.Errorf("%s rows are left of a batch that failed", got)
	}
	e.refused(t, "SELECT * FROM u")
	e.refused(t, "INSERT INTO t VALUES (7)", "TRUNCATE t", "SELECT * FROM never") // TRUNCATE commits
	if got := e.rows(t, "SELECT count(*) FROM t"); got[0] != "0" {
		t.Errorf("%s rows", got)
	}
	e.run(t, "INSERT INTO t VALUES (8)")
	e.refused(t, "TRUNCATE t", "SELECT * FROM never")
	if got := e.rows(t, "SELECT count(*) FROM t"); got[0] != "0" {
		t.Errorf("TRUNCATE was rolled back: %s rows", got)
	}
	if got := e.rows(t, "CREATE TEMP TABLE mine (id int)", "INSERT INTO mine VALUES (5)", "SELECT id FROM mine"); got[0] != "5" {
		t.Errorf("a temporary table has %v", got)
	}
	e.refused(t, "SELECT * FROM mine") // it ended with its session
}

// Eight transactions that overlap, each of which looks whether a commit is loaded before it adds the rows. Without the lock each looks at the
// state before the others; with it each waits for the one before. No transaction ends before all have been submitted.
func TestOnlyTheLockKeepsOverlappingLoadsApart(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		lock string
		once bool
	}{"with LOCK first": {"LOCK load_log", true}, "with NOT EXISTS alone": {"SELECT count(*) FROM load_log", false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := open(t, Options{})
			e.run(t, "CREATE TABLE events (id int)")
			e.run(t, "CREATE TABLE load_log (commit_id varchar(10) PRIMARY KEY)")
			e.run(t, "CREATE TABLE gate (id int)")
			d, err := e.Server.redshift.runs.engine.(*duckWarehouse).database(t.Context(), "dev")
			if err != nil {
				t.Fatal(err)
			}
			gate := d.locks.begin()
			if err := gate.lock(t.Context(), "gate"); err != nil {
				t.Fatal(err)
			}
			var ids []string
			for range 8 {
				id, err := e.submit(t.Context(), test.lock, "SELECT * FROM gate",
					"INSERT INTO events SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM load_log WHERE commit_id = 'a')",
					"INSERT INTO load_log SELECT 'a' WHERE NOT EXISTS (SELECT 1 FROM load_log WHERE commit_id = 'a')")
				if err != nil {
					t.Fatal(err)
				}
				ids = append(ids, id)
			}
			await(t, "all that can wait at the gate do", func() bool {
				at := 0
				for _, id := range ids {
					if x, err := e.Server.redshift.runs.find(id); err == nil && x.status == rsStarted && x.at == 1 {
						at++
					}
				}
				return at == 8 || test.once && at == 1
			})
			gate.end()
			for _, id := range ids {
				if done := e.ended(t, id); done.Status != types.StatusStringFinished {
					t.Errorf("%s: %s", done.Status, sdk.ToString(done.Error))
				}
			}
			if got := e.rows(t, "SELECT count(*) FROM events")[0]; (got == "1") != test.once {
				t.Errorf("%s rows", got)
			}
		})
	}
}

func TestTwoThatWaitForEachOtherDoNotWaitForEver(t *testing.T) {
	t.Parallel()
	locks := newRSLocks()
	a, b := locks.begin(), locks.begin()
	if err := errors.Join(a.lock(t.Context(), "x"), b.lock(t.Context(), "y")); err != nil {
		t.Fatal(err)
	}
	waited := make(chan error, 1)
	go func() { waited <- a.touch(t.Context(), []string{"y"}) }()
	await(t, "a waits", func() bool {
		locks.mu.Lock()
		defer locks.mu.Unlock()
		return len(a.waits) > 0
	})
	if err := b.touch(t.Context(), []string{"x"}); err == nil || !strings.Contains(err.Error(), "deadlock detected") {
		t.Errorf("got %v", err)
	}
	b.end()
	if err := <-waited; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := locks.begin().lock(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

func TestRedshiftSQLReadsNothingOutsideTheWarehouse(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	e.run(t, "CREATE TABLE t (id varchar)")
	write(t, e.lake, "lake/in/a.parquet", twoColumns{1, "hidden"})
	secret := filepath.Join(t.TempDir(), "secret.csv")
	if err := os.WriteFile(secret, []byte("a,b\nhidden,hidden\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(t.TempDir(), "out")
	for _, sql := range []string{
		"SELECT * FROM read_csv('" + secret + "')", "SELECT * FROM \"read_csv\"('" + secret + "')", "SELECT * FROM read_text('/etc/passwd')",
		"SELECT * FROM READ_BLOB('" + e.options.Dir + "/redshift/dev.duckdb')", "SELECT * FROM read_parquet('" + e.lake + "/lake/in/a.parquet')",
		"SELECT * FROM parquet_metadata('" + e.lake + "/lake/in/a.parquet')", "SELECT * FROM '" + secret + "'", "SELECT * FROM \"" + secret + "\"",
		"SELECT * FROM t JOIN '" + secret + "' ON true", "SELECT * FROM glob('/etc/*')", "SELECT * FROM query('SELECT 1')", "SELECT * FROM query_table('t')",
		"SELECT * FROM duckdb_settings()", "SELECT * FROM duckdb_settings", "SELECT * FROM sqlite_master", "SELECT getenv('HOME')",
		"SELECT current_setting('temp_directory')", "INSERT INTO t SELECT content FROM read_text('/etc/passwd')", "INSERT INTO t FROM read_text('/etc/passwd')",
		"CREATE TABLE u AS SELECT * FROM read_text('/etc/passwd')", "CREATE TABLE u AS SELECT * FROM '" + secret + "'",
		"CREATE VIEW u AS SELECT * FROM read_text('/etc/passwd')", "UPDATE t SET id = (SELECT content FROM read_text('/etc/passwd'))",
		"DELETE FROM t USING read_text('/etc/passwd') f", "CREATE TABLE u (a varchar DEFAULT getenv('HOME'))", "ALTER TABLE t ADD COLUMN u varchar DEFAULT getenv('HOME')",
		"COPY t TO '" + target + "'", "COPY (SELECT 1) TO '" + target + "'", "EXPLAIN ANALYZE COPY (SELECT 1) TO '" + target + "'",
		"ATTACH '" + target + "'", "INSTALL httpfs", "LOAD httpfs", "SET search_path TO x", "PRAGMA database_list", "EXPORT DATABASE '" + target + "'", "USE memory", "CHECKPOINT",
		"CALL pragma_version()", "DESCRIBE t", "SHOW TABLES", "FROM t", "SELECT $$x$$", "SELECT 1; ATTACH 'x'", "-- SELECT\nATTACH 'x'", "/* */ INSTALL x",
		"SELECT 1 -- \r; COPY (SELECT 1) TO '" + target + "'", "SELECT 1 /* /* */ '*/ ; COPY (SELECT 1) TO ''" + target + "'' --'",
		"SELECT * FROM t, '" + secret + "'", "SELECT * FROM t, LATERAL '" + secret + "'", "SELECT * FROM t set, '" + secret + "'", "SELECT * FROM ('" + secret + "' CROSS JOIN t)",
		"SELECT * FROM (TABLE '" + secret + "')", "SELECT * FROM (DESCRIBE '" + secret + "')", "SELECT * FROM (SUMMARIZE '" + secret + "')", "SELECT * FROM x: '" + secret + "'",
		"SELECT * FROM t JOIN (SELECT 1) u ON true, '" + secret + "'", "INSERT INTO trim (SELECT * FROM '" + secret + "')", "DELETE FROM t USING '" + secret + "' f",
		"SELECT E'\\'', (SELECT a FROM ''" + secret + "'') --'", "SELECT e'\\', 1 AS a FROM '" + secret + "' --'", "SELECT 1e'\\', 1 AS a FROM '" + secret + "' --'",
		"SELECT U&'\\', 1 AS a FROM '" + secret + "' --'", "SELECT 1$$'$$ FROM '" + secret + "' --'", "SELECT * FROM\u00a0'" + secret + "'", "SELECT * FROM\u00a0 '" + secret + "'",
		"DROP TABLE t '\\'; COPY (SELECT 1) TO ''" + target + "'' --'", "ALTER TABLE t RENAME TO u '\\'; COPY (SELECT 1) TO ''" + target + "'' --'",
		"CREATE MACRO f() AS 1", "CREATE SECRET x (TYPE s3)", "CREATE TABLE t2 (LIKE read_text)", "", ";",
	} {
		done := e.statement0(t, sql)
		if strings.Contains(done, "hidden") || strings.Contains(done, "root:") || strings.Contains(done, "FINISHED") {
			t.Errorf("%s: %s", sql, done)
		}
	}
	if _, err := os.Stat(target); err == nil {
		t.Error("a file was written")
	}
}

// statement0 runs a statement that may be refused already when it is sent.
func (e *endpoint) statement0(t *testing.T, sql string) string {
	t.Helper()
	id, err := e.submit(t.Context(), sql)
	if err != nil {
		return err.Error()
	}
	done := e.ended(t, id)
	return string(done.Status) + " " + sdk.ToString(done.Error)
}

// The check of the statement is one wall; this is what stands behind it.
func TestTheWarehousesEngineItselfIsLocked(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	d, err := e.Server.redshift.runs.engine.(*duckWarehouse).database(t.Context(), "dev")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := d.connect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	target := filepath.Join(t.TempDir(), "x")
	for _, sql := range []string{
		"SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM read_text('/etc/hostname')", "SELECT * FROM '/etc/passwd'", "SELECT * FROM glob('/etc/*')",
		"COPY (SELECT 1) TO '" + target + "'", "ATTACH '" + target + "'", "EXPORT DATABASE '" + target + "'", "INSTALL httpfs", "LOAD httpfs",
		"SET GLOBAL threads = 1", "SET enable_external_access = true", "SET allowed_directories = ['/']", "SET lock_configuration = false",
	} {
		if _, err := conn.ExecContext(t.Context(), sql); err == nil {
			t.Errorf("%s was run", sql)
		}
	}
}

// What is staged are the store's objects themselves, by another name. A COPY that does not write to a file of its own first would write over them.
func TestNoStatementWritesOverWhatIsStaged(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	e.run(t, "CREATE TABLE t (id varchar)")
	write(t, e.lake, "lake/in/a.parquet", twoColumns{1, "kept"})
	object := filepath.Join(e.lake, "lake/in/a.parquet")
	before, err := os.ReadFile(object)
	if err != nil {
		t.Fatal(err)
	}
	w := e.Server.redshift.runs.engine.(*duckWarehouse)
	staged, err := rsLink(object, filepath.Join(w.stage, "other"), "lake", "in/a.parquet")
	if err != nil {
		t.Fatal(err)
	}
	d, err := w.database(t.Context(), "dev")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := d.connect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	over := "COPY (SELECT 1 AS a) TO '" + staged + "' (FORMAT parquet, USE_TMP_FILE false)"
	behind := &duckTransaction{conn: conn}
	for _, sql := range []string{over, "SELECT 1; " + over, "SELECT 1 -- \r; " + over, "SELECT 1; SELECT 2", "ATTACH ':memory:' AS x", "CHECKPOINT"} {
		if done := e.statement0(t, sql); strings.Contains(done, "FINISHED") {
			t.Errorf("%s: %s", sql, done)
		}
		if err := behind.check(&redshiftStatement{sql: sql}); err == nil {
			t.Errorf("the second wall takes %s", sql)
		}
	}
	if err := behind.check(&redshiftStatement{sql: "SELECT 1"}); err != nil {
		t.Error(err)
	}
	if after, err := os.ReadFile(object); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the object was written over: %d bytes, %v", len(after), err)
	}
}

func TestWhatWasCommittedIsThereAfterAKill(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	e.run(t, "CREATE TABLE t (id int, moment timestamp DEFAULT GETDATE())")
	e.run(t, "ALTER TABLE t ADD COLUMN more timestamp DEFAULT '2026-01-01'")
	e.run(t, "INSERT INTO t (id) VALUES (1), (2)")
	e.run(t, "CREATE EXTERNAL SCHEMA lake FROM DATA CATALOG DATABASE 'smart-city' IAM_ROLE default")
	o := e.options
	o.Dir = t.TempDir()
	if err := os.CopyFS(o.Dir, os.DirFS(e.options.Dir)); err != nil { // as the files are at this moment
		t.Fatal(err)
	}
	again := open(t, o)
	if got := again.rows(t, "SELECT count(*), count(moment), count(more) FROM t"); got[0] != "2|2|2" {
		t.Errorf("got %v", got)
	}
	if got := again.rows(t, "SELECT schemaname, databasename FROM svv_external_schemas"); strings.Join(got, ";") != "lake|smart-city" {
		t.Errorf("got %v", got)
	}
}

func TestAnExternalSchemaShowsTheTablesOfGlue(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	e.known(t)
	o := rsOptions()
	o.Schema = "lake"
	w := e.warehouse(o, e.redshift)
	external := port.ExternalSchema{Database: "smart-city", Region: testRegion, IAMRole: "arn:aws:iam::1:role/x"}
	for range 2 {
		if err := w.EnsureExternalSchema(t.Context(), external); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := w.Rows(t.Context(), "known_data"); err != nil || n != 25 {
		t.Errorf("%d rows, %v", n, err)
	}
	if _, err := w.Rows(t.Context(), "never"); !errors.Is(err, port.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	e.run(t, "CREATE TABLE names AS SELECT id, 'name of ' || id AS name FROM lake.known_data WHERE hour = '06'")
	got := e.rows(t, `SELECT known_data.id, n.name FROM "lake"."known_data" JOIN names n ON n.id = known_data.id WHERE known_data.hour = '06' ORDER BY 1 LIMIT 1`)
	if strings.Join(got, ";") != "r01|name of r01" {
		t.Errorf("got %v", got)
	}
	if got := e.refused(t, "DELETE FROM lake.known_data"); !strings.Contains(got, "external table") {
		t.Errorf("got %s", got)
	}
	other := external
	other.Database = "other"
	if err := w.EnsureExternalSchema(t.Context(), other); !errors.Is(err, port.ErrQueryFailed) || !strings.Contains(err.Error(), "smart-city") {
		t.Errorf("another database: got %v", err)
	}
	o.Schema = "public"
	if err := e.warehouse(o, e.redshift).EnsureExternalSchema(t.Context(), external); !errors.Is(err, port.ErrQueryFailed) {
		t.Errorf("a schema of tables: got %v", err)
	}
	e.run(t, "DROP SCHEMA lake")
	if got := e.refused(t, "SELECT count(*) FROM lake.known_data"); !strings.Contains(got, "does not exist") {
		t.Errorf("got %s", got)
	}
	entries, err := os.ReadDir(e.Server.redshift.runs.engine.(*duckWarehouse).stage)
	if err != nil || len(entries) != 0 {
		t.Errorf("the stage still has %v, %v", entries, err)
	}
}
