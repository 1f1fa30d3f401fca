package config

import (
	"slices"
	"strings"

	"citystream/engine/schema"
)

// catalogRules checks what concerns several keys of the catalog and the warehouse.
func (l *loader) catalogRules() {
	c := l.config
	raw, transformed := c.Store.RawPrefix+"/", c.Store.TransformedPrefix+"/"
	if strings.HasPrefix(raw, transformed) || strings.HasPrefix(transformed, raw) {
		l.clash("must lie outside of it, or readers of one zone find the other's files", "store.transformedPrefix", "store.rawPrefix")
	}
	if c.Catalog.Crawler != "" && c.Catalog.CrawlerRole == "" {
		l.clash("is to have a role to read the bucket by", "catalog.crawler", "catalog.crawlerRole")
	}
	l.redshiftRules()
}

func (l *loader) redshiftRules() {
	r := &l.config.Redshift
	if r.Kind == "none" {
		return
	}
	if l.config.Catalog.Kind == "none" {
		l.clash("takes what the catalog has registered", "redshift.kind", "catalog.kind")
	}
	if r.Workgroup != "" && r.Cluster != "" {
		l.clash("cannot be there as well: one warehouse is one or the other", "redshift.cluster", "redshift.workgroup")
	}
	for _, name := range r.Tables {
		if l.columnsOf(name) == nil {
			l.fault("redshift.tables", "there is no table %s", name)
		}
	}
	for _, key := range []struct {
		path  string
		items []string
	}{{"redshift.distKeys", r.DistKeys}, {"redshift.sortKeys", r.SortKeys}} {
		for _, item := range key.items {
			table, column, ok := strings.Cut(item, ".")
			columns := l.columnsOf(table)
			switch {
			case !ok:
				l.fault(key.path, "%q is no column of a table: write it as table.column", item)
			case columns == nil:
				l.fault(key.path, "%s: there is no table %s", item, table)
			case !slices.ContainsFunc(columns, func(c schema.Column) bool { return strings.EqualFold(c.Name, column) }):
				l.fault(key.path, "%s: table %s has no column %s", item, table, column)
			}
		}
	}
}

// columnsOf returns the columns of the files of a table, nil if there is no such table.
func (l *loader) columnsOf(table string) []schema.Column {
	for _, t := range l.config.Tables {
		if t.Name == table {
			return t.FileColumns()
		}
	}
	return nil
}
