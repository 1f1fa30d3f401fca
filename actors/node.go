// Package actors holds the shells around the pure rules: master, workers, partitions, catalog, fleet and vehicles as actors.
//
// An actor translates a message, asks a pure package what follows, and sends the answer on. Nothing blocks in Receive: whatever
// waits for a device runs in a goroutine that the actor owns, and its outcome comes back as a message. Between nodes only the
// protobuf messages of package messages travel, so that master and workers may run in one process or on many machines.
package actors

import (
	"log/slog"
	"time"

	"citystream/engine/catalog"
	"citystream/engine/parquetfile"
	"citystream/engine/port"
	"citystream/engine/schema"
	"citystream/engine/transform"
	"citystream/engine/window"
)

// Node is what the actors of one process share: the devices, and the settings that the configuration gave. It is immutable once
// the first actor runs.
type Node struct {
	Source  port.Source
	Store   port.Store
	Catalog port.Catalog // nil: nothing is registered
	Metrics *Metrics
	Log     *slog.Logger
	Version string // of the program, for the files' footers

	Tables      []*schema.Table
	DeadLetters *schema.Table
	Bucket      string // for the locations that the catalog registers
	RawPrefix   string // of the raw zone's keys
	Database    string

	Limits      window.Limits
	IdleTimeout time.Duration
	SealAfter   time.Duration
	Latest      bool  // a log without entries begins at the end of its partition instead of at the start
	AllowLoss   bool  // where Kafka has lost records, go on and write it down instead of stopping the partition
	Batches     int   // decoded batches under way in one partition: the bound of all of its queues
	PartBytes   int   // of multipart uploads
	Uploads     int   // parts that one worker uploads at the same time; 0 is 16
	MemoryBytes int64 // that the partitions of one worker may buffer; 0 is without limit

	MaxRate int // records a second that one worker reads at most; 0 is without limit

	GroupOffsets port.GroupOffsets // nil: no consumer group shows how far reading is
	Group        string            // first part of the groups' names, one a table

	Heartbeat      time.Duration // how often a worker reports
	WorkerDead     time.Duration // silence after which a master gives a worker's partitions away
	WorkerSelfStop time.Duration // silence after which a worker gives its partitions up by itself; less than WorkerDead (I9)
	Orphaned       time.Duration // how long a worker goes on while no master leads, and how long a new master waits for workers of the one before
	Discovery      time.Duration // how often topics are looked for
	EndOfStream    time.Duration // all partitions idle for so long: their windows close; 0 = never
	CatalogPoll    time.Duration // how often the catalog looks at all logs, whatever it was told
	Housekeeping   time.Duration // how often old slots are deleted and orphaned uploads are aborted; 0 = never
	KeepLog        time.Duration // for how long slots are kept, a day at least; 0 = for ever

	LateAfter   time.Duration // for how long late files are collected before their Hive partition is announced again
	Crawl       *port.Crawl   // nil: Hive partitions are registered by ourselves; else its name and role, for Crawler
	Crawler     port.Crawler
	ProjectFrom time.Time // Athena works out Hive partitions from this day on by itself; zero: it asks the catalog

	Query             port.Query // runs the transforms
	Transforms        []*transform.Transform
	TransformedPrefix string        // of the transformed zone's keys
	TransformsAtOnce  int           // runs at the same time; 0 is one
	TransformRetry    time.Duration // wait before a run is tried again, doubled each time
	Price             catalog.Price // of its queries

	Warehouse     port.Warehouse       // nil: nothing is loaded
	External      *port.ExternalSchema // the warehouse shows the catalog's tables instead, and nothing is loaded
	WarehouseName string               // which one it is: its progress is kept apart from that of others
	LoadKeys      map[string]LoadKeys
	LoadEvery     time.Duration // commits that come in that time are loaded together
}

// LoadKeys are the distribution key and the sort keys of a table of the warehouse.
type LoadKeys struct {
	Dist string
	Sort []string
}

// rowGroupBytes returns the size of a row group before encoding: small where memory is, so that parts leave early.
func (n *Node) rowGroupBytes() int {
	if n.MemoryBytes == 0 {
		return parquetfile.DefaultRowGroupBytes
	}
	return int(min(max(n.MemoryBytes/20, 1<<20), parquetfile.DefaultRowGroupBytes))
}

// filed returns all tables that have files: the configured ones, their side tables, and the dead letters.
func (n *Node) filed() []*schema.Table {
	tables := []*schema.Table{n.DeadLetters}
	for _, t := range n.Tables {
		tables = append(tables, t)
		if side := t.LateTable(); side != nil {
			tables = append(tables, side)
		}
	}
	return tables
}

// Table returns the table of that name, or nil.
func (n *Node) Table(name string) *schema.Table {
	for _, t := range n.Tables {
		if t.Name == name {
			return t
		}
	}
	return nil
}
