package aws

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// rsHiddenNames begin the names of the engine's own tables, which tell of this machine.
var rsHiddenNames = []string{"duckdb_", "pragma_", "sqlite_"}

// A rsLevel is what stands between two parentheses.
type rsLevel struct {
	word      string // before its parenthesis
	selects   bool   // SELECT was in it
	tables    bool   // tables are being listed: a comma leads to the next one
	expecting bool   // the next token names a table
}

// rsTableWords are words and signs behind which the engine takes a text for the file that it is to read.
var rsTableWords = []string{
	"from", "join", "using", "table", "only", "into", "update", "describe", "desc", "summarize", "show", "pivot", "pivot_wider", "unpivot", ".", ":",
}

// rsClauseWords are words at which a list of tables is over. None of them can be the name of a table.
var rsClauseWords = []string{
	"select", "where", "group", "having", "order", "limit", "offset", "fetch", "window", "qualify", "union", "intersect", "except", "returning",
}

// rsCheckTokens refuses what leads out of the warehouse: functions that read files, files in the place of tables, and what the engine would cut into
// other tokens.
func rsCheckTokens(r *rsReader, forbidden func(string) bool) error {
	levels := []rsLevel{{}}
	for i, t := range r.tokens {
		before := rsToken{kind: rsTokenSign}
		if i > 0 {
			before = r.tokens[i-1]
		}
		if err := rsCheckToken(r, before, t); err != nil {
			return err
		}
		l := &levels[len(levels)-1]
		expecting := l.expecting
		l.expecting = false
		switch {
		case t.is("("):
			if before.named() && forbidden(before.value) && !namesTable(r.tokens[:i]) {
				return &redshiftError{fmt.Sprintf("function %s does not exist", before.value), before.begin}
			}
			levels = append(levels, rsLevel{word: before.value, tables: expecting, expecting: expecting})
		case t.is(")") && len(levels) > 1:
			levels = levels[:len(levels)-1]
		case t.kind == rsTokenText && !r.tokens[0].is("copy") && (expecting || before.is(rsTableWords...) && !l.inFunction(before)):
			return &redshiftError{fmt.Sprintf("syntax error at or near %q", r.sql[t.begin:t.end]), t.begin}
		case t.is("from", "join"):
			l.tables = l.tables || !l.inFunction(t)
			l.expecting = l.tables
		case t.is(","):
			l.expecting = l.tables
		case t.is("lateral"):
			l.expecting = expecting
		case t.is(rsClauseWords...) && !before.is("."), t.is("values") && before.is("(") && i+1 < len(r.tokens) && r.tokens[i+1].is("("):
			l.tables, l.selects = false, l.selects || t.is("select")
		}
	}
	return nil
}

// rsCheckToken refuses a token that the engine has another idea of.
func rsCheckToken(r *rsReader, before, t rsToken) error {
	switch {
	case t.named() && slices.ContainsFunc(rsHiddenNames, func(p string) bool { return strings.HasPrefix(t.value, p) }):
		return &redshiftError{fmt.Sprintf("relation %q does not exist", t.value), t.begin}
	case t.is("$"), t.kind == rsTokenNumber && strings.Contains(t.value, "$"):
		return &redshiftError{`syntax error at or near "$"`, t.begin}
	case t.kind == rsTokenText && before.end == t.begin && (before.kind == rsTokenName || before.kind == rsTokenNumber || before.is("&")):
		return &redshiftError{fmt.Sprintf("this local endpoint wants a space between %q and a text, and knows no other texts than plain ones", before.value), t.begin}
	case t.kind == rsTokenName && strings.ContainsFunc(r.sql[t.begin:t.end], func(c rune) bool {
		return c >= 128 && !unicode.IsLetter(c) && !unicode.IsDigit(c) && !unicode.IsMark(c)
	}):
		return &redshiftError{fmt.Sprintf("syntax error at or near %q", r.sql[t.begin:t.end]), t.begin}
	}
	return nil
}

// inFunction tells whether FROM belongs to a function such as EXTRACT(year FROM '...').
func (l *rsLevel) inFunction(t rsToken) bool {
	return t.is("from") && !l.selects && slices.Contains([]string{"extract", "trim", "substring", "overlay", "position"}, l.word)
}

// namesTable tells whether tokens end in the name of a table that is made or inserted into, whatever functions are called alike.
func namesTable(tokens []rsToken) bool {
	i := len(tokens) - 1
	for i > 1 && tokens[i-1].is(".") {
		i -= 2
	}
	return i > 0 && tokens[i-1].is("into", "table", "exists")
}
