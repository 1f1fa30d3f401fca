package aws

import (
	"slices"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	gluesdk "github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/glue/types"
	"github.com/google/go-cmp/cmp"
)

func databaseLife(t *testing.T, c *gluesdk.Client) {
	withTables(t, c, "a", "b")
	must[*gluesdk.UpdateDatabaseOutput](t)(c.UpdateDatabase(t.Context(), &gluesdk.UpdateDatabaseInput{
		Name: sdk.String(db), DatabaseInput: &types.DatabaseInput{
			Name: sdk.String(db), Description: sdk.String("the city"), LocationUri: sdk.String("s3://lake/"), Parameters: map[string]string{"k": "v"},
		},
	}))
	got := must[*gluesdk.GetDatabaseOutput](t)(c.GetDatabase(t.Context(), &gluesdk.GetDatabaseInput{Name: sdk.String(db)})).Database
	if *got.Description != "the city" || *got.LocationUri != "s3://lake/" || got.Parameters["k"] != "v" || got.CreateTime == nil {
		t.Errorf("the database is %+v", got)
	}
	must[*gluesdk.DeleteDatabaseOutput](t)(c.DeleteDatabase(t.Context(), &gluesdk.DeleteDatabaseInput{Name: sdk.String(db)}))
	_, err := c.GetDatabase(t.Context(), &gluesdk.GetDatabaseInput{Name: sdk.String(db)})
	wantCode(t, "deleted database", err, "EntityNotFoundException")
	_, err = c.DeleteDatabase(t.Context(), &gluesdk.DeleteDatabaseInput{Name: sdk.String(db)})
	wantCode(t, "deleting it again", err, "EntityNotFoundException")
	withTables(t, c, "c")
	if got := tableNames(t, c); !slices.Equal(got, []string{"c"}) {
		t.Errorf("a database of the same name has the tables %v", got)
	}
}

func tableNames(t *testing.T, c *gluesdk.Client) []string {
	t.Helper()
	var names []string
	for _, table := range must[*gluesdk.GetTablesOutput](t)(c.GetTables(t.Context(), &gluesdk.GetTablesInput{DatabaseName: sdk.String(db)})).TableList {
		names = append(names, *table.Name)
	}
	return names
}

func tablesByExpression(t *testing.T, c *gluesdk.Client) {
	withTables(t, c, "vehicle_data", "gps_data", "other")
	for expression, want := range map[string][]string{
		".*_data": {"gps_data", "vehicle_data"}, "*_data": {"gps_data", "vehicle_data"}, "gps*": {"gps_data"}, "*the*": {"other"},
		"other": {"other"}, "gps_data|other": {"gps_data", "other"}, "v*_data": {"vehicle_data"}, "nothing": nil,
	} {
		var names []string
		for _, table := range must[*gluesdk.GetTablesOutput](t)(c.GetTables(t.Context(), &gluesdk.GetTablesInput{
			DatabaseName: sdk.String(db), Expression: &expression,
		})).TableList {
			names = append(names, *table.Name)
		}
		slices.Sort(names)
		if !slices.Equal(names, want) {
			t.Errorf("%s: got %v, want %v", expression, names, want)
		}
	}
}

func TestAnExpressionIsOfTheWholeName(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]string{
		"gps": "", "GPS_.*": "gps_data", "[a-z]*_data": "gps_data", "(g|p|s)*_data": "gps_data", "*": "gps_data", "**": "gps_data",
	} {
		pattern, err := namePattern(expression)
		if err != nil || pattern.FindString("gps_data") != want {
			t.Errorf("%s: %v, %v", expression, pattern, err)
		}
	}
	if _, err := namePattern("("); err == nil {
		t.Error("half an expression was taken")
	}
}

func tablesInBatch(t *testing.T, c *gluesdk.Client) {
	withTables(t, c, "a", "b", "c")
	out := must[*gluesdk.BatchDeleteTableOutput](t)(c.BatchDeleteTable(t.Context(), &gluesdk.BatchDeleteTableInput{
		DatabaseName: sdk.String(db), TablesToDelete: []string{"a", "nothing", "c"},
	}))
	if len(out.Errors) != 1 || *out.Errors[0].TableName != "nothing" || *out.Errors[0].ErrorDetail.ErrorCode != "EntityNotFoundException" {
		t.Errorf("errors are %+v", out.Errors)
	}
	if got := tableNames(t, c); !slices.Equal(got, []string{"b"}) {
		t.Errorf("left are %v", got)
	}
}

// describeTable updates a table with a description, and tells of a version.
func describeTable(t *testing.T, c *gluesdk.Client, description string, skip bool) {
	t.Helper()
	in := tableInputOf("a", "p")
	in.Description = &description
	must[*gluesdk.UpdateTableOutput](t)(c.UpdateTable(t.Context(), &gluesdk.UpdateTableInput{
		DatabaseName: sdk.String(db), TableInput: in, SkipArchive: sdk.Bool(skip),
	}))
}

func versionsOfA(t *testing.T, c *gluesdk.Client) []string {
	t.Helper()
	var all []string
	pages := gluesdk.NewGetTableVersionsPaginator(c, &gluesdk.GetTableVersionsInput{
		DatabaseName: sdk.String(db), TableName: sdk.String("a"), MaxResults: sdk.Int32(2),
	})
	for pages.HasMorePages() {
		for _, v := range must[*gluesdk.GetTableVersionsOutput](t)(pages.NextPage(t.Context())).TableVersions {
			all = append(all, sdk.ToString(v.Table.Description))
		}
	}
	return all
}

func tableVersions(t *testing.T, c *gluesdk.Client) {
	withTables(t, c, "a")
	for _, d := range []string{"first", "second", "third"} {
		describeTable(t, c, d, false)
	}
	got := versionsOfA(t, c)
	slices.Sort(got) // moto lists the oldest first
	if want := []string{"", "first", "second", "third"}; !slices.Equal(got, want) {
		t.Errorf("versions are %q, want %q", got, want)
	}
	current := must[*gluesdk.GetTableOutput](t)(c.GetTable(t.Context(), &gluesdk.GetTableInput{DatabaseName: sdk.String(db), Name: sdk.String("a")})).Table
	version := func(id string) (*gluesdk.GetTableVersionOutput, error) {
		return c.GetTableVersion(t.Context(), &gluesdk.GetTableVersionInput{DatabaseName: sdk.String(db), TableName: sdk.String("a"), VersionId: &id})
	}
	if v := must[*gluesdk.GetTableVersionOutput](t)(version(*current.VersionId)).TableVersion; *v.Table.Description != "third" {
		t.Errorf("the current version is %q", *v.Table.Description)
	}
	_, err := version("999")
	wantCode(t, "a version that never was", err, "EntityNotFoundException")

	all := must[*gluesdk.GetTableVersionsOutput](t)(c.GetTableVersions(t.Context(), &gluesdk.GetTableVersionsInput{DatabaseName: sdk.String(db), TableName: sdk.String("a")}))
	i := slices.IndexFunc(all.TableVersions, func(v types.TableVersion) bool { return sdk.ToString(v.Table.Description) == "second" })
	must[*gluesdk.DeleteTableVersionOutput](t)(c.DeleteTableVersion(t.Context(), &gluesdk.DeleteTableVersionInput{
		DatabaseName: sdk.String(db), TableName: sdk.String("a"), VersionId: all.TableVersions[i].VersionId,
	}))
	_, err = version(*all.TableVersions[i].VersionId)
	wantCode(t, "a deleted version", err, "EntityNotFoundException")
	if left := versionsOfA(t, c); len(left) != 3 || slices.Contains(left, "second") {
		t.Errorf("left are %q", left)
	}
}

func skippedVersion(t *testing.T, c *gluesdk.Client) {
	withTables(t, c, "a")
	describeTable(t, c, "first", true)
	describeTable(t, c, "second", false)
	if got, want := versionsOfA(t, c), []string{"second", "first"}; !slices.Equal(got, want) {
		t.Errorf("versions are %q, want the newest first and without what was skipped: %q", got, want)
	}
}

func searchedTables(t *testing.T, c *gluesdk.Client) {
	withTables(t, c, "vehicle_data", "gps_data", "other")
	search := func(text string, filters ...types.PropertyPredicate) []string {
		t.Helper()
		in := &gluesdk.SearchTablesInput{Filters: filters, MaxResults: sdk.Int32(1)}
		if text != "" {
			in.SearchText = &text
		}
		var names []string
		for pages := gluesdk.NewSearchTablesPaginator(c, in); pages.HasMorePages(); {
			for _, table := range must[*gluesdk.SearchTablesOutput](t)(pages.NextPage(t.Context())).TableList {
				names = append(names, *table.Name)
			}
		}
		return names
	}
	by := func(key, value string) types.PropertyPredicate {
		return types.PropertyPredicate{Key: &key, Value: &value}
	}
	for _, test := range []struct {
		name string
		got  []string
		want []string
	}{
		{"a part of a name", search("_DATA"), []string{"gps_data", "vehicle_data"}},
		{"a whole word", search(`"other"`), []string{"other"}},
		{"a part is no whole word", search(`"data"`), nil},
		{"a column", search("", by("Column", "id"), by("Name", "other")), []string{"other"}},
		{"another database", search("", by("DatabaseName", "elsewhere")), nil},
	} {
		if !slices.Equal(test.got, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, test.got, test.want)
		}
	}
	_, err := c.SearchTables(t.Context(), &gluesdk.SearchTablesInput{Filters: []types.PropertyPredicate{by("Colour", "red")}})
	wantCode(t, "unknown key", err, "InvalidInputException")
}

func resourceTags(t *testing.T, c *gluesdk.Client) {
	withTables(t, c, "a")
	must[*gluesdk.CreateCrawlerOutput](t)(c.CreateCrawler(t.Context(), crawlerOf("walker", "s3://lake/raw/")))
	const prefix = "arn:aws:glue:" + testRegion + ":123456789012:"
	for _, arn := range []string{prefix + "database/" + db, prefix + "table/" + db + "/a", prefix + "crawler/walker"} {
		must[*gluesdk.TagResourceOutput](t)(c.TagResource(t.Context(), &gluesdk.TagResourceInput{
			ResourceArn: &arn, TagsToAdd: map[string]string{"team": "city", "cost": "1"},
		}))
		must[*gluesdk.UntagResourceOutput](t)(c.UntagResource(t.Context(), &gluesdk.UntagResourceInput{ResourceArn: &arn, TagsToRemove: []string{"cost"}}))
		got := must[*gluesdk.GetTagsOutput](t)(c.GetTags(t.Context(), &gluesdk.GetTagsInput{ResourceArn: &arn})).Tags
		if diff := cmp.Diff(map[string]string{"team": "city"}, got); diff != "" {
			t.Errorf("tags of %s (-want +got):\n%s", arn, diff)
		}
	}
}

func TestTagsAreOfWhatIsThere(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	withTables(t, e.glue, "a")
	for arn, want := range map[string]string{
		"arn:aws:glue:eu-west-2:1:table/smart-city/b": "EntityNotFoundException",
		"arn:aws:glue:eu-west-2:1:job/x":              "InvalidInputException",
		"table/smart-city/a":                          "InvalidInputException",
	} {
		_, err := e.glue.GetTags(t.Context(), &gluesdk.GetTagsInput{ResourceArn: &arn})
		wantCode(t, arn, err, want)
	}
	arn := sdk.String("arn:aws:glue:eu-west-2:1:table/smart-city/a")
	must[*gluesdk.TagResourceOutput](t)(e.glue.TagResource(t.Context(), &gluesdk.TagResourceInput{ResourceArn: arn, TagsToAdd: map[string]string{"a": "b"}}))
	must[*gluesdk.DeleteTableOutput](t)(e.glue.DeleteTable(t.Context(), &gluesdk.DeleteTableInput{DatabaseName: sdk.String(db), Name: sdk.String("a")}))
	must[*gluesdk.CreateTableOutput](t)(e.glue.CreateTable(t.Context(), &gluesdk.CreateTableInput{DatabaseName: sdk.String(db), TableInput: tableInputOf("a")}))
	if got := must[*gluesdk.GetTagsOutput](t)(e.glue.GetTags(t.Context(), &gluesdk.GetTagsInput{ResourceArn: arn})).Tags; len(got) != 0 {
		t.Errorf("a new table has the tags of an old one: %v", got)
	}
}

func TestVersionsAreBoundedAndTheCurrentOneStays(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	withTables(t, e.glue, "a")
	for range versionsMax + 5 {
		describeTable(t, e.glue, "x", false)
	}
	got := versionsOfA(t, e.glue)
	if len(got) != versionsMax+1 {
		t.Errorf("%d versions", len(got))
	}
	current := must[*gluesdk.GetTableOutput](t)(e.glue.GetTable(t.Context(), &gluesdk.GetTableInput{DatabaseName: sdk.String(db), Name: sdk.String("a")})).Table
	out := must[*gluesdk.BatchDeleteTableVersionOutput](t)(e.glue.BatchDeleteTableVersion(t.Context(), &gluesdk.BatchDeleteTableVersionInput{
		DatabaseName: sdk.String(db), TableName: sdk.String("a"), VersionIds: []string{*current.VersionId, "50", "nothing"},
	}))
	var codes []string
	for _, f := range out.Errors {
		codes = append(codes, *f.ErrorDetail.ErrorCode)
	}
	if want := []string{"InvalidInputException", "EntityNotFoundException"}; !slices.Equal(codes, want) {
		t.Errorf("errors are %v, want %v", codes, want)
	}
	if left := versionsOfA(t, e.glue); len(left) != versionsMax {
		t.Errorf("%d versions are left", len(left))
	}
}

func TestWhatIsDifferentHereIsSaid(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	withTables(t, e.glue, "a")
	link := tableInputOf("link")
	link.TargetTable = &types.TableIdentifier{CatalogId: sdk.String("1"), DatabaseName: sdk.String("x"), Name: sdk.String("y")}
	_, err := e.glue.CreateTable(t.Context(), &gluesdk.CreateTableInput{DatabaseName: sdk.String(db), TableInput: link})
	wantCode(t, "a link to a table", err, "InvalidInputException")
	_, err = e.glue.CreateTable(t.Context(), &gluesdk.CreateTableInput{
		DatabaseName: sdk.String(db), TableInput: tableInputOf("ice"), OpenTableFormatInput: &types.OpenTableFormatInput{
			IcebergInput: &types.IcebergInput{MetadataOperation: types.MetadataOperationCreate},
		},
	})
	wantCode(t, "an Iceberg table", err, "InvalidInputException")
	_, err = e.glue.UpdateDatabase(t.Context(), &gluesdk.UpdateDatabaseInput{
		Name: sdk.String(db), DatabaseInput: &types.DatabaseInput{Name: sdk.String("other")},
	})
	wantCode(t, "another name", err, "InvalidInputException")
	scheduled := crawlerOf("nightly", "s3://lake/raw/")
	scheduled.Schedule = sdk.String("cron(0 0 * * ? *)")
	_, err = e.glue.CreateCrawler(t.Context(), scheduled)
	wantCode(t, "a schedule", err, "InvalidInputException")
}

func toldLimits(t *testing.T, c *gluesdk.Client) {
	withTables(t, c, "a")
	name, table := sdk.String(db), sdk.String("a")
	_, err := c.GetTables(t.Context(), &gluesdk.GetTablesInput{DatabaseName: name, MaxResults: sdk.Int32(101)})
	wantCode(t, "a page of tables", err, "InvalidInputException")
	_, err = c.GetPartitions(t.Context(), &gluesdk.GetPartitionsInput{DatabaseName: name, TableName: table, MaxResults: sdk.Int32(1001)})
	wantCode(t, "a page of partitions", err, "InvalidInputException")
	_, err = c.BatchDeleteTable(t.Context(), &gluesdk.BatchDeleteTableInput{DatabaseName: name, TablesToDelete: make([]string, 101)})
	wantCode(t, "a batch of tables", err, "InvalidInputException")
	var lists []types.PartitionValueList
	for _, p := range numbered(26) {
		lists = append(lists, types.PartitionValueList{Values: p.Values})
	}
	_, err = c.BatchDeletePartition(t.Context(), &gluesdk.BatchDeletePartitionInput{DatabaseName: name, TableName: table, PartitionsToDelete: lists})
	wantCode(t, "a batch to delete", err, "InvalidInputException")
}
