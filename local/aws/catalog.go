package aws

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// A catalog holds databases, tables and partitions in memory, and every change of them in a journal. Safe for concurrent use.
//
// A writer takes the writing lock, decides under it, and calls commit, which writes the change down before it takes effect. So readers
// never wait for the disk, and see nothing that a crash could take back.
type catalog struct {
	writing sync.Mutex  // held by a change from its decision to its end
	journal *journal    // under writing
	warn    func(error) // told when the journal could not be rewritten, which harms nobody yet

	mu        sync.RWMutex
	databases map[string]*databaseState
}

type databaseState struct {
	database *glueDatabase
	tables   map[string]*tableState
}

type tableState struct {
	table      *glueTable
	partitions []*gluePartition // in the order of their values
}

// A change is one record of the journal. Each member that is set is put in place of what was there; making the same change twice is
// making it once.
type change struct {
	Database       *glueDatabase    `json:",omitempty"`
	Table          *glueTable       `json:",omitempty"`
	DropTable      *tableName       `json:",omitempty"`
	Partitions     []*gluePartition `json:",omitempty"`
	DropPartitions *partitionNames  `json:",omitempty"`
}

type tableName struct{ Database, Table string }

type partitionNames struct {
	tableName
	Values [][]string
}

// snapshotChunk is the number of partitions in one record of a rewritten journal.
const snapshotChunk = 1000

// openCatalog reads the catalog of a journal.
func openCatalog(path string, warn func(error)) (*catalog, error) {
	c := &catalog{warn: warn, databases: map[string]*databaseState{}}
	j, err := openJournal(path, func(record []byte) error {
		var ch change
		if err := json.Unmarshal(record, &ch); err != nil {
			return fmt.Errorf("decode: %w", err)
		}
		return c.apply(&ch)
	})
	if err != nil {
		return nil, err
	}
	c.journal = j
	return c, nil
}

func (c *catalog) close() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.journal.close()
}

// commit writes changes down and makes them. The caller holds the writing lock.
func (c *catalog) commit(changes ...*change) error {
	records := make([][]byte, len(changes))
	for i, ch := range changes {
		record, err := json.Marshal(ch)
		if err != nil {
			return fmt.Errorf("encode a change of the catalog: %w", err)
		}
		records[i] = record
	}
	if err := c.journal.append(records...); err != nil {
		return err
	}
	for _, ch := range changes {
		if err := c.apply(ch); err != nil {
			return err
		}
	}
	if c.journal.grown() {
		snapshot, err := c.snapshot()
		if err == nil {
			err = c.journal.rewrite(snapshot)
		}
		if err != nil {
			c.journal.base = c.journal.size // not again before it has grown as much again
			c.warn(err)
		}
	}
	return nil
}

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
	if t := ch.Table; t != nil {
		db := c.databases[t.DatabaseName]
		if db == nil {
			return fmt.Errorf("table %s of no database", t.Name)
		}
		if old := db.tables[t.Name]; old != nil {
			old.table = t
		} else {
			db.tables[t.Name] = &tableState{table: t}
		}
	}
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
	if drop := ch.DropTable; drop != nil {
		if db := c.databases[drop.Database]; db != nil {
			delete(db.tables, drop.Table)
		}
	}
	return nil
}

// snapshot returns the records that make the whole catalog.
func (c *catalog) snapshot() ([][]byte, error) {
	var changes []*change
	for _, name := range slices.Sorted(maps.Keys(c.databases)) {
		db := c.databases[name]
		changes = append(changes, &change{Database: db.database})
		for _, table := range slices.Sorted(maps.Keys(db.tables)) {
			t := db.tables[table]
			changes = append(changes, &change{Table: t.table})
			for chunk := range slices.Chunk(t.partitions, snapshotChunk) {
				changes = append(changes, &change{Partitions: chunk})
			}
		}
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

// partitionsAfter returns up to limit partitions whose values come after the given ones, and whether there are more.
func (c *catalog) partitionsAfter(database, table string, after []string, limit int) ([]*gluePartition, bool, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	t, err := c.lookup(database, table)
	if err != nil {
		return nil, false, err
	}
	i := 0
	if after != nil {
		found := false
		if i, found = t.index(after); found {
			i++
		}
	}
	end := min(i+limit, len(t.partitions))
	return slices.Clone(t.partitions[i:end]), end < len(t.partitions), nil
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
		}
	}
}

// missing tells whether err says that something is not in the catalog.
func missing(err error) bool {
	var e *apiError
	return errors.As(err, &e) && e.kind == entityNotFound
}
