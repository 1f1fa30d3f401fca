package aws

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
)

// find returns a table's state or nil. The caller holds a lock.
func (c *catalog) find(database, table string) *tableState {
	db := c.databases[database]
	if db == nil {
		return nil
	}
	return db.tables[table]
}

// database returns a database, or nil.
func (c *catalog) database(name string) *glueDatabase {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if db := c.databases[strings.ToLower(name)]; db != nil {
		return db.database
	}
	return nil
}

// allDatabases returns the databases in the order of their names.
func (c *catalog) allDatabases() []*glueDatabase {
	c.mu.RLock()
	defer c.mu.RUnlock()
	all := make([]*glueDatabase, 0, len(c.databases))
	for _, name := range slices.Sorted(maps.Keys(c.databases)) {
		all = append(all, c.databases[name].database)
	}
	return all
}

// table returns a table, or a fault that says what is missing.
func (c *catalog) table(database, table string) (*glueTable, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	t, err := c.lookup(database, table)
	if err != nil {
		return nil, err
	}
	return t.table, nil
}

// allTables returns the tables of a database in the order of their names.
func (c *catalog) allTables(database string) ([]*glueTable, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	db := c.databases[strings.ToLower(database)]
	if db == nil {
		return nil, fault(entityNotFound, "Database %s not found.", database)
	}
	all := make([]*glueTable, 0, len(db.tables))
	for _, name := range slices.Sorted(maps.Keys(db.tables)) {
		all = append(all, db.tables[name].table)
	}
	return all, nil
}

// everyTable returns the tables of all databases, in the order of their names and databases.
func (c *catalog) everyTable() []*glueTable {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var all []*glueTable
	for _, database := range slices.Sorted(maps.Keys(c.databases)) {
		tables := c.databases[database].tables
		for _, name := range slices.Sorted(maps.Keys(tables)) {
			all = append(all, tables[name].table)
		}
	}
	return all
}

// partition returns the partition of the given values.
func (c *catalog) partition(database, table string, values []string) (*gluePartition, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	t, err := c.lookup(database, table)
	if err != nil {
		return nil, err
	}
	if i, ok := t.index(values); ok {
		return t.partitions[i], nil
	}
	return nil, fault(entityNotFound, "Cannot find partition.")
}

// partitionsAfter returns up to limit wanted partitions whose values come after the given ones, and whether there are more of them.
func (c *catalog) partitionsAfter(
	database, table string, after []string, limit int, wanted func(*gluePartition) (bool, error),
) ([]*gluePartition, bool, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	t, err := c.lookup(database, table)
	if err != nil {
		return nil, false, err
	}
	i := 0
	if after != nil {
		there := false
		if i, there = t.index(after); there {
			i++
		}
	}
	found := []*gluePartition{}
	for _, p := range t.partitions[i:] {
		switch ok, err := wanted(p); {
		case err != nil:
			return nil, false, err
		case !ok:
		case len(found) == limit:
			return found, true, nil
		default:
			found = append(found, p)
		}
	}
	return found, false, nil
}

// view returns a table with all its partitions, as of one moment.
func (c *catalog) view(database, table string) (*glueTable, []*gluePartition, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	t, err := c.lookup(database, table)
	if err != nil {
		return nil, nil, err
	}
	return t.table, slices.Clone(t.partitions), nil
}

func (c *catalog) lookup(database, table string) (*tableState, error) {
	database, table = strings.ToLower(database), strings.ToLower(table)
	if c.databases[database] == nil {
		return nil, fault(entityNotFound, "Database %s not found.", database)
	}
	t := c.find(database, table)
	if t == nil {
		return nil, fault(entityNotFound, "Table %s not found.", table)
	}
	return t, nil
}

// index returns where a partition of the given values is, or would be.
func (t *tableState) index(values []string) (int, bool) {
	return slices.BinarySearchFunc(t.partitions, values, func(p *gluePartition, v []string) int { return slices.Compare(p.Values, v) })
}

// versionsOf returns all versions of a table, the newest first.
func (c *catalog) versionsOf(database, table string) ([]*glueTable, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	t, err := c.lookup(database, table)
	if err != nil {
		return nil, err
	}
	all := append(slices.Clone(t.versions), t.table)
	slices.Reverse(all)
	return all, nil
}

// statistics returns the statistics of the columns of a table, or of the partition of the given values. They must not be changed.
func (c *catalog) statistics(database, table string, values []string) (map[string]json.RawMessage, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	t, err := c.lookup(database, table)
	if err != nil {
		return nil, err
	}
	if _, ok := t.index(values); !ok && len(values) > 0 {
		return nil, fault(entityNotFound, "Cannot find partition.")
	}
	return t.statistics[statisticsOf(values)], nil
}

// tagsOf returns the tags of a resource. They must not be changed.
func (c *catalog) tagsOf(resource string) map[string]string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.tags[resource]
}

// crawler returns a crawler, or nil.
func (c *catalog) crawler(name string) *crawlerRecord {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.crawlers[name]
}

// allCrawlers returns the crawlers in the order of their names.
func (c *catalog) allCrawlers() []*crawlerRecord {
	c.mu.RLock()
	defer c.mu.RUnlock()
	all := make([]*crawlerRecord, 0, len(c.crawlers))
	for _, name := range slices.Sorted(maps.Keys(c.crawlers)) {
		all = append(all, c.crawlers[name])
	}
	return all
}

// missing tells whether err says that something is not in the catalog.
func missing(err error) bool {
	var e *apiError
	return errors.As(err, &e) && e.kind == entityNotFound
}
