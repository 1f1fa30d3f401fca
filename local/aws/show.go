package aws

import (
	"slices"
	"strings"
)

// show answers SHOW and DESCRIBE.
func (c *catalog) show(s *statement, database string) (*result, error) {
	words := s.words[1:]
	first := func(keywords ...string) bool {
		return len(words) > 0 && slices.ContainsFunc(keywords, words[0].is)
	}
	switch {
	case !s.words[0].is("show"):
		if len(words) > 1 && (first("formatted") || first("extended")) {
			words = words[1:]
		}
		return c.describe(words, database)
	case first("databases", "schemas"):
		var names []string
		for _, d := range c.allDatabases() {
			names = append(names, d.Name)
		}
		return c.listing("database_name", names, words[1:])
	case first("tables"):
		return c.showTables(words[1:], database)
	case first("views"):
		return c.showViews(words[1:], database)
	case first("create") && len(words) > 1 && (words[1].is("table") || words[1].is("view")):
		return c.showCreate(words[2:], database, words[1].is("view"))
	case first("tblproperties"):
		return c.showProperties(words[1:], database)
	case first("partitions"):
		return c.showPartitions(words[1:], database)
	case first("columns") && len(words) > 1 && (words[1].is("in") || words[1].is("from")):
		t, _, err := c.named(words[2:], database)
		if err != nil {
			return nil, err
		}
		var names []string
		for _, col := range append(slices.Clone(columnsOf(t)), t.PartitionKeys...) {
			names = append(names, col.Name)
		}
		return c.listing("field", names, nil)
	}
	return nil, failed("NOT_SUPPORTED", "this local endpoint shows DATABASES, TABLES, VIEWS, PARTITIONS, COLUMNS, TBLPROPERTIES, CREATE TABLE and CREATE VIEW")
}

// listing makes a result of one column; of rest, only [LIKE] 'pattern' is understood.
func (c *catalog) listing(name string, rows []string, rest []word) (*result, error) {
	if len(rest) > 0 && rest[0].is("like") {
		rest = rest[1:]
	}
	keep := func(string) bool { return true }
	switch {
	case len(rest) == 1 && rest[0].quote != 0:
		keep = func(s string) bool { return hiveLike(rest[0].text, s) }
	case len(rest) > 0:
		return nil, failed("SYNTAX_ERROR", "unexpected '%s'", rest[0].text)
	}
	r := &result{columns: []column{{name: name, kind: "string"}}}
	for _, row := range rows {
		if keep(row) {
			r.rows = append(r.rows, []*string{&row})
			r.bytes += int64(len(row))
		}
	}
	return r, nil
}

// hiveLike matches Hive's patterns of names: * is any text, | parts alternatives.
func hiveLike(pattern, name string) bool {
	for alternative := range strings.SplitSeq(strings.ToLower(pattern), "|") {
		parts := strings.Split(alternative, "*")
		rest, ok := strings.CutPrefix(name, parts[0])
		for _, p := range parts[1:] {
			var found bool
			_, rest, found = strings.Cut(rest, p)
			ok = ok && found
		}
		if ok && (rest == "" || parts[len(parts)-1] == "") || ok && len(parts) > 1 && strings.HasSuffix(name, parts[len(parts)-1]) {
			return true
		}
	}
	return false
}

func (c *catalog) showTables(words []word, database string) (*result, error) {
	return c.listTables("tab_name", words, database, func(*glueTable) bool { return true })
}

func (c *catalog) showViews(words []word, database string) (*result, error) {
	return c.listTables("views", words, database, isView)
}

// listTables lists tables [IN database] [LIKE] 'pattern'.
func (c *catalog) listTables(column string, words []word, database string, keep func(*glueTable) bool) (*result, error) {
	if len(words) > 1 && (words[0].is("in") || words[0].is("from")) {
		names, rest := nameIn(words[1:])
		database, words = names[len(names)-1], rest
	}
	tables, err := c.allTables(database)
	if err != nil {
		return nil, failed("SCHEMA_NOT_FOUND", "Schema '%s' does not exist", database)
	}
	var names []string
	for _, t := range tables {
		if keep(t) {
			names = append(names, t.Name)
		}
	}
	return c.listing(column, names, words)
}

func (c *catalog) showPartitions(words []word, database string) (*result, error) {
	t, partitions, err := c.named(words, database)
	if err != nil {
		return nil, err
	}
	if len(t.PartitionKeys) == 0 {
		return nil, failed("GENERIC_USER_ERROR", "Table %s is not a partitioned table", t.Name)
	}
	rows := make([]string, len(partitions))
	for i, p := range partitions {
		rows[i] = strings.Join(named(t, p.Values), "/")
	}
	return c.listing("partition", rows, nil)
}

func (c *catalog) describe(words []word, database string) (*result, error) {
	t, _, err := c.named(words, database)
	if err != nil {
		return nil, err
	}
	r := &result{columns: []column{{name: "col_name", kind: "string"}, {name: "data_type", kind: "string"}, {name: "comment", kind: "string"}}}
	add := func(name, kind, comment string) {
		r.rows = append(r.rows, []*string{&name, &kind, &comment})
		r.bytes += int64(len(name) + len(kind) + len(comment))
	}
	columns := func(all []glueColumn) {
		for _, c := range all {
			comment := ""
			if c.Comment != nil {
				comment = *c.Comment
			}
			add(c.Name, c.Type, comment)
		}
	}
	columns(columnsOf(t))
	columns(t.PartitionKeys)
	if len(t.PartitionKeys) > 0 { // clients find the keys by these lines
		add("", "", "")
		add("# Partition Information", "", "")
		add("# col_name", "data_type", "comment")
		add("", "", "")
		columns(t.PartitionKeys)
	}
	return r, nil
}

// named returns the table that words name, and nothing else.
func (c *catalog) named(words []word, database string) (*glueTable, []*gluePartition, error) {
	names, rest := nameIn(words)
	switch {
	case len(names) == 0:
		return nil, nil, failed("SYNTAX_ERROR", "the name of a table is missing")
	case len(rest) > 0:
		return nil, nil, failed("SYNTAX_ERROR", "unexpected '%s'", rest[0].text)
	case len(names) > 1:
		database = names[len(names)-2]
	}
	table := names[len(names)-1]
	t, partitions, err := c.view(database, table)
	if missing(err) {
		err = failed("TABLE_NOT_FOUND", "Table '%s.%s.%s' does not exist", strings.ToLower(catalogName), database, table)
	}
	return t, partitions, err
}

// nameIn returns the name at the beginning of words, of one to three parts with dots between them, and the words behind it.
func nameIn(words []word) (names []string, rest []word) {
	for len(words) > 0 {
		names, words = append(names, strings.ToLower(words[0].text)), words[1:]
		if len(words) < 2 || !words[0].is(".") || len(names) == 3 {
			break
		}
		words = words[1:]
	}
	return names, words
}

func columnsOf(t *glueTable) []glueColumn {
	if t.StorageDescriptor == nil {
		return nil
	}
	return t.StorageDescriptor.Columns
}
