package aws

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"citystream/engine/port"
)

func TestObjectsOnDiskAreListedByPrefix(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, name := range []string{"b/raw/t/p=1/x.parquet", "b/raw/t/p=2/y.parquet", "b/raw/t2/z.parquet", "b/.sgwtmp/multipart/part", "other/raw/t/q"} {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(root, "b/raw/t/link")); err != nil {
		t.Fatal(err)
	}
	d, err := NewDiskObjects(root)
	if err != nil {
		t.Fatal(err)
	}
	for prefix, want := range map[string][]string{
		"raw/t/":     {"raw/t/p=1/x.parquet", "raw/t/p=2/y.parquet"},
		"raw/t/p=2":  {"raw/t/p=2/y.parquet"},
		"raw/t":      {"raw/t/p=1/x.parquet", "raw/t/p=2/y.parquet", "raw/t2/z.parquet"},
		"":           {"raw/t/p=1/x.parquet", "raw/t/p=2/y.parquet", "raw/t2/z.parquet"},
		"raw/never/": nil,
	} {
		found, err := d.List(t.Context(), "b", prefix)
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, o := range found {
			keys = append(keys, o.Key)
			if o.SizeBytes != int64(len("b/"+o.Key)) {
				t.Errorf("%s has %d bytes", o.Key, o.SizeBytes)
			}
		}
		if !slices.Equal(keys, want) {
			t.Errorf("%q: %q, want %q", prefix, keys, want)
		}
	}
	if _, err := d.List(t.Context(), "nowhere", ""); err != nil {
		t.Errorf("a bucket that is not there: %v", err)
	}
	if _, _, err := d.File(t.Context(), "b", Object{Key: "raw/t/gone"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestNoNameLeadsOutOfTheStore(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	d, err := NewDiskObjects(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range [][2]string{{"..", "x"}, {"b", "../x"}, {"b", "a/../../x"}, {"a/b", "x"}, {".hidden", "x"}, {"b", "a//x"}, {"b", "/etc/passwd"}, {"", "x"}} {
		if path, _, err := d.File(t.Context(), name[0], Object{Key: name[1]}); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q leads to %q, %v", name, path, err)
		}
		if _, err := d.List(t.Context(), name[0], name[1]+"/"); err == nil {
			t.Errorf("%q can be listed", name)
		}
	}
}

// A shelf is a store of objects in memory that counts the readings. What it does not have panics.
type shelf struct {
	port.Store
	mu      sync.Mutex
	objects map[string]string
	reads   map[string]int
}

func (s *shelf) List(_ context.Context, prefix, after string, limit int) ([]port.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []port.Object
	for key, body := range s.objects {
		if strings.HasPrefix(key, prefix) && key > after {
			found = append(found, port.Object{Key: key, SizeBytes: int64(len(body)), ETag: "e" + body[:1]})
		}
	}
	slices.SortFunc(found, func(a, b port.Object) int { return strings.Compare(a.Key, b.Key) })
	return found[:min(limit, len(found))], nil
}

func (s *shelf) GetRange(ctx context.Context, key string, offset, length int64) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads[key]++
	body, ok := s.objects[key]
	if !ok {
		return nil, fmt.Errorf("%s: %w", key, port.ErrNotFound)
	}
	return []byte(body[offset:min(offset+length, int64(len(body)))]), nil
}

func newShelf(objects map[string]string) *shelf {
	return &shelf{objects: objects, reads: map[string]int{}}
}

func cached(t *testing.T, s *shelf, bytesMax int64) *CachedObjects {
	t.Helper()
	c, err := NewCachedObjects(filepath.Join(t.TempDir(), "cache"), bytesMax, func(string) (port.Store, error) { return s, nil })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCachedObjectsAreDownloadedOnceAndKeepTheirKeyInTheirPath(t *testing.T) {
	t.Parallel()
	s := newShelf(map[string]string{})
	for i := range listPage + 5 {
		s.objects[fmt.Sprintf("raw/p=1/%05d", i)] = fmt.Sprintf("%dx", i)
	}
	c := cached(t, s, 1<<20)
	found, err := c.List(t.Context(), "b", "raw/")
	if err != nil || len(found) != listPage+5 {
		t.Fatalf("%d objects, %v", len(found), err)
	}
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			path, release, err := c.File(t.Context(), "b", found[7])
			if err != nil {
				t.Error(err)
				return
			}
			defer release()
			body, err := os.ReadFile(path)
			if err != nil || string(body) != "7x" || !strings.HasSuffix(path, "/b/raw/p=1/00007") {
				t.Errorf("%s has %q, %v", path, body, err)
			}
		})
	}
	readers.Wait()
	if n := s.reads["raw/p=1/00007"]; n != 1 {
		t.Errorf("downloaded %d times", n)
	}
	s.objects["raw/p=1/00007"] = "new"
	path, release, err := c.File(t.Context(), "b", Object{Key: "raw/p=1/00007", SizeBytes: 3, ETag: "other"})
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if body, err := os.ReadFile(path); err != nil || string(body) != "new" {
		t.Errorf("after a replacement: %q, %v", body, err)
	}
}

func TestTheCacheKeepsToItsSizeAndToFilesInUse(t *testing.T) {
	t.Parallel()
	s := newShelf(map[string]string{"a": "aaaa", "b": "bbbb", "c": "cccc", "large": strings.Repeat("x", 11)})
	c := cached(t, s, 10)
	take := func(key string) (string, func(), error) {
		return c.File(t.Context(), "bucket", Object{Key: key, SizeBytes: int64(len(s.objects[key])), ETag: key})
	}
	use := func(key string) (string, func()) {
		t.Helper()
		path, release, err := take(key)
		if err != nil {
			t.Fatal(err)
		}
		return path, release
	}
	pathA, releaseA := use("a")
	pathB, releaseB := use("b")
	if _, _, err := take("c"); err == nil || !strings.Contains(err.Error(), "10 bytes") {
		t.Errorf("a third file fits: %v", err)
	}
	releaseB()
	releaseB()
	pathC, releaseC := use("c")
	if _, err := os.Stat(pathB); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the unused file stays: %v", err)
	}
	for _, path := range []string{pathA, pathC} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	releaseA()
	releaseC()
	if _, _, err := take("large"); err == nil {
		t.Error("a file larger than the cache fits")
	}
	_, release := use("b")
	release()
	if c.bytes > 10 || len(c.files) != 2 {
		t.Errorf("%d bytes in %d files", c.bytes, len(c.files))
	}
}

func TestAFailedDownloadIsTriedAgain(t *testing.T) {
	t.Parallel()
	s := newShelf(map[string]string{})
	c := cached(t, s, 100)
	late := Object{Key: "late", SizeBytes: 4}
	if _, _, err := c.File(t.Context(), "b", late); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	s.objects["late"] = "here"
	path, release, err := c.File(t.Context(), "b", late)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if body, err := os.ReadFile(path); err != nil || string(body) != "here" {
		t.Errorf("got %q, %v", body, err)
	}
}
