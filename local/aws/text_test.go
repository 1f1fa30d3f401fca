//go:build cgo

package aws

import (
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"

	"citystream/engine/port"
)

func TestTablesOfTextAndJSONAreReadAndMade(t *testing.T) {
	t.Parallel()
	e := openWriting(t, Options{})
	const rows = "SELECT n AS n, 'it''s, \"x\"' AS s, CAST(NULL AS varchar) AS z, TIMESTAMP '2026-11-22 05:00:00.123' AS t, 1.5e0 AS d, n % 2 AS p FROM (VALUES (1), (2)) v(n)"
	want := "n:integer|s:varchar|z:varchar|t:timestamp|d:double|p:integer\n1|it's, \"x\"|NULL|2026-11-22 05:00:00.123|1.5|1\n2|it's, \"x\"|NULL|2026-11-22 05:00:00.123|1.5|0"
	for _, with := range []string{"format = 'TEXTFILE'", "format = 'TEXTFILE', field_delimiter = '|', write_compression = 'NONE'", "format = 'JSON'"} {
		e.runs(t, "CREATE TABLE made WITH ("+with+", partitioned_by = ARRAY['p'], external_location = 's3://lake/"+strings.NewReplacer("'", "", " ", "", "|", "").Replace(with)+"/') AS "+rows)
		if got := e.cells(t, "SELECT * FROM made ORDER BY n"); got != want {
			t.Errorf("%s: got\n%s", with, got)
		}
		if got := e.cells(t, `SELECT n FROM made WHERE p = 0 AND "$path" LIKE '%p=0%'`); got != "n:integer\n2" {
			t.Errorf("%s: got\n%s", with, got)
		}
		if got := sdk.ToInt64(e.runs(t, "SELECT n FROM made").Statistics.DataScannedInBytes); got == 0 {
			t.Errorf("%s: nothing was scanned", with)
		}
		e.runs(t, "DROP TABLE made")
	}
	store := must[port.Store](t)(e.buckets.open("lake"))
	for key, body := range map[string]string{
		"csv/a.csv":   "id,name,at\n1,\"a, \"\"b\"\"\",2026-11-22 05:00:00\nx,,nonsense\n",
		"tab/a.tsv":   "1\ta \"b\"\n2\t\\N\n3\n",
		"json/a.json": `{"id": 1, "l": [1, 2], "s": {"a": "x"}, "more": true}` + "\n" + `{"id": "x", "s": null}` + "\n",
	} {
		if err := store.Put(t.Context(), key, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	e.runs(t, `CREATE EXTERNAL TABLE csv (id int, name string, at timestamp) ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'
		WITH SERDEPROPERTIES ('separatorChar' = ',') LOCATION 's3://lake/csv/' TBLPROPERTIES ('skip.header.line.count' = '1')`)
	e.runs(t, `CREATE EXTERNAL TABLE tab (id int, name string) ROW FORMAT DELIMITED FIELDS TERMINATED BY '\t' LOCATION 's3://lake/tab/'`)
	e.runs(t, `CREATE EXTERNAL TABLE json (id int, l array<int>, s struct<a:string>) ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' LOCATION 's3://lake/json/'`)
	for sql, want := range map[string]string{
		"SELECT * FROM csv":                   "id:integer|name:varchar|at:timestamp\n1|a, \"b\"|2026-11-22 05:00:00.000\nNULL|NULL|NULL",
		"SELECT * FROM tab":                   "id:integer|name:varchar\n1|a \"b\"\n2|NULL\n3|NULL",
		"SELECT id, l, s.a FROM json":         "id:integer|l:array|a:varchar\n1|[1, 2]|x\nNULL|NULL|NULL",
		"SELECT count(*) FROM csv, tab, json": "_col0:bigint\n12",
	} {
		if got := e.cells(t, sql); got != want {
			t.Errorf("%s: got\n%s", sql, got)
		}
	}
	if got := e.why(t, "INSERT INTO tab SELECT 1, 'x'"); !strings.Contains(got, "inserts into tables of Parquet only") {
		t.Errorf("got %s", got)
	}
	e.runs(t, "CREATE EXTERNAL TABLE orc (id int) STORED AS ORC LOCATION 's3://lake/orc/'")
	if got := e.why(t, "SELECT * FROM orc"); !strings.Contains(got, "HIVE_UNSUPPORTED_FORMAT") {
		t.Errorf("got %s", got)
	}
}
