package aws

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"citystream/engine/port"
)

// CachedObjects are the objects of stores somewhere else, downloaded when they are needed into a directory of bounded size.
//
// An object's file is named by its key and ETag, so that a replaced object is another file. The files that queries use at one time must fit
// into the bound; beyond them the longest unused go first. The directory is emptied at the start: it holds nothing that is not elsewhere.
type CachedObjects struct {
	dir      string
	bytesMax int64
	store    func(bucket string) (port.Store, error)

	mu    sync.Mutex
	files map[string]*cachedFile
	bytes int64 // of all files, those on their way too
	clock int64 // counts uses
}

// A cachedFile is one file of the cache. Under the lock of CachedObjects, but for what ready guards.
type cachedFile struct {
	path  string
	bytes int64
	users int
	used  int64         // by the clock
	ready chan struct{} // closed when the file is there, or err says why not
	err   error
}

var _ Objects = (*CachedObjects)(nil)

const (
	listPage      = 1000
	downloadChunk = 8 << 20
)

// NewCachedObjects returns objects cached below dir, which is emptied, in at most bytesMax bytes. store returns the store of a bucket.
func NewCachedObjects(dir string, bytesMax int64, store func(bucket string) (port.Store, error)) (*CachedObjects, error) {
	absolute, err := filepath.Abs(dir)
	if err == nil {
		err = errors.Join(os.RemoveAll(absolute), os.MkdirAll(absolute, 0o700))
	}
	if err != nil {
		return nil, fmt.Errorf("cache of objects: %w", err)
	}
	return &CachedObjects{dir: absolute, bytesMax: bytesMax, store: store, files: map[string]*cachedFile{}}, nil
}

// List implements Objects.
func (c *CachedObjects) List(ctx context.Context, bucket, prefix string) ([]Object, error) {
	store, err := c.store(bucket)
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", bucket, err)
	}
	var found []Object
	for after := ""; ; {
		page, err := store.List(ctx, prefix, after, listPage)
		if err != nil {
			return nil, fmt.Errorf("list s3://%s/%s: %w", bucket, prefix, err)
		}
		for _, o := range page {
			found = append(found, Object{Key: o.Key, SizeBytes: o.SizeBytes, ETag: o.ETag, Modified: o.Modified})
		}
		if len(page) < listPage {
			return found, nil
		}
		after = page[len(page)-1].Key
	}
}

// File implements Objects.
func (c *CachedObjects) File(ctx context.Context, bucket string, o Object) (string, func(), error) {
	name, err := localName(bucket, o.Key)
	if err != nil {
		return "", nil, err
	}
	sum := sha256.Sum256([]byte(bucket + "\x00" + o.Key + "\x00" + o.ETag))
	id := hex.EncodeToString(sum[:8])
	f, mine, err := c.take(id, filepath.Join(c.dir, id, name), o.SizeBytes)
	if err != nil {
		return "", nil, err
	}
	if mine {
		c.ended(id, f, c.download(ctx, bucket, o, f.path))
	}
	select {
	case <-f.ready:
	case <-ctx.Done():
		c.give(f)
		return "", nil, ctx.Err()
	}
	switch {
	case f.err == nil:
		return f.path, sync.OnceFunc(func() { c.give(f) }), nil
	case !mine && ctx.Err() == nil && (errors.Is(f.err, context.Canceled) || errors.Is(f.err, context.DeadlineExceeded)):
		return c.File(ctx, bucket, o) // whoever downloaded it was stopped, which is not this caller's end
	}
	return "", nil, f.err
}

// take counts a use of a file. Where there is none it makes room for one, and the caller is to download it.
func (c *CachedObjects) take(id, path string, bytes int64) (f *cachedFile, mine bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock++
	if f = c.files[id]; f != nil {
		f.users++
		f.used = c.clock
		return f, false, nil
	}
	if err := c.makeRoom(bytes); err != nil {
		return nil, false, err
	}
	f = &cachedFile{path: path, bytes: bytes, users: 1, used: c.clock, ready: make(chan struct{})}
	c.files[id] = f
	c.bytes += bytes
	return f, true, nil
}

// makeRoom removes the longest unused files until so many bytes fit.
func (c *CachedObjects) makeRoom(bytes int64) error {
	type candidate struct {
		id string
		*cachedFile
	}
	var unused []candidate
	needed := bytes
	for id, f := range c.files {
		if f.users == 0 {
			unused = append(unused, candidate{id, f})
		} else {
			needed += f.bytes
		}
	}
	if needed > c.bytesMax {
		return fmt.Errorf("the queries that run need more than %d bytes of files, the size of the cache: "+
			"ask for fewer Hive partitions, or enlarge it", c.bytesMax)
	}
	slices.SortFunc(unused, func(a, b candidate) int { return cmp.Compare(a.used, b.used) })
	for _, u := range unused {
		if c.bytes+bytes <= c.bytesMax {
			break
		}
		if err := c.remove(u.id); err != nil {
			return err
		}
	}
	return nil
}

func (c *CachedObjects) remove(id string) error {
	c.bytes -= c.files[id].bytes
	delete(c.files, id)
	if err := os.RemoveAll(filepath.Join(c.dir, id)); err != nil {
		return fmt.Errorf("remove from the cache: %w", err)
	}
	return nil
}

// ended records how a download went. A file that failed is forgotten at once, so that the next use tries again.
func (c *CachedObjects) ended(id string, f *cachedFile, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		f.err = errors.Join(err, c.remove(id))
	}
	close(f.ready)
}

// give ends a use of a file.
func (c *CachedObjects) give(f *cachedFile) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.users--
}

// download brings an object, in chunks, and makes its file appear whole.
func (c *CachedObjects) download(ctx context.Context, bucket string, o Object, path string) (err error) {
	store, err := c.store(bucket)
	if err != nil {
		return fmt.Errorf("bucket %s: %w", bucket, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for at := int64(0); at < o.SizeBytes; {
		chunk, err := store.GetRange(ctx, o.Key, at, min(downloadChunk, o.SizeBytes-at))
		if errors.Is(err, port.ErrNotFound) {
			return fmt.Errorf("s3://%s/%s: %w", bucket, o.Key, fs.ErrNotExist)
		}
		if err == nil && len(chunk) == 0 {
			err = fmt.Errorf("it ends at byte %d of %d", at, o.SizeBytes)
		}
		if err == nil {
			_, err = f.Write(chunk)
		}
		if err != nil {
			return fmt.Errorf("download s3://%s/%s: %w", bucket, o.Key, err)
		}
		at += int64(len(chunk))
	}
	return nil
}
