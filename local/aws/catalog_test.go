package aws

import (
	"path/filepath"
	"reflect"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	gluesdk "github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/glue/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// everything makes one of each thing that the catalog keeps, and removes others.
func everything(t *testing.T, c *gluesdk.Client) {
	t.Helper()
	withTables(t, c, "a", "gone")
	for _, d := range []string{"first", "second", "third"} {
		describeTable(t, c, d, d == "second")
	}
	name, table := sdk.String(db), sdk.String("a")
	must[*gluesdk.BatchCreatePartitionOutput](t)(c.BatchCreatePartition(t.Context(), &gluesdk.BatchCreatePartitionInput{
		DatabaseName: name, TableName: table, PartitionInputList: numbered(3),
	}))
	for _, value := range []string{"00000", "00001"} {
		must[*gluesdk.UpdateColumnStatisticsForPartitionOutput](t)(c.UpdateColumnStatisticsForPartition(t.Context(), &gluesdk.UpdateColumnStatisticsForPartitionInput{
			DatabaseName: name, TableName: table, PartitionValues: []string{value}, ColumnStatisticsList: []types.ColumnStatistics{statisticsOfID(3)},
		}))
	}
	must[*gluesdk.UpdateColumnStatisticsForTableOutput](t)(c.UpdateColumnStatisticsForTable(t.Context(), &gluesdk.UpdateColumnStatisticsForTableInput{
		DatabaseName: name, TableName: table, ColumnStatisticsList: []types.ColumnStatistics{statisticsOfID(9)},
	}))
	must[*gluesdk.DeleteColumnStatisticsForTableOutput](t)(c.DeleteColumnStatisticsForTable(t.Context(), &gluesdk.DeleteColumnStatisticsForTableInput{
		DatabaseName: name, TableName: table, ColumnName: sdk.String("id"),
	}))
	must[*gluesdk.DeletePartitionOutput](t)(c.DeletePartition(t.Context(), &gluesdk.DeletePartitionInput{
		DatabaseName: name, TableName: table, PartitionValues: []string{"00001"},
	}))
	must[*gluesdk.DeleteTableVersionOutput](t)(c.DeleteTableVersion(t.Context(), &gluesdk.DeleteTableVersionInput{
		DatabaseName: name, TableName: table, VersionId: sdk.String("0"),
	}))
	for _, crawler := range []string{"kept", "dropped"} {
		in := crawlerOf(crawler, "s3://lake/raw/")
		in.Tags = map[string]string{"team": "city"}
		must[*gluesdk.CreateCrawlerOutput](t)(c.CreateCrawler(t.Context(), in))
	}
	crawlNow(t, c, "kept")
	must[*gluesdk.DeleteCrawlerOutput](t)(c.DeleteCrawler(t.Context(), &gluesdk.DeleteCrawlerInput{Name: sdk.String("dropped")}))
	must[*gluesdk.CreateDatabaseOutput](t)(c.CreateDatabase(t.Context(), &gluesdk.CreateDatabaseInput{
		DatabaseInput: &types.DatabaseInput{Name: sdk.String("gone")}, Tags: map[string]string{"a": "b"},
	}))
	must[*gluesdk.DeleteDatabaseOutput](t)(c.DeleteDatabase(t.Context(), &gluesdk.DeleteDatabaseInput{Name: sdk.String("gone")}))
	must[*gluesdk.BatchDeleteTableOutput](t)(c.BatchDeleteTable(t.Context(), &gluesdk.BatchDeleteTableInput{DatabaseName: name, TablesToDelete: []string{"gone"}}))
}

func TestTheCatalogIsTheSameAfterARestartAndAfterARewriting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := open(t, Options{Dir: dir})
	everything(t, e.glue)
	e.end(t)
	path := filepath.Join(dir, "catalog.journal")
	same := func(what string) *catalog {
		t.Helper()
		c, err := openCatalog(path, func(err error) { t.Error(err) })
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.close() })
		for _, part := range []struct {
			name      string
			want, got any
		}{
			{"databases", e.Server.catalog.databases, c.databases},
			{"tags", e.Server.catalog.tags, c.tags},
			{"crawlers", e.Server.catalog.crawlers, c.crawlers},
		} {
			if diff := cmp.Diff(part.want, part.got, cmp.Exporter(func(reflect.Type) bool { return true }), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: %s differ (-want +got):\n%s", what, part.name, diff)
			}
		}
		return c
	}
	c := same("after a restart")
	if n := len(c.databases) + len(c.tags) + len(c.crawlers); n != 3 {
		t.Errorf("%d things are there", n)
	}
	a := c.databases[db].tables["a"]
	if len(a.versions) != 1 || len(a.partitions) != 2 || len(a.statistics[statisticsOf([]string{"00000"})]) != 1 || len(a.statistics[statisticsOf([]string{"00001"})]) != 0 {
		t.Errorf("the table is %+v", a)
	}
	snapshot, err := c.snapshot()
	if err == nil {
		err = c.journal.rewrite(snapshot)
	}
	if err != nil {
		t.Fatal(err)
	}
	same("after a rewriting")
}
