package aws

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// kind is the sort of a statement.
type kind uint8

const (
	selecting kind = iota // SELECT, WITH, VALUES, TABLE: for the engine
	explaining
	showing // SHOW and DESCRIBE: answered from the catalog
)

// String returns Athena's StatementType.
func (k kind) String() string {
	if k == showing {
		return "UTILITY"
	}
	return "DML"
}

// A statement is a query's text, looked at from far: what sort it is, and the words of a SHOW or DESCRIBE.
type statement struct {
	kind  kind
	words []word
	text  string // what an EXPLAIN is of; else the whole text
}

// A word is a keyword, a name or a sign of a statement.
type word struct {
	text   string
	quoted bool
	begin  int // in bytes
}

// is tells whether the word is a keyword.
func (w word) is(keyword string) bool { return !w.quoted && strings.EqualFold(w.text, keyword) }

// classify decides what to do with a statement by its first word. Only what reads is taken; the engine checks the rest again.
func classify(sql string) (statement, error) {
	words, err := split(sql)
	if err != nil {
		return statement{}, err
	}
	if len(words) == 0 {
		return statement{}, invalid("line 1:1: mismatched input '<EOF>'. Expecting a statement.")
	}
	s := statement{words: words, text: sql}
	switch first := words[0]; {
	case first.is("select"), first.is("with"), first.is("values"), first.is("table"), first.is("("):
		s.kind = selecting
	case first.is("show"), first.is("describe"), first.is("desc"):
		s.kind = showing
	case first.is("explain") && len(words) > 1:
		s.kind = explaining
		rest := words[1]
		if rest.is("analyze") && len(words) > 2 {
			rest = words[2]
		}
		s.text = sql[rest.begin:]
	default:
		return s, invalid("line %s: %s is not taken by this local endpoint, which only reads: SELECT, WITH, VALUES, SHOW, DESCRIBE and EXPLAIN.",
			position(sql, first.begin), strings.ToUpper(first.text))
	}
	return s, nil
}

// position returns where a byte of a text is, as line:column counted from one.
func position(text string, at int) string {
	before := text[:min(max(at, 0), len(text))]
	line := strings.Count(before, "\n")
	return fmt.Sprintf("%d:%d", line+1, len([]rune(before[strings.LastIndex(before, "\n")+1:]))+1)
}

// split cuts a statement into words, without comments and without the semicolons at its end.
func split(sql string) ([]word, error) {
	var words []word
	for i := 0; i < len(sql); {
		rest := sql[i:]
		c := rune(rest[0])
		n := 1
		switch {
		case unicode.IsSpace(c):
		case strings.HasPrefix(rest, "--"):
			n = length(rest, "\n")
		case strings.HasPrefix(rest, "/*"):
			n = length(rest, "*/")
		case c == '"' || c == '`' || c == '\'':
			text, size, ok := quoted(rest)
			if !ok {
				return nil, invalid("line %s: a quote is not closed.", position(sql, i))
			}
			words = append(words, word{text, true, i})
			n = size
		case isName(c):
			for n < len(rest) && isName(rune(rest[n])) {
				n++
			}
			words = append(words, word{rest[:n], false, i})
		default:
			words = append(words, word{rest[:1], false, i})
		}
		i += n
	}
	for len(words) > 0 && words[len(words)-1].is(";") {
		words = words[:len(words)-1]
	}
	return words, nil
}

// isName takes bytes from 128 on for letters: they belong to a letter outside ASCII.
func isName(c rune) bool { return c == '_' || c >= 128 || unicode.IsLetter(c) || unicode.IsDigit(c) }

// length returns the size of a text up to and with its first mark, or all of it.
func length(text, mark string) int {
	if i := strings.Index(text, mark); i >= 0 {
		return i + len(mark)
	}
	return len(text)
}

// quoted reads a quoted text, in which the quote itself is written twice.
func quoted(text string) (content string, size int, ok bool) {
	var b strings.Builder
	quote := text[0]
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] != quote:
			b.WriteByte(text[i])
		case i+1 < len(text) && text[i+1] == quote:
			b.WriteByte(quote)
			i++
		default:
			return b.String(), i + 1, true
		}
	}
	return "", 0, false
}

// show answers SHOW and DESCRIBE.
func (c *catalog) show(s statement, database string) (*result, error) {
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
	return nil, failed("NOT_SUPPORTED", "this local endpoint shows DATABASES, TABLES [IN database], PARTITIONS table and COLUMNS IN table")
}

// listing makes a result of one column; of rest, only [LIKE] 'pattern' is understood.
func (c *catalog) listing(name string, rows []string, rest []word) (*result, error) {
	if len(rest) > 0 && rest[0].is("like") {
		rest = rest[1:]
	}
	keep := func(string) bool { return true }
	switch {
	case len(rest) == 1 && rest[0].quoted:
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
	if len(words) > 1 && (words[0].is("in") || words[0].is("from")) {
		names, rest := nameIn(words[1:])
		database, words = names[len(names)-1], rest
	}
	tables, err := c.allTables(database)
	if err != nil {
		return nil, failed("SCHEMA_NOT_FOUND", "Schema '%s' does not exist", database)
	}
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = t.Name
	}
	return c.listing("tab_name", names, words)
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
		parts := make([]string, len(p.Values))
		for k, v := range p.Values {
			parts[k] = t.PartitionKeys[k].Name + "=" + v
		}
		rows[i] = strings.Join(parts, "/")
	}
	return c.listing("partition", rows, nil)
}

func (c *catalog) describe(words []word, database string) (*result, error) {
	t, _, err := c.named(words, database)
	if err != nil {
		return nil, err
	}
	r := &result{columns: []column{{name: "col_name", kind: "string"}, {name: "data_type", kind: "string"}, {name: "comment", kind: "string"}}}
	for _, col := range append(slices.Clone(columnsOf(t)), t.PartitionKeys...) {
		comment := ""
		if col.Comment != nil {
			comment = *col.Comment
		}
		name, kind := col.Name, col.Type
		r.rows = append(r.rows, []*string{&name, &kind, &comment})
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

// failed returns the reason of a query's failure in the form of Athena's: its name, then the words.
func failed(name, format string, args ...any) error {
	return fmt.Errorf("%s: %s", name, fmt.Sprintf(format, args...))
}
