//go:build cgo

package aws

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	athenasdk "github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/parquet-go/parquet-go"
)

func TestRowsAreInsertedAndTheirPartitionsRegistered(t *testing.T) {
	t.Parallel()
	e := openWriting(t, Options{})
	e.runs(t, "CREATE EXTERNAL TABLE a (id bigint, at timestamp, price decimal(10,2), l array<string>) PARTITIONED BY (day date, hour int) "+
		"STORED AS PARQUET LOCATION 's3://lake/a/'")
	x := e.runs(t, "INSERT INTO a SELECT 1, TIMESTAMP '2026-11-22 05:00:00.123', 1.5, ARRAY['x'], DATE '2026-11-22', 5")
	if got := e.updates(t, *x.QueryExecutionId); got != 1 {
		t.Errorf("%d rows are told of", got)
	}
	e.runs(t, "INSERT INTO a (hour, id, day) VALUES (6, 2, DATE '2026-11-22'), (5, 3, DATE '2026-11-22'), (NULL, 4, NULL)")
	want := "id:bigint|at:timestamp|price:decimal|l:array|day:date|hour:integer\n1|2026-11-22 05:00:00.123|1.50|[x]|2026-11-22|5\n" +
		"2|NULL|NULL|NULL|2026-11-22|6\n3|NULL|NULL|NULL|2026-11-22|5\n4|NULL|NULL|NULL|NULL|NULL"
	if got := e.cells(t, "SELECT * FROM a ORDER BY id"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := len(e.buckets.keys(t, "s3://lake/a/day=2026-11-22/hour=5/")); got != 2 {
		t.Errorf("%d files in a partition", got)
	}
	for _, name := range e.buckets.keys(t, "s3://lake/a/") {
		content := e.buckets.object(t, name)
		f, err := parquet.OpenFile(strings.NewReader(content), int64(len(content)))
		if err != nil || f.NumRows() == 0 || f.Schema().Fields()[0].Name() != "id" {
			t.Errorf("%s: %v", name, err)
		}
	}
	before := e.buckets.keys(t, "s3://lake/a/")
	for sql, want := range map[string]string{
		"INSERT INTO nothing SELECT 1":                                            "TABLE_NOT_FOUND",
		"INSERT INTO a SELECT 1":                                                  "has 1 columns, and 6 are wanted",
		"INSERT INTO a (nothing) SELECT 1":                                        "COLUMN_NOT_FOUND",
		"INSERT INTO a (id) SELECT 'x'":                                           "TYPE_MISMATCH",
		"INSERT INTO a (id, id) SELECT 1, 2":                                      "DUPLICATE_COLUMN_NAME",
		"INSERT INTO a (id, hour) SELECT n, n FROM unnest(sequence(1, 101)) t(n)": "HIVE_TOO_MANY_OPEN_PARTITIONS",
		"INSERT INTO a (id, at)\nSELECT 1, nothing FROM a":                        "COLUMN_NOT_FOUND: line 2:11: Column 'nothing' cannot be resolved",
	} {
		if got := e.why(t, sql); !strings.Contains(got, want) {
			t.Errorf("%s: %s", sql, got)
		}
	}
	if after := e.buckets.keys(t, "s3://lake/a/"); len(after) != len(before) {
		t.Errorf("statements that fail leave %v", after)
	}
}

// updates returns the number of rows that a statement has written.
func (e *endpoint) updates(t *testing.T, id string) int64 {
	t.Helper()
	return sdk.ToInt64(must[*athenasdk.GetQueryResultsOutput](t)(e.athena.GetQueryResults(t.Context(), &athenasdk.GetQueryResultsInput{QueryExecutionId: &id})).UpdateCount)
}

func TestUnloadWritesFilesOfSeveralForms(t *testing.T) {
	t.Parallel()
	e := openWriting(t, Options{})
	const rows = "SELECT n AS n, 'it''s, ' || CAST(n AS varchar) AS s, CAST(NULL AS varchar) AS z FROM (VALUES (1), (2)) t(n)"
	for format, want := range map[string]string{
		"format = 'JSON'":                            `{"n":1,"s":"it's, 1"}` + "\n" + `{"n":2,"s":"it's, 2"}` + "\n",
		"format = 'JSON', compression = 'none'":      `{"n":1,"s":"it's, 1"}` + "\n" + `{"n":2,"s":"it's, 2"}` + "\n",
		"format = 'CSV', compression = 'NONE'":       "1,\"it's, 1\",\n2,\"it's, 2\",\n",
		"format = 'TEXTFILE', compression = 'gzip'":  "1\x01it's, 1\x01\\N\n2\x01it's, 2\x01\\N\n",
		"format = 'TEXTFILE', field_delimiter = '|'": "1|it's, 1|\\N\n2|it's, 2|\\N\n",
	} {
		at := "s3://lake/" + strings.ReplaceAll(format, "'", "") + "/"
		x := e.runs(t, "UNLOAD ("+rows+") TO '"+at+"' WITH ("+format+")")
		names := strings.Fields(strings.ReplaceAll(e.buckets.object(t, sdk.ToString(x.Statistics.DataManifestLocation)), " ", "+"))
		if len(names) != 1 {
			t.Fatalf("%s: the manifest has %v", format, names)
		}
		got := e.buckets.object(t, strings.ReplaceAll(names[0], "+", " "))
		if strings.HasSuffix(names[0], ".gz") {
			r, err := gzip.NewReader(bytes.NewReader([]byte(got)))
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			got = string(b)
		}
		if normal := strings.ReplaceAll(got, `,"z":null`, ""); normal != want {
			t.Errorf("%s: got %q, want %q", format, got, want)
		}
		if why := e.why(t, "UNLOAD ("+rows+") TO '"+at+"' WITH ("+format+")"); !strings.Contains(why, "HIVE_PATH_ALREADY_EXISTS") {
			t.Errorf("again: %s", why)
		}
	}
	e.runs(t, "UNLOAD ("+rows+") TO 's3://lake/p/' WITH (format = 'PARQUET', compression = 'SNAPPY')")
	e.runs(t, "CREATE EXTERNAL TABLE p (n int, s string, z string) STORED AS PARQUET LOCATION 's3://lake/p/'")
	if got := e.cells(t, "SELECT n, s FROM p ORDER BY n"); got != "n:integer|s:varchar\n1|it's, 1\n2|it's, 2" {
		t.Errorf("got %s", got)
	}
	for sql, want := range map[string]string{
		"UNLOAD (SELECT 1) TO 's3://lake/q/' WITH (format = 'ORC')":                           "does not write ORC",
		"UNLOAD (SELECT 1) TO 'file:///tmp/x' WITH (format = 'JSON')":                         "is not one of s3://",
		"UNLOAD (SELECT 1) TO '/tmp/x' WITH (format = 'JSON')":                                "is not one of s3://",
		"UNLOAD (SELECT n FROM flat) TO 's3://lake/q/' WITH (format = 'JSON')":                "COLUMN_NOT_FOUND: line 1:16",
		"UNLOAD (SELECT 1 AS a) TO 's3://lake/q/' WITH (format='PARQUET', compression='LZO')": "compression lzo",
	} {
		if got := e.why(t, sql); !strings.Contains(got, want) {
			t.Errorf("%s: %s", sql, got)
		}
	}
}

func TestWhatCreateTableAsCannotDo(t *testing.T) {
	t.Parallel()
	e := openWriting(t, Options{})
	e.runs(t, "CREATE TABLE there WITH (external_location = 's3://lake/there/') AS SELECT 1 AS a")
	for sql, want := range map[string]string{
		"CREATE TABLE there AS SELECT 1 AS a":                                               "TABLE_ALREADY_EXISTS",
		"CREATE TABLE x WITH (external_location = 's3://lake/there') AS SELECT 1 AS a":      "HIVE_PATH_ALREADY_EXISTS",
		"CREATE TABLE x AS SELECT 1":                                                        "MISSING_COLUMN_NAME",
		"CREATE TABLE x AS SELECT current_timestamp AS a":                                   "Unsupported Hive type: timestamp(3) with time zone",
		"CREATE TABLE x WITH (format = 'ORC') AS SELECT 1 AS a":                             "NOT_SUPPORTED: this local endpoint makes tables of PARQUET, TEXTFILE and JSON, not of ORC",
		"CREATE TABLE x WITH (bucketed_by = ARRAY['a'], bucket_count = 2) AS SELECT 1 AS a": "writes no buckets",
		"CREATE TABLE x WITH (partitioned_by = ARRAY['a']) AS SELECT 1 AS a, 2 AS b":        "HIVE_COLUMN_ORDER_MISMATCH",
		"CREATE TABLE nowhere.x AS SELECT 1 AS a":                                           "SCHEMA_NOT_FOUND",
		"CREATE TABLE x WITH (external_location = '/tmp/x') AS SELECT 1 AS a":               "is not one of s3://",
		"CREATE TABLE x AS SELECT 1 / 0 AS a, CAST('x' AS integer) AS b":                    "INVALID_CAST_ARGUMENT",
	} {
		if got := e.why(t, sql); !strings.Contains(got, want) {
			t.Errorf("%s: %s", sql, got)
		}
	}
	if got := e.cells(t, "SHOW TABLES"); got != "tab_name:string\nflat\nthere" {
		t.Errorf("got %s", got)
	}
	e.runs(t, "CREATE TABLE IF NOT EXISTS there AS SELECT 2 AS a")
	e.runs(t, "CREATE TABLE bare AS SELECT a FROM there WITH NO DATA")
	if got := e.cells(t, "SELECT * FROM bare"); got != "a:integer" {
		t.Errorf("got %s", got)
	}
	e.runs(t, "CREATE TABLE below AS SELECT a FROM there")
	if got := e.cells(t, `SELECT "$path" LIKE 's3://results/out/tables/%' p, * FROM below`); got != "p:boolean|a:integer\ntrue|1" {
		t.Errorf("got %s", got)
	}
}

func TestHiddenColumnsTellOfTheFiles(t *testing.T) {
	t.Parallel()
	e := openWriting(t, Options{})
	e.runs(t, "CREATE TABLE made WITH (external_location = 's3://lake/made/', partitioned_by = ARRAY['p']) AS SELECT n AS a, n AS p FROM (VALUES (1), (2)) t(n)")
	e.runs(t, "CREATE VIEW v AS SELECT * FROM made")
	files := e.buckets.keys(t, "s3://lake/made/")
	for sql, want := range map[string]string{
		`SELECT "$path" FROM made ORDER BY 1`:                                  "$path:varchar\n" + strings.Join(files, "\n"),
		`SELECT *, "$path" = '` + files[0] + `' AS first FROM made ORDER BY a`: "a:integer|p:integer|first:boolean\n1|1|true\n2|2|false",
		`SELECT t.*, count(*) OVER () FROM made t WHERE "$file_size" > 0 AND "$file_modified_time" > TIMESTAMP '2020-01-01 00:00:00 UTC' ORDER BY a`: "a:integer|p:integer|_col2:bigint\n1|1|2\n2|2|2",
		`SELECT v.*, "$path" = '` + files[1] + `' s FROM v JOIN made ON v.a = made.a WHERE v.a = 2`:                                                  "a:integer|p:integer|s:boolean\n2|2|true",
		"SELECT * FROM made ORDER BY a": "a:integer|p:integer\n1|1\n2|2",
	} {
		if got := e.cells(t, sql); got != want {
			t.Errorf("%s\ngot\n%s\nwant\n%s", sql, got, want)
		}
	}
}
