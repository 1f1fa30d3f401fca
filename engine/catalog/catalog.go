// Package catalog turns commit logs into what others must know of them: the tables and Hive partitions of a data catalog, which of
// these are complete, what is to be derived from them, and what is to be loaded elsewhere.
//
// The logs are the only truth. Progress says for each log up to which slot its files are registered; it moves on only after the
// catalog has answered, and registering twice changes nothing, so a lost message, a crash or a second catalog for a while costs
// work and never a Hive partition.
//
// What must be decided once is an object that is written once, by conditional create, as a slot of a log is: an Announcement (a
// Hive partition is complete, in this revision), and a Result (this is what a transform made of it). The catalog's own answer follows
// from them, and can be made again from them at any time. The package is pure.
package catalog

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"citystream/engine/commitlog"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/schema"
)

// Describe returns the catalog's view of a table whose files lie below location, s3://bucket/prefix/table/. Names are in lower
// case, as Glue keeps them; readers match columns of the files by name whatever their case.
func Describe(t *schema.Table, location string) port.CatalogTable {
	table := describe(strings.ToLower(t.Name), location)
	table.Parameters["parquet.compression"] = "SNAPPY"
	for _, c := range t.FileColumns() {
		table.Columns = append(table.Columns, port.CatalogColumn{Name: strings.ToLower(c.Name), Type: c.Type.Glue(), Comment: c.Comment})
	}
	return table
}

// describe returns a table without columns.
func describe(name, location string) port.CatalogTable {
	return port.CatalogTable{
		Name:     name,
		Location: location,
		PartitionKeys: []port.CatalogColumn{
			{Name: "date", Type: "string", Comment: "day of the event time, UTC"},
			{Name: "hour", Type: "string", Comment: "hour of the event time, UTC"},
		},
		// What Athena, Spark, crawlers and awswrangler look for.
		Parameters: map[string]string{"classification": "parquet", "EXTERNAL": "TRUE", "typeOfData": "file"},
	}
}

// Project adds what lets Athena work out the Hive partitions of a table from its query instead of asking the catalog for them: faster
// with very many, and for Athena only. Days before since are not seen any more.
func Project(t port.CatalogTable, since time.Time) port.CatalogTable {
	t.Parameters = maps.Clone(t.Parameters)
	maps.Copy(t.Parameters, map[string]string{
		"projection.enabled":        "true",
		"projection.date.type":      "date",
		"projection.date.format":    "yyyy-MM-dd",
		"projection.date.range":     since.UTC().Format(time.DateOnly) + ",NOW+1DAYS",
		"projection.hour.type":      "integer",
		"projection.hour.range":     "0,23",
		"projection.hour.digits":    "2",
		"storage.location.template": t.Location + "date=${date}/hour=${hour}/",
	})
	return t
}

// A Place is a Hive partition that files are in.
type Place struct {
	Table  string
	Window record.Micros
	Folder string // of its keys, with a slash at the end
}

// Partition returns the Hive partition as the catalog registers it.
func (p Place) Partition(bucket string) port.HivePartition {
	v := commitlog.HiveValues(p.Window)
	return port.HivePartition{Values: v[:], Location: "s3://" + bucket + "/" + p.Folder}
}

// Places returns the Hive partitions that the entries have files in, each once, in order.
func Places(entries []*commitlog.Entry) []Place {
	var places []Place
	for _, e := range entries {
		for _, f := range e.Files {
			places = append(places, Place{Table: f.Table, Window: f.Window, Folder: path.Dir(f.Key) + "/"})
		}
	}
	slices.SortFunc(places, func(a, b Place) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(a.Window, b.Window), cmp.Compare(a.Folder, b.Folder))
	})
	return slices.Compact(places)
}

// Usable returns how many of the entries, which follow each other in a log, may be registered. All but the last have a successor,
// which was written only after their files were complete (I2); the last counts if its files have been seen.
func Usable(entries []*commitlog.Entry, lastSeen bool) int {
	if n := len(entries); n > 0 && !lastSeen && len(entries[n-1].Files) > 0 {
		return n - 1
	}
	return len(entries)
}
