package aws

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	athenasdk "github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
)

func TestWorkGroupsAreKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := open(t, Options{Dir: dir})
	must[*athenasdk.CreateWorkGroupOutput](t)(e.athena.CreateWorkGroup(t.Context(), &athenasdk.CreateWorkGroupInput{
		Name: sdk.String("city"), Description: sdk.String("d"), Configuration: &types.WorkGroupConfiguration{
			BytesScannedCutoffPerQuery: sdk.Int64(20_000_000), EnforceWorkGroupConfiguration: sdk.Bool(true),
			ResultConfiguration: &types.ResultConfiguration{OutputLocation: sdk.String("s3://results/city/")},
		},
	}))
	_, err := e.athena.CreateWorkGroup(t.Context(), &athenasdk.CreateWorkGroupInput{Name: sdk.String("city")})
	wantCode(t, "made twice", err, "InvalidRequestException")
	_, err = e.athena.CreateWorkGroup(t.Context(), &athenasdk.CreateWorkGroupInput{Name: sdk.String("a"), Configuration: &types.WorkGroupConfiguration{
		ResultConfiguration: &types.ResultConfiguration{OutputLocation: sdk.String("/tmp/x")},
	}})
	wantCode(t, "no s3 location", err, "InvalidRequestException")
	must[*athenasdk.UpdateWorkGroupOutput](t)(e.athena.UpdateWorkGroup(t.Context(), &athenasdk.UpdateWorkGroupInput{
		WorkGroup: sdk.String("city"), ConfigurationUpdates: &types.WorkGroupConfigurationUpdates{
			RemoveBytesScannedCutoffPerQuery: sdk.Bool(true), PublishCloudWatchMetricsEnabled: sdk.Bool(true),
		},
	}))
	must[*athenasdk.UpdateWorkGroupOutput](t)(e.athena.UpdateWorkGroup(t.Context(), &athenasdk.UpdateWorkGroupInput{
		WorkGroup: sdk.String("primary"), ConfigurationUpdates: &types.WorkGroupConfigurationUpdates{
			ResultConfigurationUpdates: &types.ResultConfigurationUpdates{OutputLocation: sdk.String("s3://results/primary")},
		},
	}))
	// What kill -9 leaves is the file as it is now.
	left := must[[]byte](t)(os.ReadFile(filepath.Join(dir, "athena.journal")))
	killed := t.TempDir()
	if err := os.WriteFile(filepath.Join(killed, "athena.journal"), left, 0o600); err != nil {
		t.Fatal(err)
	}
	e = open(t, Options{Dir: killed})
	g := must[*athenasdk.GetWorkGroupOutput](t)(e.athena.GetWorkGroup(t.Context(), &athenasdk.GetWorkGroupInput{WorkGroup: sdk.String("city")})).WorkGroup
	if c := g.Configuration; c.BytesScannedCutoffPerQuery != nil || !*c.EnforceWorkGroupConfiguration || !*c.PublishCloudWatchMetricsEnabled ||
		*c.ResultConfiguration.OutputLocation != "s3://results/city/" || *g.Description != "d" {
		t.Errorf("got %+v", c)
	}
	groups := must[*athenasdk.ListWorkGroupsOutput](t)(e.athena.ListWorkGroups(t.Context(), &athenasdk.ListWorkGroupsInput{MaxResults: sdk.Int32(1)}))
	rest := must[*athenasdk.ListWorkGroupsOutput](t)(e.athena.ListWorkGroups(t.Context(), &athenasdk.ListWorkGroupsInput{NextToken: groups.NextToken}))
	if len(groups.WorkGroups) != 1 || *groups.WorkGroups[0].Name != "primary" || len(rest.WorkGroups) != 1 || *rest.WorkGroups[0].Name != "city" {
		t.Errorf("got %v, %v", groups.WorkGroups, rest.WorkGroups)
	}
	for group, want := range map[string]string{"city": "s3://results/city/", "primary": "s3://asked/for/", "": "s3://asked/for/"} {
		in := &athenasdk.StartQueryExecutionInput{
			QueryString: sdk.String("SHOW DATABASES"), ResultConfiguration: &types.ResultConfiguration{OutputLocation: sdk.String("s3://asked/for/")},
		}
		if group != "" {
			in.WorkGroup = &group
		}
		id := must[*athenasdk.StartQueryExecutionOutput](t)(e.athena.StartQueryExecution(t.Context(), in)).QueryExecutionId
		x := e.await(t, *id, types.QueryExecutionStateSucceeded)
		if got := *x.ResultConfiguration.OutputLocation; got != want+*id+".txt" {
			t.Errorf("group %q writes to %s", group, got)
		}
	}
	must[*athenasdk.UpdateWorkGroupOutput](t)(e.athena.UpdateWorkGroup(t.Context(), &athenasdk.UpdateWorkGroupInput{
		WorkGroup: sdk.String("city"), State: types.WorkGroupStateDisabled,
	}))
	_, err = e.athena.StartQueryExecution(t.Context(), &athenasdk.StartQueryExecutionInput{QueryString: sdk.String("SHOW DATABASES"), WorkGroup: sdk.String("city")})
	wantCode(t, "query of a disabled group", err, "InvalidRequestException")
	_, err = e.athena.DeleteWorkGroup(t.Context(), &athenasdk.DeleteWorkGroupInput{WorkGroup: sdk.String("primary")})
	wantCode(t, "deletion of primary", err, "InvalidRequestException")
	must[*athenasdk.DeleteWorkGroupOutput](t)(e.athena.DeleteWorkGroup(t.Context(), &athenasdk.DeleteWorkGroupInput{WorkGroup: sdk.String("city")}))
	_, err = e.athena.GetWorkGroup(t.Context(), &athenasdk.GetWorkGroupInput{WorkGroup: sdk.String("city")})
	wantCode(t, "deleted group", err, "InvalidRequestException")
}

func TestQueriesAreListedTheLastFirst(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	var ids []string
	for range 5 {
		id := *must[*athenasdk.StartQueryExecutionOutput](t)(e.athena.StartQueryExecution(t.Context(),
			&athenasdk.StartQueryExecutionInput{QueryString: sdk.String("SHOW DATABASES")})).QueryExecutionId
		e.await(t, id, types.QueryExecutionStateSucceeded)
		ids = append([]string{id}, ids...)
	}
	var got []string
	pages := athenasdk.NewListQueryExecutionsPaginator(e.athena, &athenasdk.ListQueryExecutionsInput{MaxResults: sdk.Int32(2)})
	for n := 0; pages.HasMorePages(); n++ {
		page := must[*athenasdk.ListQueryExecutionsOutput](t)(pages.NextPage(t.Context()))
		if len(page.QueryExecutionIds) > 2 || n > 2 {
			t.Fatalf("page %d has %d", n, len(page.QueryExecutionIds))
		}
		got = append(got, page.QueryExecutionIds...)
	}
	if !slices.Equal(got, ids) {
		t.Errorf("got %v, want %v", got, ids)
	}
	batch := must[*athenasdk.BatchGetQueryExecutionOutput](t)(e.athena.BatchGetQueryExecution(t.Context(),
		&athenasdk.BatchGetQueryExecutionInput{QueryExecutionIds: []string{ids[3], "nothing", ids[0]}}))
	if len(batch.QueryExecutions) != 2 || *batch.QueryExecutions[1].QueryExecutionId != ids[0] || len(batch.UnprocessedQueryExecutionIds) != 1 {
		t.Errorf("got %+v", batch)
	}
	stats := must[*athenasdk.GetQueryRuntimeStatisticsOutput](t)(e.athena.GetQueryRuntimeStatistics(t.Context(),
		&athenasdk.GetQueryRuntimeStatisticsInput{QueryExecutionId: &ids[0]})).QueryRuntimeStatistics
	if stats.Timeline == nil || stats.Rows == nil {
		t.Errorf("got %+v", stats)
	}
}

func TestNamedQueriesAreKept(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	create := &athenasdk.CreateNamedQueryInput{
		Name: sdk.String("n"), Database: sdk.String(db), QueryString: sdk.String("SELECT 1"), ClientRequestToken: sdk.String(strings.Repeat("t", 32)),
	}
	id := must[*athenasdk.CreateNamedQueryOutput](t)(e.athena.CreateNamedQuery(t.Context(), create)).NamedQueryId
	if again := must[*athenasdk.CreateNamedQueryOutput](t)(e.athena.CreateNamedQuery(t.Context(), create)).NamedQueryId; *again != *id {
		t.Errorf("two ids for one token: %s, %s", *id, *again)
	}
	must[*athenasdk.UpdateNamedQueryOutput](t)(e.athena.UpdateNamedQuery(t.Context(),
		&athenasdk.UpdateNamedQueryInput{NamedQueryId: id, Name: sdk.String("m"), QueryString: sdk.String("SELECT 2")}))
	batch := must[*athenasdk.BatchGetNamedQueryOutput](t)(e.athena.BatchGetNamedQuery(t.Context(),
		&athenasdk.BatchGetNamedQueryInput{NamedQueryIds: []string{*id, "nothing"}}))
	if len(batch.NamedQueries) != 1 || *batch.NamedQueries[0].QueryString != "SELECT 2" || *batch.NamedQueries[0].WorkGroup != "primary" ||
		len(batch.UnprocessedNamedQueryIds) != 1 {
		t.Errorf("got %+v", batch)
	}
	if list := must[*athenasdk.ListNamedQueriesOutput](t)(e.athena.ListNamedQueries(t.Context(), &athenasdk.ListNamedQueriesInput{})); !slices.Equal(list.NamedQueryIds, []string{*id}) {
		t.Errorf("got %v", list.NamedQueryIds)
	}
	must[*athenasdk.DeleteNamedQueryOutput](t)(e.athena.DeleteNamedQuery(t.Context(), &athenasdk.DeleteNamedQueryInput{NamedQueryId: id}))
	_, err := e.athena.GetNamedQuery(t.Context(), &athenasdk.GetNamedQueryInput{NamedQueryId: id})
	wantCode(t, "deleted query", err, "InvalidRequestException")
}

func TestPreparedStatementsAreKept(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	primary := sdk.String("primary")
	create := func(text string) error {
		_, err := e.athena.CreatePreparedStatement(t.Context(), &athenasdk.CreatePreparedStatementInput{
			StatementName: sdk.String("p"), WorkGroup: primary, QueryStatement: &text,
		})
		return err
	}
	if err := create("SELECT ?"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "made twice", create("SELECT ?"), "InvalidRequestException")
	must[*athenasdk.UpdatePreparedStatementOutput](t)(e.athena.UpdatePreparedStatement(t.Context(), &athenasdk.UpdatePreparedStatementInput{
		StatementName: sdk.String("p"), WorkGroup: primary, QueryStatement: sdk.String("SELECT ? + 1"),
	}))
	got := must[*athenasdk.GetPreparedStatementOutput](t)(e.athena.GetPreparedStatement(t.Context(),
		&athenasdk.GetPreparedStatementInput{StatementName: sdk.String("p"), WorkGroup: primary})).PreparedStatement
	if *got.QueryStatement != "SELECT ? + 1" || got.LastModifiedTime == nil {
		t.Errorf("got %+v", got)
	}
	list := must[*athenasdk.ListPreparedStatementsOutput](t)(e.athena.ListPreparedStatements(t.Context(), &athenasdk.ListPreparedStatementsInput{WorkGroup: primary}))
	if len(list.PreparedStatements) != 1 || *list.PreparedStatements[0].StatementName != "p" {
		t.Errorf("got %+v", list.PreparedStatements)
	}
	batch := must[*athenasdk.BatchGetPreparedStatementOutput](t)(e.athena.BatchGetPreparedStatement(t.Context(),
		&athenasdk.BatchGetPreparedStatementInput{PreparedStatementNames: []string{"p", "q"}, WorkGroup: primary}))
	if len(batch.PreparedStatements) != 1 || len(batch.UnprocessedPreparedStatementNames) != 1 {
		t.Errorf("got %+v", batch)
	}
	must[*athenasdk.DeletePreparedStatementOutput](t)(e.athena.DeletePreparedStatement(t.Context(),
		&athenasdk.DeletePreparedStatementInput{StatementName: sdk.String("p"), WorkGroup: primary}))
	_, err := e.athena.GetPreparedStatement(t.Context(), &athenasdk.GetPreparedStatementInput{StatementName: sdk.String("p"), WorkGroup: primary})
	wantCode(t, "deleted statement", err, "ResourceNotFoundException")
}

func TestAthenaTellsOfTheCatalog(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	withTables(t, e.glue, "a", "b", "bc")
	catalog := sdk.String("AwsDataCatalog")
	catalogs := must[*athenasdk.ListDataCatalogsOutput](t)(e.athena.ListDataCatalogs(t.Context(), &athenasdk.ListDataCatalogsInput{}))
	one := must[*athenasdk.GetDataCatalogOutput](t)(e.athena.GetDataCatalog(t.Context(), &athenasdk.GetDataCatalogInput{Name: catalog})).DataCatalog
	if len(catalogs.DataCatalogsSummary) != 1 || one.Type != types.DataCatalogTypeGlue {
		t.Errorf("got %+v, %+v", catalogs.DataCatalogsSummary, one)
	}
	databases := must[*athenasdk.ListDatabasesOutput](t)(e.athena.ListDatabases(t.Context(), &athenasdk.ListDatabasesInput{CatalogName: catalog}))
	database := must[*athenasdk.GetDatabaseOutput](t)(e.athena.GetDatabase(t.Context(), &athenasdk.GetDatabaseInput{CatalogName: catalog, DatabaseName: sdk.String(db)}))
	if len(databases.DatabaseList) != 1 || *database.Database.Name != db {
		t.Errorf("got %+v, %+v", databases.DatabaseList, database.Database)
	}
	var names []string
	pages := athenasdk.NewListTableMetadataPaginator(e.athena,
		&athenasdk.ListTableMetadataInput{CatalogName: catalog, DatabaseName: sdk.String(db), Expression: sdk.String("b.*"), MaxResults: sdk.Int32(1)})
	for pages.HasMorePages() {
		for _, m := range must[*athenasdk.ListTableMetadataOutput](t)(pages.NextPage(t.Context())).TableMetadataList {
			names = append(names, *m.Name)
		}
	}
	if !slices.Equal(names, []string{"b", "bc"}) {
		t.Errorf("got %v", names)
	}
	table := must[*athenasdk.GetTableMetadataOutput](t)(e.athena.GetTableMetadata(t.Context(),
		&athenasdk.GetTableMetadataInput{CatalogName: catalog, DatabaseName: sdk.String(db), TableName: sdk.String("a")})).TableMetadata
	if got := fmt.Sprint(*table.Columns[0].Name, *table.PartitionKeys[0].Name, table.Parameters["location"]); got != "idps3://lake/a/" {
		t.Errorf("got %s", got)
	}
	_, err := e.athena.GetTableMetadata(t.Context(), &athenasdk.GetTableMetadataInput{CatalogName: catalog, DatabaseName: sdk.String(db), TableName: sdk.String("z")})
	wantCode(t, "missing table", err, "MetadataException")
	_, err = e.athena.ListDatabases(t.Context(), &athenasdk.ListDatabasesInput{CatalogName: sdk.String("other")})
	wantCode(t, "other catalog", err, "InvalidRequestException")
}
