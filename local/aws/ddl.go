package aws

import (
	"context"
	"strings"
)

// definitionOf returns what reads the definition that comes, by its first words, which it takes; or nil.
func definitionOf(p *parser) func(src *source, p *parser) (definition, error) {
	plain := func(read func(p *parser) (definition, error)) func(*source, *parser) (definition, error) {
		return func(_ *source, p *parser) (definition, error) { return read(p) }
	}
	switch {
	case p.take("create", "or", "replace", "view"):
		return func(src *source, p *parser) (definition, error) { return readCreateView(src, p, true) }
	case p.take("create", "view"):
		return func(src *source, p *parser) (definition, error) { return readCreateView(src, p, false) }
	case p.take("create", "external", "table"):
		return plain(readCreateTable)
	case p.take("create", "database"), p.take("create", "schema"):
		return plain(readCreateDatabase)
	case p.take("drop", "database"), p.take("drop", "schema"):
		return plain(readDropDatabase)
	case p.take("drop", "table"):
		return plain(func(p *parser) (definition, error) { return readDropTable(p, false) })
	case p.take("drop", "view"):
		return plain(func(p *parser) (definition, error) { return readDropTable(p, true) })
	case p.take("alter", "table"):
		return plain(readAlterTable)
	case p.take("msck", "repair", "table"):
		return plain(func(p *parser) (definition, error) {
			ref, err := p.table()
			return &repairTable{ref}, err
		})
	}
	return nil
}

// hiveProperties takes ('key' = 'value', ...).
func (p *parser) hiveProperties() (map[string]string, error) {
	inner, err := p.parens()
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for {
		key, err := inner.text()
		if err != nil {
			return nil, err
		}
		if !inner.take("=") {
			return nil, inner.unexpected("=")
		}
		if all[key], err = inner.text(); err != nil {
			return nil, err
		}
		if !inner.take(",") {
			return all, inner.end()
		}
	}
}

// hiveColumns takes (name type [COMMENT 'text'], ...).
func (p *parser) hiveColumns() ([]glueColumn, error) {
	inner, err := p.parens()
	if err != nil {
		return nil, err
	}
	var columns []glueColumn
	for {
		c, err := inner.hiveColumn()
		if err != nil {
			return nil, err
		}
		columns = append(columns, c)
		if !inner.take(",") {
			return columns, inner.end()
		}
	}
}

func (p *parser) hiveColumn() (glueColumn, error) {
	name, err := p.name("identifier")
	if err != nil {
		return glueColumn{}, err
	}
	at := p.peek()
	depth, n := 0, 0
	for _, w := range p.words {
		if depth == 0 && (w.is(",") || w.is("comment")) {
			break
		}
		switch {
		case w.is("<"), w.is("("):
			depth++
		case w.is(">"), w.is(")"):
			depth--
		}
		n++
	}
	if n == 0 {
		return glueColumn{}, p.unexpected("a type")
	}
	kind := strings.ToLower(strings.Join(strings.Fields(p.sql[at.begin:p.words[n-1].end]), ""))
	p.words = p.words[n:]
	c := glueColumn{Name: name, Type: kind}
	if t, err := readType(kind); err != nil || t.in(inHive) == "" {
		return c, invalid("line %s: mismatched input '%s'. Expecting: a type of Hive", position(p.sql, at.begin), kind)
	}
	if p.take("comment") {
		text, err := p.text()
		if err != nil {
			return c, err
		}
		c.Comment = &text
	}
	return c, nil
}

// createDatabase is CREATE DATABASE.
type createDatabase struct {
	in          databaseInput
	ifNotExists bool
}

func (*createDatabase) sub() string { return "CREATE_DATABASE" }

func readCreateDatabase(p *parser) (definition, error) {
	d := &createDatabase{ifNotExists: p.take("if", "not", "exists")}
	var err error
	if d.in.Name, err = p.name("identifier"); err != nil {
		return nil, err
	}
	for err == nil && len(p.words) > 0 {
		var text string
		switch {
		case p.take("comment"):
			text, err = p.text()
			d.in.Description = &text
		case p.take("location"):
			text, err = p.text()
			d.in.LocationURI = &text
		case p.take("with", "dbproperties"):
			d.in.Parameters, err = p.hiveProperties()
		default:
			err = p.unexpected("'COMMENT', 'LOCATION', 'WITH'")
		}
	}
	return d, err
}

func (x *createDatabase) run(_ context.Context, d *definer, _ *query) (*result, error) {
	err := d.call("CreateDatabase", struct{ DatabaseInput databaseInput }{x.in}, nil)
	if x.ifNotExists && refused(err, alreadyExists) {
		err = nil
	}
	return &result{}, err
}

// dropDatabase is DROP DATABASE.
type dropDatabase struct {
	name              string
	ifExists, cascade bool
}

func (*dropDatabase) sub() string { return "DROP_DATABASE" }

func readDropDatabase(p *parser) (definition, error) {
	d := &dropDatabase{ifExists: p.take("if", "exists")}
	var err error
	if d.name, err = p.name("identifier"); err != nil {
		return nil, err
	}
	d.cascade = p.take("cascade")
	p.take("restrict")
	return d, nil
}

func (x *dropDatabase) run(_ context.Context, d *definer, _ *query) (*result, error) {
	tables, err := d.catalog.allTables(x.name)
	switch {
	case missing(err) && x.ifExists:
		return &result{}, nil
	case missing(err):
		return nil, failed("FAILED", "SemanticException [Error 10072]: Database does not exist: %s", x.name)
	case err != nil:
		return nil, err
	case len(tables) > 0 && !x.cascade:
		return nil, failed("FAILED", "Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. InvalidOperationException(message: "+
			"Database %s is not empty. One or more tables exist.)", x.name)
	}
	return &result{}, d.call("DeleteDatabase", struct{ Name string }{x.name}, nil)
}
