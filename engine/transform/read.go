package transform

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"citystream/engine/port"
	"citystream/engine/schema"
	"citystream/internal/strictyaml"
)

// Limits of a transform.
const (
	columnsMax = 1000
	sqlMax     = 200_000 // bytes: Athena takes 262,144, and the statement around it needs some
)

// A File reads a file that a transform names, relative to the file that it stands in.
type File func(path string) ([]byte, error)

// Read reads one transform, or a list of them, from a node, and notes what is wrong. Those with faults are left out; nil is taken too.
func Read(n *strictyaml.Node, file File, faults *strictyaml.Faults) []*Transform {
	if n == nil {
		return nil
	}
	nodes := []*strictyaml.Node{n}
	if n.Kind == strictyaml.List {
		nodes = n.Items
	}
	if n.Kind == strictyaml.Null || len(nodes) == 0 {
		faults.At(n, "no transform in it: a transform has at least name, table, columns and sql")
		return nil
	}
	var all []*Transform
	for _, n := range nodes {
		before := faults.Len()
		if t := readTransform(n, file, faults); faults.Len() == before {
			all = append(all, t)
		}
	}
	return all
}

func readTransform(n *strictyaml.Node, file File, faults *strictyaml.Faults) *Transform {
	s := strictyaml.SectionOf(n, faults)
	t := &Transform{Version: 1}
	if v := s.Need("name", "the name in SQL of the table that it makes"); v != nil {
		t.Name = readName(v, faults)
	}
	if v := s.Need("table", "the table whose complete Hive partitions it is run for"); v != nil {
		t.Table, _ = strictyaml.Text(v, faults)
	}
	if v := s.Take("with"); v != nil {
		t.With = readWith(v, t.Table, faults)
	}
	if v := s.Take("version"); v != nil {
		t.Version = readVersion(v, faults)
	}
	if v := s.Take("comment"); v != nil {
		t.Comment, _ = strictyaml.Text(v, faults)
	}
	if v := s.Need("columns", "a list of columns, each with name and type"); v != nil {
		t.Columns = readColumns(v, faults)
	}
	t.SQL = readSQL(n, s, file, faults)
	s.Done()
	return t
}

func readName(n *strictyaml.Node, faults *strictyaml.Faults) string {
	name, ok := strictyaml.Text(n, faults)
	if ok && (!schema.IsName(name) || name[0] == '_' || name != strings.ToLower(name)) {
		faults.At(n, "%q is no name of a table: small letters, digits and _, beginning with a letter", name)
	}
	return name
}

func readWith(n *strictyaml.Node, table string, faults *strictyaml.Faults) []string {
	if n.Kind != strictyaml.List {
		faults.At(n, "must be a list of tables, not %s", n.Kind)
		return nil
	}
	var with []string
	for _, item := range n.Items {
		name, ok := strictyaml.Text(item, faults)
		switch {
		case !ok:
		case name == table || slices.Contains(with, name):
			faults.At(item, "table %s is named twice", name)
		default:
			with = append(with, name)
		}
	}
	return with
}

func readVersion(n *strictyaml.Node, faults *strictyaml.Faults) int {
	v, err := strconv.Atoi(n.Scalar)
	if n.Kind != strictyaml.Int || err != nil || v < 1 || v > 9999 {
		faults.At(n, "must be a whole number from 1 to 9999")
	}
	return v
}

func readColumns(n *strictyaml.Node, faults *strictyaml.Faults) []port.CatalogColumn {
	if n.Kind != strictyaml.List || len(n.Items) == 0 || len(n.Items) > columnsMax {
		faults.At(n, "must be a list of 1 to %d columns", columnsMax)
		return nil
	}
	var columns []port.CatalogColumn
	for _, item := range n.Items {
		c := readColumn(item, faults)
		if c.Name != "" && slices.ContainsFunc(columns, func(o port.CatalogColumn) bool { return o.Name == c.Name }) {
			faults.At(item, "there is a column %s already", c.Name)
		}
		columns = append(columns, c)
	}
	return columns
}

func readColumn(n *strictyaml.Node, faults *strictyaml.Faults) (c port.CatalogColumn) {
	s := strictyaml.SectionOf(n, faults)
	if v := s.Need("name", "the column's name in SQL"); v != nil {
		name, ok := strictyaml.Text(v, faults)
		c.Name = name
		switch {
		case !ok:
		case name == "date" || name == "hour":
			faults.At(v, "%s is a key of the Hive partitions", name)
		case !schema.IsName(name) || name != strings.ToLower(name):
			faults.At(v, "%q is no name of a column: small letters, digits and _, not beginning with a digit", name)
		}
	}
	if v := s.Need("type", "one of "+strings.Join(typeWords, ", ")); v != nil {
		c.Type, _ = strictyaml.Word(v, faults, typeWords...)
	}
	if v := s.Take("comment"); v != nil {
		c.Comment, _ = strictyaml.Text(v, faults)
	}
	s.Done()
	return c
}

// readSQL returns the query, which stands in the YAML or in a file of its own.
func readSQL(n *strictyaml.Node, s *strictyaml.Section, file File, faults *strictyaml.Faults) string {
	at, path := s.Take("sql"), s.Take("sqlFile")
	if (at == nil) == (path == nil) {
		faults.At(n, "needs either sql, a query, or sqlFile, the path of a file with one")
		return ""
	}
	var sql string
	if at != nil {
		sql, _ = strictyaml.Text(at, faults)
	} else if name, ok := strictyaml.Text(path, faults); ok {
		at = path
		text, err := file(name)
		if err != nil {
			faults.At(path, "%s (a path is relative to the file that it stands in)", err)
			return ""
		}
		sql = string(text)
	}
	sql = strings.TrimRight(sql, "; \t\r\n")
	if err := checkSQL(sql); err != nil && at != nil {
		faults.At(at, "%s", err)
	}
	return sql
}

func checkSQL(sql string) error {
	switch unknown := unknownPlaceholder(sql); {
	case sql == "":
		return fmt.Errorf("must be a query")
	case len(sql) > sqlMax:
		return fmt.Errorf("has %d bytes; at most %d are taken", len(sql), sqlMax)
	case unknown != "":
		return fmt.Errorf("%s is no placeholder; there are ${%s}", unknown, strings.Join(placeholders, "}, ${"))
	case !strings.Contains(sql, "${date}") || !strings.Contains(sql, "${hour}"):
		return fmt.Errorf("does not use ${date} and ${hour}: each run would read whole tables")
	}
	return nil
}
