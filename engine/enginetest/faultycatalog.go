package enginetest

import (
	"context"

	"citystream/engine/port"
)

type faultyCatalog struct {
	life *Life
	c    port.Catalog
}

func (c *faultyCatalog) EnsureDatabase(ctx context.Context, database string) error {
	return c.life.do("EnsureDatabase", func() error { return c.c.EnsureDatabase(ctx, database) })
}

func (c *faultyCatalog) EnsureTable(ctx context.Context, database string, table port.CatalogTable) error {
	return c.life.do("EnsureTable", func() error { return c.c.EnsureTable(ctx, database, table) })
}

func (c *faultyCatalog) Table(ctx context.Context, database, table string) (t port.CatalogTable, err error) {
	err = c.life.do("Table", func() (err error) { t, err = c.c.Table(ctx, database, table); return err })
	return t, err
}

func (c *faultyCatalog) AddPartitions(ctx context.Context, database, table string, partitions []port.HivePartition) error {
	return c.life.do("AddPartitions", func() error { return c.c.AddPartitions(ctx, database, table, partitions) })
}

func (c *faultyCatalog) SetPartitions(ctx context.Context, database, table string, partitions []port.HivePartition) error {
	return c.life.do("SetPartitions", func() error { return c.c.SetPartitions(ctx, database, table, partitions) })
}

func (c *faultyCatalog) Partitions(ctx context.Context, database, table string) (all []port.HivePartition, err error) {
	err = c.life.do("Partitions", func() (err error) { all, err = c.c.Partitions(ctx, database, table); return err })
	return all, err
}

type faultyQuery struct {
	life *Life
	q    port.Query
}

func (q *faultyQuery) Run(ctx context.Context, database, sql string) (r *port.Result, err error) {
	err = q.life.do("Run", func() (err error) { r, err = q.q.Run(ctx, database, sql); return err })
	return r, err
}
