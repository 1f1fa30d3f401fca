package aws

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// redshiftKind is what is to be done for a statement of Redshift.
type redshiftKind uint8

const (
	rsQuery    redshiftKind = iota // rows come back
	rsChange                       // the engine runs it
	rsNothing                      // of no consequence here: VACUUM, GRANT
	rsTruncate                     // DELETE, with a commit before and after
	rsLock
	rsCopy
	rsExternalSchema
	rsDropSchema
)

// A redshiftStatement is a statement of Redshift, made ready for the engine.
type redshiftStatement struct {
	kind   redshiftKind
	source string   // as it was sent
	sql    string   // the engine's
	before []string // statements of the engine's that come first
	edits  rsEdits  // by which sql was made of source
	names  []string // all names in it, which tells what it may touch
	tables []rsName // of LOCK, TRUNCATE and COPY; the schema of DROP SCHEMA
	copy   *rsCopySpec
	schema *rsExternal
	ifNot  bool // IF NOT EXISTS, or IF EXISTS of DROP SCHEMA
}

// An rsName is a name of up to two parts. Names of three have the database first, which is dropped.
type rsName struct{ schema, name string }

func (n rsName) sql() string {
	if n.schema == "" {
		return rsQuote(n.name)
	}
	return rsQuote(n.schema) + "." + rsQuote(n.name)
}

// A rsReader goes through the tokens of a statement.
type rsReader struct {
	sql    string
	tokens []rsToken
	at     int
}

func (r *rsReader) done() bool { return r.at >= len(r.tokens) }

// peek returns the token that is n ahead, or an empty sign.
func (r *rsReader) peek(n int) rsToken {
	if r.at+n < len(r.tokens) {
		return r.tokens[r.at+n]
	}
	return rsToken{kind: rsTokenSign, begin: len(r.sql), end: len(r.sql)}
}

// take moves over the given words if they come next.
func (r *rsReader) take(words ...string) bool {
	for i, w := range words {
		if !r.peek(i).is(w) {
			return false
		}
	}
	r.at += len(words)
	return true
}

// wrong returns Redshift's error for the next token.
func (r *rsReader) wrong() error {
	if r.done() {
		return &redshiftError{"syntax error at end of input", len(r.sql)}
	}
	t := r.peek(0)
	return &redshiftError{fmt.Sprintf("syntax error at or near %q", r.sql[t.begin:t.end]), t.begin}
}

// name reads a name of up to three parts.
func (r *rsReader) name() (rsName, error) {
	var parts []string
	for {
		t := r.peek(0)
		if !t.named() {
			return rsName{}, r.wrong()
		}
		parts = append(parts, t.value)
		r.at++
		if len(parts) == 3 || !r.take(".") {
			break
		}
	}
	n := rsName{name: parts[len(parts)-1]}
	if len(parts) > 1 {
		n.schema = parts[len(parts)-2]
	}
	return n, nil
}

// group moves over a group in parentheses and returns its inner tokens.
func (r *rsReader) group() ([]rsToken, error) {
	if !r.take("(") {
		return nil, r.wrong()
	}
	begin, depth := r.at, 1
	for ; !r.done(); r.at++ {
		switch t := r.peek(0); {
		case t.is("("):
			depth++
		case t.is(")"):
			if depth--; depth == 0 {
				r.at++
				return r.tokens[begin : r.at-1], nil
			}
		}
	}
	return nil, r.wrong()
}

// readRedshift makes a statement ready. externals are the schemas that show tables of Glue, with where the engine has their views.
func readRedshift(sql string, externals map[string]string, forbidden func(function string) bool) (*redshiftStatement, error) {
	tokens, err := rsLex(sql)
	if err != nil {
		return nil, err
	}
	for len(tokens) > 0 && tokens[len(tokens)-1].is(";") {
		tokens = tokens[:len(tokens)-1]
	}
	r := &rsReader{sql: sql, tokens: tokens}
	s := &redshiftStatement{source: sql}
	if len(tokens) == 0 {
		return nil, &redshiftError{"Query text is empty", -1}
	}
	for _, t := range tokens {
		switch {
		case t.is(";"):
			return nil, &redshiftError{"cannot insert multiple commands into a prepared statement", t.begin}
		case t.named():
			s.names = append(s.names, t.value)
		}
	}
	if err := rsCheckTokens(r, forbidden); err != nil {
		return nil, err
	}
	if err := s.sort(r, externals); err != nil {
		return nil, err
	}
	return s, nil
}

// sort decides by the first words what a statement is.
func (s *redshiftStatement) sort(r *rsReader, externals map[string]string) error {
	first := r.peek(0)
	switch {
	case first.is("select", "with", "values", "("), first.is("explain") && r.peek(1).is("select", "with", "insert", "update", "delete"):
		s.kind = rsQuery
	case first.is("insert", "update", "delete"):
		s.kind = rsChange
		if err := s.localOnly(r, externals); err != nil {
			return err
		}
	case first.is("set") && r.peek(1).is("search_path", "session", "local"):
		return rsLocal(first, "this local endpoint keeps no sessions: name the schema of each table")
	case first.is("analyze", "analyse", "vacuum", "grant", "revoke", "comment", "set", "reset"):
		s.kind = rsNothing
		return nil
	case r.take("lock"):
		return s.lock(r)
	case r.take("truncate"):
		r.take("table")
		return s.truncate(r)
	case r.take("copy"):
		return s.readCopy(r)
	case first.is("create"):
		return s.create(r, externals)
	case first.is("drop"):
		return s.drop(r)
	case r.take("alter", "table"):
		return s.alter(r)
	case first.is("unload"):
		return rsLocal(first, "UNLOAD is not taken by this local endpoint: read the rows by GetStatementResult, or use Athena's UNLOAD")
	case first.is("begin", "start", "commit", "end", "rollback", "abort"):
		return rsLocal(first, "transactions of several calls are not kept by this local endpoint: send the statements as one batch, which is one transaction")
	default:
		if first.is("attach", "detach", "install", "load", "pragma", "export", "import", "call", "use", "checkpoint", "describe", "from", "merge", "refresh") {
			return rsLocal(first, strings.ToUpper(first.value)+" is not taken by this local endpoint")
		}
		return r.wrong()
	}
	s.rewrite(r, 0, externals)
	return nil
}

// rsLocal returns an error that says what is different here from Redshift.
func rsLocal(t rsToken, message string) error { return &redshiftError{message, t.begin} }

// localOnly refuses changes of tables of external schemas.
func (s *redshiftStatement) localOnly(r *rsReader, externals map[string]string) error {
	if !r.peek(1).is("into", "from") {
		return nil
	}
	at := 2
	if r.peek(at).named() && r.peek(at+1).is(".") && externals[r.peek(at).value] != "" {
		return &redshiftError{"operation is not supported on external tables by this local endpoint, which only reads them", r.peek(at).begin}
	}
	return nil
}

func (s *redshiftStatement) lock(r *rsReader) error {
	s.kind = rsLock
	r.take("table")
	for {
		n, err := r.name()
		if err != nil {
			return err
		}
		s.tables = append(s.tables, n)
		if !r.take(",") {
			break
		}
	}
	if !r.done() {
		return r.wrong()
	}
	return nil
}

func (s *redshiftStatement) truncate(r *rsReader) error {
	s.kind = rsTruncate
	n, err := r.name()
	switch {
	case err != nil:
		return err
	case !r.done():
		return r.wrong()
	}
	s.tables, s.sql = []rsName{n}, "DELETE FROM "+n.sql()
	return nil
}

func (s *redshiftStatement) drop(r *rsReader) error {
	r.at++
	switch {
	case r.take("schema"):
		s.kind, s.ifNot = rsDropSchema, r.take("if", "exists")
		n, err := r.name()
		if err != nil {
			return err
		}
		s.tables = []rsName{n}
		s.sql = "DROP SCHEMA " + rsQuote(n.name)
		if r.take("cascade") {
			s.sql += " CASCADE"
		}
		return nil
	case r.peek(0).is("table", "view"):
		s.kind, s.sql = rsChange, s.source
		return nil
	}
	return rsLocal(r.peek(0), "this local endpoint drops tables, views and schemas")
}

// alter takes what changes a table's columns and name. What says where its rows lie is of no consequence here.
func (s *redshiftStatement) alter(r *rsReader) error {
	s.kind = rsChange
	if _, err := r.name(); err != nil {
		return err
	}
	switch {
	case r.peek(0).is("alter", "owner"), r.take("add", "constraint"), r.take("add", "primary"), r.take("add", "unique"), r.take("add", "foreign"):
		s.kind = rsNothing
		return nil
	case r.peek(0).is("append"):
		return rsLocal(r.peek(0), "ALTER TABLE APPEND is not taken by this local endpoint")
	case r.take("add"):
		r.take("column")
		t := r.peek(0)
		if at := calledDefault(r.tokens[r.at:]); at != nil {
			return rsLocal(*at, "ALTER TABLE ADD COLUMN takes no function for a default in this local endpoint: add the column, then UPDATE")
		}
		definition, before, err := rsColumnDefinition(r.sql, r.tokens[r.at:], rsName{})
		if err != nil {
			return err
		}
		s.before = before
		s.edits.replace(t.begin, r.tokens[len(r.tokens)-1].end, definition)
		s.sql = s.edits.apply(s.source)
		return nil
	}
	s.sql = s.source
	return nil
}

// calledDefault returns where the default of a column calls a function, or nil.
func calledDefault(tokens []rsToken) *rsToken {
	inDefault := false
	for i, t := range tokens {
		inDefault = inDefault || t.is("default")
		if inDefault && t.is("(", "sysdate") {
			return &tokens[i]
		}
	}
	return nil
}

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

// rsHiddenNames begin the names of the engine's own tables, which tell of this machine.
var rsHiddenNames = []string{"duckdb_", "pragma_", "sqlite_"}

// rsCheckTokens refuses what leads out of the warehouse: functions that read files, and files in the place of tables.
func rsCheckTokens(r *rsReader, forbidden func(string) bool) error {
	var open []string // the words before the parentheses that are open
	for i, t := range r.tokens {
		before := rsToken{kind: rsTokenSign}
		if i > 0 {
			before = r.tokens[i-1]
		}
		switch {
		case t.is("("):
			open = append(open, before.value)
			if before.named() && forbidden(before.value) {
				return &redshiftError{fmt.Sprintf("function %s does not exist", before.value), before.begin}
			}
		case t.is(")") && len(open) > 0:
			open = open[:len(open)-1]
		case t.kind == rsTokenText && before.is("from", "join") && !r.tokens[0].is("copy") && !rsInFunction(open):
			return &redshiftError{fmt.Sprintf("syntax error at or near %q", r.sql[t.begin:t.end]), t.begin}
		case t.named() && slices.ContainsFunc(rsHiddenNames, func(p string) bool { return strings.HasPrefix(t.value, p) }):
			return &redshiftError{fmt.Sprintf("relation %q does not exist", t.value), t.begin}
		case t.is("$"):
			return &redshiftError{`syntax error at or near "$"`, t.begin}
		}
	}
	return nil
}

// rsInFunction tells whether FROM belongs to a function such as EXTRACT(year FROM '...').
func rsInFunction(open []string) bool {
	return len(open) > 0 && slices.Contains([]string{"extract", "trim", "substring", "overlay", "position"}, open[len(open)-1])
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
