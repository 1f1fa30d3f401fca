package schema

import (
	"slices"
	"strings"

	"citystream/internal/strictyaml"
)

// reserved are the names, in lower case, that a table's own columns must not have: Hive partition keys, which would hide the column
// in queries, and the system columns.
var reserved = []string{"date", "hour", KafkaPartition, KafkaOffset, KafkaTimestamp}

// readColumns fills t.Columns with one column for each item of the list, with or without faults.
func readColumns(n *strictyaml.Node, t *Table, faults *strictyaml.Faults) {
	if n.Kind != strictyaml.List {
		faults.At(n, "must be a list of columns, not %s", n.Kind)
		return
	}
	if len(n.Items) == 0 || len(n.Items) > ColumnsMax {
		faults.At(n, "must have 1 to %d columns, not %d", ColumnsMax, len(n.Items))
		return
	}
	names := make(map[string]string, len(n.Items))
	for _, item := range n.Items {
		c, at := readColumn(item, faults)
		t.Columns = append(t.Columns, c)
		if c.Name == "" {
			continue
		}
		if other, ok := names[strings.ToLower(c.Name)]; ok {
			faults.At(at, "there is a column %s already: Glue does not tell capital letters from small ones", other)
		}
		names[strings.ToLower(c.Name)] = c.Name
	}
}

// readColumn returns the column and the node of its name, or the whole item where the name is missing.
func readColumn(n *strictyaml.Node, faults *strictyaml.Faults) (Column, *strictyaml.Node) {
	s := strictyaml.SectionOf(n, faults)
	c, at := Column{}, n
	if v := s.Need("name", "the column's name in SQL"); v != nil {
		c.Name, at = readColumnName(v, faults), v
	}
	if v := s.Need("type", "one of "+strings.Join(typeWords, ", ")); v != nil {
		if word, ok := strictyaml.Word(v, faults, typeWords...); ok {
			c.Type, _ = typeOf(word)
		}
	}
	c.Paths = readPaths(s, c.Name, faults)
	if v := s.Take("required"); v != nil {
		c.Required, _ = strictyaml.True(v, faults)
	}
	if v := s.Take("unit"); v != nil {
		if word, ok := strictyaml.Word(v, faults, unitWords...); ok {
			c.Unit, _ = unitOf(word)
		}
		if c.Type != 0 && c.Type != Timestamp {
			faults.At(v, "only a column of type %s has a unit", Timestamp)
		}
	}
	if v := s.Take("comment"); v != nil {
		c.Comment, _ = strictyaml.Text(v, faults)
	}
	s.Done()
	return c, at
}

func readColumnName(n *strictyaml.Node, faults *strictyaml.Faults) string {
	name, ok := strictyaml.Text(n, faults)
	switch {
	case !ok:
		return ""
	case !IsName(name):
		faults.At(n, "%q is no name: letters, digits and _, not beginning with a digit, at most %d", name, nameMax)
	case slices.Contains(reserved, strings.ToLower(name)):
		faults.At(n, "%s is taken by the system: give the column another name and its place in the record by path", name)
	}
	return name
}

// readPaths returns the column's path, by default the field of its name, and its aliases.
func readPaths(s *strictyaml.Section, name string, faults *strictyaml.Faults) []Path {
	var paths []Path
	if n := s.Take("path"); n != nil {
		paths = appendPath(paths, n, faults)
	} else if name != "" {
		paths = append(paths, Path{{Field: name}})
	}
	n := s.Take("aliases")
	if n == nil {
		return paths
	}
	if n.Kind != strictyaml.List {
		faults.At(n, "must be a list of paths, not %s", n.Kind)
		return paths
	}
	for _, item := range n.Items {
		paths = appendPath(paths, item, faults)
	}
	return paths
}

func appendPath(paths []Path, n *strictyaml.Node, faults *strictyaml.Faults) []Path {
	text, ok := strictyaml.Text(n, faults)
	if !ok {
		return paths
	}
	p, err := ParsePath(text)
	if err != nil {
		faults.At(n, "%s", err)
		return paths
	}
	if slices.ContainsFunc(paths, func(q Path) bool { return slices.Equal(p, q) }) {
		faults.At(n, "path %s is written twice", p)
		return paths
	}
	return append(paths, p)
}
