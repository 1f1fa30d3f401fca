package aws

import (
	"slices"
	"strings"
)

// An rsExternal is what CREATE EXTERNAL SCHEMA says.
type rsExternal struct {
	name, database, region, role string
}

// create reads CREATE.
func (s *redshiftStatement) create(r *rsReader, externals map[string]string) error {
	s.kind = rsChange
	r.at++
	switch {
	case r.take("schema"):
		s.ifNot = r.take("if", "not", "exists")
		n, err := r.name()
		if err != nil {
			return err
		}
		s.sql = "CREATE SCHEMA "
		if s.ifNot {
			s.sql += "IF NOT EXISTS "
		}
		s.sql += rsQuote(n.name)
		return nil
	case r.take("external", "schema"):
		return s.external(r)
	case r.peek(0).is("view") || r.peek(0).is("or") && r.peek(2).is("view"):
		s.rewrite(r, 0, nil)
		return nil
	}
	temp := r.take("temp") || r.take("temporary") || r.take("local", "temp") || r.take("local", "temporary")
	if !r.take("table") {
		return rsLocal(r.peek(0), "this local endpoint creates tables, temporary tables, views, schemas and external schemas")
	}
	s.ifNot = r.take("if", "not", "exists")
	n, err := r.name()
	if err != nil {
		return err
	}
	if externals[n.schema] != "" {
		return rsLocal(r.peek(0), "external tables are made in Glue, not by this local endpoint")
	}
	head := "CREATE "
	if temp {
		head, n.schema = "CREATE TEMP ", "" // whatever its name is, it lies in no schema
	}
	head += "TABLE "
	if s.ifNot {
		head += "IF NOT EXISTS "
	}
	return s.table(r, head, n, temp, externals)
}

// table reads the columns of a CREATE TABLE, or its query. Keys and constraints that Redshift does not enforce, and what says where
// rows lie and how they are packed, are left out.
func (s *redshiftStatement) table(r *rsReader, head string, n rsName, temp bool, externals map[string]string) error {
	head += n.sql()
	var items [][]rsToken
	if r.peek(0).is("(") {
		inner, err := r.group()
		if err != nil {
			return err
		}
		items = rsCommas(inner)
	}
	for !r.done() && !r.peek(0).is("as") {
		if err := rsAttribute(r); err != nil {
			return err
		}
	}
	if r.take("as") {
		return s.tableAs(r, head, items, externals)
	}
	var columns []string
	for _, item := range items {
		switch {
		case len(item) == 0:
			return r.wrong()
		case item[0].is("like"):
			if len(items) > 1 {
				return rsLocal(item[0], "LIKE beside other columns is not taken by this local endpoint")
			}
			like := &rsReader{sql: r.sql, tokens: item, at: 1}
			of, err := like.name()
			if err != nil {
				return err
			}
			s.sql = head + " AS SELECT * FROM " + of.sql() + " LIMIT 0"
			return nil
		case item[0].is("primary", "unique", "foreign", "constraint"):
			continue
		}
		column, before, err := rsColumnDefinition(r.sql, item, n)
		if err != nil {
			return err
		}
		if temp && len(before) > 0 {
			return rsLocal(item[0], "IDENTITY columns of temporary tables are not taken by this local endpoint")
		}
		columns = append(columns, column)
		s.before = append(s.before, before...)
	}
	if len(columns) == 0 {
		return r.wrong()
	}
	s.sql = head + " (" + strings.Join(columns, ", ") + ")"
	return nil
}

// tableAs reads the query of CREATE TABLE AS.
func (s *redshiftStatement) tableAs(r *rsReader, head string, items [][]rsToken, externals map[string]string) error {
	for i, item := range items {
		if len(item) != 1 || !item[0].named() {
			return r.wrong()
		}
		items[i][0].value = rsQuote(item[0].value)
	}
	if len(items) > 0 {
		names := make([]string, len(items))
		for i, item := range items {
			names[i] = item[0].value
		}
		head += " (" + strings.Join(names, ", ") + ")"
	}
	if r.done() {
		return r.wrong()
	}
	s.edits.replace(0, r.peek(0).begin, head+" AS ")
	s.rewriteTokens(r.tokens[r.at:], externals)
	s.sql = s.edits.apply(s.source)
	return nil
}

// rsCommas cuts tokens at the commas outside of parentheses.
func rsCommas(tokens []rsToken) [][]rsToken {
	var parts [][]rsToken
	depth, begin := 0, 0
	for i, t := range tokens {
		switch {
		case t.is("("):
			depth++
		case t.is(")"):
			depth--
		case t.is(",") && depth == 0:
			parts = append(parts, tokens[begin:i])
			begin = i + 1
		}
	}
	return append(parts, tokens[begin:])
}

// rsAttribute moves over an attribute of a table.
func rsAttribute(r *rsReader) error {
	switch {
	case r.take("diststyle"), r.take("backup"), r.take("encode"):
		r.at++
		return nil
	case r.take("compound"), r.take("interleaved"):
		return nil
	case r.take("distkey"), r.take("sortkey"):
		if r.take("auto") {
			return nil
		}
		_, err := r.group()
		return err
	}
	return r.wrong()
}

// rsColumnDefinition returns a column as the engine takes it, and what must be run before. of is the table.
func rsColumnDefinition(sql string, tokens []rsToken, of rsName) (definition string, before []string, err error) {
	r := &rsReader{sql: sql, tokens: tokens}
	name := r.peek(0)
	if !name.named() {
		return "", nil, r.wrong()
	}
	r.at++
	kind, err := rsColumnType(r)
	if err != nil {
		return "", nil, err
	}
	definition = rsQuote(name.value) + " " + kind
	for !r.done() {
		switch {
		case r.take("encode"):
			r.at++
		case r.take("distkey"), r.take("sortkey"), r.take("unique"), r.take("primary", "key"), r.take("null"):
		case r.take("collate"):
			r.at++
		case r.take("not", "null"):
			definition += " NOT NULL"
		case r.take("references"):
			if _, err := r.name(); err != nil {
				return "", nil, err
			}
			if r.peek(0).is("(") {
				if _, err := r.group(); err != nil {
					return "", nil, err
				}
			}
		case r.take("default"):
			expression, err := defaultExpression(r)
			if err != nil {
				return "", nil, err
			}
			definition += " DEFAULT " + expression
		case r.take("identity"), r.take("generated", "by", "default", "as", "identity"):
			sequence, err := identity(r, of, name.value)
			if err != nil {
				return "", nil, err
			}
			before = append(before, sequence.create)
			definition += " DEFAULT nextval(" + rsLiteral(sequence.name) + ")"
		default:
			return "", nil, r.wrong()
		}
	}
	return definition, before, nil
}

// defaultExpression reads what follows DEFAULT, as the engine has it.
func defaultExpression(r *rsReader) (string, error) {
	begin := r.at
	if r.done() {
		return "", r.wrong()
	}
	r.skipExpression()
	part := r.tokens[begin:r.at]
	expression := &redshiftStatement{source: r.sql}
	expression.rewriteTokens(part, nil)
	for i := range expression.edits {
		expression.edits[i].begin -= part[0].begin
		expression.edits[i].end -= part[0].begin
	}
	return expression.edits.apply(r.sql[part[0].begin:part[len(part)-1].end]), nil
}

// An rsSequence counts for an IDENTITY column.
type rsSequence struct{ name, create string }

// identity reads the (seed, step) of an IDENTITY column.
func identity(r *rsReader, of rsName, column string) (rsSequence, error) {
	steps, err := r.group()
	if err != nil {
		return rsSequence{}, err
	}
	if of.name == "" || len(steps) != 3 || steps[0].kind != rsTokenNumber || steps[2].kind != rsTokenNumber {
		return rsSequence{}, r.wrong()
	}
	name := rsName{of.schema, of.name + "_" + column + "_seq"}.sql()
	return rsSequence{name, "CREATE SEQUENCE IF NOT EXISTS " + name + " START " + steps[0].value + " INCREMENT " + steps[2].value}, nil
}

// rsColumnWords end a type or a default.
var rsColumnWords = []string{
	"encode", "distkey", "sortkey", "unique", "primary", "null", "not", "references", "default", "identity", "generated", "collate",
}

// rsColumnType reads the type of a column, as the engine has it.
func rsColumnType(r *rsReader) (string, error) {
	if text, n := rsEngineType(r.tokens[r.at:]); n > 0 {
		r.at += n
		return text, nil
	}
	begin := r.at
	if r.peek(0).kind != rsTokenName || r.peek(0).is(rsColumnWords...) {
		return "", r.wrong()
	}
	r.skipExpression()
	part := r.tokens[begin:r.at]
	return r.sql[part[0].begin:part[len(part)-1].end], nil
}

// skipExpression moves on to the next word that a column's definition has, outside of parentheses. It takes one token at least.
func (r *rsReader) skipExpression() {
	depth := 0
	for first := true; !r.done(); first = false {
		t := r.peek(0)
		if !first && depth == 0 && t.kind == rsTokenName && slices.Contains(rsColumnWords, t.value) {
			return
		}
		switch {
		case t.is("("):
			depth++
		case t.is(")"):
			depth--
		}
		r.at++
	}
}

// external reads CREATE EXTERNAL SCHEMA [IF NOT EXISTS] name FROM DATA CATALOG DATABASE '...' [REGION '...'] IAM_ROLE '...'.
func (s *redshiftStatement) external(r *rsReader) error {
	s.kind, s.ifNot = rsExternalSchema, r.take("if", "not", "exists")
	n, err := r.name()
	if err != nil {
		return err
	}
	x := &rsExternal{name: n.name}
	if !r.take("from", "data", "catalog") {
		return rsLocal(r.peek(0), "this local endpoint has external schemas FROM DATA CATALOG only")
	}
	for !r.done() {
		var into *string
		switch {
		case r.take("database"):
			into = &x.database
		case r.take("region"):
			into = &x.region
		case r.take("iam_role"):
			into = &x.role
		case r.take("create", "external", "database", "if", "not", "exists"):
			continue
		case r.take("catalog_role"), r.take("catalog_id"):
			into = new(string)
		default:
			return r.wrong()
		}
		if t := r.peek(0); t.kind != rsTokenText && (into != &x.role || !t.is("default")) {
			return r.wrong()
		}
		*into = r.peek(0).value
		r.at++
	}
	switch {
	case x.database == "":
		return &redshiftError{"DATABASE is required for an external schema from a data catalog", -1}
	case x.role == "":
		return &redshiftError{"IAM_ROLE is required for an external schema from a data catalog", -1}
	}
	s.schema = x
	return nil
}
