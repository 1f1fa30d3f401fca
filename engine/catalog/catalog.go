// Package catalog turns commit logs into what a data catalog must know: tables, and the Hive partitions that have files.
//
// The logs are the only truth. A cursor for each log says up to which slot its files are registered; it moves on only after the
// catalog has answered, and registering twice changes nothing, so a lost message, a crash or a second catalog for a while costs
// work and never a Hive partition. The package is pure.
package catalog

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"citystream/engine/commitlog"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/schema"
)

// Describe returns the catalog's view of a table whose files lie below location, s3://bucket/prefix/table/. Names are in lower
// case, as Glue keeps them; readers match columns of the files by name whatever their case.
func Describe(t *schema.Table, location string) port.CatalogTable {
	table := port.CatalogTable{
		Name:     strings.ToLower(t.Name),
		Location: location,
		PartitionKeys: []port.CatalogColumn{
			{Name: "date", Type: "string", Comment: "day of the event time, UTC"},
			{Name: "hour", Type: "string", Comment: "hour of the event time, UTC"},
		},
		Parameters: map[string]string{"classification": "parquet", "EXTERNAL": "TRUE"},
	}
	for _, c := range t.FileColumns() {
		table.Columns = append(table.Columns, port.CatalogColumn{Name: strings.ToLower(c.Name), Type: c.Type.Glue(), Comment: c.Comment})
	}
	return table
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

// Cursors hold, for the logs of one table and topic, the newest slot whose files are registered.
type Cursors struct {
	Slots map[record.Partition]commitlog.Slot `json:"slots"`
}

// CursorsKey returns the key of the object that holds the cursors of a table and topic.
func CursorsKey(table, topic string) string {
	return fmt.Sprintf("%scatalog/%s/%s.json", commitlog.Root, table, topic)
}

// After returns the slot from which a log is still to be looked at, exclusive.
func (c Cursors) After(p record.Partition) commitlog.Slot {
	if s, ok := c.Slots[p]; ok {
		return s
	}
	return commitlog.None
}

// Encode returns the bytes of the cursors' object.
func (c Cursors) Encode() []byte {
	b, err := json.Marshal(c)
	if err != nil {
		panic(fmt.Sprintf("catalog: cursors cannot be encoded: %v", err)) // plain fields only: cannot fail
	}
	return b
}

// DecodeCursors reads the cursors' object.
func DecodeCursors(b []byte) (Cursors, error) {
	c := Cursors{}
	if err := json.Unmarshal(b, &c); err != nil {
		return c, fmt.Errorf("catalog cursors: %w", err)
	}
	return c, nil
}
