package catalog

import (
	"fmt"
	"strings"

	"citystream/engine/commitlog"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/schema"
)

// Warehouse returns the warehouse's view of a table: the columns of its files, and those of its Hive partitions. Names are in lower case.
func Warehouse(t *schema.Table, distKey string, sortKeys []string) port.WarehouseTable {
	table := port.WarehouseTable{
		Name: strings.ToLower(t.Name), PartitionKeys: []string{"date", "hour"}, DistKey: strings.ToLower(distKey),
	}
	for _, k := range sortKeys {
		table.SortKeys = append(table.SortKeys, strings.ToLower(k))
	}
	for _, c := range t.FileColumns() {
		table.Columns = append(table.Columns, port.WarehouseColumn{Name: strings.ToLower(c.Name), Type: c.Type.Redshift()})
	}
	return table
}

// LoadCommits returns what an entry of a log has for a table, one commit for each Hive partition, in the order of its files. columns are those
// of the files under the entry's fingerprint; nil says that they are the table's. The entry's id is in those of its commits: the log of another
// bucket that was loaded into the same warehouse has the same slots, and other rows.
func LoadCommits(log commitlog.Log, table string, e *commitlog.Entry, columns []string) []port.LoadCommit {
	var commits []port.LoadCommit
	at := map[record.Micros]int{}
	for _, f := range e.Files {
		if f.Table != table {
			continue
		}
		i, ok := at[f.Window]
		if !ok {
			v := commitlog.HiveValues(f.Window)
			i, at[f.Window] = len(commits), len(commits)
			commits = append(commits, port.LoadCommit{
				ID:     fmt.Sprintf("%s/%s/%d/%d/%s/%s/%s", log.Table, log.Topic, log.Partition, e.Slot, e.ID, v[0], v[1]),
				Values: v[:], Columns: columns,
			})
		}
		size := int64(0)
		for _, p := range f.Parts {
			size += p.SizeBytes
		}
		commits[i].Files = append(commits[i].Files, port.LoadFile{Key: f.Key, SizeBytes: size, Rows: f.Rows})
	}
	return commits
}
