package aws

import (
	"fmt"
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
		return r.noTexts()
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
	return r.noTexts()
}

// noTexts refuses texts in a statement that goes to the engine as it is: a backslash is no escape there.
func (r *rsReader) noTexts() error {
	for ; !r.done(); r.at++ {
		if r.peek(0).kind == rsTokenText {
			return r.wrong()
		}
	}
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
