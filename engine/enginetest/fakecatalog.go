package enginetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"citystream/engine/port"
)

// A FakeCatalog is a data catalog in memory. It implements port.Catalog and is safe for concurrent use.
type FakeCatalog struct {
	mu        sync.Mutex
	databases map[string]map[string]*fakeTable
}

type fakeTable struct {
	table      port.CatalogTable
	partitions []port.HivePartition // in the order of their values
}

var _ port.Catalog = (*FakeCatalog)(nil)

// NewFakeCatalog returns a catalog without databases.
func NewFakeCatalog() *FakeCatalog {
	return &FakeCatalog{databases: map[string]map[string]*fakeTable{}}
}

// EnsureDatabase implements port.Catalog.
func (c *FakeCatalog) EnsureDatabase(ctx context.Context, database string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.databases[database] == nil && ctx.Err() == nil {
		c.databases[database] = map[string]*fakeTable{}
	}
	return ctx.Err()
}

// Drop drops a database with all that it has.
func (c *FakeCatalog) Drop(database string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.databases, database)
}

// DropPartitions takes away Hive partitions of a table.
func (c *FakeCatalog) DropPartitions(database, table string, gone func(port.HivePartition) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.databases[database][table]; t != nil {
		t.partitions = slices.DeleteFunc(t.partitions, gone)
	}
}

// EnsureTable implements port.Catalog.
func (c *FakeCatalog) EnsureTable(ctx context.Context, database string, table port.CatalogTable) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	tables := c.databases[database]
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case tables == nil:
		return fmt.Errorf("database %s: %w", database, port.ErrNotFound)
	case tables[table.Name] == nil:
		tables[table.Name] = &fakeTable{table: cloned(table)}
		return nil
	}
	return tables[table.Name].widen(table)
}

// widen adds the columns that are lacking, all or none.
func (f *fakeTable) widen(table port.CatalogTable) error {
	sameKey := func(a, b port.CatalogColumn) bool { return a.Name == b.Name && a.Type == b.Type }
	if !slices.EqualFunc(f.table.PartitionKeys, table.PartitionKeys, sameKey) {
		return fmt.Errorf("table %s has other partition keys", table.Name)
	}
	columns := slices.Clone(f.table.Columns)
	for _, c := range table.Columns {
		named := func(o port.CatalogColumn) bool { return o.Name == c.Name }
		i := slices.IndexFunc(columns, named)
		switch {
		case slices.ContainsFunc(table.PartitionKeys, named):
			return fmt.Errorf("column %s of table %s is a partition key", c.Name, table.Name)
		case i < 0:
			columns = append(columns, c)
		case columns[i].Type != c.Type:
			return fmt.Errorf("column %s of table %s is %s and not %s", c.Name, table.Name, columns[i].Type, c.Type)
		}
	}
	f.table.Columns = columns
	f.table.Parameters = merged(f.table.Parameters, table.Parameters)
	return nil
}

// merged returns parameters with others set in them.
func merged(there, set map[string]string) map[string]string {
	if len(there)+len(set) == 0 {
		return nil
	}
	all := map[string]string{}
	maps.Copy(all, there)
	maps.Copy(all, set)
	return all
}

// Table implements port.Catalog.
func (c *FakeCatalog) Table(ctx context.Context, database, table string) (port.CatalogTable, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, err := c.find(ctx, database, table)
	if err != nil {
		return port.CatalogTable{}, err
	}
	return cloned(t.table), nil
}

// AddPartitions implements port.Catalog.
func (c *FakeCatalog) AddPartitions(ctx context.Context, database, table string, partitions []port.HivePartition) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, err := c.find(ctx, database, table)
	if err != nil {
		return err
	}
	for _, p := range partitions {
		if len(p.Values) != len(t.table.PartitionKeys) {
			return fmt.Errorf("partition %s of table %s has not one value a key", strings.Join(p.Values, "/"), table)
		}
	}
	for _, p := range partitions {
		i, found := slices.BinarySearchFunc(t.partitions, p.Values, func(q port.HivePartition, v []string) int { return slices.Compare(q.Values, v) })
		if !found {
			p.Values, p.Parameters = slices.Clone(p.Values), maps.Clone(p.Parameters)
			t.partitions = slices.Insert(t.partitions, i, p)
		}
	}
	return nil
}

// SetPartitions implements port.Catalog.
func (c *FakeCatalog) SetPartitions(ctx context.Context, database, table string, partitions []port.HivePartition) error {
	if err := c.AddPartitions(ctx, database, table, partitions); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t, err := c.find(ctx, database, table)
	if err != nil {
		return err
	}
	for _, p := range partitions {
		i := slices.IndexFunc(t.partitions, func(q port.HivePartition) bool { return slices.Equal(p.Values, q.Values) })
		if p.Location != "" {
			t.partitions[i].Location = p.Location
		}
		t.partitions[i].Parameters = merged(t.partitions[i].Parameters, p.Parameters)
	}
	return nil
}

// Partitions implements port.Catalog.
func (c *FakeCatalog) Partitions(ctx context.Context, database, table string) ([]port.HivePartition, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, err := c.find(ctx, database, table)
	if err != nil {
		return nil, err
	}
	all := slices.Clone(t.partitions)
	for i := range all {
		all[i].Parameters = maps.Clone(all[i].Parameters)
	}
	return all, nil
}

func (c *FakeCatalog) find(ctx context.Context, database, table string) (*fakeTable, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if t := c.databases[database][table]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("table %s.%s: %w", database, table, port.ErrNotFound)
}

func cloned(t port.CatalogTable) port.CatalogTable {
	t.Columns, t.PartitionKeys, t.Parameters = slices.Clone(t.Columns), slices.Clone(t.PartitionKeys), maps.Clone(t.Parameters)
	return t
}
