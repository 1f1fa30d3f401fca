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

// strays looks for files in the tables' folders that no entry names: readers of the tables would find them. A writer may have gone on
// meanwhile, so a file counts as a stray only if the newest entries do not name it either.
func (v *verifier) strays(ctx context.Context, logs []*logName) error {
	suspects, err := v.unnamed(ctx)
	if err != nil || len(suspects) == 0 {
		return err
	}
	for _, l := range logs {
		if err := v.nameNewer(ctx, l); err != nil {
			return err
		}
	}
	for _, key := range suspects {
		if folder := v.folderOf(key); !v.named[folder].has(key) {
			v.report.violated(Violation{Invariant: "files", Table: folder, Slot: -1, File: key, What: "no entry of any log names this file, but readers of the table find it"})
		}
	}
	return nil
}

// nameNewer notes the files of the entries that a log has got since it was listed.
func (v *verifier) nameNewer(ctx context.Context, l *logName) error {
	c := &logCheck{verifier: v, logName: l}
	for slot := l.last + 1; ; slot++ {
		e, err := c.read(ctx, slot)
		if err != nil || e == nil {
			return err
		}
		for i := range e.Files {
			v.name(&e.Files[i])
		}
	}
}

func (v *verifier) folderOf(key string) string {
	folder, _, _ := strings.Cut(strings.TrimPrefix(key, v.RawPrefix+"/"), "/")
	return folder
}

// unnamed returns the files that no entry names so far.
func (v *verifier) unnamed(ctx context.Context) (suspects []string, err error) {
	after := ""
	for {
		objects, err := v.Store.List(ctx, v.RawPrefix+"/", after, page)
		if err != nil {
			return nil, fmt.Errorf("list the files: %w", err)
		}
		for _, o := range objects {
			switch {
			case v.named[v.folderOf(o.Key)].has(o.Key) || strings.HasSuffix(o.Key, "/"):
			case v.ofDeletedSlot(o.Key):
				v.report.OldFiles++
			default:
				suspects = append(suspects, o.Key)
			}
		}
		if len(objects) < page {
			return suspects, nil
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
