package config

import "strings"

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
	if c.Redshift.Mode != "none" && c.Catalog.Kind == "none" {
		l.clash("takes what the catalog has registered", "redshift.mode", "catalog.kind")
	}
}
