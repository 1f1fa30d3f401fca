package aws

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A wildcard is an asterisk that repeats neither a dot, a set nor a group.
var wildcard = regexp.MustCompile(`(^|[^.)\]])\*+`)

// namePattern reads the Expression of GetTables. AWS calls it a regular expression, and clients write it as such (.*_data) and, as
// awswrangler does, with the wildcard of Hive (*_data). Both mean what they say here.
func namePattern(expression string) (*regexp.Regexp, error) {
	pattern, err := regexp.Compile("^(?i:" + wildcard.ReplaceAllString(expression, "$1.*") + ")$")
	if err != nil {
		return nil, fault(invalidInput, "The Expression is no regular expression: %v", err)
	}
	return pattern, nil
}

// deleteTablesMax is Glue's limit on one batch of tables.
const deleteTablesMax = 100

type createTableRequest struct {
	DatabaseName         string
	TableInput           tableInput
	OpenTableFormatInput json.RawMessage
}

func (g *glue) createTable(in *createTableRequest) (none, error) {
	if len(in.OpenTableFormatInput) > 0 {
		return none{}, fault(invalidInput, "This local catalog makes no Iceberg tables: leave OpenTableFormatInput out.")
	}
	input, err := checkTable(in.TableInput)
	if err != nil {
		return none{}, err
	}
	g.catalog.writing.Lock()
	defer g.catalog.writing.Unlock()
	_, err = g.catalog.table(in.DatabaseName, input.Name)
	switch {
	case err == nil:
		return none{}, fault(alreadyExists, "Table already exists.")
	case g.catalog.database(in.DatabaseName) == nil:
		return none{}, err
	}
	now := secondsOf(g.now())
	return none{}, g.catalog.commit(&change{Table: &glueTable{
		tableInput: input, DatabaseName: strings.ToLower(in.DatabaseName), CreateTime: now, UpdateTime: now, VersionID: "0",
	}})
}

// checkTable returns a table as the catalog keeps it.
func checkTable(in tableInput) (tableInput, error) {
	name, err := checkName("table", in.Name)
	if err != nil {
		return in, err
	}
	if len(in.TargetTable) > 0 {
		return in, fault(invalidInput, "This local catalog has no links to other catalogs: leave TargetTable out.")
	}
	in.Name = name
	columns := slices.Clone(in.PartitionKeys)
	if in.StorageDescriptor != nil {
		columns = append(columns, in.StorageDescriptor.Columns...)
	}
	seen := map[string]bool{}
	for _, c := range columns {
		name, err := checkName("column", c.Name)
		if err != nil {
			return in, err
		}
		if seen[name] {
			return in, fault(invalidInput, "Column %s is there twice.", name)
		}
		seen[name] = true
	}
	return in, nil
}

type tableAnswer struct{ Table *glueTable }

func (g *glue) getTable(in *struct{ DatabaseName, Name string }) (tableAnswer, error) {
	t, err := g.catalog.table(in.DatabaseName, in.Name)
	return tableAnswer{t}, err
}

type tablesAnswer struct {
	TableList []*glueTable
	NextToken string `json:",omitempty"`
}

func (g *glue) getTables(in *struct {
	paging
	DatabaseName, Expression string
},
) (tablesAnswer, error) {
	all, err := g.catalog.allTables(in.DatabaseName)
	if err != nil {
		return tablesAnswer{}, err
	}
	if in.Expression != "" {
		pattern, err := namePattern(in.Expression)
		if err != nil {
			return tablesAnswer{}, err
		}
		all = slices.DeleteFunc(all, func(t *glueTable) bool { return !pattern.MatchString(t.Name) })
	}
	items, next, err := page(all, func(t *glueTable) string { return t.Name }, in.paging, gluePage)
	return tablesAnswer{items, next}, err
}

type updateTableRequest struct {
	DatabaseName string
	TableInput   tableInput
	VersionID    string `json:"VersionId"`
	SkipArchive  bool
}

func (g *glue) updateTable(in *updateTableRequest) (none, error) {
	input, err := checkTable(in.TableInput)
	if err != nil {
		return none{}, err
	}
	g.catalog.writing.Lock()
	defer g.catalog.writing.Unlock()
	old, err := g.catalog.table(in.DatabaseName, input.Name)
	if err != nil {
		return none{}, err
	}
	if in.VersionID != "" && in.VersionID != old.VersionID {
		return none{}, fault(concurrentModification, "Update table failed due to concurrent modifications.")
	}
	version, err := strconv.Atoi(old.VersionID)
	if err != nil {
		return none{}, fault(internalService, "Table %s has version %q, which is no number.", old.Name, old.VersionID)
	}
	return none{}, g.catalog.commit(&change{KeepOld: !in.SkipArchive, Table: &glueTable{
		tableInput: input, DatabaseName: old.DatabaseName, CreateTime: old.CreateTime, UpdateTime: secondsOf(g.now()),
		VersionID: strconv.Itoa(version + 1),
	}})
}

func (g *glue) deleteTable(in *struct{ DatabaseName, Name string }) (none, error) {
	failed, err := g.dropTables(in.DatabaseName, in.Name)
	if err != nil {
		return none{}, err
	}
	for _, f := range failed {
		return none{}, fault(f.ErrorDetail.ErrorCode, "%s", f.ErrorDetail.ErrorMessage)
	}
	return none{}, nil
}

type tableError struct {
	TableName   string
	ErrorDetail errorDetail
}

type tableErrors struct {
	Errors []tableError `json:",omitempty"`
}

func (g *glue) batchDeleteTable(in *struct {
	DatabaseName   string
	TablesToDelete []string
},
) (tableErrors, error) {
	if n := len(in.TablesToDelete); n > deleteTablesMax {
		return tableErrors{}, tooMany("tablesToDelete", n, deleteTablesMax)
	}
	failed, err := g.dropTables(in.DatabaseName, in.TablesToDelete...)
	return tableErrors{failed}, err
}

// dropTables removes those tables that are there, and returns the others' errors.
func (g *glue) dropTables(database string, names ...string) ([]tableError, error) {
	g.catalog.writing.Lock()
	defer g.catalog.writing.Unlock()
	if _, err := g.database(database); err != nil {
		return nil, err
	}
	var failed []tableError
	var changes []*change
	for _, name := range names {
		t, err := g.catalog.table(database, name)
		if err != nil {
			failed = append(failed, tableError{name, detail(err)})
			continue
		}
		changes = append(changes, &change{DropTable: &tableName{t.DatabaseName, t.Name}})
	}
	if len(changes) == 0 {
		return failed, nil
	}
	return failed, g.catalog.commit(changes...)
}
