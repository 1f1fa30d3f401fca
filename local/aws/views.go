package aws

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
)

// A view is a table in Glue whose text says, in base64, what Trino wants to know of it. So views made here are Athena's, and the other way
// round.
const (
	viewType   = "VIRTUAL_VIEW"
	viewBefore = "/* Presto View: "
	viewAfter  = " */"
)

// A viewText is what is in a view's text.
type viewText struct {
	OriginalSQL string       `json:"originalSql"`
	Catalog     string       `json:"catalog"`
	Schema      string       `json:"schema"`
	Columns     []viewColumn `json:"columns"`
}

// A viewColumn has Trino's type, for example varchar.
type viewColumn struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

func isView(t *glueTable) bool { return t.TableType != nil && *t.TableType == viewType }

// readView decodes a view.
func readView(t *glueTable) (*viewText, error) {
	if t.ViewOriginalText == nil {
		return nil, failed("INVALID_VIEW", "it has no text")
	}
	encoded, ok := between(strings.TrimSpace(*t.ViewOriginalText), viewBefore, viewAfter)
	if !ok {
		return nil, failed("NOT_SUPPORTED", "it is a Hive view, and this local endpoint reads those of CREATE VIEW in Athena")
	}
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, failed("INVALID_VIEW", "its text is no base64: %v", err)
	}
	v := &viewText{}
	if err := json.Unmarshal(text, v); err != nil {
		return nil, failed("INVALID_VIEW", "its text is not what Trino writes: %v", err)
	}
	return v, nil
}

// createView is CREATE [OR REPLACE] VIEW name [(columns)] AS query.
type createView struct {
	ref     tableRef
	replace bool
	columns []string
	query   *script
}

func (*createView) sub() string { return "CREATE_VIEW" }

func readCreateView(src *source, p *parser, replace bool) (definition, error) {
	v := &createView{replace: replace}
	var err error
	if v.ref, err = p.table(); err != nil {
		return nil, err
	}
	if p.peek().is("(") {
		inner, err := p.parens()
		if err != nil {
			return nil, err
		}
		for {
			name, err := inner.name("identifier")
			if err != nil {
				return nil, err
			}
			v.columns = append(v.columns, name)
			if !inner.take(",") {
				break
			}
		}
		if err := inner.end(); err != nil {
			return nil, err
		}
	}
	if err := p.want("as"); err != nil {
		return nil, err
	}
	v.query, err = src.rest(p)
	return v, err
}

// createView puts a view into the catalog.
func (d *definer) createView(q *query, v *createView, columns []viewColumn) (*result, error) {
	ref := v.ref.in(q.database)
	s := v.query
	from, to := s.pieces[0].from, s.end
	text, err := json.Marshal(viewText{s.whole[from:to], strings.ToLower(catalogName), strings.ToLower(orDefault(q.database)), columns})
	if err != nil {
		return nil, failed("GENERIC_INTERNAL_ERROR", "encode the view: %v", err)
	}
	in := tableInput{
		Name: ref.table, TableType: new(viewType), Parameters: map[string]string{"presto_view": "true", "comment": "Presto View"},
		ViewOriginalText: new(viewBefore + base64.StdEncoding.EncodeToString(text) + viewAfter), ViewExpandedText: new("/* Presto View */"),
		StorageDescriptor: &storageDescriptor{SerdeInfo: &serDeInfo{}},
	}
	for _, c := range columns {
		in.StorageDescriptor.Columns = append(in.StorageDescriptor.Columns, glueColumn{Name: c.Name, Type: glueOfTrino(c.Type)})
	}
	old, err := d.catalog.table(ref.database, ref.table)
	switch {
	case err == nil && !isView(old):
		return nil, failed("TABLE_ALREADY_EXISTS", "line 1:1: Table already exists: '%s.%s'", strings.ToLower(catalogName), ref)
	case err == nil && !v.replace:
		return nil, failed("VIEW_ALREADY_EXISTS", "line 1:1: View already exists: '%s.%s'", strings.ToLower(catalogName), ref)
	case err == nil:
		return &result{}, d.updateTable(ref.database, in)
	}
	return &result{}, d.createTable(ref.database, in)
}

func (d *definer) updateTable(database string, in tableInput) error {
	return d.call("UpdateTable", struct {
		DatabaseName string
		TableInput   tableInput
		SkipArchive  bool
	}{database, in, true}, nil)
}

// dropTable is DROP TABLE or DROP VIEW.
type dropTable struct {
	ref      tableRef
	ifExists bool
	view     bool
}

func (d *dropTable) sub() string {
	if d.view {
		return "DROP_VIEW"
	}
	return "DROP_TABLE"
}

func readDropTable(p *parser, view bool) (definition, error) {
	d := &dropTable{view: view, ifExists: p.take("if", "exists")}
	var err error
	if d.ref, err = p.table(); err != nil {
		return nil, err
	}
	p.take("purge")
	return d, nil
}

// run drops it from the catalog. The files stay, as those of external tables do.
func (x *dropTable) run(_ context.Context, d *definer, q *query) (*result, error) {
	ref := x.ref.in(q.database)
	t, err := d.catalog.table(ref.database, ref.table)
	switch {
	case err != nil && x.ifExists && missing(err):
		return &result{}, nil
	case missing(err):
		return nil, failed("FAILED", "SemanticException [Error 10001]: Table not found %s", ref)
	case err != nil:
		return nil, err
	case isView(t) && !x.view:
		return nil, failed("FAILED", "SemanticException Cannot drop a view with DROP TABLE: %s", ref)
	case !isView(t) && x.view:
		return nil, failed("FAILED", "SemanticException Cannot drop a base table with DROP VIEW: %s", ref)
	}
	err = d.call("DeleteTable", struct{ DatabaseName, Name string }{ref.database, ref.table}, nil)
	if x.ifExists && refused(err, entityNotFound) {
		err = nil
	}
	return &result{}, err
}
