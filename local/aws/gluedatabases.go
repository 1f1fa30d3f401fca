package aws

import "strings"

// gluePage is the size of a page of databases, tables, versions or crawlers.
const gluePage = 100

// checkDatabase returns a database as the catalog keeps it.
func checkDatabase(in databaseInput) (databaseInput, error) {
	name, err := checkName("database", in.Name)
	if err == nil && len(in.TargetDatabase) > 0 {
		err = fault(invalidInput, "This local catalog has no links to other catalogs: leave TargetDatabase out.")
	}
	in.Name = name
	return in, err
}

func (g *glue) createDatabase(in *struct {
	DatabaseInput databaseInput
	Tags          map[string]string
},
) (none, error) {
	input, err := checkDatabase(in.DatabaseInput)
	if err != nil {
		return none{}, err
	}
	g.catalog.writing.Lock()
	defer g.catalog.writing.Unlock()
	if g.catalog.database(input.Name) != nil {
		return none{}, fault(alreadyExists, "Database already exists.")
	}
	changes := []*change{{Database: &glueDatabase{databaseInput: input, CreateTime: secondsOf(g.now())}}}
	if len(in.Tags) > 0 {
		changes = append(changes, &change{Tags: &tagsChange{"database/" + input.Name, in.Tags}})
	}
	return none{}, g.catalog.commit(changes...)
}

type databaseAnswer struct{ Database *glueDatabase }

func (g *glue) getDatabase(in *struct{ Name string }) (databaseAnswer, error) {
	d, err := g.database(in.Name)
	return databaseAnswer{d}, err
}

// database returns a database, or a fault.
func (g *glue) database(name string) (*glueDatabase, error) {
	if d := g.catalog.database(name); d != nil {
		return d, nil
	}
	return nil, fault(entityNotFound, "Database %s not found.", name)
}

type databasesAnswer struct {
	DatabaseList []*glueDatabase
	NextToken    string `json:",omitempty"`
}

func (g *glue) getDatabases(in *paging) (databasesAnswer, error) {
	items, next, err := page(g.catalog.allDatabases(), func(d *glueDatabase) string { return d.Name }, *in, gluePage)
	return databasesAnswer{items, next}, err
}

func (g *glue) updateDatabase(in *struct {
	Name          string
	DatabaseInput databaseInput
},
) (none, error) {
	input, err := checkDatabase(in.DatabaseInput)
	if err != nil {
		return none{}, err
	}
	g.catalog.writing.Lock()
	defer g.catalog.writing.Unlock()
	old, err := g.database(in.Name)
	if err != nil {
		return none{}, err
	}
	if input.Name != old.Name {
		return none{}, fault(invalidInput, "A database keeps its name: %q cannot become %q.", old.Name, input.Name)
	}
	return none{}, g.catalog.commit(&change{Database: &glueDatabase{databaseInput: input, CreateTime: old.CreateTime}})
}

// deleteDatabase removes a database with all that is in it, as Glue does.
func (g *glue) deleteDatabase(in *struct{ Name string }) (none, error) {
	g.catalog.writing.Lock()
	defer g.catalog.writing.Unlock()
	if _, err := g.database(in.Name); err != nil {
		return none{}, err
	}
	return none{}, g.catalog.commit(&change{DropDatabase: strings.ToLower(in.Name)})
}
