package aws

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// glue answers the Glue API from the catalog. Safe for concurrent use.
type glue struct {
	catalog *catalog
	now     func() time.Time
}

// handlers returns the operations by their names in X-Amz-Target.
func (g *glue) handlers() map[string]handler {
	return map[string]handler{
		"CreateDatabase": handle(g.createDatabase), "GetDatabase": handle(g.getDatabase), "GetDatabases": handle(g.getDatabases),

		"CreateTable": handle(g.createTable), "GetTable": handle(g.getTable), "GetTables": handle(g.getTables),
		"UpdateTable": handle(g.updateTable), "DeleteTable": handle(g.deleteTable),

		"CreatePartition": handle(g.createPartition), "BatchCreatePartition": handle(g.batchCreatePartition),
		"GetPartition": handle(g.getPartition), "GetPartitions": handle(g.getPartitions), "BatchGetPartition": handle(g.batchGetPartition),
		"UpdatePartition": handle(g.updatePartition), "BatchUpdatePartition": handle(g.batchUpdatePartition),
		"DeletePartition": handle(g.deletePartition), "BatchDeletePartition": handle(g.batchDeletePartition),
	}
}

type none struct{}

// A paging is the part of a listing's request that asks for a page.
type paging struct {
	MaxResults int
	NextToken  string
}

// limit returns the size of the page, at most the given one.
func (p paging) limit(most int) int {
	if p.MaxResults <= 0 {
		return most
	}
	return min(p.MaxResults, most)
}

// after decodes the token into the last item of the page before, or returns nil.
func (p paging) after() ([]string, error) {
	if p.NextToken == "" {
		return nil, nil
	}
	var last []string
	text, err := base64.RawURLEncoding.DecodeString(p.NextToken)
	if err == nil {
		err = json.Unmarshal(text, &last)
	}
	if err != nil || last == nil {
		return nil, fault(invalidInput, "The NextToken is not one of this catalog.")
	}
	return last, nil
}

// token returns the token of the page that follows an item.
func token(last ...string) string {
	text, err := json.Marshal(last)
	if err != nil {
		panic("aws: strings cannot be encoded: " + err.Error()) // cannot fail
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// page cuts a page out of items that are in the order of their names.
func page[T any](items []T, name func(T) string, p paging, most int) ([]T, string, error) {
	last, err := p.after()
	if err != nil {
		return nil, "", err
	}
	if len(last) > 0 {
		i, found := slices.BinarySearchFunc(items, last[0], func(t T, s string) int { return strings.Compare(name(t), s) })
		if found {
			i++
		}
		items = items[i:]
	}
	if limit := p.limit(most); len(items) > limit {
		return items[:limit], token(name(items[limit-1])), nil
	}
	return items, "", nil
}

// checkName returns a name as the catalog keeps it, in lower case.
func checkName(what, name string) (string, error) {
	if name == "" || len(name) > 255 || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }) {
		return "", fault(invalidInput, "The %s must have a name of 1 to 255 characters without control characters.", what)
	}
	return strings.ToLower(name), nil
}

func (g *glue) createDatabase(in *struct{ DatabaseInput databaseInput }) (none, error) {
	name, err := checkName("database", in.DatabaseInput.Name)
	if err != nil {
		return none{}, err
	}
	g.catalog.writing.Lock()
	defer g.catalog.writing.Unlock()
	if g.catalog.database(name) != nil {
		return none{}, fault(alreadyExists, "Database already exists.")
	}
	d := &glueDatabase{databaseInput: in.DatabaseInput, CreateTime: secondsOf(g.now())}
	d.Name = name
	return none{}, g.catalog.commit(&change{Database: d})
}

type databaseAnswer struct{ Database *glueDatabase }

func (g *glue) getDatabase(in *struct{ Name string }) (databaseAnswer, error) {
	if d := g.catalog.database(in.Name); d != nil {
		return databaseAnswer{d}, nil
	}
	return databaseAnswer{}, fault(entityNotFound, "Database %s not found.", in.Name)
}

type databasesAnswer struct {
	DatabaseList []*glueDatabase
	NextToken    string `json:",omitempty"`
}

func (g *glue) getDatabases(in *paging) (databasesAnswer, error) {
	items, next, err := page(g.catalog.allDatabases(), func(d *glueDatabase) string { return d.Name }, *in, 100)
	return databasesAnswer{items, next}, err
}
