//go:build cgo

package aws

import (
	"errors"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata/types"
	"github.com/google/go-cmp/cmp"
)

func (e *endpoint) execute(t *testing.T, in redshiftdata.ExecuteStatementInput) (*redshiftdata.DescribeStatementOutput, error) {
	t.Helper()
	in.Database = sdk.String("dev")
	if in.ClusterIdentifier == nil {
		in.WorkgroupName = sdk.String("wg")
	}
	out, err := e.redshift.ExecuteStatement(t.Context(), &in)
	if err != nil {
		return nil, err
	}
	return e.ended(t, *out.Id), nil
}

func TestParametersAreTexts(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	e.run(t, "CREATE TABLE t (id int, name varchar)")
	parameters := []types.SqlParameter{{Name: sdk.String("id"), Value: sdk.String("7")}, {Name: sdk.String("Name"), Value: sdk.String(`it's \ ; DROP`)}}
	done, err := e.execute(t, redshiftdata.ExecuteStatementInput{
		Sql: sdk.String("INSERT INTO t VALUES (:id::int, :name)"), Parameters: parameters, ClusterIdentifier: sdk.String("c"), DbUser: sdk.String("admin"),
	})
	if err != nil || done.Status != types.StatusStringFinished || sdk.ToString(done.ClusterIdentifier) != "c" {
		t.Fatalf("got %v, %v", done, err)
	}
	if got := e.rows(t, "SELECT id, name FROM t WHERE id = 7"); got[0] != `7|it's \ ; DROP` {
		t.Errorf("got %v", got)
	}
	for sql, want := range map[string]string{"SELECT :id": "unused parameters", "SELECT :id, :name, :never": "the parameter never has no value"} {
		_, err := e.execute(t, redshiftdata.ExecuteStatementInput{Sql: &sql, Parameters: parameters})
		var invalid *types.ValidationException
		if !errors.As(err, &invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want a ValidationException with %q", sql, err, want)
		}
	}
}

func TestResultsComeInPagesWithTheirTypes(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	done := e.statement(t, "SELECT generate_series FROM generate_series(1, 2500)")
	rows, pages := 0, redshiftdata.NewGetStatementResultPaginator(e.redshift, &redshiftdata.GetStatementResultInput{Id: done.Id})
	n := 0
	for ; pages.HasMorePages(); n++ {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		rows += len(page.Records)
		if page.TotalNumRows != 2500 {
			t.Errorf("TotalNumRows is %d", page.TotalNumRows)
		}
	}
	if rows != 2500 || n != 3 || done.ResultRows != 2500 {
		t.Errorf("%d rows in %d pages, ResultRows %d", rows, n, done.ResultRows)
	}
	done = e.statement(t, `SELECT 1::int AS a, 2.5::float8 AS b, true AS c, 'x'::varchar AS d, 1.50::decimal(5,2) AS e, '\\x01'::varbyte AS f, NULL::bigint AS g,
		TIMESTAMP '2026-11-22 05:06:07.125' AS h, DATE '2026-11-22' AS i, JSON_PARSE('[1]') AS j, count(*), sum(1)`)
	out, err := e.redshift.GetStatementResult(t.Context(), &redshiftdata.GetStatementResultInput{Id: done.Id})
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, c := range out.ColumnMetadata {
		kinds = append(kinds, sdk.ToString(c.Name)+" "+sdk.ToString(c.TypeName))
	}
	if diff := cmp.Diff([]string{
		"a int4", "b float8", "c bool", "d varchar", "e numeric", "f varbyte", "g int8", "h timestamp", "i date", "j super", "count int8", "sum int8",
	}, kinds); diff != "" {
		t.Errorf("columns differ (-want +got):\n%s", diff)
	}
	if _, ok := out.Records[0][6].(*types.FieldMemberIsNull); !ok {
		t.Errorf("NULL is %T", out.Records[0][6])
	}
	if v, ok := out.Records[0][7].(*types.FieldMemberStringValue); !ok || v.Value != "2026-11-22 05:06:07.125" {
		t.Errorf("a timestamp is %v", out.Records[0][7])
	}
	csv, err := e.execute(t, redshiftdata.ExecuteStatementInput{Sql: sdk.String("SELECT 1 AS a, 'x,y' AS b"), ResultFormat: types.ResultFormatStringCsv})
	if err != nil {
		t.Fatal(err)
	}
	v2, err := e.redshift.GetStatementResultV2(t.Context(), &redshiftdata.GetStatementResultV2Input{Id: csv.Id})
	if err != nil {
		t.Fatal(err)
	}
	if r, ok := v2.Records[0].(*types.QueryRecordsMemberCSVRecords); !ok || r.Value != "a,b\n1,\"x,y\"\n" {
		t.Errorf("CSV is %v", v2.Records)
	}
}

func TestAStatementCanBeCancelled(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	id, err := e.submit(t.Context(), "SELECT count(*) FROM generate_series(1, 10000000) a(x), generate_series(1, 10000000) b(y) WHERE (x * y) % 7 = 3")
	if err != nil {
		t.Fatal(err)
	}
	await(t, "it runs", func() bool {
		x, err := e.Server.redshift.runs.find(id)
		return err == nil && x.status == rsStarted
	})
	if _, err := e.redshift.CancelStatement(t.Context(), &redshiftdata.CancelStatementInput{Id: &id}); err != nil {
		t.Fatal(err)
	}
	if done := e.ended(t, id); done.Status != types.StatusStringAborted {
		t.Errorf("it is %s", done.Status)
	}
	var invalid *types.ValidationException
	if _, err := e.redshift.CancelStatement(t.Context(), &redshiftdata.CancelStatementInput{Id: &id}); !errors.As(err, &invalid) {
		t.Errorf("cancelled again: got %v", err)
	}
	var missing *types.ResourceNotFoundException
	if _, err := e.redshift.DescribeStatement(t.Context(), &redshiftdata.DescribeStatementInput{Id: sdk.String("never")}); !errors.As(err, &missing) {
		t.Errorf("an unknown id: got %v", err)
	}
}

func TestAClientTokenMakesAStatementOnce(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	e.run(t, "CREATE TABLE t (id int)")
	in := redshiftdata.ExecuteStatementInput{Sql: sdk.String("INSERT INTO t VALUES (1)"), ClientToken: sdk.String("token")}
	for range 3 {
		if done, err := e.execute(t, in); err != nil || done.Status != types.StatusStringFinished {
			t.Fatalf("got %v, %v", done, err)
		}
	}
	if got := e.rows(t, "SELECT count(*) FROM t"); got[0] != "1" {
		t.Errorf("%s rows", got)
	}
	in.Sql = sdk.String("INSERT INTO t VALUES (2)")
	if _, err := e.execute(t, in); err == nil {
		t.Error("a token was taken for another statement")
	}
}

func TestStatementsThatWaitAreBounded(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
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
	for range rsActive {
		id, err := e.submit(t.Context(), "INSERT INTO gate VALUES (1)")
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	_, err = redshiftdata.NewFromConfig(clientConfig(e.Addr()), func(o *redshiftdata.Options) { o.Retryer = sdk.NopRetryer{} }).ExecuteStatement(t.Context(),
		&redshiftdata.ExecuteStatementInput{Sql: sdk.String("SELECT 1"), WorkgroupName: sdk.String("wg"), Database: sdk.String("dev")})
	var exceeded *types.ActiveStatementsExceededException
	if !errors.As(err, &exceeded) {
		t.Errorf("one more: got %v", err)
	}
	gate.end()
	for _, id := range ids {
		if done := e.ended(t, id); done.Status != types.StatusStringFinished {
			t.Errorf("%s: %s", done.Status, sdk.ToString(done.Error))
		}
	}
	if got := e.rows(t, "SELECT count(*) FROM gate"); got[0] != "200" {
		t.Errorf("%v rows", got)
	}
}

func TestOldStatementsAreForgotten(t *testing.T) {
	t.Parallel()
	e := open(t, Options{QueriesKept: 1})
	first := e.statement(t, "SELECT 1")
	for range 4 {
		e.run(t, "SELECT 1")
	}
	var missing *types.ResourceNotFoundException
	if _, err := e.redshift.DescribeStatement(t.Context(), &redshiftdata.DescribeStatementInput{Id: first.Id}); !errors.As(err, &missing) {
		t.Errorf("got %v", err)
	}
	if r := e.Server.redshift.runs; len(r.all) != 4 || r.bytes != 4*16 {
		t.Errorf("%d statements and %d bytes are kept", len(r.all), r.bytes)
	}
}

func TestRequestsAreChecked(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	one, wg, dev := sdk.String("SELECT 1"), sdk.String("wg"), sdk.String("dev")
	var tooMany []string
	for range 41 {
		tooMany = append(tooMany, "SELECT 1")
	}
	for name, call := range map[string]func() error{
		"no workgroup": func() error {
			_, err := e.redshift.ExecuteStatement(t.Context(), &redshiftdata.ExecuteStatementInput{Sql: one, Database: dev})
			return err
		},
		"workgroup and cluster": func() error {
			_, err := e.redshift.ExecuteStatement(t.Context(), &redshiftdata.ExecuteStatementInput{Sql: one, Database: dev, WorkgroupName: wg, ClusterIdentifier: wg})
			return err
		},
		"no database": func() error {
			_, err := e.redshift.ExecuteStatement(t.Context(), &redshiftdata.ExecuteStatementInput{Sql: one, WorkgroupName: wg})
			return err
		},
		"41 statements": func() error {
			_, err := e.redshift.BatchExecuteStatement(t.Context(), &redshiftdata.BatchExecuteStatementInput{Sqls: tooMany, WorkgroupName: wg, Database: dev})
			return err
		},
		"a large statement": func() error {
			_, err := e.submit(t.Context(), "SELECT '"+strings.Repeat("x", 100_000)+"'")
			return err
		},
	} {
		var invalid *types.ValidationException
		if err := call(); !errors.As(err, &invalid) {
			t.Errorf("%s: got %v, want a ValidationException", name, err)
		}
	}
	if done := e.statementIn(t, "../escape"); !strings.Contains(done, `database "../escape" does not exist`) {
		t.Errorf("a database of a strange name: %s", done)
	}
}

func (e *endpoint) statementIn(t *testing.T, database string) string {
	t.Helper()
	out, err := e.redshift.ExecuteStatement(t.Context(), &redshiftdata.ExecuteStatementInput{
		Sql: sdk.String("SELECT 1"), WorkgroupName: sdk.String("wg"), Database: &database,
	})
	if err != nil {
		t.Fatal(err)
	}
	return sdk.ToString(e.ended(t, *out.Id).Error)
}

func TestListsAndDescriptions(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	for _, sql := range []string{"CREATE SCHEMA city", "CREATE TABLE city.a (id int, name varchar(10))", "CREATE TABLE city.b (id int)", "CREATE VIEW city.v AS SELECT 1 AS x"} {
		e.run(t, sql)
	}
	wg, dev := sdk.String("wg"), sdk.String("dev")
	databases, err := e.redshift.ListDatabases(t.Context(), &redshiftdata.ListDatabasesInput{WorkgroupName: wg, Database: dev})
	if err != nil || strings.Join(databases.Databases, ",") != "dev" {
		t.Errorf("databases: %v, %v", databases, err)
	}
	schemas, err := e.redshift.ListSchemas(t.Context(), &redshiftdata.ListSchemasInput{WorkgroupName: wg, Database: dev})
	if err != nil || strings.Join(schemas.Schemas, ",") != "city,public" {
		t.Errorf("schemas: %v, %v", schemas, err)
	}
	var tables []string
	pages := redshiftdata.NewListTablesPaginator(e.redshift, &redshiftdata.ListTablesInput{WorkgroupName: wg, Database: dev, SchemaPattern: sdk.String("ci%"), MaxResults: 2})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page.Tables {
			tables = append(tables, *m.Schema+"."+*m.Name+" "+*m.Type)
		}
	}
	if strings.Join(tables, ",") != "city.a TABLE,city.b TABLE,city.v VIEW" {
		t.Errorf("tables: %v", tables)
	}
	a, err := e.redshift.DescribeTable(t.Context(), &redshiftdata.DescribeTableInput{WorkgroupName: wg, Database: dev, Schema: sdk.String("city"), Table: sdk.String("a")})
	if err != nil || len(a.ColumnList) != 2 || *a.ColumnList[1].Name != "name" || *a.ColumnList[0].TypeName != "int4" {
		t.Errorf("columns: %v, %v", a, err)
	}
	none, err := e.redshift.DescribeTable(t.Context(), &redshiftdata.DescribeTableInput{WorkgroupName: wg, Database: dev, Table: sdk.String("never")})
	if err != nil || len(none.ColumnList) != 0 {
		t.Errorf("a table that is not there: %v, %v", none, err)
	}
	named, err := e.execute(t, redshiftdata.ExecuteStatementInput{Sql: sdk.String("SELECT 1"), StatementName: sdk.String("mine")})
	if err != nil {
		t.Fatal(err)
	}
	list, err := e.redshift.ListStatements(t.Context(), &redshiftdata.ListStatementsInput{StatementName: sdk.String("mi"), Status: types.StatusStringFinished})
	if err != nil || len(list.Statements) != 1 || *list.Statements[0].Id != *named.Id || *list.Statements[0].QueryString != "SELECT 1" {
		t.Errorf("statements: %v, %v", list, err)
	}
}
