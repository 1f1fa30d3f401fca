package main

import (
	"cmp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"

	"citystream/actors"
	"citystream/config"
	"citystream/engine/adapter/redshift"
	"citystream/engine/catalog"
	"citystream/engine/port"
)

// setCatalog tells a node what its catalog is to do. query and warehouse may be nil.
func setCatalog(n *actors.Node, c *config.Config, query port.Query, warehouse port.Warehouse) {
	n.LateAfter = c.Catalog.LateAfter
	if c.Catalog.Crawler != "" {
		n.Crawl = &port.Crawl{Name: c.Catalog.Crawler, Role: c.Catalog.CrawlerRole}
		n.Crawler, _ = n.Catalog.(port.Crawler) // Glue's is one
	}
	if c.Catalog.ProjectionFrom != "" {
		n.ProjectFrom, _ = time.Parse(time.DateOnly, c.Catalog.ProjectionFrom) // the configuration has checked it
	}
	n.Query, n.Transforms, n.TransformedPrefix = query, c.Transforms, c.Store.TransformedPrefix
	n.TransformsAtOnce, n.TransformRetry = c.Catalog.Transforms, c.Catalog.TransformRetry
	n.Price = catalog.Price{PerTB: c.AWS.QueryPrice, MinBytes: int64(c.AWS.QueryMin)}
	if warehouse == nil {
		return
	}
	n.Warehouse, n.WarehouseName, n.LoadEvery = warehouse, warehouseName(c), c.Redshift.Every
	n.LoadKeys = map[string]actors.LoadKeys{}
	for _, t := range c.Tables {
		dist, sort := c.Redshift.Keys(t)
		n.LoadKeys[t.Name] = actors.LoadKeys{Dist: dist, Sort: sort}
	}
	if c.Redshift.Mode == "external" {
		n.External = &port.ExternalSchema{Database: c.AWS.Database, Region: regionOf(c), IAMRole: c.Redshift.IAMRole}
	}
}

// warehouseName tells warehouses apart: the progress of loads into each is kept by itself.
func warehouseName(c *config.Config) string {
	r := c.Redshift
	return cmp.Or(r.Endpoint, c.AWS.Endpoint) + "|" + r.Workgroup + "|" + r.Cluster + "|" + r.Database + "|" + r.Schema
}

// warehouseOf returns the warehouse of the configuration. Manifests are written to the bucket.
func warehouseOf(cfg aws.Config, c *config.Config, manifests redshift.Manifests) port.Warehouse {
	r := c.Redshift
	if r.Endpoint != "" {
		cfg.BaseEndpoint = aws.String(r.Endpoint)
	}
	role := r.IAMRole
	if role == "default" {
		role = ""
	}
	return redshift.New(redshiftdata.NewFromConfig(cfg), manifests, redshift.Options{
		Workgroup: r.Workgroup, Cluster: r.Cluster, DBUser: r.DBUser, SecretARN: r.SecretARN, Database: r.Database, Schema: r.Schema,
		IAMRole: role, Bucket: c.Store.Bucket,
	})
}
