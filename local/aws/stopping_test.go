//go:build cgo

package aws

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	athenasdk "github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"citystream/engine/port"
)

func TestAStatementThatWritesCanBeStopped(t *testing.T) {
	t.Parallel()
	e := openWriting(t, Options{})
	id := must[string](t)(e.start(t, "CREATE TABLE x WITH (external_location = 's3://lake/x/') AS "+strings.Replace(endless, "count(*)", "count(*) AS n", 1)))
	e.await(t, id, types.QueryExecutionStateRunning)
	must[*athenasdk.StopQueryExecutionOutput](t)(e.athena.StopQueryExecution(t.Context(), &athenasdk.StopQueryExecutionInput{QueryExecutionId: &id}))
	e.await(t, id, types.QueryExecutionStateCancelled)
	if got := e.cells(t, "SHOW TABLES"); got != "tab_name:string\nflat" {
		t.Errorf("got %s", got)
	}
	if files := e.buckets.keys(t, "s3://lake/x/"); len(files) > 0 {
		t.Errorf("it has left %v", files)
	}
}

func TestAWorkGroupBoundsWhatIsRead(t *testing.T) {
	t.Parallel()
	e := openWriting(t, Options{})
	e.runs(t, "CREATE TABLE big WITH (external_location = 's3://lake/big/', write_compression = 'NONE') AS "+
		"SELECT repeat(CAST(random() AS varchar), 60) AS a FROM unnest(sequence(1, 105)) t(x), unnest(sequence(1, 100)) u(y)")
	must[*athenasdk.CreateWorkGroupOutput](t)(e.athena.CreateWorkGroup(t.Context(), &athenasdk.CreateWorkGroupInput{
		Name: sdk.String("small"), Configuration: &types.WorkGroupConfiguration{BytesScannedCutoffPerQuery: sdk.Int64(10_000_000)},
	}))
	start := func(sql string) *string {
		return must[*athenasdk.StartQueryExecutionOutput](t)(e.athena.StartQueryExecution(t.Context(), &athenasdk.StartQueryExecutionInput{
			QueryString: &sql, WorkGroup: sdk.String("small"), QueryExecutionContext: &types.QueryExecutionContext{Database: sdk.String(db)},
		})).QueryExecutionId
	}
	x := e.await(t, *start("SELECT max(a) FROM big"), types.QueryExecutionStateCancelled, types.QueryExecutionStateSucceeded)
	if got := sdk.ToString(x.Status.StateChangeReason); !strings.Contains(got, "Bytes scanned limit was exceeded") {
		t.Errorf("%s: %s", x.Status.State, got)
	}
	e.await(t, *start("SELECT 1"), types.QueryExecutionStateSucceeded)
}

// failing stores refuse every write after the first ones.
type failing struct {
	port.Store
	left *atomic.Int32
}

var errFull = errors.New("the disk is full")

func (f failing) Put(ctx context.Context, key string, body []byte) error {
	if f.left.Add(-1) < 0 {
		return errFull
	}
	return f.Store.Put(ctx, key, body)
}

func TestAStoreThatRefusesLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	var left atomic.Int32
	left.Store(1000)
	var b *buckets
	e := openWriting(t, Options{Store: func(bucket string) (port.Store, error) {
		s, err := b.open(bucket)
		return failing{s, &left}, err
	}})
	b = e.buckets
	const create = "CREATE TABLE x WITH (external_location = 's3://lake/x/', partitioned_by = ARRAY['p']) AS SELECT n AS a, n AS p FROM (VALUES (1), (2), (3)) t(n)"
	for n := range int32(3) {
		left.Store(n)
		if got := e.why(t, create); !strings.Contains(got, errFull.Error()) {
			t.Errorf("after %d files: %s", n, got)
		}
		if files := b.keys(t, "s3://lake/x/"); len(files) > 0 {
			t.Errorf("after %d files: %v are left", n, files)
		}
	}
	left.Store(1000)
	e.runs(t, create)
	left.Store(0)
	if got := e.why(t, "SELECT 1"); !strings.Contains(got, "cannot be written to its output location") {
		t.Errorf("got %s", got)
	}
}

func TestWithoutAStoreNothingIsWritten(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	e.known(t)
	for sql, want := range map[string]string{
		"CREATE TABLE x WITH (external_location = 's3://lake/x/') AS SELECT 1 AS a": "runs without an object store to write to",
		"UNLOAD (SELECT 1 AS a) TO 's3://lake/x/' WITH (format = 'JSON')":           "runs without an object store to write to",
	} {
		if got := e.why(t, sql); !strings.Contains(got, want) {
			t.Errorf("%s: %s", sql, got)
		}
	}
	e.runs(t, "SELECT 1")
}

func TestStatementsAreToldApart(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"CREATE TABLE x (a int)":                                  "makes an Iceberg table",
		"ALTER TABLE x RENAME TO y":                               "knows ALTER TABLE with",
		"MERGE INTO x USING y ON a = b":                           "works on Iceberg tables",
		"CREATE FUNCTION f() RETURNS int":                         "does not know this sort of CREATE",
		"GRANT x":                                                 "mismatched input 'GRANT'",
		"CREATE TABLE x WITH (nothing = 1) AS SELECT 1":           "line 1:22: NOT_SUPPORTED: property 'nothing'",
		"CREATE EXTERNAL TABLE x (a nonsense) LOCATION 's3:'":     "line 1:28: mismatched input 'nonsense'",
		"CREATE EXTERNAL TABLE x (a int)":                         "needs a LOCATION",
		"CREATE EXTERNAL TABLE x (a int) LOCATION '/etc/'":        "not a valid S3 path",
		"CREATE VIEW v AS\n  DROP TABLE x":                        "line 2:3: mismatched input 'DROP'",
		"UNLOAD (DROP TABLE x) TO 's3://a/' WITH (format='JSON')": "line 1:9: mismatched input 'DROP'",
		"INSERT INTO x DROP TABLE y":                              "line 1:15: mismatched input 'DROP'",
		"UNLOAD (SELECT 1":                                        "mismatched input '<EOF>'",
		"DROP TABLE a b":                                          "line 1:14: mismatched input 'b'",
	} {
		if _, err := classify(sql, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot  %v\nwant %s", sql, err, want)
		}
	}
}
