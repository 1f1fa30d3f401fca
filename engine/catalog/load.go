package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"citystream/engine/commitlog"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/schema"
)

// ColumnNames returns the names of the columns of a table's files, in their order and in lower case.
func ColumnNames(t *schema.Table) []string {
	var names []string
	for _, c := range t.FileColumns() {
		names = append(names, strings.ToLower(c.Name))
	}
	return names
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
