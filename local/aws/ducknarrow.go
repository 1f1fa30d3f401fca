//go:build cgo

package aws

import (
	"slices"
	"strings"
)

// Of a table with very many Hive partitions a query mostly wants a few, and says so by its WHERE: date = '2026-01-02' AND hour = '05'. Partitions
// that cannot have a row for it are left out before their folders are listed and their files are brought here. The engine still filters all rows
// itself, so what is understood of a WHERE need not be all of it: only what is left out must be sure.

// A keyTest is a part of a WHERE that rows must pass: what it says of the values of one partition key.
type keyTest struct {
	table  string // the name before the column; empty where there is none
	key    string
	passes func(value string) bool
}

// A reference is one place where a query names a table, with the tests that all rows from there must pass.
type reference []keyTest

// testsMember is the member of a parsed table's node that holds its tests.
const testsMember = "citystream tests"

// narrow gives the tables of a SELECT the tests of its WHERE. What is no plain join is left alone: an ASOF join finds other rows among
// fewer, and a sample is one of all rows.
func (w *walk) narrow(node map[string]any) {
	from, _ := node["from_table"].(map[string]any)
	tables, ok := joined(from)
	if !ok || node["sample"] != nil {
		return
	}
	tests := keyTests(node["where_clause"])
	for i, t := range tables {
		same := func(other map[string]any) bool { return strings.EqualFold(calledAs(t), calledAs(other)) }
		if slices.ContainsFunc(tables[:i], same) || slices.ContainsFunc(tables[i+1:], same) {
			continue
		}
		var own reference
		for _, test := range tests {
			if test.table == "" || strings.EqualFold(test.table, calledAs(t)) { // a bare name that several tables have is an error
				own = append(own, test)
			}
		}
		t[testsMember] = own
	}
}

// joined returns the tables that a FROM names itself, whose columns have their own names, and whether they are joined plainly.
func joined(from map[string]any) (tables []map[string]any, ok bool) {
	switch str(from, "type") {
	case "BASE_TABLE":
		if from["sample"] != nil {
			return nil, false
		}
		if from["column_name_alias"] == nil {
			tables = append(tables, from)
		}
	case "JOIN":
		if kind := str(from, "ref_type"); kind != "REGULAR" && kind != "CROSS" || from["using_columns"] != nil {
			return nil, false
		}
		for _, side := range []string{"left", "right"} {
			part, _ := from[side].(map[string]any)
			some, ok := joined(part)
			if !ok {
				return nil, false
			}
			tables = append(tables, some...)
		}
	}
	return tables, true
}

// calledAs returns the name of a table within its query.
func calledAs(table map[string]any) string {
	if alias := str(table, "alias"); alias != "" {
		return alias
	}
	return str(table, "table_name")
}

// keyTests returns the parts of a condition that compare a column with texts, of those that all must hold.
func keyTests(condition any) []keyTest {
	n, _ := condition.(map[string]any)
	if str(n, "type") == "CONJUNCTION_AND" {
		parts, _ := n["children"].([]any)
		var all []keyTest
		for _, part := range parts {
			all = append(all, keyTests(part)...)
		}
		return all
	}
	column, passes := comparison(n)
	names, _ := column["column_names"].([]any)
	if passes == nil || str(column, "class") != "COLUMN_REF" || len(names) == 0 || len(names) > 2 {
		return nil
	}
	test := keyTest{passes: passes}
	test.key, _ = names[len(names)-1].(string)
	if len(names) == 2 {
		test.table, _ = names[0].(string)
	}
	return []keyTest{test}
}

// orders are the comparisons, by what they want of the order of a column's value and a text.
var orders = map[string]func(order int) bool{
	"COMPARE_EQUAL":                func(order int) bool { return order == 0 },
	"COMPARE_LESSTHAN":             func(order int) bool { return order < 0 },
	"COMPARE_LESSTHANOREQUALTO":    func(order int) bool { return order <= 0 },
	"COMPARE_GREATERTHAN":          func(order int) bool { return order > 0 },
	"COMPARE_GREATERTHANOREQUALTO": func(order int) bool { return order >= 0 },
}

// comparison returns what is compared with texts, and how; nil is that it is nothing of the sort. Texts compare as their bytes do, in the engine, too.
func comparison(n map[string]any) (column map[string]any, passes func(string) bool) {
	operands := func(members ...string) (nodes []map[string]any) {
		for _, m := range members {
			node, _ := n[m].(map[string]any)
			nodes = append(nodes, node)
		}
		return nodes
	}
	switch kind := str(n, "type"); kind {
	case "COMPARE_BETWEEN":
		o := operands("input", "lower", "upper")
		low, ok1 := constantText(o[1])
		high, ok2 := constantText(o[2])
		if ok1 && ok2 {
			return o[0], func(value string) bool { return low <= value && value <= high }
		}
	case "COMPARE_IN":
		children, _ := n["children"].([]any)
		return oneOf(children)
	default:
		wanted, o := orders[kind], operands("left", "right")
		if wanted == nil {
			return nil, nil
		}
		if text, ok := constantText(o[1]); ok {
			return o[0], func(value string) bool { return wanted(strings.Compare(value, text)) }
		}
		if text, ok := constantText(o[0]); ok {
			return o[1], func(value string) bool { return wanted(strings.Compare(text, value)) }
		}
	}
	return nil, nil
}

// oneOf is comparison for IN, whose first operand is what is looked for.
func oneOf(operands []any) (column map[string]any, passes func(string) bool) {
	var texts []string
	for i, o := range operands {
		node, _ := o.(map[string]any)
		if i == 0 {
			column = node
			continue
		}
		text, ok := constantText(node)
		if !ok {
			return nil, nil
		}
		texts = append(texts, text)
	}
	return column, func(value string) bool { return slices.Contains(texts, value) }
}

// constantText returns the text that a constant is.
func constantText(n map[string]any) (string, bool) {
	value, _ := n["value"].(map[string]any)
	kind, _ := value["type"].(map[string]any)
	text, ok := value["value"].(string)
	return text, ok && str(n, "class") == "CONSTANT" && str(kind, "id") == "VARCHAR" && value["is_null"] != true
}

// narrowed returns the partitions that one of the references of a table may want rows of. Only keys that are texts are looked at: values
// of other types have several spellings.
func narrowed(t *glueTable, partitions []*gluePartition, references []reference) []*gluePartition {
	if len(references) == 0 {
		return partitions
	}
	keys := map[string]int{}
	for i, k := range t.PartitionKeys {
		if strings.EqualFold(strings.TrimSpace(k.Type), "string") {
			keys[strings.ToLower(k.Name)] = i
		}
	}
	var wanted []*gluePartition
	for _, p := range partitions {
		if len(p.Values) != len(t.PartitionKeys) || slices.ContainsFunc(references, func(r reference) bool { return r.wants(keys, p.Values) }) {
			wanted = append(wanted, p)
		}
	}
	return wanted
}

// wants tells whether rows of a partition may pass all tests. NULL passes none.
func (r reference) wants(keys map[string]int, values []string) bool {
	for _, test := range r {
		if i, ok := keys[strings.ToLower(test.key)]; ok && (values[i] == nullPartition || !test.passes(values[i])) {
			return false
		}
	}
	return true
}

// referencesTo returns the places where a query and its views name a table.
func referencesTo(ref tableRef, p *plan, views []*storedView) []reference {
	all := slices.Clone(p.references[ref])
	for _, v := range views {
		all = append(all, v.plan.references[ref]...)
	}
	return all
}
