package aws

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// A crawler looks for files and makes the catalog say what is there: a table a folder, and a partition a Hive-style folder in it
// (date=2026-11-22/hour=06). Files whose name, or the name of a folder above them, begins with _ or a dot are not the table's.
//
// Owned by one crawl.
type crawler struct {
	glue     *glue
	objects  Objects
	settings *crawlerRecord
	counts   crawlCounts
}

// A tableFolder is what a crawler found below a folder.
type tableFolder struct {
	bucket, root string   // the root ends in a slash
	keys         []string // in lower case
	values       map[string][]string
	sample       Object // the last of the files, which has the newest columns as a rule
}

func (f *tableFolder) location() string { return "s3://" + f.bucket + "/" + f.root }

// crawl does what it can of all targets, and returns what went wrong.
func (w *crawler) crawl(ctx context.Context) (crawlCounts, error) {
	var faults []error
	for _, target := range w.settings.Targets.S3Targets {
		faults = append(faults, w.path(ctx, target))
	}
	for _, target := range w.settings.Targets.CatalogTargets {
		for _, name := range target.Tables {
			faults = append(faults, w.table(ctx, target.DatabaseName, name))
		}
	}
	return w.counts, errors.Join(faults...)
}

// path crawls a prefix, and makes the tables that are lacking.
func (w *crawler) path(ctx context.Context, target s3Target) error {
	folders, err := w.folders(ctx, target.Path, target.Exclusions)
	if err != nil {
		return err
	}
	var faults []error
	for _, f := range folders {
		t, err := w.tableAt(f)
		if err == nil && t == nil {
			t, err = w.newTable(ctx, f)
		} else if err == nil {
			t, err = w.widen(ctx, t, f)
		}
		if err == nil {
			err = w.register(ctx, t, f)
		}
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// table crawls where a table of the catalog lies.
func (w *crawler) table(ctx context.Context, database, name string) error {
	t, err := w.glue.catalog.table(database, name)
	if err != nil {
		return err
	}
	if t.StorageDescriptor == nil || t.StorageDescriptor.Location == "" {
		return fmt.Errorf("table %s has no location", t.Name)
	}
	folders, err := w.folders(ctx, t.StorageDescriptor.Location, nil)
	if err != nil {
		return err
	}
	var faults []error
	for _, f := range folders {
		if !sameLocation(f.location(), t.StorageDescriptor.Location) {
			faults = append(faults, fmt.Errorf("files at %s are below table %s and not of it", f.location(), t.Name))
			continue
		}
		if t, err = w.widen(ctx, t, f); err == nil {
			err = w.register(ctx, t, f)
		}
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

func sameLocation(a, b string) bool { return strings.TrimSuffix(a, "/") == strings.TrimSuffix(b, "/") }

// folders lists a location and returns its tables' folders, in the order of their names.
func (w *crawler) folders(ctx context.Context, location string, exclusions []string) ([]*tableFolder, error) {
	bucket, prefix, err := splitLocation(location)
	if err != nil {
		return nil, err
	}
	objects, err := w.objects.List(ctx, bucket, prefix)
	if err != nil {
		return nil, err
	}
	excluded := exclusionsOf(exclusions)
	var found []*tableFolder
	byRoot := map[string]*tableFolder{}
	for _, o := range objects {
		below := strings.TrimPrefix(o.Key, prefix)
		if o.SizeBytes == 0 || hiddenBelow(below) || excluded(below) {
			continue
		}
		root, keys, values, err := hiveFolder(o.Key)
		if err != nil {
			return nil, err
		}
		f := byRoot[root]
		if f == nil {
			f = &tableFolder{bucket: bucket, root: root, keys: keys, values: map[string][]string{}}
			byRoot[root], found = f, append(found, f)
		}
		if !slices.Equal(f.keys, keys) {
			return nil, fmt.Errorf("s3://%s/%s has the partition keys %q, where others at %s have %q", bucket, o.Key, keys, f.location(), f.keys)
		}
		f.values[o.Key[:strings.LastIndex(o.Key, "/")+1]] = values
		if o.Key > f.sample.Key {
			f.sample = o
		}
	}
	slices.SortFunc(found, func(a, b *tableFolder) int { return strings.Compare(a.root, b.root) })
	return found, nil
}

func hiddenBelow(key string) bool {
	for segment := range strings.SplitSeq(key, "/") {
		if strings.HasPrefix(segment, "_") || strings.HasPrefix(segment, ".") {
			return true
		}
	}
	return false
}

// exclusionsOf returns what tells whether a key below the target is excluded: ** stands for anything, * and ? do not pass a slash.
func exclusionsOf(globs []string) func(key string) bool {
	var patterns []*regexp.Regexp
	for _, glob := range globs {
		quoted := strings.NewReplacer(`\*\*`, ".*", `\*`, "[^/]*", `\?`, "[^/]").Replace(regexp.QuoteMeta(glob))
		patterns = append(patterns, regexp.MustCompile("^"+quoted+"$")) // everything but the three was quoted
	}
	return func(key string) bool {
		return slices.ContainsFunc(patterns, func(p *regexp.Regexp) bool { return p.MatchString(key) })
	}
}

// hiveFolder takes a key apart into the table's folder, and the keys and values of the folders below it.
func hiveFolder(key string) (root string, keys, values []string, err error) {
	segments := strings.Split(key, "/")
	segments = segments[:len(segments)-1]
	first := slices.IndexFunc(segments, func(s string) bool { return strings.Contains(s, "=") })
	if first < 0 {
		first = len(segments)
	}
	for _, s := range segments[first:] {
		name, value, ok := strings.Cut(s, "=")
		if !ok {
			return "", nil, nil, fmt.Errorf("the folder %q of %s is below Hive-style folders and not one", s, key)
		}
		if value, err = url.PathUnescape(value); err != nil {
			return "", nil, nil, fmt.Errorf("the folder %q of %s: %w", s, key, err)
		}
		keys, values = append(keys, strings.ToLower(name)), append(values, value)
	}
	for _, s := range segments[:first] {
		root += s + "/"
	}
	return root, keys, values, nil
}

// notInNames are the characters that a crawler replaces in a table's name.
var notInNames = regexp.MustCompile(`[^a-z0-9_]`)

// nameFor returns the name of a new table, with a mark of its folder if the plain one is taken.
func (w *crawler) nameFor(f *tableFolder) string {
	segments := strings.Split(strings.TrimSuffix(f.root, "/"), "/")
	name := segments[len(segments)-1]
	if name == "" {
		name = f.bucket
	}
	if p := w.settings.TablePrefix; p != nil {
		name = *p + name
	}
	name = notInNames.ReplaceAllString(strings.ToLower(name), "_")
	if _, err := w.glue.catalog.table(w.settings.DatabaseName, name); err == nil {
		name = fmt.Sprintf("%s_%08x", name, crc32.Checksum([]byte(f.location()), castagnoli))
	}
	return name
}
