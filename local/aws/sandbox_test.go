//go:build cgo

package aws

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	athenasdk "github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
	gluesdk "github.com/aws/aws-sdk-go-v2/service/glue"
	gluetypes "github.com/aws/aws-sdk-go-v2/service/glue/types"

	"citystream/engine/enginetest"
)

// escapes are queries that try to leave the store. %s is a file with a secret.
var escapes = []string{
	"SELECT * FROM read_csv('%s')", "SELECT * FROM read_text('%s')", "SELECT * FROM read_blob('%s')", "SELECT * FROM read_parquet('%s')",
	"SELECT * FROM read_json('%s')", "SELECT * FROM '%s'", `SELECT * FROM "%s"`, "SELECT * FROM glob('%s')", "SELECT * FROM parquet_metadata('%s')",
	"SELECT * FROM sniff_csv('%s')", "SELECT * FROM read_csv_auto('%s')", "SELECT * FROM query('FROM read_text(''%s'')')",
	"SELECT content FROM flat, LATERAL (SELECT * FROM read_text('%s'))", "SELECT (SELECT content FROM read_text('%s')) AS c",
	"WITH x AS (SELECT * FROM read_text('%s')) SELECT * FROM x", "SELECT 1 AS a UNION ALL SELECT content FROM read_text('%s')",
	"SELECT * FROM read_parquet('http://127.0.0.1:1/%s')", "SELECT * FROM read_parquet('s3://127.0.0.1:1/%s')", "SELECT * FROM 'http://127.0.0.1:1/%s'",
	"SELECT getenv('%s') AS a", "SELECT current_setting('temp_directory') AS a, '%s' AS b", "SELECT getvariable('%s') AS a",
	"SELECT * FROM duckdb_settings() WHERE name <> '%s'", "SELECT * FROM duckdb_secrets() WHERE name <> '%s'", "SELECT * FROM pragma_database_list() WHERE name <> '%s'",
	"SELECT 1 AS a; COPY (SELECT 1) TO '%s.copy'", "SELECT 1 AS a) TO '%s.copy'; --", "SELECT read_text('%s') AS a",
	"SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT * FROM read_text(''%s'')'))", "SELECT * FROM query_table('%s')",
	"(SELECT * FROM read_text('%s'))", "TABLE read_text('%s')", "VALUES ((SELECT content FROM read_text('%s')))",
}

// secretFile makes a file that nothing may read.
func secretFile(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret.csv")
	if err := os.WriteFile(name, []byte("a,b\nhidden,hidden\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestNoStatementLeavesTheStore(t *testing.T) {
	t.Parallel()
	e := openWriting(t, Options{})
	e.runs(t, "CREATE TABLE kept WITH (external_location = 's3://lake/kept/') AS SELECT 'x' AS a")
	secret := secretFile(t)
	folder := filepath.Dir(secret)
	for i, escape := range escapes {
		escape = strings.ReplaceAll(escape, "%s", secret)
		for j, around := range []string{
			"?", "CREATE TABLE x WITH (external_location = 's3://lake/x/') AS ?", "CREATE VIEW v AS ?", "INSERT INTO kept ?",
			"UNLOAD (?) TO 's3://lake/u/' WITH (format = 'JSON')", "EXPLAIN ?", "EXPLAIN ANALYZE ?",
		} {
			if j > 0 && (i+j)%3 > 0 {
				continue // each alone, and in a third of the statements that have queries in them
			}
			sql := strings.Replace(around, "?", escape, 1)
			if got := e.fails(t, sql); strings.Contains(got, "hidden") {
				t.Errorf("%s tells %s", sql, got)
			}
		}
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 1 {
		t.Errorf("files were written: %v, %v", left, err)
	}
	if got := e.cells(t, "SELECT * FROM kept"); got != "a:varchar\nx" {
		t.Errorf("the table has become %s", got)
	}
	if files := append(e.buckets.keys(t, "s3://lake/x/"), e.buckets.keys(t, "s3://lake/u/")...); len(files) > 0 {
		t.Errorf("statements that fail have written %v", files)
	}
}

// A view that somebody has put into Glue by hand passes the same checks as one of CREATE VIEW.
func TestNoViewLeavesTheStore(t *testing.T) {
	t.Parallel()
	e := openWriting(t, Options{})
	secret := secretFile(t)
	for _, escape := range append(escapes, "COPY (SELECT 1) TO '%s.copy'", "ATTACH '%s.copy'", "SET threads = 1", "PRAGMA database_list", "INSTALL httpfs") {
		text, err := json.Marshal(viewText{strings.ReplaceAll(escape, "%s", secret), "awsdatacatalog", db, []viewColumn{{"a", "varchar"}}})
		if err != nil {
			t.Fatal(err)
		}
		in := &gluetypes.TableInput{
			Name: sdk.String("v"), TableType: sdk.String(viewType), StorageDescriptor: &gluetypes.StorageDescriptor{},
			ViewOriginalText: sdk.String(viewBefore + base64.StdEncoding.EncodeToString(text) + viewAfter),
		}
		must[*gluesdk.CreateTableOutput](t)(e.glue.CreateTable(t.Context(), &gluesdk.CreateTableInput{DatabaseName: sdk.String(db), TableInput: in}))
		if got := e.fails(t, "SELECT * FROM v"); strings.Contains(got, "hidden") {
			t.Errorf("%s tells %s", escape, got)
		}
		e.runs(t, "DROP VIEW v")
	}
	if _, err := os.Stat(secret + ".copy"); err == nil {
		t.Error("a file was written")
	}
}

// parameterised runs a statement with parameters, which may be refused at once.
func (e *endpoint) parameterised(t *testing.T, sql string, parameters ...string) (*types.QueryExecution, error) {
	t.Helper()
	out, err := e.athena.StartQueryExecution(t.Context(), &athenasdk.StartQueryExecutionInput{
		QueryString: &sql, ExecutionParameters: parameters, QueryExecutionContext: &types.QueryExecutionContext{Database: sdk.String(enginetest.KnownDatabase)},
	})
	if err != nil {
		return nil, err
	}
	return e.await(t, *out.QueryExecutionId, types.QueryExecutionStateSucceeded, types.QueryExecutionStateFailed), nil
}

func TestNoParameterLeavesTheStore(t *testing.T) {
	t.Parallel()
	e := openWriting(t, Options{})
	secret := secretFile(t)
	for _, parameter := range []string{
		"(SELECT content FROM read_text('" + secret + "'))", "1 FROM read_text('" + secret + "')", "1; SELECT 2", "1 -- ", "1 /* */", "1) UNION (SELECT 2",
		"getenv('HOME')", "1, 2", "", "'open", "1 UNION SELECT content FROM read_text('" + secret + "')", "?", "(1", "current_setting('temp_directory')",
	} {
		x, err := e.parameterised(t, "SELECT ?", parameter)
		if err == nil && x.Status.State == types.QueryExecutionStateSucceeded {
			t.Errorf("%s was taken", parameter)
		}
		x, err = e.parameterised(t, "PREPARE p FROM SELECT ?")
		if err != nil || x.Status.State != types.QueryExecutionStateSucceeded {
			t.Fatal(x, err)
		}
		x, err = e.parameterised(t, "EXECUTE p USING "+parameter)
		if err == nil && x.Status.State == types.QueryExecutionStateSucceeded && !strings.HasPrefix(parameter, "1 ") { // a comment at the end is one
			t.Errorf("EXECUTE takes %s", parameter)
		}
	}
	for _, escape := range escapes {
		if x, err := e.parameterised(t, "PREPARE p FROM "+strings.ReplaceAll(escape, "%s", secret)); err != nil || x.Status.State == types.QueryExecutionStateFailed {
			continue // refused already
		}
		if x, err := e.parameterised(t, "EXECUTE p"); err == nil && x.Status.State == types.QueryExecutionStateSucceeded {
			t.Errorf("EXECUTE of %s succeeds", escape)
		}
	}
}

func TestParametersAreValues(t *testing.T) {
	t.Parallel()
	e := openWriting(t, Options{})
	e.runs(t, "CREATE TABLE made WITH (external_location = 's3://lake/made/') AS SELECT n AS n, 'it''s ' || CAST(n AS varchar) AS s FROM (VALUES (1), (2), (3)) t(n)")
	rows := func(id *string) string {
		r := must[*athenasdk.GetQueryResultsOutput](t)(e.athena.GetQueryResults(t.Context(), &athenasdk.GetQueryResultsInput{QueryExecutionId: id}))
		var cells []string
		for _, row := range r.ResultSet.Rows[1:] {
			cells = append(cells, sdk.ToString(row.Data[0].VarCharValue))
		}
		return strings.Join(cells, " ")
	}
	const question = "SELECT n FROM made WHERE s = ? OR n IN (?) AND '?' <> \"s\" -- really?\nORDER BY n LIMIT ?"
	x := e.runs(t, question, "'it''s 1'", "3", "5")
	if got := rows(x.QueryExecutionId); got != "1 3" {
		t.Errorf("got %s", got)
	}
	x = e.runs(t, "PREPARE mine FROM "+question)
	if x.StatementType != types.StatementTypeDdl {
		t.Errorf("PREPARE is %s", x.StatementType)
	}
	x = e.runs(t, "EXECUTE mine USING 'it''s 2', -1 + 2, 5")
	if got := rows(x.QueryExecutionId); got != "1 2" || sdk.ToString(x.SubstatementType) != "SELECT" {
		t.Errorf("got %s, %s", got, sdk.ToString(x.SubstatementType))
	}
	x = e.runs(t, "EXECUTE mine USING concat('it''s', ' ', '2'), element_at(ARRAY[7, 3], 2), 5")
	if got := rows(x.QueryExecutionId); got != "2 3" {
		t.Errorf("got %s", got)
	}
	x = e.runs(t, "EXECUTE MINE", "'x'", "3", "1")
	if got := rows(x.QueryExecutionId); got != "3" {
		t.Errorf("got %s", got)
	}
	for sql, want := range map[string]string{
		"EXECUTE mine USING 1":    "Incorrect number of parameters: expected 3 but found 1",
		"EXECUTE nothing":         "Prepared statement not found: nothing",
		"SELECT ?":                "Incorrect number of parameters: expected 1 but found 0",
		"EXECUTE mine USING 1,,2": "mismatched input",
	} {
		if got := e.fails(t, sql); !strings.Contains(got, want) {
			t.Errorf("%s: %s", sql, got)
		}
	}
	if got := e.why(t, "SELECT n,\n ? + nothing FROM made", "1"); !strings.Contains(got, "line 2:6: Column 'nothing'") {
		t.Errorf("got %s", got)
	}
	e.runs(t, "DEALLOCATE PREPARE mine")
	if got := e.fails(t, "EXECUTE mine USING 1, 2, 3"); !strings.Contains(got, "not found") {
		t.Errorf("got %s", got)
	}
}
