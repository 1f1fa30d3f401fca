package aws

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	gluesdk "github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/glue/types"
	"github.com/aws/smithy-go"
)

// wantCode checks the type of an AWS error.
func wantCode(t *testing.T, what string, err error, want string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != want {
		t.Errorf("%s: got %v, want %s", what, err, want)
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

const db = "smart-city"

// withTables makes the database with tables partitioned by p.
func withTables(t *testing.T, c *gluesdk.Client, names ...string) {
	t.Helper()
	must[*gluesdk.CreateDatabaseOutput](t)(c.CreateDatabase(t.Context(),
		&gluesdk.CreateDatabaseInput{DatabaseInput: &types.DatabaseInput{Name: sdk.String(db)}}))
	for _, name := range names {
		must[*gluesdk.CreateTableOutput](t)(c.CreateTable(t.Context(),
			&gluesdk.CreateTableInput{DatabaseName: sdk.String(db), TableInput: tableInputOf(name, "p")}))
	}
}

func numbered(n int) []types.PartitionInput {
	inputs := make([]types.PartitionInput, n)
	for i := range inputs {
		v := fmt.Sprintf("%05d", i)
		inputs[i] = types.PartitionInput{Values: []string{v}, StorageDescriptor: &types.StorageDescriptor{
			Location: sdk.String("s3://lake/a/p=" + v + "/"), Columns: []types.Column{{Name: sdk.String("id"), Type: sdk.String("string")}},
		}}
	}
	return inputs
}

func toldAlready(t *testing.T, c *gluesdk.Client) {
	withTables(t, c, "a")
	_, err := c.CreateDatabase(t.Context(), &gluesdk.CreateDatabaseInput{DatabaseInput: &types.DatabaseInput{Name: sdk.String(db)}})
	wantCode(t, "database", err, "AlreadyExistsException")
	_, err = c.CreateTable(t.Context(), &gluesdk.CreateTableInput{DatabaseName: sdk.String(db), TableInput: tableInputOf("a")})
	wantCode(t, "table", err, "AlreadyExistsException")
	in := &gluesdk.CreatePartitionInput{DatabaseName: sdk.String(db), TableName: sdk.String("a"), PartitionInput: &numbered(1)[0]}
	must[*gluesdk.CreatePartitionOutput](t)(c.CreatePartition(t.Context(), in))
	_, err = c.CreatePartition(t.Context(), in)
	wantCode(t, "partition", err, "AlreadyExistsException")
}

func toldMissing(t *testing.T, c *gluesdk.Client) {
	withTables(t, c, "a")
	_, err := c.GetTable(t.Context(), &gluesdk.GetTableInput{DatabaseName: sdk.String(db), Name: sdk.String("b")})
	wantCode(t, "table", err, "EntityNotFoundException")
	_, err = c.GetDatabase(t.Context(), &gluesdk.GetDatabaseInput{Name: sdk.String("b")})
	wantCode(t, "database", err, "EntityNotFoundException")
	_, err = c.DeleteTable(t.Context(), &gluesdk.DeleteTableInput{DatabaseName: sdk.String(db), Name: sdk.String("b")})
	wantCode(t, "deleted table", err, "EntityNotFoundException")
	_, err = c.GetPartitions(t.Context(), &gluesdk.GetPartitionsInput{DatabaseName: sdk.String(db), TableName: sdk.String("b")})
	wantCode(t, "partitions of no table", err, "EntityNotFoundException")
	_, err = c.UpdatePartition(t.Context(), &gluesdk.UpdatePartitionInput{
		DatabaseName: sdk.String(db), TableName: sdk.String("a"), PartitionValueList: []string{"x"}, PartitionInput: &types.PartitionInput{Values: []string{"x"}},
	})
	wantCode(t, "partition", err, "EntityNotFoundException")
}

func toldWrong(t *testing.T, c *gluesdk.Client) {
	withTables(t, c, "a")
	_, err := c.CreatePartition(t.Context(), &gluesdk.CreatePartitionInput{
		DatabaseName: sdk.String(db), TableName: sdk.String("a"), PartitionInput: &types.PartitionInput{Values: []string{"1", "2"}},
	})
	wantCode(t, "too many values", err, "InvalidInputException")
	_, err = c.GetPartitions(t.Context(), &gluesdk.GetPartitionsInput{
		DatabaseName: sdk.String(db), TableName: sdk.String("a"), Expression: sdk.String("nothing > '1'"),
	})
	wantCode(t, "expression", err, "InvalidInputException")
	_, err = c.GetPartitions(t.Context(), &gluesdk.GetPartitionsInput{
		DatabaseName: sdk.String(db), TableName: sdk.String("a"), NextToken: sdk.String("?"),
	})
	wantCode(t, "token", err, "InvalidInputException")
	_, err = c.CreateDatabase(t.Context(), &gluesdk.CreateDatabaseInput{DatabaseInput: &types.DatabaseInput{Name: sdk.String("Smart-City")}})
	wantCode(t, "a database in other letters", err, "AlreadyExistsException")
	_, err = c.CreateTable(t.Context(), &gluesdk.CreateTableInput{DatabaseName: sdk.String(db), TableInput: tableInputOf("A")})
	wantCode(t, "a table in other letters", err, "AlreadyExistsException")
	double := tableInputOf("c", "ID")
	_, err = c.CreateTable(t.Context(), &gluesdk.CreateTableInput{DatabaseName: sdk.String(db), TableInput: double})
	wantCode(t, "a column twice", err, "InvalidInputException")
	_, err = c.GetJob(t.Context(), &gluesdk.GetJobInput{JobName: sdk.String("a")})
	wantCode(t, "unknown operation", err, "UnknownOperationException")
}

func staleVersion(t *testing.T, c *gluesdk.Client) {
	withTables(t, c, "a")
	update := func(version *string) error {
		_, err := c.UpdateTable(t.Context(), &gluesdk.UpdateTableInput{
			DatabaseName: sdk.String(db), TableInput: tableInputOf("a", "p"), VersionId: version, SkipArchive: sdk.Bool(true),
		})
		return err
	}
	get := func() *types.Table {
		return must[*gluesdk.GetTableOutput](t)(c.GetTable(t.Context(),
			&gluesdk.GetTableInput{DatabaseName: sdk.String(db), Name: sdk.String("a")})).Table
	}
	first := get()
	if err := update(first.VersionId); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "stale version", update(first.VersionId), "ConcurrentModificationException")
	if err := update(nil); err != nil {
		t.Error("without a version: ", err)
	}
	if now := get(); *now.VersionId == *first.VersionId || !now.CreateTime.Equal(*first.CreateTime) {
		t.Errorf("version %s after %s, made %v after %v", *now.VersionId, *first.VersionId, now.CreateTime, first.CreateTime)
	}
}

func batchInPart(t *testing.T, c *gluesdk.Client) {
	withTables(t, c, "a")
	create := func(inputs ...types.PartitionInput) (*gluesdk.BatchCreatePartitionOutput, error) {
		return c.BatchCreatePartition(t.Context(), &gluesdk.BatchCreatePartitionInput{
			DatabaseName: sdk.String(db), TableName: sdk.String("a"), PartitionInputList: inputs,
		})
	}
	all := numbered(101)
	_, err := create(all...)
	wantCode(t, "101 partitions", err, "InvalidInputException")
	must[*gluesdk.BatchCreatePartitionOutput](t)(create(all[:2]...))
	out := must[*gluesdk.BatchCreatePartitionOutput](t)(create(all[1], all[2], all[2], types.PartitionInput{Values: []string{"x", "y"}}))
	var codes []string
	for _, f := range out.Errors {
		codes = append(codes, fmt.Sprintf("%v %s", f.PartitionValues, *f.ErrorDetail.ErrorCode))
	}
	want := []string{"[00001] AlreadyExistsException", "[00002] AlreadyExistsException", "[x y] InvalidInputException"}
	if !slices.Equal(codes, want) {
		t.Errorf("errors are %v", codes)
	}
}

func partitionPages(t *testing.T, c *gluesdk.Client) {
	withTables(t, c, "a")
	all := numbered(25)
	must[*gluesdk.BatchCreatePartitionOutput](t)(c.BatchCreatePartition(t.Context(), &gluesdk.BatchCreatePartitionInput{
		DatabaseName: sdk.String(db), TableName: sdk.String("a"), PartitionInputList: all,
	}))
	pages := gluesdk.NewGetPartitionsPaginator(c, &gluesdk.GetPartitionsInput{
		DatabaseName: sdk.String(db), TableName: sdk.String("a"), MaxResults: sdk.Int32(10), ExcludeColumnSchema: sdk.Bool(true),
	})
	var sizes []int
	next := 0
	for pages.HasMorePages() {
		page := must[*gluesdk.GetPartitionsOutput](t)(pages.NextPage(t.Context()))
		sizes = append(sizes, len(page.Partitions))
		for _, p := range page.Partitions {
			if p.Values[0] != all[next].Values[0] || p.StorageDescriptor.Columns != nil || p.CreationTime == nil {
				t.Errorf("partition %d is %v with columns %v", next, p.Values, p.StorageDescriptor.Columns)
			}
			next++
		}
	}
	if !slices.Equal(sizes, []int{10, 10, 5}) {
		t.Errorf("pages are %v", sizes)
	}
}

func tablePages(t *testing.T, c *gluesdk.Client) {
	withTables(t, c, "vehicle_data", "gps_data", "other")
	var names []string
	tables := gluesdk.NewGetTablesPaginator(c, &gluesdk.GetTablesInput{
		DatabaseName: sdk.String(db), Expression: sdk.String(".*_data"), MaxResults: sdk.Int32(1),
	})
	for tables.HasMorePages() {
		for _, table := range must[*gluesdk.GetTablesOutput](t)(tables.NextPage(t.Context())).TableList {
			names = append(names, *table.Name)
		}
	}
	databases := gluesdk.NewGetDatabasesPaginator(c, &gluesdk.GetDatabasesInput{})
	for databases.HasMorePages() {
		for _, d := range must[*gluesdk.GetDatabasesOutput](t)(databases.NextPage(t.Context())).DatabaseList {
			names = append(names, *d.Name)
		}
	}
	if want := []string{"gps_data", "vehicle_data", "smart-city"}; !slices.Equal(names, want) {
		t.Errorf("names are %v, want %v", names, want)
	}
}

func partitionsChange(t *testing.T, c *gluesdk.Client) {
	withTables(t, c, "a")
	name, table := sdk.String(db), sdk.String("a")
	must[*gluesdk.BatchCreatePartitionOutput](t)(c.BatchCreatePartition(t.Context(), &gluesdk.BatchCreatePartitionInput{
		DatabaseName: name, TableName: table, PartitionInputList: numbered(4),
	}))
	to := func(value, location string) *types.PartitionInput {
		return &types.PartitionInput{Values: []string{value}, StorageDescriptor: &types.StorageDescriptor{Location: &location}}
	}
	must[*gluesdk.UpdatePartitionOutput](t)(c.UpdatePartition(t.Context(), &gluesdk.UpdatePartitionInput{
		DatabaseName: name, TableName: table, PartitionValueList: []string{"00000"}, PartitionInput: to("00000", "s3://new/0/"),
	}))
	out := must[*gluesdk.BatchUpdatePartitionOutput](t)(c.BatchUpdatePartition(t.Context(), &gluesdk.BatchUpdatePartitionInput{
		DatabaseName: name, TableName: table, Entries: []types.BatchUpdatePartitionRequestEntry{
			{PartitionValueList: []string{"00001"}, PartitionInput: to("moved", "s3://new/1/")},
			{PartitionValueList: []string{"nothing"}, PartitionInput: to("nothing", "s3://new/2/")},
		},
	}))
	if len(out.Errors) != 1 || *out.Errors[0].ErrorDetail.ErrorCode != "EntityNotFoundException" || out.Errors[0].PartitionValueList[0] != "nothing" {
		t.Errorf("errors of the update are %v", out.Errors)
	}
	deleted := must[*gluesdk.BatchDeletePartitionOutput](t)(c.BatchDeletePartition(t.Context(), &gluesdk.BatchDeletePartitionInput{
		DatabaseName: name, TableName: table, PartitionsToDelete: []types.PartitionValueList{{Values: []string{"00002"}}, {Values: []string{"00001"}}},
	}))
	if len(deleted.Errors) != 1 {
		t.Errorf("errors of the deletion are %v", deleted.Errors)
	}
	got := must[*gluesdk.BatchGetPartitionOutput](t)(c.BatchGetPartition(t.Context(), &gluesdk.BatchGetPartitionInput{
		DatabaseName: name, TableName: table, PartitionsToGet: []types.PartitionValueList{
			{Values: []string{"00000"}},
			{Values: []string{"00001"}},
			{Values: []string{"00002"}},
			{Values: []string{"moved"}},
		},
	}))
	var locations []string
	for _, p := range got.Partitions {
		locations = append(locations, *p.StorageDescriptor.Location)
	}
	if want := []string{"s3://new/0/", "s3://new/1/"}; !slices.Equal(locations, want) {
		t.Errorf("locations are %v, want %v", locations, want)
	}
	_, err := c.GetPartition(t.Context(), &gluesdk.GetPartitionInput{DatabaseName: name, TableName: table, PartitionValues: []string{"00002"}})
	wantCode(t, "deleted partition", err, "EntityNotFoundException")
}

func partitionMovesToAnother(t *testing.T, c *gluesdk.Client) {
	withTables(t, c, "a")
	name, table := sdk.String(db), sdk.String("a")
	must[*gluesdk.BatchCreatePartitionOutput](t)(c.BatchCreatePartition(t.Context(), &gluesdk.BatchCreatePartitionInput{
		DatabaseName: name, TableName: table, PartitionInputList: numbered(2),
	}))
	out := must[*gluesdk.BatchUpdatePartitionOutput](t)(c.BatchUpdatePartition(t.Context(), &gluesdk.BatchUpdatePartitionInput{
		DatabaseName: name, TableName: table, Entries: []types.BatchUpdatePartitionRequestEntry{
			{PartitionValueList: []string{"00000"}, PartitionInput: &types.PartitionInput{Values: []string{"00001"}}},
		},
	}))
	if len(out.Errors) != 1 || *out.Errors[0].ErrorDetail.ErrorCode != "AlreadyExistsException" {
		t.Errorf("errors are %v", out.Errors)
	}
	if got := foundPartitions(t, c, gluesdk.GetPartitionsInput{}); !slices.Equal(got, []string{"00000", "00001"}) {
		t.Errorf("partitions are %v", got)
	}
}
