//go:build cgo

package aws

import (
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	athenasdk "github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"citystream/engine/enginetest"
	"citystream/engine/port"
)

// openWriting starts an endpoint that writes to buckets and reads from them, with a database in its catalog.
func openWriting(t *testing.T, o Options) *endpoint {
	t.Helper()
	b := &buckets{all: map[string]*enginetest.FakeStore{}}
	objects, err := NewCachedObjects(t.TempDir(), 1<<30, b.open)
	if err != nil {
		t.Fatal(err)
	}
	o.Objects = objects
	if o.Store == nil {
		o.Store = b.open
	}
	e := open(t, o)
	e.buckets = b
	e.ensure(t, port.CatalogTable{Name: "flat", Location: "s3://lake/flat/", Columns: []port.CatalogColumn{{Name: "id", Type: "string"}}})
	return e
}

// runs runs a statement that must succeed, and returns what is told of it.
func (e *endpoint) runs(t *testing.T, sql string, parameters ...string) *types.QueryExecution {
	t.Helper()
	x := e.ends(t, sql, parameters...)
	if x.Status.State != types.QueryExecutionStateSucceeded {
		t.Fatalf("%s: %s", sql, sdk.ToString(x.Status.StateChangeReason))
	}
	return x
}

// ends runs a statement to its end.
func (e *endpoint) ends(t *testing.T, sql string, parameters ...string) *types.QueryExecution {
	t.Helper()
	out, err := e.athena.StartQueryExecution(t.Context(), &athenasdk.StartQueryExecutionInput{
		QueryString: &sql, QueryExecutionContext: &types.QueryExecutionContext{Database: sdk.String(enginetest.KnownDatabase)},
		ResultConfiguration: &types.ResultConfiguration{OutputLocation: sdk.String("s3://results/out")}, ExecutionParameters: parameters,
	})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return e.await(t, *out.QueryExecutionId, types.QueryExecutionStateSucceeded, types.QueryExecutionStateFailed, types.QueryExecutionStateCancelled)
}

func TestResultsLieAtTheOutputLocation(t *testing.T) {
	t.Parallel()
	e := openWriting(t, Options{})
	x := e.runs(t, `SELECT 1 AS a, 'it says "x"' AS b, CAST(NULL AS varchar) AS c, '' AS d`)
	at := "s3://results/out/" + *x.QueryExecutionId
	if got := sdk.ToString(x.ResultConfiguration.OutputLocation); got != at+".csv" {
		t.Errorf("the location is %s", got)
	}
	if got, want := e.buckets.object(t, at+".csv"), "\"a\",\"b\",\"c\",\"d\"\n\"1\",\"it says \"\"x\"\"\",,\"\"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := e.buckets.object(t, at+".csv.metadata"); !strings.Contains(got, "varchar") || !strings.Contains(got, "integer") {
		t.Errorf("metadata is %q", got)
	}
	x = e.runs(t, "SHOW TABLES")
	if got := e.buckets.object(t, "s3://results/out/"+*x.QueryExecutionId+".txt"); got != "flat\n" {
		t.Errorf("got %q", got)
	}
}

func TestATableIsMadeOfAQuery(t *testing.T) {
	t.Parallel()
	e := openWriting(t, Options{})
	x := e.runs(t, `CREATE TABLE made WITH (format = 'PARQUET', external_location = 's3://lake/made/', partitioned_by = ARRAY['p', 'q']) AS
		SELECT n AS n, CAST(n AS decimal(10,2)) AS d, 'x' || CAST(n AS varchar) AS s, ARRAY[n] AS l, n % 2 AS p, CASE WHEN n = 3 THEN NULL ELSE 'a/b' END AS q
		FROM (VALUES (1), (2), (3)) t(n)`)
	if x.StatementType != types.StatementTypeDdl || sdk.ToString(x.SubstatementType) != "CREATE_TABLE_AS_SELECT" {
		t.Errorf("types are %s, %s", x.StatementType, sdk.ToString(x.SubstatementType))
	}
	manifest := strings.Fields(e.buckets.object(t, sdk.ToString(x.Statistics.DataManifestLocation)))
	if files := e.buckets.keys(t, "s3://lake/made/"); len(manifest) != 3 || strings.Join(manifest, " ") != strings.Join(files, " ") {
		t.Errorf("the manifest has %v, and the files are %v", manifest, files)
	}
	want := "n:integer|d:decimal|s:varchar|l:array|p:integer|q:varchar\n1|1.00|x1|[1]|1|a/b\n2|2.00|x2|[2]|0|a/b\n3|3.00|x3|[3]|1|NULL"
	if got := e.cells(t, "SELECT * FROM made ORDER BY n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got, want := e.cells(t, "SHOW PARTITIONS made"), "partition:string\np=0/q=a/b\np=1/q=__HIVE_DEFAULT_PARTITION__\np=1/q=a/b"; got != want {
		t.Errorf("got\n%s", got)
	}
	if got, want := e.cells(t, "DESCRIBE made"), "col_name:string|data_type:string|comment:string\nn|int|\nd|decimal(10,2)|\ns|string|\nl|array<int>|\np|int|\nq|string|\n||\n# Partition Information||\n# col_name|data_type|comment\n||\np|int|\nq|string|"; got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestTheBytesOfTheFilesThatAreOpenedAreCounted(t *testing.T) {
	t.Parallel()
	e := openWriting(t, Options{})
	e.runs(t, `CREATE TABLE made WITH (external_location = 's3://lake/made/', partitioned_by = ARRAY['p']) AS
		SELECT random() AS a, n % 7 AS p FROM unnest(sequence(1, 7000)) t(n)`)
	var all, one int64
	for _, name := range e.buckets.keys(t, "s3://lake/made/") {
		n := int64(len(e.buckets.object(t, name)))
		all += n
		if strings.Contains(name, "/p=3/") {
			one = n
		}
	}
	for sql, want := range map[string]int64{
		"SELECT count(a) FROM made WHERE p = 3": one,
		"SELECT sum(a) FROM made":               all,
		"SELECT 1":                              0,
		"SELECT count(*) FROM made x JOIN made y ON x.a = y.a WHERE x.p = 3":                                   one + all,
		"CREATE TABLE b WITH (external_location = 's3://lake/b/') AS SELECT sum(a) AS s FROM made WHERE p = 3": one,
	} {
		if got := sdk.ToInt64(e.runs(t, sql).Statistics.DataScannedInBytes); got < want*9/10 || got > want*11/10 {
			t.Errorf("%s: %d bytes, want about %d", sql, got, want)
		}
	}
}
