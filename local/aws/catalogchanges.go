package aws

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// apply makes a change. It fails only on a change that does not fit what is there, which no writer commits.
func (c *catalog) apply(ch *change) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d := ch.Database; d != nil {
		if old := c.databases[d.Name]; old != nil {
			old.database = d
		} else {
			c.databases[d.Name] = &databaseState{database: d, tables: map[string]*tableState{}}
		}
	}
	if err := c.applyTable(ch); err != nil {
		return err
	}
	if err := c.applyPartitions(ch); err != nil {
		return err
	}
	if s := ch.Statistics; s != nil {
		if t := c.find(s.Database, s.Table); t != nil {
			t.putStatistics(s)
		}
	}
	if t := ch.Tags; t != nil {
		c.tags[t.Resource] = t.Tags
		if len(t.Tags) == 0 {
			delete(c.tags, t.Resource)
		}
	}
	if r := ch.Crawler; r != nil {
		c.crawlers[r.Name] = r
	}
	if name := ch.DropCrawler; name != "" {
		delete(c.crawlers, name)
		c.untag("crawler/" + name)
	}
	if name := ch.DropDatabase; name != "" {
		delete(c.databases, name)
		c.untag("database/" + name)
		c.untag("table/" + name)
	}
	return nil
}

func (c *catalog) applyTable(ch *change) error {
	if t := ch.Table; t != nil {
		db := c.databases[t.DatabaseName]
		if db == nil {
			return fmt.Errorf("table %s of no database", t.Name)
		}
		if old := db.tables[t.Name]; old != nil {
			old.replace(t, ch.KeepOld)
		} else {
			db.tables[t.Name] = &tableState{table: t}
		}
	}
	if drop := ch.DropVersions; drop != nil {
		if t := c.find(drop.Database, drop.Table); t != nil {
			t.versions = slices.DeleteFunc(t.versions, func(v *glueTable) bool { return slices.Contains(drop.Versions, v.VersionID) })
		}
	}
	if drop := ch.DropTable; drop != nil {
		if db := c.databases[drop.Database]; db != nil {
			delete(db.tables, drop.Table)
			c.untag("table/" + drop.Database + "/" + drop.Table)
		}
	}
	return nil
}

func (c *catalog) applyPartitions(ch *change) error {
	for _, p := range ch.Partitions {
		t := c.find(p.DatabaseName, p.TableName)
		if t == nil {
			return fmt.Errorf("partition of no table %s", p.TableName)
		}
		t.put(p)
	}
	if drop := ch.DropPartitions; drop != nil {
		if t := c.find(drop.Database, drop.Table); t != nil {
			t.drop(drop.Values)
		}
	}
	return nil
}

// untag removes the tags of a resource and of what belongs to it.
func (c *catalog) untag(resource string) {
	maps.DeleteFunc(c.tags, func(name string, _ map[string]string) bool {
		return name == resource || strings.HasPrefix(name, resource+"/")
	})
}

// replace puts a table in place of what it was, which becomes a version if it is wanted.
func (t *tableState) replace(next *glueTable, keep bool) {
	if keep && next.VersionID != t.table.VersionID {
		t.versions = append(t.versions, t.table)
		if extra := len(t.versions) - versionsMax; extra > 0 {
			t.versions = slices.Delete(t.versions, 0, extra)
		}
	}
	t.table = next
}

func (t *tableState) put(p *gluePartition) {
	i, ok := t.index(p.Values)
	if ok {
		t.partitions[i] = p
		return
	}
	t.partitions = slices.Insert(t.partitions, i, p)
}

func (t *tableState) drop(values [][]string) {
	for _, v := range values {
		if i, ok := t.index(v); ok {
			t.partitions = slices.Delete(t.partitions, i, i+1)
			delete(t.statistics, statisticsOf(v))
		}
	}
}

// statisticsOf is the name that the statistics of a partition, or of the table itself, are kept under.
func statisticsOf(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return token(values...)
}

// putStatistics replaces a map that readers may hold by another.
func (t *tableState) putStatistics(s *statisticsChange) {
	name := statisticsOf(s.Values)
	next := maps.Clone(t.statistics[name])
	if next == nil {
		next = map[string]json.RawMessage{}
	}
	for column, value := range s.Columns {
		if bytes.Equal(value, []byte("null")) {
			delete(next, column)
		} else {
			next[column] = value
		}
	}
	if t.statistics == nil {
		t.statistics = map[string]map[string]json.RawMessage{}
	}
	t.statistics[name] = next
	if len(next) == 0 {
		delete(t.statistics, name)
	}
}

// snapshot returns the records that make the whole catalog.
func (c *catalog) snapshot() ([][]byte, error) {
	var changes []*change
	for _, name := range slices.Sorted(maps.Keys(c.databases)) {
		db := c.databases[name]
		changes = append(changes, &change{Database: db.database})
		for _, table := range slices.Sorted(maps.Keys(db.tables)) {
			changes = append(changes, db.tables[table].changes()...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.crawlers)) {
		changes = append(changes, &change{Crawler: c.crawlers[name]})
	}
	for _, resource := range slices.Sorted(maps.Keys(c.tags)) {
		changes = append(changes, &change{Tags: &tagsChange{resource, c.tags[resource]}})
	}
	var records [][]byte
	for _, ch := range changes {
		record, err := json.Marshal(ch)
		if err != nil {
			return nil, fmt.Errorf("encode the catalog: %w", err)
		}
		records = append(records, record)
	}
	return records, nil
}

// changes returns what makes the table as it is.
func (t *tableState) changes() []*change {
	var changes []*change
	for _, version := range append(slices.Clone(t.versions), t.table) {
		changes = append(changes, &change{Table: version, KeepOld: true})
	}
	for chunk := range slices.Chunk(t.partitions, snapshotChunk) {
		changes = append(changes, &change{Partitions: chunk})
	}
	name := tableName{t.table.DatabaseName, t.table.Name}
	if columns := t.statistics[""]; len(columns) > 0 {
		changes = append(changes, &change{Statistics: &statisticsChange{tableName: name, Columns: columns}})
	}
	for _, p := range t.partitions {
		if columns := t.statistics[statisticsOf(p.Values)]; len(columns) > 0 {
			changes = append(changes, &change{Statistics: &statisticsChange{name, p.Values, columns}})
		}
	}
	return changes
}
