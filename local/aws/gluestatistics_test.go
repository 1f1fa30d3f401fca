package aws

import (
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	gluesdk "github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/glue/types"
	"github.com/google/go-cmp/cmp"
)

func statisticsOfID(distinct int64) types.ColumnStatistics {
	return types.ColumnStatistics{
		ColumnName: sdk.String("id"), ColumnType: sdk.String("string"), AnalyzedTime: sdk.Time(time.Unix(1_800_000_000, 0)),
		StatisticsData: &types.ColumnStatisticsData{Type: types.ColumnStatisticsTypeString, StringColumnStatisticsData: &types.StringColumnStatisticsData{
			AverageLength: 3, MaximumLength: 9, NumberOfDistinctValues: distinct, NumberOfNulls: 1,
		}},
	}
}

func columnStatistics(t *testing.T, c *gluesdk.Client) {
	withTables(t, c, "a")
	name, table := sdk.String(db), sdk.String("a")
	must[*gluesdk.BatchCreatePartitionOutput](t)(c.BatchCreatePartition(t.Context(), &gluesdk.BatchCreatePartitionInput{
		DatabaseName: name, TableName: table, PartitionInputList: numbered(2),
	}))
	unknown := statisticsOfID(1)
	unknown.ColumnName = sdk.String("nothing")
	out := must[*gluesdk.UpdateColumnStatisticsForTableOutput](t)(c.UpdateColumnStatisticsForTable(t.Context(), &gluesdk.UpdateColumnStatisticsForTableInput{
		DatabaseName: name, TableName: table, ColumnStatisticsList: []types.ColumnStatistics{statisticsOfID(7), unknown},
	}))
	if len(out.Errors) != 1 || *out.Errors[0].ColumnStatistics.ColumnName != "nothing" {
		t.Errorf("errors of the update are %+v", out.Errors)
	}
	must[*gluesdk.UpdateColumnStatisticsForPartitionOutput](t)(c.UpdateColumnStatisticsForPartition(t.Context(), &gluesdk.UpdateColumnStatisticsForPartitionInput{
		DatabaseName: name, TableName: table, PartitionValues: []string{"00001"}, ColumnStatisticsList: []types.ColumnStatistics{statisticsOfID(3)},
	}))
	ofTable := func() []types.ColumnStatistics {
		return must[*gluesdk.GetColumnStatisticsForTableOutput](t)(c.GetColumnStatisticsForTable(t.Context(), &gluesdk.GetColumnStatisticsForTableInput{
			DatabaseName: name, TableName: table, ColumnNames: []string{"id", "p"},
		})).ColumnStatisticsList
	}
	ofPartition := func(value string) []types.ColumnStatistics {
		return must[*gluesdk.GetColumnStatisticsForPartitionOutput](t)(c.GetColumnStatisticsForPartition(t.Context(), &gluesdk.GetColumnStatisticsForPartitionInput{
			DatabaseName: name, TableName: table, PartitionValues: []string{value}, ColumnNames: []string{"id"},
		})).ColumnStatisticsList
	}
	if diff := cmp.Diff([]types.ColumnStatistics{statisticsOfID(7)}, ofTable(), unexportedOfSDK); diff != "" {
		t.Errorf("statistics of the table (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]types.ColumnStatistics{statisticsOfID(3)}, ofPartition("00001"), unexportedOfSDK); diff != "" {
		t.Errorf("statistics of the partition (-want +got):\n%s", diff)
	}
	if got := ofPartition("00000"); len(got) != 0 {
		t.Errorf("another partition has statistics: %+v", got)
	}
	remove := func() error {
		_, err := c.DeleteColumnStatisticsForTable(t.Context(), &gluesdk.DeleteColumnStatisticsForTableInput{
			DatabaseName: name, TableName: table, ColumnName: sdk.String("id"),
		})
		return err
	}
	if err := remove(); err != nil || len(ofTable()) != 0 {
		t.Errorf("deleted: %v, left %+v", err, ofTable())
	}
	wantCode(t, "deleting again", remove(), "EntityNotFoundException")
}
