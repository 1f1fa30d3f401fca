package aws

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func (g *glue) createTable(in *struct {
	DatabaseName string
	TableInput   tableInput
},
) (none, error) {
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
		pattern, err := regexp.Compile("^(?i:" + in.Expression + ")$")
		if err != nil {
			return tablesAnswer{}, fault(invalidInput, "The Expression is no regular expression: %v", err)
		}
		all = slices.DeleteFunc(all, func(t *glueTable) bool { return !pattern.MatchString(t.Name) })
	}
	items, next, err := page(all, func(t *glueTable) string { return t.Name }, in.paging, 100)
	return tablesAnswer{items, next}, err
}

func (g *glue) updateTable(in *struct {
	DatabaseName string
	TableInput   tableInput
	VersionID    string `json:"VersionId"`
},
) (none, error) {
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
	return none{}, g.catalog.commit(&change{Table: &glueTable{
		tableInput: input, DatabaseName: old.DatabaseName, CreateTime: old.CreateTime, UpdateTime: secondsOf(g.now()),
		VersionID: strconv.Itoa(version + 1),
	}})
}

func (g *glue) deleteTable(in *struct{ DatabaseName, Name string }) (none, error) {
	g.catalog.writing.Lock()
	defer g.catalog.writing.Unlock()
	t, err := g.catalog.table(in.DatabaseName, in.Name)
	if err != nil {
		return none{}, err
	}
	return none{}, g.catalog.commit(&change{DropTable: &tableName{t.DatabaseName, t.Name}})
}
