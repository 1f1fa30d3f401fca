package aws

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// rsAliases are functions and words of Redshift that the engine calls otherwise.
var rsAliases = map[string]string{
	"nvl": "coalesce", "dateadd": "rs_dateadd", "date_add": "rs_dateadd", "datediff": "rs_datediff", "date_diff": "rs_datediff",
	"isnull": "coalesce", "charindex": "rs_charindex", "len": "length",
}

// rsNow is the present moment as Redshift's timestamp without a zone.
const rsNow = "CAST(now() AT TIME ZONE 'UTC' AS TIMESTAMP)"

// rewrite puts the engine's words in the place of Redshift's, from a token on.
func (s *redshiftStatement) rewrite(r *rsReader, from int, externals map[string]string) {
	s.rewriteTokens(r.tokens[from:], externals)
	s.sql = s.edits.apply(s.source)
}

func (s *redshiftStatement) rewriteTokens(tokens []rsToken, externals map[string]string) {
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		next := func(n int) rsToken {
			if i+n < len(tokens) {
				return tokens[i+n]
			}
			return rsToken{kind: rsTokenSign}
		}
		switch {
		case t.is("getdate") && next(1).is("(") && next(2).is(")"):
			s.edits.replace(t.begin, next(2).end, rsNow)
			i += 2
		case t.is("sysdate"):
			s.edits.replace(t.begin, t.end, rsNow)
		case t.kind == rsTokenName && rsAliases[t.value] != "" && next(1).is("("):
			s.edits.replace(t.begin, t.end, rsAliases[t.value])
			if part := next(2); strings.HasPrefix(rsAliases[t.value], "rs_date") && part.kind == rsTokenName && next(3).is(",") {
				s.edits.replace(part.begin, part.end, rsLiteral(part.value))
				i += 2
			}
		case t.is("minus"):
			s.edits.replace(t.begin, t.end, "EXCEPT")
		case t.is("approximate") && next(1).is("count"):
			s.edits.replace(t.begin, t.end, "")
		case t.is("::") || t.is("as") && rsCastOpen(tokens, i):
			text, n := rsEngineType(tokens[i+1:])
			if n > 0 {
				s.edits.replace(next(1).begin, next(n).end, text)
				i += n
			}
		case t.named() && next(1).is(".") && next(2).named() && externals[t.value] != "":
			s.edits.replace(t.begin, t.end, externals[t.value])
			i += 2
		case t.kind == rsTokenText && strings.ContainsRune(s.source[t.begin:t.end], '\\'):
			s.edits.replace(t.begin, t.end, rsLiteral(t.value))
		}
	}
}

// rsCastOpen tells whether the AS at a place is one of CAST: the parenthesis around it follows the word CAST.
func rsCastOpen(tokens []rsToken, at int) bool {
	depth := 0
	for i := at - 1; i > 0; i-- {
		switch {
		case tokens[i].is(")"):
			depth++
		case tokens[i].is("("):
			if depth--; depth < 0 {
				return tokens[i-1].is("cast", "try_cast")
			}
		}
	}
	return false
}

// rsEngineType returns the engine's name for a type that differs there, and how many tokens Redshift's name has; else 0.
func rsEngineType(tokens []rsToken) (string, int) {
	if len(tokens) == 0 || tokens[0].kind != rsTokenName {
		return "", 0
	}
	n := 1
	switch {
	case len(tokens) > 1 && tokens[0].is("binary", "character") && tokens[1].is("varying"):
		n = 2
	case tokens[0].is("super"):
		return "JSON", 1
	}
	sized := len(tokens) > n+2 && tokens[n].is("(") && tokens[n+2].is(")")
	switch {
	case tokens[0].is("varbyte", "varbinary", "binary"):
		if sized {
			n += 3
		}
		return "BLOB", n
	case sized && tokens[n+1].is("max"):
		return "VARCHAR", n + 3
	}
	return "", 0
}

// rsBind puts the values of parameters, :name, into a statement as texts, and notes which it used.
func rsBind(sql string, parameters map[string]string, used map[string]bool) (string, error) {
	tokens, err := rsLex(sql)
	if err != nil {
		return "", err
	}
	var e rsEdits
	for i := 0; i+1 < len(tokens); i++ {
		t, name := tokens[i], tokens[i+1]
		if !t.is(":") || name.kind != rsTokenName || name.begin != t.end {
			continue
		}
		value, ok := parameters[name.value]
		if !ok {
			return "", &redshiftError{fmt.Sprintf("syntax error at or near \":\": the parameter %s has no value", name.value), t.begin}
		}
		used[name.value] = true
		e.replace(t.begin, name.end, `'`+strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(value)+`'`)
		i++
	}
	return e.apply(sql), nil
}

// rsBindAll binds parameters in statements of a batch: each must be used by one of them.
func rsBindAll(sqls []string, values map[string]string) ([]string, error) {
	used := map[string]bool{}
	bound := make([]string, len(sqls))
	for i, sql := range sqls {
		text, err := rsBind(sql, values, used)
		if err != nil {
			return nil, rsInvalid("%v", err)
		}
		bound[i] = text
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !used[name] {
			return nil, rsInvalid("Parameters list contains unused parameters. Unused parameters: [%s]", name)
		}
	}
	return bound, nil
}
