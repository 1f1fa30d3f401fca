package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"citystream/engine/commitlog"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/schema"
)

// textMax is the longest text that Redshift keeps in a column.
const textMax = 65535

// DescribeLoad returns a table as a warehouse has it. A key that is not given is left to the service, except that rows are sorted by event time.
func DescribeLoad(t *schema.Table, distKey string, sortKeys []string) port.WarehouseTable {
	w := port.WarehouseTable{
		Name: strings.ToLower(t.Name), PartitionKeys: []string{"date", "hour"}, DistKey: strings.ToLower(distKey),
	}
	for _, k := range sortKeys {
		w.SortKeys = append(w.SortKeys, strings.ToLower(k))
	}
	if len(w.SortKeys) == 0 && t.EventTime >= 0 {
		w.SortKeys = []string{strings.ToLower(t.Columns[t.EventTime].Name)}
	}
	for _, c := range t.FileColumns() {
		w.Columns = append(w.Columns, port.WarehouseColumn{Name: strings.ToLower(c.Name), Type: loadType(c.Type)})
	}
	return w
}

func loadType(t schema.Type) string {
	switch t {
	case schema.Binary:
		return "varbyte(" + strconv.Itoa(textMax) + ")"
	case schema.Bool:
		return "boolean"
	case schema.Int:
		return "integer"
	case schema.Long:
		return "bigint"
	case schema.Double:
		return "double precision"
	case schema.Timestamp:
		return "timestamp"
	default:
		return "varchar(" + strconv.Itoa(textMax) + ")"
	}
}

// ColumnNames returns the names of the columns of a table's files, in their order and in lower case.
func ColumnNames(t *schema.Table) []string {
	var names []string
	for _, c := range t.FileColumns() {
		names = append(names, strings.ToLower(c.Name))
	}
	return names
}

// LoadID names what one slot of a log has for one Hive partition: the unit that is loaded once.
func LoadID(log commitlog.Log, slot commitlog.Slot, window record.Micros) string {
	return fmt.Sprintf("%s/%d/%d/%s", log.Topic, log.Partition, slot, commitlog.HivePath(window))
}

// Loads returns what an entry has to be loaded into the log's own table, a commit for each Hive partition, in the order of the windows. columns are
// those of its files.
func Loads(log commitlog.Log, e *commitlog.Entry, columns []string) []port.LoadCommit {
	var commits []port.LoadCommit
	files := slices.Clone(e.Files)
	slices.SortStableFunc(files, func(a, b commitlog.File) int { return int(min(max(a.Window-b.Window, -1), 1)) })
	for _, f := range files {
		if f.Table != log.Table {
			continue
		}
		id := LoadID(log, e.Slot, f.Window)
		if n := len(commits); n == 0 || commits[n-1].ID != id {
			v := commitlog.HiveValues(f.Window)
			commits = append(commits, port.LoadCommit{ID: id, Values: v[:], Columns: columns})
		}
		c := &commits[len(commits)-1]
		c.Files = append(c.Files, port.LoadFile{Key: f.Key, SizeBytes: f.Bytes, Rows: f.Rows})
	}
	return commits
}

// LoadProgress is how far the loads of a table and topic have come: all commits up to these slots are in the log of loads. An older one, or
// none, brings work and no row twice.
type LoadProgress struct {
	Warehouse string `json:"warehouse"` // for people: the key has it as a hash
	Slots     Slots  `json:"slots"`
}

// LoadProgressKey returns the key of the object that holds the progress of the loads of a table and topic into a warehouse. Each
// warehouse has its own, so that another one is filled from the beginning.
func LoadProgressKey(warehouse, table, topic string) string {
	sum := sha256.Sum256([]byte(warehouse))
	return fmt.Sprintf("%sload/%s/%s/%s.json", commitlog.Root, hex.EncodeToString(sum[:6]), table, topic)
}

// After returns the slot behind which a log is still to be loaded.
func (p LoadProgress) After(n record.Partition) commitlog.Slot {
	if s, ok := p.Slots[n]; ok {
		return s
	}
	return commitlog.None
}

// Encode returns the bytes of the progress' object.
func (p LoadProgress) Encode() []byte { return encode(p) }

// DecodeLoadProgress reads the object of a progress.
func DecodeLoadProgress(b []byte) (LoadProgress, error) {
	p := LoadProgress{Slots: Slots{}}
	if err := json.Unmarshal(b, &p); err != nil {
		return p, fmt.Errorf("progress of loads: %w", err)
	}
	if p.Slots == nil {
		p.Slots = Slots{}
	}
	return p, nil
}

// Unloaded returns the commits that the log of loads does not have, given all that there are.
func Unloaded(commits []port.LoadCommit, loaded []port.LoadedCommit) []port.LoadCommit {
	have := make(map[string]bool, len(loaded))
	for _, l := range loaded {
		have[l.ID] = true
	}
	return slices.DeleteFunc(slices.Clone(commits), func(c port.LoadCommit) bool { return have[c.ID] })
}
