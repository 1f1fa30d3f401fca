package aws

import (
	"encoding/json"
	"fmt"
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
	tags      map[string]map[string]string // by resource
	crawlers  map[string]*crawlerRecord
}

type databaseState struct {
	database *glueDatabase
	tables   map[string]*tableState
}

type tableState struct {
	table      *glueTable
	versions   []*glueTable                          // what the table was before, the oldest first
	partitions []*gluePartition                      // in the order of their values
	statistics map[string]map[string]json.RawMessage // by statisticsOf, then by column
}

// A change is one record of the journal. Each member that is set is put in place of what was there; making the same change twice is
// making it once.
type change struct {
	Database       *glueDatabase     `json:",omitempty"`
	Table          *glueTable        `json:",omitempty"`
	KeepOld        bool              `json:",omitempty"` // the Table that is replaced becomes a version
	DropDatabase   string            `json:",omitempty"`
	DropTable      *tableName        `json:",omitempty"`
	DropVersions   *versionNames     `json:",omitempty"`
	Partitions     []*gluePartition  `json:",omitempty"`
	DropPartitions *partitionNames   `json:",omitempty"`
	Statistics     *statisticsChange `json:",omitempty"`
	Tags           *tagsChange       `json:",omitempty"`
	Crawler        *crawlerRecord    `json:",omitempty"`
	DropCrawler    string            `json:",omitempty"`
}

type tableName struct{ Database, Table string }

type versionNames struct {
	tableName
	Versions []string
}

type partitionNames struct {
	tableName
	Values [][]string
}

// A statisticsChange puts the statistics of some columns of a table, or of one partition, in place of what was there; null removes them.
type statisticsChange struct {
	tableName
	Values  []string                   `json:",omitempty"`
	Columns map[string]json.RawMessage // as the client gave them
}

// A tagsChange puts all tags of a resource in place of what was there.
type tagsChange struct {
	Resource string // for example table/smart-city/vehicle_data
	Tags     map[string]string
}

// snapshotChunk is the number of partitions in one record of a rewritten journal.
const snapshotChunk = 1000

// versionsMax is the number of a table's earlier versions that are kept, for the journal's sake. Glue keeps 100,000.
const versionsMax = 100

// openCatalog reads the catalog of a journal.
func openCatalog(path string, warn func(error)) (*catalog, error) {
	c := &catalog{
		warn: warn, databases: map[string]*databaseState{}, tags: map[string]map[string]string{}, crawlers: map[string]*crawlerRecord{},
	}
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
