package aws

import (
	"slices"
	"strings"
)

// A tableFilter is one of the Filters of SearchTables, all of which must hold.
type tableFilter struct{ Key, Value, Comparator string }

// searchTables finds tables of all databases by a text in any of their words, and by filters. In quotes a text must be a whole word.
func (g *glue) searchTables(in *struct {
	paging
	SearchText   string
	Filters      []tableFilter
	SortCriteria []struct{ FieldName, Sort string }
},
) (tablesAnswer, error) {
	if len(in.SortCriteria) > 0 {
		return tablesAnswer{}, fault(invalidInput, "This local catalog finds tables in the order of their names: leave SortCriteria out.")
	}
	for _, f := range in.Filters {
		if _, ok := searched(f.Key, &glueTable{}); !ok {
			return tablesAnswer{}, fault(invalidInput, "This local catalog does not search by the key %q.", f.Key)
		}
		if f.Comparator != "" && f.Comparator != "EQUALS" {
			return tablesAnswer{}, fault(invalidInput, "This local catalog searches by EQUALS, not by %s.", f.Comparator)
		}
	}
	found := []*glueTable{}
	for _, t := range g.catalog.everyTable() {
		if t.says(in.SearchText) && !slices.ContainsFunc(in.Filters, func(f tableFilter) bool { return !f.holds(t) }) {
			found = append(found, t)
		}
	}
	items, next, err := page(found, func(t *glueTable) string { return t.DatabaseName + "\x00" + t.Name }, in.paging, partitionsPage)
	return tablesAnswer{items, next}, err
}

// searched returns the words of a table that a filter's key names.
func searched(key string, t *glueTable) ([]string, bool) {
	switch strings.ToLower(key) {
	case "databasename":
		return []string{t.DatabaseName}, true
	case "name", "tablename":
		return []string{t.Name}, true
	case "tabletype":
		return texts(t.TableType), true
	case "description":
		return texts(t.Description), true
	case "owner":
		return texts(t.Owner), true
	case "column":
		var names []string
		for _, c := range t.columns() {
			names = append(names, c.Name)
		}
		return names, true
	}
	return nil, false
}

func texts(pointers ...*string) []string {
	var all []string
	for _, p := range pointers {
		if p != nil {
			all = append(all, *p)
		}
	}
	return all
}

func (f tableFilter) holds(t *glueTable) bool {
	words, _ := searched(f.Key, t)
	return slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, f.Value) })
}

// says tells whether a text is in any of the table's words.
func (t *glueTable) says(text string) bool {
	words := append([]string{t.Name, t.DatabaseName}, texts(t.Description, t.Owner)...)
	for _, c := range t.columns() {
		words = append(append(words, c.Name), texts(c.Comment)...)
	}
	for name, value := range t.Parameters {
		words = append(words, name, value)
	}
	if whole, ok := strings.CutPrefix(text, `"`); ok {
		whole = strings.TrimSuffix(whole, `"`)
		return slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, whole) })
	}
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(strings.ToLower(w), strings.ToLower(text)) })
}
