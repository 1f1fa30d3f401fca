//go:build cgo

package aws

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// A plan is what must be known of a query before it runs: the tables that it names and how Athena would name its columns.
type plan struct {
	script *script
	tables []tableRef
	// The places where each table is named. What reads a table reads the Hive partitions that one of them may want.
	references map[tableRef][]reference
	items      []item // of the outermost select list; none where it is not known
}

// An item is one expression of a select list.
type item struct{ star, unnamed bool }

// tableFunctions are the functions that may stand where a table does: those that read nothing.
var tableFunctions = []string{"unnest", "generate_series", "range"}

// hiddenFunctions tell about this machine and not about the data.
var hiddenFunctions = []string{"current_setting", "getenv", "getvariable"}

// parse lets DuckDB parse the statement without running it, and looks the tables up. Only queries can be parsed this way: what else got
// past the check of the first word ends here.
func (s *session) parse(ctx context.Context, text *script, database string) (*plan, error) {
	var serialized any
	row := s.conn.QueryRowContext(ctx,
		`SELECT json_serialize_sql(?::VARCHAR, skip_null := true, skip_empty := true, skip_default := true)::VARCHAR`, text.text)
	if err := row.Scan(&serialized); err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	var parsed struct {
		Error        bool
		ErrorMessage string `json:"error_message"`
		Position     any
		Statements   []struct{ Node map[string]any }
	}
	if err := json.Unmarshal([]byte(fmt.Sprint(serialized)), &parsed); err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	switch {
	case parsed.Error:
		at := 0
		_, _ = fmt.Sscan(fmt.Sprint(parsed.Position), &at) // stays 0 where there is none
		return nil, failed("SYNTAX_ERROR", "line %s: %s", text.position(at), parsed.ErrorMessage)
	case len(parsed.Statements) != 1:
		return nil, failed("SYNTAX_ERROR", "only one statement at a time is taken")
	}
	node := parsed.Statements[0].Node
	w := &walk{catalog: s.catalog, script: text, database: database, names: map[string]bool{}, references: map[tableRef][]reference{}}
	w.collect(node)
	if err := w.look(node); err != nil {
		return nil, err
	}
	return &plan{script: text, tables: w.tables, references: w.references, items: selectList(node)}, nil
}

// A walk goes through a parsed query.
type walk struct {
	catalog  *catalog
	script   *script
	database string
	names    map[string]bool // of WITH, in lower case
	tables   []tableRef

	references map[tableRef][]reference
}

// collect finds the names that WITH gives.
func (w *walk) collect(node any) {
	switch n := node.(type) {
	case map[string]any:
		if entries, ok := n["cte_map"].(map[string]any); ok {
			pairs, _ := entries["map"].([]any)
			for _, p := range pairs {
				pair, _ := p.(map[string]any)
				w.names[strings.ToLower(str(pair, "key"))] = true
			}
		}
		for _, child := range n {
			w.collect(child)
		}
	case []any:
		for _, child := range n {
			w.collect(child)
		}
	}
}

// look checks a part of the query and all below it.
func (w *walk) look(node any) error {
	switch n := node.(type) {
	case map[string]any:
		if err := w.check(n); err != nil {
			return err
		}
		for _, child := range n {
			if err := w.look(child); err != nil {
				return err
			}
		}
	case []any:
		for _, child := range n {
			if err := w.look(child); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *walk) check(n map[string]any) error {
	switch str(n, "type") {
	case "SELECT_NODE":
		w.narrow(n)
	case "BASE_TABLE":
		return w.table(n)
	case "TABLE_FUNCTION":
		function, _ := n["function"].(map[string]any)
		if name := str(function, "function_name"); !slices.Contains(tableFunctions, strings.ToLower(name)) {
			return failed("FUNCTION_NOT_FOUND", "line %s: Table function '%s' not registered", w.at(n), name)
		}
	case "SHOW_REF":
		return failed("NOT_SUPPORTED", "line %s: SHOW and DESCRIBE are statements of their own", w.at(n))
	case "FUNCTION":
		if name := str(n, "function_name"); slices.Contains(hiddenFunctions, strings.ToLower(name)) {
			return failed("FUNCTION_NOT_FOUND", "line %s: Function '%s' not registered", w.at(n), name)
		}
	}
	return nil
}

// table looks a named table up in the catalog.
func (w *walk) table(n map[string]any) error {
	catalog, database, table := str(n, "catalog_name"), str(n, "schema_name"), str(n, "table_name")
	bare := database == ""
	if bare {
		database = w.database
	}
	database = orDefault(database)
	database, table = strings.ToLower(database), strings.ToLower(table)
	if catalog != "" && !strings.EqualFold(catalog, catalogName) {
		return failed("CATALOG_NOT_FOUND", "line %s: Catalog '%s' does not exist", w.at(n), catalog)
	}
	ref := tableRef{database, table}
	switch _, err := w.catalog.table(database, table); {
	case err == nil:
		if !slices.Contains(w.tables, ref) {
			w.tables = append(w.tables, ref)
		}
		tests, _ := n[testsMember].(reference)
		w.references[ref] = append(w.references[ref], tests)
		return nil
	case bare && w.names[table]:
		return nil
	case w.catalog.database(database) == nil:
		return failed("SCHEMA_NOT_FOUND", "line %s: Schema '%s' does not exist", w.at(n), database)
	}
	return failed("TABLE_NOT_FOUND", "line %s: Table '%s.%s.%s' does not exist", w.at(n), strings.ToLower(catalogName), database, table)
}

// at returns where in the statement a part begins.
func (w *walk) at(n map[string]any) string {
	at, _ := n["query_location"].(float64)
	if at < 0 || at > float64(len(w.script.text)) {
		at = 0
	}
	return w.script.position(int(at))
}

// selectList returns the items that name the columns of a query: those of the first of several selects.
func selectList(node map[string]any) []item {
	for node != nil && str(node, "type") == "SET_OPERATION_NODE" {
		node, _ = node["left"].(map[string]any)
	}
	if from, _ := node["from_table"].(map[string]any); str(from, "type") == "EXPRESSION_LIST" && str(from, "alias") == "valueslist" {
		return unnamedValues(from)
	}
	expressions, _ := node["select_list"].([]any)
	items := make([]item, len(expressions))
	for i, e := range expressions {
		x, _ := e.(map[string]any)
		class := str(x, "class")
		items[i] = item{star: class == "STAR", unnamed: str(x, "alias") == "" && class != "COLUMN_REF" && class != "STAR"}
	}
	return items
}

// unnamedValues returns the items of a VALUES that stands alone.
func unnamedValues(from map[string]any) []item {
	rows, _ := from["values"].([]any)
	if len(rows) == 0 {
		return nil
	}
	first, _ := rows[0].([]any)
	return slices.Repeat([]item{{unnamed: true}}, len(first))
}

// rename gives the columns that have no name of their own Athena's: _col and their number. Stars stand for as many columns as are left
// over; where there are several, columns between them are known by the shape of the name that DuckDB makes up.
func (p *plan) rename(columns []column) {
	name := func(i int, unnamed bool) {
		if unnamed {
			columns[i].name = fmt.Sprintf("_col%d", i)
		}
	}
	front := slices.IndexFunc(p.items, func(x item) bool { return x.star })
	if front < 0 {
		for i := range min(len(p.items), len(columns)) {
			name(i, p.items[i].unnamed)
		}
		return
	}
	for i := range min(front, len(columns)) {
		name(i, p.items[i].unnamed)
	}
	back := 0
	for back < len(p.items) && !p.items[len(p.items)-1-back].star {
		if i := len(columns) - 1 - back; i >= front {
			name(i, p.items[len(p.items)-1-back].unnamed)
		}
		back++
	}
	for i := front; i < len(columns)-back; i++ {
		name(i, strings.Contains(columns[i].name, "("))
	}
}

// str returns a text member.
func str(n map[string]any, key string) string {
	s, _ := n[key].(string)
	return s
}
