//go:build cgo

package aws

import (
	"context"
	"fmt"
	"slices"
)

// A storedView is a view of the catalog with what its query needs.
type storedView struct {
	ref      tableRef
	database string // that names without one belong to
	columns  []viewColumn
	plan     *plan
}

// viewsDeepMax bounds views over views.
const viewsDeepMax = 16

// expand returns the views among tables, and the views below them, each after those that it needs.
func (s *session) expand(ctx context.Context, tables []tableRef) ([]*storedView, error) {
	var all []*storedView
	var visit func(tables []tableRef, above []tableRef) error
	visit = func(tables []tableRef, above []tableRef) error {
		for _, ref := range tables {
			t, err := s.catalog.table(ref.database, ref.table)
			if err != nil {
				return err
			}
			if !isView(t) || slices.ContainsFunc(all, func(v *storedView) bool { return v.ref == ref }) {
				continue
			}
			if slices.Contains(above, ref) || len(above) == viewsDeepMax {
				return failed("VIEW_IS_RECURSIVE", "View '%s' is one over itself, or has more than %d views below each other", ref, viewsDeepMax)
			}
			v, err := s.stored(ctx, ref, t)
			if err != nil {
				return failed("INVALID_VIEW", "View '%s' cannot be read: %v", ref, err)
			}
			if err := visit(v.plan.tables, append(slices.Clone(above), ref)); err != nil {
				return err
			}
			all = append(all, v)
		}
		return nil
	}
	return all, visit(tables, nil)
}

// stored reads a view of the catalog. Whoever put it there, its query passes the same checks as a user's.
func (s *session) stored(ctx context.Context, ref tableRef, t *glueTable) (*storedView, error) {
	d, err := readView(t)
	if err != nil {
		return nil, err
	}
	inner, err := classify(d.OriginalSQL, nil)
	if err != nil {
		return nil, err
	}
	if inner.kind != selecting {
		return nil, failed("INVALID_VIEW", "it is no query")
	}
	v := &storedView{ref: ref, database: d.Schema, columns: d.Columns}
	if v.database == "" {
		v.database = ref.database
	}
	v.plan, err = s.parse(ctx, inner.query, v.database)
	return v, err
}

// statement makes the view in the session.
func (v *storedView) statement(hidden bool) []string {
	text := v.plan.script
	if hidden {
		text = text.hiding()
	}
	names := ""
	for i, c := range v.columns {
		if i > 0 {
			names += ", "
		}
		names += identifier(c.Name)
	}
	return []string{
		"USE " + schemaName(v.database),
		fmt.Sprintf("CREATE VIEW %s.%s (%s) AS %s", schemaName(v.ref.database), identifier(v.ref.table), names, text.text),
	}
}

// tablesOf returns the tables with files that a query names, itself or through views.
func tablesOf(p *plan, views []*storedView) []tableRef {
	var all []tableRef
	add := func(tables []tableRef) {
		for _, t := range tables {
			if !slices.Contains(all, t) && !slices.ContainsFunc(views, func(v *storedView) bool { return v.ref == t }) {
				all = append(all, t)
			}
		}
	}
	add(p.tables)
	for _, v := range views {
		add(v.plan.tables)
	}
	return all
}

// defineView finds the types of a view's columns, and puts the view into the catalog.
func (s *session) defineView(ctx context.Context, q *query, p *plan) (*result, error) {
	d, ok := q.statement.define.(*createView)
	if !ok {
		return nil, failed("NOT_SUPPORTED", "no view")
	}
	described, err := s.describe(ctx, p)
	if err != nil {
		return nil, err
	}
	columns := make([]viewColumn, len(described))
	for i, c := range described {
		if c.unnamed {
			return nil, failed("MISSING_COLUMN_NAME", "line 1:1: Column name not specified at position %d", i+1)
		}
		columns[i] = viewColumn{c.name, c.athena}
		if d.columns != nil && len(d.columns) == len(described) {
			columns[i].Name = d.columns[i]
		}
	}
	if d.columns != nil && len(d.columns) != len(described) {
		return nil, failed("SYNTAX_ERROR", "the view names %d columns, and its query has %d", len(d.columns), len(described))
	}
	return s.definer.createView(q, d, columns)
}
