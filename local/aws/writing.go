package aws

import (
	"slices"
	"strings"
)

// A writing is what CREATE TABLE AS, INSERT INTO and UNLOAD say beside their query.
type writing struct {
	target      tableRef
	ifNotExists bool
	noData      bool
	columns     []string // of INSERT; none means all
	location    string   // of UNLOAD
	options     properties
}

// properties are what stands in WITH (...).
type properties map[string]property

// A property is one value, or a list of them.
type property struct {
	texts []string
	list  bool
}

// text returns a property's value, or nothing.
func (p properties) text(name string) string {
	if v := p[name].texts; len(v) > 0 {
		return v[0]
	}
	return ""
}

// properties takes (name = value, ...), of the given names only.
func (p *parser) properties(allowed ...string) (properties, error) {
	inner, err := p.parens()
	if err != nil {
		return nil, err
	}
	all := properties{}
	for {
		at := inner.peek()
		name, err := inner.name("identifier")
		switch {
		case err != nil:
			return nil, err
		case !slices.Contains(allowed, name):
			return nil, invalid("line %s: NOT_SUPPORTED: property '%s' is not known here; known are: %s", position(p.sql, at.begin), name, strings.Join(allowed, ", "))
		case !inner.take("="):
			return nil, inner.unexpected("=")
		}
		v, err := inner.property()
		if err != nil {
			return nil, err
		}
		all[name] = v
		if !inner.take(",") {
			return all, inner.end()
		}
	}
}

// property takes a value: a text, a number, a word, or ARRAY[...] of them.
func (p *parser) property() (property, error) {
	if !p.take("array", "[") {
		if w := p.peek(); len(p.words) == 0 || w.is(",") {
			return property{}, p.unexpected("a value")
		}
		return property{texts: []string{p.next().text}}, nil
	}
	v := property{list: true}
	for {
		text, err := p.text()
		if err != nil {
			return v, err
		}
		v.texts = append(v.texts, text)
		if p.take("]") {
			return v, nil
		}
		if !p.take(",") {
			return v, p.unexpected(", or ]")
		}
	}
}

// Names of properties that CREATE TABLE AS and UNLOAD know.
var (
	createProperties = []string{
		"format", "external_location", "partitioned_by", "write_compression", "parquet_compression", "compression_level", "bucketed_by", "bucket_count",
		"field_delimiter", "orc_compression", "table_type", "is_external", "location",
	}
	unloadProperties = []string{"format", "compression", "compression_level", "field_delimiter", "partitioned_by"}
)

// createTable reads CREATE TABLE [IF NOT EXISTS] name [WITH (...)] AS query [WITH [NO] DATA].
func (src *source) createTable(p *parser) (*statement, error) {
	w := &writing{ifNotExists: p.take("if", "not", "exists")}
	at := p.peek()
	var err error
	if w.target, err = p.table(); err != nil {
		return nil, err
	}
	if p.take("with") {
		if w.options, err = p.properties(createProperties...); err != nil {
			return nil, err
		}
	}
	if p.peek().is("(") || p.peek().is("comment") {
		return nil, invalid("line %s: NOT_SUPPORTED: CREATE TABLE without AS makes an Iceberg table, of which this local endpoint has none: use CREATE EXTERNAL TABLE",
			position(p.sql, at.begin))
	}
	if err := p.want("as"); err != nil {
		return nil, err
	}
	n := len(p.words)
	if n > 3 && p.words[n-1].is("data") {
		switch {
		case p.words[n-2].is("no") && p.words[n-3].is("with"):
			w.noData, p.words = true, p.words[:n-3]
		case p.words[n-2].is("with"):
			p.words = p.words[:n-2]
		}
	}
	s := &statement{kind: creating, sub: "CREATE_TABLE_AS_SELECT", write: w}
	s.query, err = src.rest(p)
	return s, err
}

// insert reads INSERT INTO table [(columns)] query.
func (src *source) insert(p *parser) (*statement, error) {
	w := &writing{}
	var err error
	if w.target, err = p.table(); err != nil {
		return nil, err
	}
	if len(p.words) > 1 && p.words[0].is("(") && !p.words[1].is("select") && !p.words[1].is("with") && !p.words[1].is("(") {
		inner, err := p.parens()
		if err != nil {
			return nil, err
		}
		for {
			name, err := inner.name("identifier")
			if err != nil {
				return nil, err
			}
			w.columns = append(w.columns, name)
			if !inner.take(",") {
				break
			}
		}
		if err := inner.end(); err != nil {
			return nil, err
		}
	}
	s := &statement{kind: inserting, sub: "INSERT", write: w}
	s.query, err = src.rest(p)
	return s, err
}

// unload reads UNLOAD (query) TO 'location' WITH (...).
func (src *source) unload(p *parser) (*statement, error) {
	inner, err := p.parens()
	if err != nil {
		return nil, err
	}
	s := &statement{kind: unloading, sub: "UNLOAD", write: &writing{}}
	if s.query, err = src.rest(inner); err != nil {
		return nil, err
	}
	if err := p.want("to"); err != nil {
		return nil, err
	}
	if s.write.location, err = p.text(); err != nil {
		return nil, err
	}
	if err := p.want("with"); err != nil {
		return nil, err
	}
	if s.write.options, err = p.properties(unloadProperties...); err != nil {
		return nil, err
	}
	return s, p.end()
}
