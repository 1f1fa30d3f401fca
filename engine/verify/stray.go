package verify

import (
	"context"
	"fmt"
	"hash/maphash"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"citystream/engine/record"
)

// keySet is a set of keys, eight bytes each.
type keySet struct {
	hashes []uint64
	sorted bool
}

var seed = maphash.MakeSeed()

func (s *keySet) add(key string) {
	s.hashes, s.sorted = append(s.hashes, maphash.String(seed, key)), false
}

func (s *keySet) has(key string) bool {
	if s == nil {
		return false
	}
	if !s.sorted {
		slices.Sort(s.hashes)
		s.sorted = true
	}
	_, found := slices.BinarySearch(s.hashes, maphash.String(seed, key))
	return found
}

// originOf is the part of the files' names that says which log they are of.
func originOf(table string, tp record.TopicPartition) string {
	origin := tp.Topic
	if table != tp.Topic {
		origin = table + "." + tp.Topic
	}
	return fmt.Sprintf("%s-%05d", origin, tp.Partition)
}

var fileName = regexp.MustCompile(`^(.+)-e\d{6,}-s(\d{12,})-o\d{20}\.parquet$`)

// strays looks for files in the tables' folders that no entry names: readers of the tables would find them.
func (v *verifier) strays(ctx context.Context) error {
	after := ""
	for {
		objects, err := v.Store.List(ctx, v.RawPrefix+"/", after, page)
		if err != nil {
			return fmt.Errorf("list the files: %w", err)
		}
		for _, o := range objects {
			folder, _, _ := strings.Cut(strings.TrimPrefix(o.Key, v.RawPrefix+"/"), "/")
			switch {
			case v.named[folder].has(o.Key) || strings.HasSuffix(o.Key, "/"):
			case v.ofDeletedSlot(o.Key):
				v.report.OldFiles++
			default:
				v.report.violated(Violation{Invariant: "files", Table: folder, Slot: -1, File: o.Key, What: "no entry of any log names this file, but readers of the table find it"})
			}
		}
		if len(objects) < page {
			return nil
		}
		after = objects[len(objects)-1].Key
	}
}

// ofDeletedSlot reports whether a file was begun under a claim that retention has deleted.
func (v *verifier) ofDeletedSlot(key string) bool {
	m := fileName.FindStringSubmatch(path.Base(key))
	if m == nil {
		return false
	}
	claim, err := strconv.ParseInt(m[2], 10, 64)
	low, known := v.lows[m[1]]
	return err == nil && known && claim < low
}

func (v *verifier) name(f *file) {
	if v.named[f.Table] == nil {
		v.named[f.Table] = &keySet{}
	}
	v.named[f.Table].add(f.Key)
}
