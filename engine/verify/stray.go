package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"citystream/engine/port"
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

// doubled reports whether a key was added twice.
func (s *keySet) doubled() bool {
	slices.Sort(s.hashes)
	s.sorted = true
	return len(slices.Compact(slices.Clone(s.hashes))) < len(s.hashes)
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

// strays looks for files in the tables' folders that no entry names: readers of the tables would find them. A file appears after its
// entry was written, so where files came while the logs were read, their entries can be read now.
func (v *verifier) strays(ctx context.Context) error {
	after := ""
	var unknown []port.Object // as many as can be reported
	for {
		objects, err := v.Store.List(ctx, v.RawPrefix+"/", after, page)
		if err != nil {
			return fmt.Errorf("list the files: %w", err)
		}
		left := v.unnamed(objects)
		if len(left) > 0 {
			if err := v.grown(ctx, v.logs); err != nil {
				return err
			}
			left = v.unnamed(left)
		}
		for _, o := range left {
			if v.ofDeletedSlot(o.Key) {
				v.report.OldFiles++
			} else if len(unknown) < violationsKept {
				unknown = append(unknown, o)
			} else {
				v.stray(o)
			}
		}
		if len(objects) < page {
			break
		}
		after = objects[len(objects)-1].Key
	}
	if len(unknown) == 0 {
		return nil
	}
	if err := v.newLogs(ctx); err != nil {
		return err
	}
	for _, o := range v.unnamed(unknown) {
		v.stray(o)
	}
	return nil
}

func (v *verifier) folderOf(key string) string {
	folder, _, _ := strings.Cut(strings.TrimPrefix(key, v.RawPrefix+"/"), "/")
	return folder
}

// unnamed returns the objects that no entry names.
func (v *verifier) unnamed(objects []port.Object) []port.Object {
	var left []port.Object
	for _, o := range objects {
		if !v.named[v.folderOf(o.Key)].has(o.Key) && !strings.HasSuffix(o.Key, "/") {
			left = append(left, o)
		}
	}
	return left
}

func (v *verifier) stray(o port.Object) {
	v.report.violated(Violation{
		Invariant: "files", Table: v.folderOf(o.Key), Slot: -1, File: o.Key, What: "no entry of any log names this file, but readers of the table find it",
	})
}

// grown reads which files the slots name that were written since the logs were listed. They are not proved.
func (v *verifier) grown(ctx context.Context, logs []*logName) error {
	for _, l := range logs {
		for {
			body, _, err := v.Store.Get(ctx, l.key(l.last+1))
			if errors.Is(err, port.ErrNotFound) {
				break
			}
			if err != nil {
				return fmt.Errorf("read slot %d of %s: %w", l.last+1, l, err)
			}
			var e entry
			if json.Unmarshal(body, &e) != nil {
				break // the next run says so
			}
			for i := range e.Files {
				v.name(&e.Files[i])
			}
			l.last++
		}
	}
	return nil
}

// newLogs does the same for logs that were begun since.
func (v *verifier) newLogs(ctx context.Context) error {
	known := map[string]bool{}
	for _, l := range v.logs {
		known[l.String()] = true
	}
	logs, err := v.findLogs(ctx)
	if err != nil {
		return err
	}
	logs = slices.DeleteFunc(logs, func(l *logName) bool { return known[l.String()] })
	for _, l := range logs {
		l.last = l.low - 1
	}
	return v.grown(ctx, append(logs, v.logs...))
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
