package aws

import (
	"fmt"
	"strings"
)

// kind is the sort of a statement.
type kind uint8

const (
	selecting kind = iota // SELECT, WITH, VALUES, TABLE: for the engine
	explaining
	showing   // SHOW and DESCRIBE: answered from the catalog
	defining  // changes of the catalog that write no data
	creating  // CREATE TABLE AS SELECT
	inserting // INSERT INTO
	unloading // UNLOAD
)

// String returns Athena's StatementType.
func (k kind) String() string {
	switch k {
	case showing, explaining:
		return "UTILITY"
	case defining, creating:
		return "DDL"
	}
	return "DML"
}

// A statement is a query's text, looked at from far: what sort it is, and the parts that the sort has.
type statement struct {
	kind   kind
	sub    string  // Athena's SubstatementType
	words  []word  // of SHOW and DESCRIBE
	prefix string  // of what the engine runs: EXPLAIN, EXPLAIN ANALYZE or nothing
	query  *script // the query in it, where there is one
	write  *writing
	define definition
}

// A definition is a statement that changes the catalog.
type definition interface{ sub() string }

// A source is what a user wrote, split into words, with the edits that put parameters in the places of the question marks.
type source struct {
	sql   string
	words []word
	edits []edit
}

// classify decides what to do with a statement by its first words. The engine checks the queries in it again.
func classify(sql string, parameters []string) (*statement, error) {
	words, err := split(sql)
	if err != nil {
		return nil, err
	}
	if len(words) == 0 {
		return nil, invalid("line 1:1: mismatched input '<EOF>'. Expecting: a statement")
	}
	edits, err := substitute(sql, words, parameters)
	if err != nil {
		return nil, err
	}
	src := &source{sql, words, edits}
	p := &parser{sql, words}
	switch first := p.peek(); {
	case first.is("select"), first.is("with"), first.is("values"), first.is("table"), first.is("("):
		return &statement{kind: selecting, sub: "SELECT", query: src.script(words)}, nil
	case p.take("show"), p.take("describe"), p.take("desc"):
		return &statement{kind: showing, sub: strings.ToUpper(first.text), words: words}, nil
	case p.take("explain"):
		return src.explain(p)
	case p.take("insert", "into"):
		return src.insert(p)
	case p.take("unload"):
		return src.unload(p)
	case p.take("create", "table"):
		return src.createTable(p)
	default:
		return src.definition(p)
	}
}

// definition reads a statement that changes the catalog.
func (src *source) definition(p *parser) (*statement, error) {
	first := p.peek()
	read := definitionOf(p)
	if read == nil {
		return nil, notTaken(p.sql, first)
	}
	d, err := read(src, p)
	if err == nil {
		err = p.end()
	}
	if err != nil {
		return nil, err
	}
	s := &statement{kind: defining, sub: d.sub(), define: d}
	if v, ok := d.(*createView); ok {
		s.query = v.query
	}
	return s, nil
}

// notTaken is the error of a statement that begins with a word that begins none.
func notTaken(sql string, first word) error {
	at := position(sql, first.begin)
	switch {
	case first.is("delete"), first.is("update"), first.is("merge"), first.is("optimize"), first.is("vacuum"):
		return invalid("line %s: NOT_SUPPORTED: %s works on Iceberg tables, of which this local endpoint has none.", at, strings.ToUpper(first.text))
	case first.is("create"), first.is("drop"), first.is("alter"):
		return invalid("line %s: NOT_SUPPORTED: this local endpoint does not know this sort of %s.", at, strings.ToUpper(first.text))
	}
	return invalid("line %s: mismatched input '%s'. Expecting: 'ALTER', 'CREATE', 'DESCRIBE', 'DROP', 'EXECUTE', 'EXPLAIN', 'INSERT', 'MSCK', "+
		"'PREPARE', 'SELECT', 'SHOW', 'UNLOAD', 'VALUES', 'WITH'", at, first.text)
}

// script returns the query that words are.
func (src *source) script(words []word) *script {
	begin, end := words[0].begin, words[len(words)-1].end
	edits := merged(src.edits, trinoEdits(words))
	s := scriptOf(src.sql, begin, end, edits)
	s.hidden = namesHidden(words)
	s.hiding = func() *script { return scriptOf(src.sql, begin, end, merged(edits, starEdits(words))) }
	return s
}

// rest returns the query that all words that are left are.
func (src *source) rest(p *parser) (*script, error) {
	switch w := p.peek(); {
	case len(p.words) == 0:
		return nil, p.unexpected("a query")
	case w.is("select"), w.is("with"), w.is("values"), w.is("table"), w.is("("):
		s := src.script(p.words)
		p.words = nil
		return s, nil
	}
	return nil, p.unexpected("'SELECT', 'TABLE', 'VALUES', 'WITH'")
}

func (src *source) explain(p *parser) (*statement, error) {
	s := &statement{kind: explaining, sub: "EXPLAIN", prefix: "EXPLAIN "}
	if p.take("analyze") {
		s.prefix = "EXPLAIN ANALYZE "
	}
	_ = p.take("verbose")
	if len(p.words) > 1 && p.words[0].is("(") && (p.words[1].is("type") || p.words[1].is("format")) {
		if _, err := p.parens(); err != nil {
			return nil, err
		}
	}
	var err error
	s.query, err = src.rest(p)
	return s, err
}

// substitute puts parameters in the places of the question marks.
func substitute(sql string, words []word, parameters []string) ([]edit, error) {
	var edits []edit
	for _, w := range words {
		if !w.is("?") {
			continue
		}
		if len(edits) < len(parameters) {
			if err := checkParameter(len(edits), parameters[len(edits)]); err != nil {
				return nil, err
			}
			edits = append(edits, edit{w.begin, w.end, " " + parameters[len(edits)] + " "})
			continue
		}
		edits = append(edits, edit{})
	}
	if len(edits) != len(parameters) {
		return nil, invalid("INVALID_PARAMETER_USAGE: line 1:1: Incorrect number of parameters: expected %d but found %d", len(edits), len(parameters))
	}
	return edits, nil
}

// checkParameter makes sure that a parameter is one value: a literal, or an expression that is whole in itself.
func checkParameter(i int, text string) error {
	words, err := split(text)
	if err != nil || len(words) == 0 {
		return invalid("Parameter %d is no value: %q", i+1, text)
	}
	depth := 0
	for _, w := range words {
		switch {
		case w.is("("), w.is("["):
			depth++
		case w.is(")"), w.is("]"):
			depth--
		case w.is(";"), w.is("?"), depth == 0 && (w.is(",") || w.is("select") || w.is("from") || w.is("union")):
			depth = -1
		}
		if depth < 0 {
			break
		}
	}
	if depth != 0 || strings.Contains(text, "--") || strings.Contains(text, "/*") {
		return invalid("Parameter %d is no value: %q", i+1, text)
	}
	return nil
}

// merged returns two rows of edits as one, in order.
func merged(a, b []edit) []edit {
	var all []edit
	for len(a) > 0 || len(b) > 0 {
		if len(b) == 0 || len(a) > 0 && a[0].begin <= b[0].begin {
			all, a = append(all, a[0]), a[1:]
			continue
		}
		all, b = append(all, b[0]), b[1:]
	}
	return all
}

// failed returns the reason of a query's failure in the form of Athena's: its name, then the words.
func failed(name, format string, args ...any) error {
	return fmt.Errorf("%s: %s", name, fmt.Sprintf(format, args...))
}
