package aws

import (
	"testing"

	gluesdk "github.com/aws/aws-sdk-go-v2/service/glue"
)

// A glueTest is what a client of Glue sees. The tests run on an empty catalog, on the local endpoint and on moto's server.
type glueTest struct {
	name string
	run  func(*testing.T, *gluesdk.Client)
	moto string // why moto does not pass it, or nothing if it does
}

var glueTests = []glueTest{
	{"what is there already is told by type", toldAlready, ""},
	{"what is missing is told by type", toldMissing, ""},
	{"what is wrong is told by type", toldWrong, "moto checks neither names nor values, tells names apart by case, and knows jobs"},
	{"a stale version is refused", staleVersion, "moto takes any VersionId"},
	{"a batch of partitions succeeds in part", batchInPart, "moto knows no limit of 100"},
	{"partitions come in pages", partitionPages, "moto ignores MaxResults and ExcludeColumnSchema"},
	{"tables and databases come in pages and by expression", tablePages, "moto ignores MaxResults of GetTables"},
	{"tables are found by expressions", tablesByExpression, ""},
	{"partitions are updated, moved and deleted", partitionsChange, ""},
	{"a partition that moves to where another is fails alone", partitionMovesToAnother, "moto fails the whole batch"},
	{"a database is changed, and goes with its tables", databaseLife, ""},
	{"tables go in a batch, in part", tablesInBatch, ""},
	{"versions of a table are kept, listed and deleted", tableVersions, ""},
	{"an update with SkipArchive keeps no version", skippedVersion, "moto keeps a version all the same"},
	{"tables are searched by text and filter", searchedTables, "moto has no SearchTables"},
	{"statistics of columns are kept", columnStatistics, "moto has no statistics of columns"},
	{"databases, tables and crawlers have tags", resourceTags, ""},
	{"partitions are found by expressions", partitionsByExpression, ""},
	{"an expression over keys of several types", typedExpressions, ""},
	{"expressions and pages go together", expressionPages, "moto ignores MaxResults"},
	{"segments hold each partition once", partitionSegments, "moto ignores Segment"},
	{"a crawler has a life", crawlerLife, ""},
	{"crawlers are listed and changed", crawlerLists, "moto has no UpdateCrawler and no GetCrawlerMetrics"},
	{"there are no partition indexes", noPartitionIndexes, ""},
	{"limits of pages and batches are told by type", toldLimits, "moto knows no limits"},
}

func TestTheLocalGlueAnswersItsClients(t *testing.T) {
	t.Parallel()
	for _, test := range glueTests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, open(t, Options{}).glue)
		})
	}
}
