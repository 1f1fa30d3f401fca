package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
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

// LoadProgress is how far the loads of a table and topic have come: all commits up to these slots are in the log of loads, or set aside. An
// older one, or none, brings work and no row twice.
type LoadProgress struct {
	Warehouse string `json:"warehouse"` // for people: the key has it as a hash
	Slots     Slots  `json:"slots"`
	// Last has of each log the newest commit that was loaded. If the log of loads lacks one of them, rows went with it, and the progress is void.
	Last  map[record.Partition]string `json:"last,omitempty"`
	Aside []Aside                     `json:"aside,omitempty"`
	Gone  int64                       `json:"gone,omitempty"` // slots that were deleted before they were looked at
}

// An Aside is a commit that cannot be loaded and holds up no other.
type Aside struct {
	ID        string           `json:"id"`
	Partition record.Partition `json:"partition"` // of its log
	Slot      commitlog.Slot   `json:"slot"`
	Reason    string           `json:"reason"`
}

// AsideMax is how many commits of a table are set aside at most. More of them are no accident, and stop the loads of the table.
const AsideMax = 100

// reasonMax is how many bytes of a reason are kept.
const reasonMax = 500

// PutAside adds commits to those that are set aside, each once, and reports whether there was room for all.
func (p *LoadProgress) PutAside(commits ...Aside) bool {
	for _, c := range commits {
		c.Reason = strings.ToValidUTF8(c.Reason[:min(len(c.Reason), reasonMax)], "")
		if i := slices.IndexFunc(p.Aside, func(a Aside) bool { return a.ID == c.ID }); i >= 0 {
			p.Aside[i] = c
			continue
		}
		p.Aside = append(p.Aside, c)
	}
	return len(p.Aside) <= AsideMax
}

// Clone returns a copy that can be changed.
func (p LoadProgress) Clone() LoadProgress {
	p.Slots, p.Last, p.Aside = maps.Clone(p.Slots), maps.Clone(p.Last), slices.Clone(p.Aside)
	return p
}

// Anew returns the progress of one who has to look at all slots again. What is set aside stays so.
func (p LoadProgress) Anew() LoadProgress {
	return LoadProgress{Warehouse: p.Warehouse, Slots: Slots{}, Last: map[record.Partition]string{}, Aside: slices.Clone(p.Aside)}
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
	p := LoadProgress{}
	if err := json.Unmarshal(b, &p); err != nil {
		return p, fmt.Errorf("progress of loads: %w", err)
	}
	if p.Slots == nil {
		p.Slots = Slots{}
	}
	if p.Last == nil {
		p.Last = map[record.Partition]string{}
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
