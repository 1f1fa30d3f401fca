//go:build cgo

package aws

import (
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	gluesdk "github.com/aws/aws-sdk-go-v2/service/glue"

	"github.com/aws/aws-sdk-go-v2/service/athena/types"
)

const eventsTable = `CREATE EXTERNAL TABLE IF NOT EXISTS events (
		id string COMMENT 'who''s it', ` + "`when`" + ` timestamp, place struct<lat:double, lon:double>, tags map<string,array<int>>, price decimal(10, 2))
	COMMENT 'things' PARTITIONED BY (day string, hour int)
	STORED AS PARQUET LOCATION 's3://lake/events/' TBLPROPERTIES ('made.by'='a test')`

// why runs a statement that must fail after its start, and returns why.
func (e *endpoint) why(t *testing.T, sql string, parameters ...string) string {
	t.Helper()
	x := e.ends(t, sql, parameters...)
	if x.Status.State != types.QueryExecutionStateFailed {
		t.Fatalf("%s: %s", sql, x.Status.State)
	}
	return sdk.ToString(x.Status.StateChangeReason)
}

func TestTablesAreMadeAndChangedInHivesWords(t *testing.T) {
	t.Parallel()
	e := openWriting(t, Options{})
	for range 2 {
		e.runs(t, eventsTable)
	}
	if got := e.why(t, strings.Replace(eventsTable, "IF NOT EXISTS", "", 1)); !strings.Contains(got, "AlreadyExistsException") {
		t.Errorf("made again: %s", got)
	}
	table := must[*gluesdk.GetTableOutput](t)(e.glue.GetTable(t.Context(), &gluesdk.GetTableInput{DatabaseName: sdk.String(db), Name: sdk.String("events")})).Table
	if got := sdk.ToString(table.StorageDescriptor.Columns[3].Type); got != "map<string,array<int>>" {
		t.Errorf("a type is %s", got)
	}
	if got := sdk.ToString(table.StorageDescriptor.SerdeInfo.SerializationLibrary); got != parquetSerDe || table.Parameters["made.by"] != "a test" {
		t.Errorf("got %s, %v", got, table.Parameters)
	}
	for _, sql := range []string{
		"ALTER TABLE events ADD PARTITION (day = '2026-11-22', hour = 5) LOCATION 's3://lake/elsewhere/' PARTITION (day = '2026-11-22', hour = 6)",
		"ALTER TABLE events ADD IF NOT EXISTS PARTITION (day = '2026-11-22', hour = 6)",
		"ALTER TABLE events ADD COLUMNS (more bigint, most string)",
		"ALTER TABLE events SET TBLPROPERTIES ('made.by' = 'somebody', 'x' = 'y')",
	} {
		if x := e.runs(t, sql); x.StatementType != types.StatementTypeDdl {
			t.Errorf("%s is %s", sql, x.StatementType)
		}
	}
	for sql, want := range map[string]string{
		"SHOW PARTITIONS events":               "partition:string\nday=2026-11-22/hour=5\nday=2026-11-22/hour=6",
		"SHOW COLUMNS IN events":               "field:string\nid\nwhen\nplace\ntags\nprice\nmore\nmost\nday\nhour",
		"SHOW TBLPROPERTIES events('made.by')": "prpt_name:string|prpt_value:string\nmade.by|somebody",
		"SELECT count(*) FROM events":          "_col0:bigint\n0",
		"SELECT place, tags, more FROM events": "place:row|tags:map|more:bigint",
		"SHOW TABLES LIKE 'ev*'":               "tab_name:string\nevents",
	} {
		if got := e.cells(t, sql); got != want {
			t.Errorf("%s\ngot\n%s", sql, got)
		}
	}
	location := must[*gluesdk.GetPartitionOutput](t)(e.glue.GetPartition(t.Context(), &gluesdk.GetPartitionInput{
		DatabaseName: sdk.String(db), TableName: sdk.String("events"), PartitionValues: []string{"2026-11-22", "6"},
	})).Partition.StorageDescriptor.Location
	if got := sdk.ToString(location); got != "s3://lake/events/day=2026-11-22/hour=6/" {
		t.Errorf("a partition lies at %s", got)
	}
	created := e.cells(t, "SHOW CREATE TABLE events")
	for _, part := range []string{"`id` string COMMENT 'who''s it'", "`place` struct<lat:double,lon:double>", "PARTITIONED BY", "LOCATION\n  's3://lake/events/'", "'made.by'='somebody'"} {
		if !strings.Contains(created, part) {
			t.Errorf("%s is not in %s", part, created)
		}
	}
	e.runs(t, "DROP TABLE events")
	_, again, _ := strings.Cut(created, "\n")
	e.runs(t, again)
	if got := e.cells(t, "SHOW CREATE TABLE events"); got != created {
		t.Errorf("made again it is\n%s\nand was\n%s", got, created)
	}
}

func TestHivePartitionsGo(t *testing.T) {
	t.Parallel()
	e := openWriting(t, Options{})
	e.runs(t, eventsTable)
	e.runs(t, "ALTER TABLE events ADD PARTITION (day='a', hour=1) PARTITION (day='a', hour=2) PARTITION (day='b', hour=1)")
	e.runs(t, "ALTER TABLE events DROP PARTITION (day='a')")
	if got := e.cells(t, "SHOW PARTITIONS events"); got != "partition:string\nday=b/hour=1" {
		t.Errorf("got %s", got)
	}
	for sql, want := range map[string]string{
		"ALTER TABLE events DROP PARTITION (day='z')":        "Partition not found",
		"ALTER TABLE events ADD PARTITION (day='b', hour=1)": "already exists",
		"ALTER TABLE events ADD PARTITION (day='b')":         "does not name the key hour",
		"ALTER TABLE nothing ADD PARTITION (day='b')":        "Table not found",
		"DROP TABLE nothing":                                 "Table not found",
		"DROP VIEW flat":                                     "Cannot drop a base table",
	} {
		if got := e.why(t, sql); !strings.Contains(got, want) {
			t.Errorf("%s: %s", sql, got)
		}
	}
	for _, sql := range []string{"ALTER TABLE events DROP IF EXISTS PARTITION (day='z')", "DROP TABLE IF EXISTS nothing", "DROP VIEW IF EXISTS nothing"} {
		e.runs(t, sql)
	}
}

func TestRepairRegistersTheFoldersThatAreThere(t *testing.T) {
	t.Parallel()
	e := openWriting(t, Options{})
	e.runs(t, `CREATE TABLE made WITH (external_location = 's3://lake/events/', partitioned_by = ARRAY['p']) AS
		SELECT n AS id, 'a/' || CAST(n AS varchar) AS p FROM (VALUES (1), (2)) t(n)`)
	e.runs(t, "CREATE EXTERNAL TABLE events (id int) PARTITIONED BY (p string) STORED AS PARQUET LOCATION 's3://lake/events'")
	if got := e.cells(t, "SELECT * FROM events"); got != "id:integer|p:varchar" {
		t.Errorf("before: %s", got)
	}
	if got := e.cells(t, "MSCK REPAIR TABLE events"); !strings.Contains(got, "events:p=a/1") || !strings.Contains(got, "events:p=a/2") {
		t.Errorf("got %s", got)
	}
	if got := e.cells(t, "SELECT * FROM events ORDER BY id"); got != "id:integer|p:varchar\n1|a/1\n2|a/2" {
		t.Errorf("after: %s", got)
	}
	if got := e.cells(t, "MSCK REPAIR TABLE events"); got != "result:string" {
		t.Errorf("again: %s", got)
	}
}

func TestDatabasesAreMade(t *testing.T) {
	t.Parallel()
	e := openWriting(t, Options{})
	e.runs(t, "CREATE DATABASE other COMMENT 'x' LOCATION 's3://lake/other/'")
	e.runs(t, "CREATE SCHEMA IF NOT EXISTS other")
	if got := e.cells(t, "SHOW DATABASES LIKE 'o*'"); got != "database_name:string\nother" {
		t.Errorf("got %s", got)
	}
	e.runs(t, "CREATE TABLE other.x WITH (external_location = 's3://lake/x/') AS SELECT 1 AS a")
	if got := e.why(t, "DROP DATABASE other"); !strings.Contains(got, "is not empty") {
		t.Errorf("got %s", got)
	}
	e.runs(t, "DROP DATABASE IF EXISTS nothing")
	if got := e.why(t, "DROP DATABASE nothing"); !strings.Contains(got, "does not exist") {
		t.Errorf("got %s", got)
	}
}

func TestViewsAreStoredAsAthenaDoes(t *testing.T) {
	t.Parallel()
	e := openWriting(t, Options{})
	e.runs(t, "CREATE TABLE made WITH (external_location = 's3://lake/made/') AS SELECT 1 AS a, 'x' AS b")
	e.runs(t, "CREATE VIEW v AS SELECT a + 1 AS c, b, ARRAY[a] AS l, date_add('day', a, DATE '2026-11-22') AS d FROM made")
	e.runs(t, "CREATE OR REPLACE VIEW w (one, two) AS SELECT c, b FROM v WHERE c > 1")
	if got := e.cells(t, "SELECT * FROM w, v"); got != "one:integer|two:varchar|c:integer|b:varchar|l:array|d:date\n2|x|2|x|[1]|2026-11-23" {
		t.Errorf("got %s", got)
	}
	if got := e.cells(t, "SHOW VIEWS"); got != "views:string\nv\nw" {
		t.Errorf("got %s", got)
	}
	if got := e.cells(t, "SHOW CREATE VIEW w"); !strings.Contains(got, "SELECT c, b FROM v WHERE c > 1") {
		t.Errorf("got %s", got)
	}
	table := must[*gluesdk.GetTableOutput](t)(e.glue.GetTable(t.Context(), &gluesdk.GetTableInput{DatabaseName: sdk.String(db), Name: sdk.String("v")})).Table
	text, err := readView(&glueTable{tableInput: tableInput{ViewOriginalText: table.ViewOriginalText}})
	if err != nil || sdk.ToString(table.TableType) != viewType || table.Parameters["presto_view"] != "true" {
		t.Fatalf("got %+v, %v", table, err)
	}
	if text.Schema != db || text.Columns[2] != (viewColumn{"l", "array(integer)"}) || sdk.ToString(table.StorageDescriptor.Columns[2].Type) != "array<int>" {
		t.Errorf("the view is %+v, in Glue %+v", text, table.StorageDescriptor.Columns)
	}
	for sql, want := range map[string]string{
		"CREATE VIEW v AS SELECT 1 AS a":               "VIEW_ALREADY_EXISTS",
		"CREATE VIEW made AS SELECT 1 AS a":            "TABLE_ALREADY_EXISTS",
		"CREATE VIEW x AS SELECT 1":                    "MISSING_COLUMN_NAME",
		"CREATE VIEW x AS SELECT nothing FROM made":    "COLUMN_NOT_FOUND: line 1:25: Column 'nothing' cannot be resolved",
		"DROP TABLE v":                                 "Cannot drop a view",
		"INSERT INTO v SELECT 1, 'x', ARRAY[1], NULL":  "Inserting into views is not supported",
		"SHOW CREATE TABLE v":                          "use SHOW CREATE VIEW",
		"CREATE OR REPLACE VIEW w AS SELECT * FROM w2": "TABLE_NOT_FOUND",
	} {
		if got := e.why(t, sql); !strings.Contains(got, want) {
			t.Errorf("%s: %s", sql, got)
		}
	}
	e.runs(t, "CREATE OR REPLACE VIEW v AS SELECT one AS c, two AS b FROM w")
	if got := e.why(t, "SELECT * FROM v"); !strings.Contains(got, "VIEW_IS_RECURSIVE") {
		t.Errorf("got %s", got)
	}
	e.runs(t, "DROP VIEW v")
}

func TestDatabasesGoWithTheirTables(t *testing.T) {
	t.Parallel()
	e := openWriting(t, Options{})
	if e.handlers["AWSGlue.DeleteDatabase"] == nil {
		t.Skip("Glue has no DeleteDatabase here")
	}
	e.runs(t, "CREATE DATABASE other")
	e.runs(t, "CREATE TABLE other.x WITH (external_location = 's3://lake/x/') AS SELECT 1 AS a")
	e.runs(t, "DROP DATABASE other CASCADE")
	if got := e.cells(t, "SHOW SCHEMAS"); strings.Contains(got, "other") {
		t.Errorf("got %s", got)
	}
	if got := e.fails(t, "SELECT * FROM other.x"); !strings.Contains(got, "SCHEMA_NOT_FOUND") {
		t.Errorf("got %s", got)
	}
}
