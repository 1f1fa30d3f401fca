//go:build cgo

package aws

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// insert runs INSERT INTO.
func (s *session) insert(ctx context.Context, q *query, p *plan) (*result, error) {
	ref := q.statement.write.target.in(q.database)
	t, partitions, err := s.catalog.view(ref.database, ref.table)
	if missing(err) {
		return nil, failed("TABLE_NOT_FOUND", "line 1:1: Table '%s.%s' does not exist", strings.ToLower(catalogName), ref)
	}
	if err != nil {
		return nil, err
	}
	if isView(t) {
		return nil, failed("NOT_SUPPORTED", "line 1:1: Inserting into views is not supported")
	}
	columns, err := s.fill(ctx, q, p)
	if err != nil {
		return nil, err
	}
	b, err := insertion(t, q.statement.write.columns, columns)
	if err != nil {
		return nil, err
	}
	b.where = func(values []string) string {
		for _, p := range partitions {
			if slices.Equal(p.Values, values) && p.location() != "" {
				return strings.TrimSuffix(p.location(), "/") + "/"
			}
		}
		return b.location + folders(b.keys, values)
	}
	r, parts, err := s.writeOut(ctx, q, b)
	if err != nil {
		return nil, err
	}
	if err := s.definer.addWritten(ref, t, parts); err != nil {
		return nil, errors.Join(err, s.takeBack(ctx, r))
	}
	return r, nil
}

// insertion returns what is written of a query's columns to a table. Columns that are not named become NULL.
func insertion(t *glueTable, named []string, columns []described) (*batch, error) {
	v, err := layoutOf(t)
	if err != nil {
		return nil, err
	}
	if v.reader.name != "parquet" {
		return nil, failed("NOT_SUPPORTED", "this local endpoint inserts into tables of Parquet only")
	}
	into := append(slices.Clone(v.columns), v.keys...)
	if len(named) == 0 {
		for _, c := range into {
			named = append(named, c.name)
		}
	}
	for i, name := range named {
		switch {
		case !slices.ContainsFunc(into, func(c typedName) bool { return c.name == name }):
			return nil, failed("COLUMN_NOT_FOUND", "line 1:1: Insert column name does not exist in target table: %s", name)
		case slices.Contains(named[:i], name):
			return nil, failed("DUPLICATE_COLUMN_NAME", "line 1:1: Insert column name is specified more than once: %s", name)
		}
	}
	if len(named) != len(columns) {
		return nil, failed("TYPE_MISMATCH", "line 1:1: Insert query has %d columns, and %d are wanted: %s", len(columns), len(named), strings.Join(named, ", "))
	}
	b := &batch{format: parquetFormat(t.Parameters["parquet.compression"])}
	if t.StorageDescriptor != nil {
		b.location = strings.TrimSuffix(t.StorageDescriptor.Location, "/") + "/"
	}
	for i, c := range into {
		to := target{"NULL", c.name, c.kind, ""}
		if at := slices.Index(named, c.name); at >= 0 {
			if !coercible(columns[at].duck, c.kind) {
				return nil, failed("TYPE_MISMATCH", "line 1:1: Insert query has mismatched column types: column %s is %s, and the query gives %s",
					c.name, athenaType(c.kind), columns[at].athena)
			}
			to.expression = identifier(columns[at].own)
		}
		if i < len(v.columns) {
			b.columns = append(b.columns, to)
		} else {
			b.keys = append(b.keys, to)
		}
	}
	return b, nil
}

// ranks are the numbers' types, each of which Trino takes for those after it.
var ranks = []string{"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "DECIMAL", "FLOAT", "DOUBLE"}

// coercible tells whether Trino takes one type for another without a CAST. An integer literal fits every integer, so narrower ones are taken
// too: what is too large fails when it is written.
func coercible(from, to string) bool {
	from, to = base(from), base(to)
	a, b := slices.Index(ranks, from), slices.Index(ranks, to)
	switch {
	case from == to, from == `"NULL"`:
		return true
	case a >= 0 && b >= 0:
		return a <= b || b <= slices.Index(ranks, "BIGINT") && a <= slices.Index(ranks, "HUGEINT")
	case from == "DATE":
		return to == "TIMESTAMP"
	case from == "TIMESTAMP WITH TIME ZONE":
		return false
	}
	return strings.HasSuffix(from, "]") && strings.HasSuffix(to, "]") || strings.HasPrefix(from, "TIMESTAMP") && to == "TIMESTAMP"
}

// base returns a type without its parameters.
func base(duck string) string {
	if strings.HasSuffix(duck, "]") {
		return duck
	}
	name, _, _ := strings.Cut(duck, "(")
	return strings.ToUpper(strings.TrimSpace(name))
}

// unload runs UNLOAD.
func (s *session) unload(ctx context.Context, q *query, p *plan) (*result, error) {
	w := q.statement.write
	format, err := unloadFormat(w.options)
	if err != nil {
		return nil, err
	}
	location := strings.TrimSuffix(w.location, "/") + "/"
	if _, _, err := splitLocation(location); err != nil {
		return nil, failed("INVALID_TABLE_PROPERTY", "%v", err)
	}
	if err := s.definer.mustBeEmpty(ctx, location, "the UNLOAD"); err != nil {
		return nil, err
	}
	columns, err := s.fill(ctx, q, p)
	if err != nil {
		return nil, err
	}
	n := &newTableOf{location: location, format: format, keys: lower(w.options["partitioned_by"].texts)}
	for i := range columns {
		columns[i].unnamed = false // the files have Athena's name for it
	}
	b, err := n.batch(columns)
	if err != nil {
		return nil, err
	}
	r, _, err := s.writeOut(ctx, q, b)
	return r, err
}
