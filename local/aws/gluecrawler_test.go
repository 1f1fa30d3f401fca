package aws

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	gluesdk "github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/glue/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var unexportedOfSDK = cmpopts.IgnoreUnexported(
	types.ColumnStatistics{}, types.ColumnStatisticsData{}, types.StringColumnStatisticsData{}, types.Column{},
)

func crawlerOf(name, path string) *gluesdk.CreateCrawlerInput {
	return &gluesdk.CreateCrawlerInput{
		Name: &name, Role: sdk.String("arn:aws:iam::123456789012:role/crawler"), DatabaseName: sdk.String(db),
		Targets: &types.CrawlerTargets{S3Targets: []types.S3Target{{Path: &path}}},
	}
}

func getCrawler(t *testing.T, c *gluesdk.Client, name string) *types.Crawler {
	t.Helper()
	return must[*gluesdk.GetCrawlerOutput](t)(c.GetCrawler(t.Context(), &gluesdk.GetCrawlerInput{Name: &name})).Crawler
}

// inState waits until a crawler is in a state.
func inState(t *testing.T, c *gluesdk.Client, name string, want types.CrawlerState) *types.Crawler {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		got := getCrawler(t, c, name)
		if got.State == want {
			return got
		}
		if time.Now().After(deadline) {
			t.Fatalf("crawler %s is %s, not %s", name, got.State, want)
		}
		select {
		case <-t.Context().Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func startCrawler(t *testing.T, c *gluesdk.Client, name string) {
	t.Helper()
	must[*gluesdk.StartCrawlerOutput](t)(c.StartCrawler(t.Context(), &gluesdk.StartCrawlerInput{Name: &name}))
}

// crawl runs a crawler to its end.
func crawlNow(t *testing.T, c *gluesdk.Client, name string) *types.LastCrawlInfo {
	t.Helper()
	startCrawler(t, c, name)
	return inState(t, c, name, types.CrawlerStateReady).LastCrawl
}

func crawlerLife(t *testing.T, c *gluesdk.Client) {
	withTables(t, c)
	name := sdk.String("walker")
	_, err := c.StartCrawler(t.Context(), &gluesdk.StartCrawlerInput{Name: name})
	wantCode(t, "starting what is not there", err, "EntityNotFoundException")
	must[*gluesdk.CreateCrawlerOutput](t)(c.CreateCrawler(t.Context(), crawlerOf("walker", "s3://lake/raw/")))
	_, err = c.CreateCrawler(t.Context(), crawlerOf("walker", "s3://lake/raw/"))
	wantCode(t, "creating it again", err, "AlreadyExistsException")
	made := getCrawler(t, c, "walker")
	if made.State != types.CrawlerStateReady || *made.DatabaseName != db || *made.Targets.S3Targets[0].Path != "s3://lake/raw/" || made.CreationTime == nil {
		t.Errorf("the crawler is %+v", made)
	}
	_, err = c.StopCrawler(t.Context(), &gluesdk.StopCrawlerInput{Name: name})
	wantCode(t, "stopping what does not run", err, "CrawlerNotRunningException")
	must[*gluesdk.DeleteCrawlerOutput](t)(c.DeleteCrawler(t.Context(), &gluesdk.DeleteCrawlerInput{Name: name}))
	_, err = c.GetCrawler(t.Context(), &gluesdk.GetCrawlerInput{Name: name})
	wantCode(t, "a deleted crawler", err, "EntityNotFoundException")
	_, err = c.DeleteCrawler(t.Context(), &gluesdk.DeleteCrawlerInput{Name: name})
	wantCode(t, "deleting it again", err, "EntityNotFoundException")
}

func crawlerLists(t *testing.T, c *gluesdk.Client) {
	withTables(t, c)
	for _, name := range []string{"c", "a", "b"} {
		must[*gluesdk.CreateCrawlerOutput](t)(c.CreateCrawler(t.Context(), crawlerOf(name, "s3://lake/raw/")))
	}
	must[*gluesdk.UpdateCrawlerOutput](t)(c.UpdateCrawler(t.Context(), &gluesdk.UpdateCrawlerInput{
		Name: sdk.String("b"), Description: sdk.String("changed"), SchemaChangePolicy: &types.SchemaChangePolicy{DeleteBehavior: types.DeleteBehaviorLog},
	}))
	changed := getCrawler(t, c, "b")
	if *changed.Description != "changed" || changed.Version != 2 || *changed.Targets.S3Targets[0].Path != "s3://lake/raw/" ||
		changed.SchemaChangePolicy.DeleteBehavior != types.DeleteBehaviorLog {
		t.Errorf("the changed crawler is %+v", changed)
	}
	var listed, got, measured []string
	for pages := gluesdk.NewListCrawlersPaginator(c, &gluesdk.ListCrawlersInput{MaxResults: sdk.Int32(2)}); pages.HasMorePages(); {
		listed = append(listed, must[*gluesdk.ListCrawlersOutput](t)(pages.NextPage(t.Context())).CrawlerNames...)
	}
	for pages := gluesdk.NewGetCrawlersPaginator(c, &gluesdk.GetCrawlersInput{MaxResults: sdk.Int32(2)}); pages.HasMorePages(); {
		for _, x := range must[*gluesdk.GetCrawlersOutput](t)(pages.NextPage(t.Context())).Crawlers {
			got = append(got, *x.Name)
		}
	}
	for _, m := range must[*gluesdk.GetCrawlerMetricsOutput](t)(c.GetCrawlerMetrics(t.Context(), &gluesdk.GetCrawlerMetricsInput{})).CrawlerMetricsList {
		measured = append(measured, *m.CrawlerName)
	}
	for what, names := range map[string][]string{"ListCrawlers": listed, "GetCrawlers": got, "GetCrawlerMetrics": measured} {
		if !slices.Equal(names, []string{"a", "b", "c"}) {
			t.Errorf("%s: %v", what, names)
		}
	}
	batch := must[*gluesdk.BatchGetCrawlersOutput](t)(c.BatchGetCrawlers(t.Context(), &gluesdk.BatchGetCrawlersInput{CrawlerNames: []string{"a", "x"}}))
	if len(batch.Crawlers) != 1 || !slices.Equal(batch.CrawlersNotFound, []string{"x"}) {
		t.Errorf("%+v", batch)
	}
}

type oldRow struct {
	ID string `parquet:"Id"`
	N  int32  `parquet:"n"`
}

type newRow struct {
	ID    string                     `parquet:"Id"`
	N     int32                      `parquet:"n"`
	At    time.Time                  `parquet:"at,timestamp(microsecond)"`
	Speed float64                    `parquet:"speed,optional"`
	Date  string                     `parquet:"date"` // a partition key, too
	Tags  map[string]int64           `parquet:"tags"`
	Steps []float32                  `parquet:"steps,list"`
	Place struct{ Lat, Lon float64 } `parquet:"place"`
}

func partitionsOf(t *testing.T, c *gluesdk.Client, table string) []string {
	t.Helper()
	var all []string
	for _, p := range must[*gluesdk.GetPartitionsOutput](t)(c.GetPartitions(t.Context(), &gluesdk.GetPartitionsInput{
		DatabaseName: sdk.String(db), TableName: &table,
	})).Partitions {
		all = append(all, strings.Join(p.Values, "/")+" "+*p.StorageDescriptor.Location)
	}
	return all
}

func columnsText(table *types.Table) string {
	var all []string
	for _, c := range table.StorageDescriptor.Columns {
		all = append(all, *c.Name+" "+*c.Type)
	}
	return strings.Join(all, ", ")
}

func TestACrawlerMakesTablesOfFolders(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	withTables(t, e.glue)
	write(t, e.lake, "lake/raw/Vehicle-Data/date=2026-11-01/hour=05/a.parquet", oldRow{})
	write(t, e.lake, "lake/raw/Vehicle-Data/date=2026-11-01/hour=a%2Fb/a.parquet", newRow{})
	write(t, e.lake, "lake/raw/plain/a.parquet", oldRow{})
	write(t, e.lake, "lake/raw/_hidden/a.parquet", oldRow{})
	write(t, e.lake, "lake/raw/plain/not/this.parquet", newRow{})
	in := crawlerOf("walker", "s3://lake/raw/")
	in.TablePrefix = sdk.String("c_")
	in.Targets.S3Targets[0].Exclusions = []string{"plain/n?t/**"}
	must[*gluesdk.CreateCrawlerOutput](t)(e.glue.CreateCrawler(t.Context(), in))
	if last := crawlNow(t, e.glue, "walker"); last == nil || last.Status != types.LastCrawlStatusSucceeded {
		t.Fatalf("%+v", last)
	}
	if got := tableNames(t, e.glue); !slices.Equal(got, []string{"c_plain", "c_vehicle_data"}) {
		t.Errorf("tables are %v", got)
	}
	table := must[*gluesdk.GetTableOutput](t)(e.glue.GetTable(t.Context(), &gluesdk.GetTableInput{DatabaseName: sdk.String(db), Name: sdk.String("c_vehicle_data")})).Table
	want := "id string, n int, at timestamp, speed double, tags map<string,bigint>, steps array<float>, place struct<lat:double,lon:double>"
	if got := columnsText(table); got != want {
		t.Errorf("columns are %s, want %s", got, want)
	}
	if diff := cmp.Diff([]string{
		"2026-11-01/05 s3://lake/raw/Vehicle-Data/date=2026-11-01/hour=05/", "2026-11-01/a/b s3://lake/raw/Vehicle-Data/date=2026-11-01/hour=a%2Fb/",
	}, partitionsOf(t, e.glue, "c_vehicle_data")); diff != "" {
		t.Errorf("partitions (-want +got):\n%s", diff)
	}
	metrics := must[*gluesdk.GetCrawlerMetricsOutput](t)(e.glue.GetCrawlerMetrics(t.Context(), &gluesdk.GetCrawlerMetricsInput{CrawlerNameList: []string{"walker"}}))
	if m := metrics.CrawlerMetricsList[0]; m.TablesCreated != 2 || m.LastRuntimeSeconds <= 0 {
		t.Errorf("metrics are %+v", m)
	}
}

func TestACrawlerKeepsUpWithATable(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	withTables(t, e.glue, "a") // at s3://lake/a/ with the column id and the key p
	write(t, e.lake, "lake/a/p=1/a.parquet", oldRow{})
	write(t, e.lake, "lake/a/p=2/a.parquet", oldRow{})
	in := crawlerOf("walker", "s3://lake/a")
	in.SchemaChangePolicy = &types.SchemaChangePolicy{DeleteBehavior: types.DeleteBehaviorDeleteFromDatabase}
	must[*gluesdk.CreateCrawlerOutput](t)(e.glue.CreateCrawler(t.Context(), in))
	catalogs := crawlerOf("of tables", "")
	catalogs.DatabaseName = nil
	catalogs.Targets = &types.CrawlerTargets{CatalogTargets: []types.CatalogTarget{{DatabaseName: sdk.String(db), Tables: []string{"a"}}}}
	catalogs.SchemaChangePolicy = &types.SchemaChangePolicy{DeleteBehavior: types.DeleteBehaviorLog, UpdateBehavior: types.UpdateBehaviorLog}
	must[*gluesdk.CreateCrawlerOutput](t)(e.glue.CreateCrawler(t.Context(), catalogs))

	want := func(what, crawler, columns string, partitions ...string) {
		t.Helper()
		if last := crawlNow(t, e.glue, crawler); last == nil || last.Status != types.LastCrawlStatusSucceeded {
			t.Fatalf("%s: %+v", what, last)
		}
		table := must[*gluesdk.GetTableOutput](t)(e.glue.GetTable(t.Context(), &gluesdk.GetTableInput{DatabaseName: sdk.String(db), Name: sdk.String("a")})).Table
		if got := columnsText(table); got != columns {
			t.Errorf("%s: columns are %s", what, got)
		}
		if got := partitionsOf(t, e.glue, "a"); !slices.Equal(got, partitions) {
			t.Errorf("%s: partitions are %q", what, got)
		}
	}
	one, two, three := "1 s3://lake/a/p=1/", "2 s3://lake/a/p=2/", "3 s3://lake/a/p=3/"
	want("a crawler of tables that may not change columns", "of tables", "id string", one, two)
	want("a crawler of paths", "walker", "id string, n int", one, two)
	want("the same again", "walker", "id string, n int", one, two)
	if err := os.RemoveAll(filepath.Join(e.lake, "lake/a/p=1")); err != nil {
		t.Fatal(err)
	}
	write(t, e.lake, "lake/a/p=3/a.parquet", oldRow{})
	want("a crawler that may not delete", "of tables", "id string, n int", one, two, three)
	want("a crawler that may delete", "walker", "id string, n int", two, three)
}

func TestACrawlThatFailsSaysWhy(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	withTables(t, e.glue, "a")
	write(t, e.lake, "lake/a/other=1/a.parquet", oldRow{})
	write(t, e.lake, "lake/mixed/p=1/a.parquet", oldRow{})
	write(t, e.lake, "lake/mixed/q=1/a.parquet", oldRow{})
	if err := os.MkdirAll(filepath.Join(e.lake, "lake/text"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(e.lake, "lake/text/a.csv"), []byte("a,b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"s3://lake/a/": `table a has the partition keys ["p"]`, "s3://lake/mixed/": "has the partition keys", "s3://lake/text/": "Parquet files alone",
	} {
		must[*gluesdk.CreateCrawlerOutput](t)(e.glue.CreateCrawler(t.Context(), crawlerOf(path, path)))
		last := crawlNow(t, e.glue, path)
		if last == nil || last.Status != types.LastCrawlStatusFailed || !strings.Contains(*last.ErrorMessage, want) {
			t.Errorf("%s: %+v, want %s", path, last, want)
		}
	}
}

// slowObjects do not answer before their caller gives up.
type slowObjects struct{ Objects }

func (slowObjects) List(ctx context.Context, _, _ string) ([]Object, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestARunningCrawlerIsLeftAloneUntilItIsStopped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := open(t, Options{Objects: slowObjects{}, Dir: dir})
	withTables(t, e.glue)
	names := []string{"a", "b", "waits"}
	for _, name := range names {
		must[*gluesdk.CreateCrawlerOutput](t)(e.glue.CreateCrawler(t.Context(), crawlerOf(name, "s3://lake/raw/")))
		startCrawler(t, e.glue, name)
	}
	name := sdk.String("a")
	if got := getCrawler(t, e.glue, "a"); got.State != types.CrawlerStateRunning {
		t.Errorf("the state is %s", got.State)
	}
	_, err := e.glue.StartCrawler(t.Context(), &gluesdk.StartCrawlerInput{Name: name})
	wantCode(t, "starting again", err, "CrawlerRunningException")
	_, err = e.glue.DeleteCrawler(t.Context(), &gluesdk.DeleteCrawlerInput{Name: name})
	wantCode(t, "deleting", err, "CrawlerRunningException")
	_, err = e.glue.UpdateCrawler(t.Context(), &gluesdk.UpdateCrawlerInput{Name: name, Description: sdk.String("x")})
	wantCode(t, "changing", err, "CrawlerRunningException")
	for _, name := range []string{"waits", "a"} {
		must[*gluesdk.StopCrawlerOutput](t)(e.glue.StopCrawler(t.Context(), &gluesdk.StopCrawlerInput{Name: &name}))
		if last := inState(t, e.glue, name, types.CrawlerStateReady).LastCrawl; last == nil || last.Status != types.LastCrawlStatusCancelled {
			t.Errorf("%s: %+v", name, last)
		}
	}
	e.end(t) // while b runs
	again := open(t, Options{Objects: slowObjects{}, Dir: dir})
	if got := getCrawler(t, again.glue, "b"); got.State != types.CrawlerStateReady || got.LastCrawl.Status != types.LastCrawlStatusCancelled {
		t.Errorf("after a restart the crawler is %+v", got)
	}
}
