package aws

import (
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// resultV2 answers a page of a result as CSV, for statements that were started so.
func (d *redshift) resultV2(in *rsResultRequest) (any, error) {
	r, err := d.finished(in.ID, "CSV")
	if err != nil {
		return nil, err
	}
	from, to, next, err := in.page(in.ID, len(r.rows), rsPage)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	w := csv.NewWriter(&b)
	if from == 0 {
		names := make([]string, len(r.columns))
		for i, c := range r.columns {
			names[i] = c.Name
		}
		_ = w.Write(names) // a Builder takes everything
	}
	for _, row := range r.rows[from:to] {
		cells := make([]string, len(row))
		for i, c := range row {
			if c != nil {
				cells[i] = fmt.Sprint(c)
			}
		}
		_ = w.Write(cells)
	}
	w.Flush()
	return struct {
		Records        []map[string]string
		ColumnMetadata []rsColumn
		TotalNumRows   int64
		ResultFormat   string
		NextToken      string `json:",omitempty"`
	}{[]map[string]string{{"CSVRecords": b.String()}}, r.columns, int64(len(r.rows)), "CSV", next}, nil
}

type rsStatementData struct {
	ID               string `json:"Id"`
	CreatedAt        seconds
	UpdatedAt        seconds
	IsBatchStatement bool
	QueryString      string   `json:",omitempty"`
	QueryStrings     []string `json:",omitempty"`
	StatementName    string   `json:",omitempty"`
	Status           rsStatus
	ResultFormat     string
}

func (d *redshift) listStatements(in *struct {
	rsTarget
	rsPaging
	StatementName string
	Status        string
},
) (any, error) {
	all := slices.DeleteFunc(d.runs.list(), func(x rsExecution) bool {
		return in.Status != "" && in.Status != "ALL" && in.Status != string(x.status) || in.Database != "" && in.Database != x.request.Database ||
			!strings.HasPrefix(x.request.StatementName, in.StatementName)
	})
	from, to, next, err := in.page("statements", len(all), 100)
	if err != nil {
		return nil, err
	}
	list := []rsStatementData{}
	for _, x := range all[from:to] {
		s := rsStatementData{
			ID: x.id, CreatedAt: secondsOf(x.created), UpdatedAt: secondsOf(x.updated), IsBatchStatement: x.batch, StatementName: x.request.StatementName,
			Status: x.status, ResultFormat: x.format(),
		}
		if x.batch {
			s.QueryStrings = x.sqls
		} else {
			s.QueryString = x.sqls[0]
		}
		list = append(list, s)
	}
	return struct {
		Statements []rsStatementData
		NextToken  string `json:",omitempty"`
	}{list, next}, nil
}

func (d *redshift) listDatabases(in *struct {
	rsTarget
	rsPaging
},
) (any, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	names, err := d.runs.engine.databases()
	if err != nil {
		return nil, err
	}
	from, to, next, err := in.page("databases", len(names), rsPage)
	if err != nil {
		return nil, err
	}
	return struct {
		Databases []string
		NextToken string `json:",omitempty"`
	}{append([]string{}, names[from:to]...), next}, nil
}

// ask runs a query of the endpoint's own.
func (d *redshift) ask(t *rsTarget, sql string) (*rsResult, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	results, err := d.runs.engine.run(d.runs.life, &rsJob{id: uuid.NewString(), database: t.Database, sqls: []string{sql}, progress: func(int) {}})
	if err != nil {
		return nil, rsInvalid("%v", err)
	}
	return results[0], nil
}

// rsLike returns a pattern, or one that everything matches.
func rsLike(pattern string) string {
	if pattern == "" {
		pattern = "%"
	}
	return rsLiteral(strings.ToLower(pattern))
}

func (d *redshift) listSchemas(in *struct {
	rsTarget
	rsPaging
	SchemaPattern string
},
) (any, error) {
	r, err := d.ask(&in.rsTarget, "SELECT schema_name FROM svv_all_schemas WHERE schema_name LIKE "+rsLike(in.SchemaPattern)+" ORDER BY 1")
	if err != nil {
		return nil, err
	}
	from, to, next, err := in.page("schemas", len(r.rows), rsPage)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, row := range r.rows[from:to] {
		names = append(names, fmt.Sprint(row[0]))
	}
	return struct {
		Schemas   []string
		NextToken string `json:",omitempty"`
	}{names, next}, nil
}

type rsTableMember struct {
	Name   string `json:"name"`
	Schema string `json:"schema"`
	Type   string `json:"type"`
}

func (d *redshift) listTables(in *struct {
	rsTarget
	rsPaging
	SchemaPattern, TablePattern string
},
) (any, error) {
	r, err := d.ask(&in.rsTarget, "SELECT table_name, table_schema, CASE table_type WHEN 'VIEW' THEN 'VIEW' ELSE 'TABLE' END FROM svv_tables WHERE table_schema LIKE "+
		rsLike(in.SchemaPattern)+" AND table_name LIKE "+rsLike(in.TablePattern)+" ORDER BY 2, 1")
	if err != nil {
		return nil, err
	}
	from, to, next, err := in.page("tables", len(r.rows), rsPage)
	if err != nil {
		return nil, err
	}
	tables := []rsTableMember{}
	for _, row := range r.rows[from:to] {
		tables = append(tables, rsTableMember{fmt.Sprint(row[0]), fmt.Sprint(row[1]), fmt.Sprint(row[2])})
	}
	return struct {
		Tables    []rsTableMember
		NextToken string `json:",omitempty"`
	}{tables, next}, nil
}

func (d *redshift) describeTable(in *struct {
	rsTarget
	rsPaging
	Schema, Table string
},
) (any, error) {
	if in.Schema == "" {
		in.Schema = "public"
	}
	name := rsName{strings.ToLower(in.Schema), strings.ToLower(in.Table)}
	r, err := d.ask(&in.rsTarget, "SELECT * FROM "+name.sql()+" LIMIT 0")
	var wrong *apiError
	if errors.As(err, &wrong) && strings.Contains(wrong.message, "does not exist") {
		r, err = &rsResult{}, nil // the Data API tells no columns then
	}
	if err != nil {
		return nil, err
	}
	from, to, next, err := in.page("columns", len(r.columns), rsPage)
	if err != nil {
		return nil, err
	}
	columns := append([]rsColumn{}, r.columns[from:to]...)
	for i := range columns {
		columns[i].Schema, columns[i].Table = name.schema, name.name
	}
	return struct {
		ColumnList []rsColumn
		TableName  string
		NextToken  string `json:",omitempty"`
	}{columns, in.Table, next}, nil
}
