package aws

import (
	"strings"
	"unicode"
)

// rsTokenKind is the sort of a token of Redshift's SQL.
type rsTokenKind uint8

const (
	rsTokenName   rsTokenKind = iota // a keyword or a name without quotes
	rsTokenQuoted                    // a name in double quotes
	rsTokenText                      // a text in single quotes
	rsTokenNumber
	rsTokenSign
)

// A rsToken is a word or sign of a statement. value is what it stands for: names in lower case, as Redshift folds them, quoted ones too.
type rsToken struct {
	kind       rsTokenKind
	value      string
	begin, end int // in bytes
}

// is tells whether the token is one of some keywords, or the sign.
func (t rsToken) is(words ...string) bool {
	for _, w := range words {
		if (t.kind == rsTokenName || t.kind == rsTokenSign) && t.value == w {
			return true
		}
	}
	return false
}

// named tells whether the token can be a name.
func (t rsToken) named() bool { return t.kind == rsTokenName || t.kind == rsTokenQuoted }

// A redshiftError is an error in a statement; at is the byte at which it is, -1 if there is no place.
type redshiftError struct {
	message string
	at      int
}

func (e *redshiftError) Error() string { return e.message }

// rsLex cuts a statement into tokens, without comments.
func rsLex(sql string) ([]rsToken, error) {
	var tokens []rsToken
	for i := 0; i < len(sql); {
		rest := sql[i:]
		c := rune(rest[0])
		switch {
		case unicode.IsSpace(c):
			i++
		case strings.HasPrefix(rest, "--"):
			i += lineComment(rest)
		case strings.HasPrefix(rest, "/*"):
			n := length(rest, "*/")
			if nested(rest[:n]) {
				return nil, &redshiftError{"this local endpoint takes no comment inside a comment", i}
			}
			i += n
		case c == '\'':
			t, ok := rsLexText(rest)
			if !ok {
				return nil, &redshiftError{"unterminated quoted string", i}
			}
			t.begin, t.end = i, i+t.end
			tokens, i = append(tokens, t), t.end
		case c == '"':
			name, size, ok := quoted(rest)
			if !ok {
				return nil, &redshiftError{"unterminated quoted identifier", i}
			}
			tokens = append(tokens, rsToken{rsTokenQuoted, strings.ToLower(name), i, i + size})
			i += size
		case (isLetter(c) || unicode.IsDigit(c)):
			n := 1
			for n < len(rest) && (isLetter(rune(rest[n])) || unicode.IsDigit(rune(rest[n])) || rest[n] == '$') {
				n++
			}
			kind := rsTokenName
			if unicode.IsDigit(c) {
				kind = rsTokenNumber
			}
			tokens = append(tokens, rsToken{kind, strings.ToLower(rest[:n]), i, i + n})
			i += n
		default:
			n := 1
			if strings.HasPrefix(rest, "::") {
				n = 2
			}
			tokens = append(tokens, rsToken{rsTokenSign, rest[:n], i, i + n})
			i += n
		}
	}
	return tokens, nil
}

// rsLexText reads a text in single quotes, in which a quote is written twice, and a backslash escapes.
func rsLexText(text string) (rsToken, bool) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case text[i] != '\'':
			b.WriteByte(text[i])
		case i+1 < len(text) && text[i+1] == '\'':
			b.WriteByte('\'')
			i++
		default:
			return rsToken{kind: rsTokenText, value: b.String(), end: i + 1}, true
		}
	}
	return rsToken{}, false
}

// An rsEdit replaces the bytes [begin, end) of a statement.
type rsEdit struct {
	begin, end int
	text       string
}

// rsEdits make the engine's SQL of a statement. They do not overlap, and come in the order of their places.
type rsEdits []rsEdit

func (e *rsEdits) replace(begin, end int, text string) { *e = append(*e, rsEdit{begin, end, text}) }

func (e rsEdits) apply(sql string) string {
	var b strings.Builder
	at := 0
	for _, x := range e {
		b.WriteString(sql[at:x.begin])
		b.WriteString(x.text)
		at = x.end
	}
	b.WriteString(sql[at:])
	return b.String()
}

// original returns the place in the statement of a place in the engine's SQL.
func (e rsEdits) original(at int) int {
	moved := 0
	for _, x := range e {
		begin := x.begin + moved
		switch {
		case at < begin:
			return at - moved
		case at < begin+len(x.text):
			return x.begin
		}
		moved += len(x.text) - (x.end - x.begin)
	}
	return at - moved
}

// rsQuote quotes a name for the engine's SQL, and rsLiteral a text.
func rsQuote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func rsLiteral(text string) string { return `'` + strings.ReplaceAll(text, `'`, `''`) + `'` }
