package aws

import (
	"fmt"
	"strings"
	"unicode"
)

// A word is a keyword, a name, a text in quotes, a number or a sign of a statement.
type word struct {
	text       string // without its quotes
	quote      byte   // ' " or `, or 0
	begin, end int    // in bytes
}

// is tells whether the word is a keyword.
func (w word) is(keyword string) bool { return w.quote == 0 && strings.EqualFold(w.text, keyword) }

// isName tells whether the word can be the name of something.
func (w word) isName() bool {
	return w.quote == '"' || w.quote == '`' || w.quote == 0 && isLetter(rune(w.text[0]))
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
			n = lineComment(rest)
		case strings.HasPrefix(rest, "/*"):
			if n = length(rest, "*/"); nested(rest[:n]) {
				return nil, invalid("line %s: this local endpoint takes no comment inside a comment.", position(sql, i))
			}
		case c == '"' || c == '`' || c == '\'':
			text, size, ok := quoted(rest)
			if !ok {
				return nil, invalid("line %s: a quote is not closed.", position(sql, i))
			}
			words = append(words, word{text, rest[0], i, i + size})
			n = size
		case isName(c):
			for n < len(rest) && isName(rune(rest[n])) {
				n++
			}
			words = append(words, word{rest[:n], 0, i, i + n})
		default:
			words = append(words, word{rest[:1], 0, i, i + 1})
		}
		i += n
	}
	for len(words) > 0 && words[len(words)-1].is(";") {
		words = words[:len(words)-1]
	}
	return words, nil
}

// isLetter takes bytes from 128 on for letters: they belong to a letter outside ASCII.
func isLetter(c rune) bool { return c == '_' || c >= 128 || unicode.IsLetter(c) }

// isName tells whether a name can go on with a character.
func isName(c rune) bool { return isLetter(c) || unicode.IsDigit(c) }

// length returns the size of a text up to and with its first mark, or all of it.
func length(text, mark string) int {
	if i := strings.Index(text, mark); i >= 0 {
		return i + len(mark)
	}
	return len(text)
}

// lineComment returns the size of a comment up to the end of its line. The engine ends lines at a carriage return too.
func lineComment(text string) int {
	if i := strings.IndexAny(text, "\r\n"); i >= 0 {
		return i + 1
	}
	return len(text)
}

// nested tells whether a comment has the beginning of another one in it. The engine would look for the ends of both.
func nested(comment string) bool { return strings.Contains(comment[2:], "/*") }

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

// A parser goes through the words of a statement.
type parser struct {
	sql   string
	words []word
}

// peek returns the word that comes, or one that is nothing.
func (p *parser) peek() word {
	if len(p.words) == 0 {
		return word{text: "<EOF>", quote: ' ', begin: len(p.sql), end: len(p.sql)}
	}
	return p.words[0]
}

// next takes a word.
func (p *parser) next() word {
	w := p.peek()
	if len(p.words) > 0 {
		p.words = p.words[1:]
	}
	return w
}

// take takes keywords, if all of them come in this order.
func (p *parser) take(keywords ...string) bool {
	if len(p.words) < len(keywords) {
		return false
	}
	for i, k := range keywords {
		if !p.words[i].is(k) {
			return false
		}
	}
	p.words = p.words[len(keywords):]
	return true
}

// want takes keywords that must come.
func (p *parser) want(keywords ...string) error {
	if p.take(keywords...) {
		return nil
	}
	return p.unexpected(strings.ToUpper(strings.Join(keywords, " ")))
}

// unexpected is the error of a word that must not stand where it is.
func (p *parser) unexpected(wanted string) error {
	w := p.peek()
	return invalid("line %s: mismatched input '%s'. Expecting: %s", position(p.sql, w.begin), w.text, wanted)
}

// end wants nothing more.
func (p *parser) end() error {
	if len(p.words) == 0 {
		return nil
	}
	return p.unexpected("<EOF>")
}

// name takes one name, in lower case as all names of the catalog are.
func (p *parser) name(what string) (string, error) {
	if !p.peek().isName() {
		return "", p.unexpected(what)
	}
	return strings.ToLower(p.next().text), nil
}

// text takes a text in single quotes; Hive takes double ones too.
func (p *parser) text() (string, error) {
	if w := p.peek(); w.quote != '\'' && w.quote != '"' {
		return "", p.unexpected("string")
	}
	return p.next().text, nil
}

// A tableRef names a table of the catalog. Without a database it is one of the query's.
type tableRef struct{ database, table string }

// in returns the name with its database.
func (t tableRef) in(database string) tableRef {
	if t.database == "" {
		t.database = strings.ToLower(orDefault(database))
	}
	return t
}

// orDefault returns the database of a query that names none.
func orDefault(database string) string {
	if database == "" {
		return "default"
	}
	return database
}

func (t tableRef) String() string { return t.database + "." + t.table }

// table takes the name of a table: [[catalog.]database.]table.
func (p *parser) table() (tableRef, error) {
	at := p.peek()
	var parts []string
	for {
		name, err := p.name("identifier")
		if err != nil {
			return tableRef{}, err
		}
		if database, table, ok := strings.Cut(name, "."); ok && at.quote == '`' { // as SHOW CREATE TABLE prints it
			return tableRef{database, table}, nil
		}
		parts = append(parts, name)
		if len(parts) == 3 || !p.take(".") {
			break
		}
	}
	switch len(parts) {
	case 1:
		return tableRef{"", parts[0]}, nil
	case 2:
		return tableRef{parts[0], parts[1]}, nil
	}
	if !strings.EqualFold(parts[0], catalogName) {
		return tableRef{}, invalid("line %s: Catalog '%s' does not exist", position(p.sql, at.begin), parts[0])
	}
	return tableRef{parts[1], parts[2]}, nil
}

// parens takes what is in a pair of parentheses.
func (p *parser) parens() (*parser, error) {
	if !p.peek().is("(") {
		return nil, p.unexpected("(")
	}
	depth := 0
	for i, w := range p.words {
		switch {
		case w.is("("):
			depth++
		case w.is(")"):
			depth--
		}
		if depth == 0 {
			inner := &parser{p.sql[:min(w.begin, len(p.sql))], p.words[1:i]}
			p.words = p.words[i+1:]
			return inner, nil
		}
	}
	p.words = nil
	return nil, p.unexpected(")")
}

// between returns what lies between a beginning and an end.
func between(text, begin, end string) (string, bool) {
	rest, begins := strings.CutPrefix(text, begin)
	inner, ends := strings.CutSuffix(rest, end)
	return inner, begins && ends
}
