package aws

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Objects are the buckets that tables lie in, seen as local files. All calls are safe for concurrent use.
type Objects interface {
	// List returns the objects of a bucket whose key begins with prefix.
	List(ctx context.Context, bucket, prefix string) ([]Object, error)
	// File returns a local file with an object's content. The file stays until release is called, once; it may be shared and must not be
	// changed. An object that is gone is fs.ErrNotExist. Where the local path ends in the object's key, SQL over many Hive partitions is fastest.
	File(ctx context.Context, bucket string, o Object) (path string, release func(), err error)
}

// An Object is one object of a listing. ETag may be empty where the path alone says what is in it.
type Object struct {
	Key       string
	SizeBytes int64
	ETag      string
	Modified  int64 // in microseconds since 1970 UTC
}

// DiskObjects are the files of a store that keeps each object as the file root/bucket/key, as versitygw does on a POSIX file system.
type DiskObjects struct {
	root string
}

// NewDiskObjects returns the objects below a store's directory.
func NewDiskObjects(root string) (*DiskObjects, error) {
	absolute, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("directory of the store: %w", err)
	}
	return &DiskObjects{root: absolute}, nil
}

var _ Objects = (*DiskObjects)(nil)

// List implements Objects. Names that begin with a dot are the store's own.
func (d *DiskObjects) List(ctx context.Context, bucket, prefix string) ([]Object, error) {
	folder, err := d.path(bucket, prefix[:strings.LastIndex(prefix, "/")+1])
	if err != nil {
		return nil, err
	}
	base, err := d.path(bucket, "")
	if err != nil {
		return nil, err
	}
	var found []Object
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // removed while walking, or nothing there at all
			return nil
		case err != nil:
			return err
		case path != folder && strings.HasPrefix(entry.Name(), ".") && entry.IsDir():
			return filepath.SkipDir
		case !entry.Type().IsRegular():
			return ctx.Err()
		}
		key := filepath.ToSlash(strings.TrimPrefix(path, base+string(filepath.Separator)))
		if !strings.HasPrefix(key, prefix) {
			return nil
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			found = append(found, Object{Key: key, SizeBytes: info.Size(), Modified: info.ModTime().UnixMicro()})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list s3://%s/%s: %w", bucket, prefix, err)
	}
	return found, nil
}

// File implements Objects: the file is the store's own.
func (d *DiskObjects) File(_ context.Context, bucket string, o Object) (string, func(), error) {
	path, err := d.path(bucket, o.Key)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		return "", nil, fmt.Errorf("file of s3://%s/%s: %w", bucket, o.Key, err)
	}
	return path, func() {}, nil
}

// path returns where a key lies, and refuses names that lead elsewhere.
func (d *DiskObjects) path(bucket, key string) (string, error) {
	name, err := localName(bucket, key)
	if err != nil {
		return "", err
	}
	return filepath.Join(d.root, name), nil
}

// localName returns a bucket and key as a relative path that stays below where it is joined to.
func localName(bucket, key string) (string, error) {
	name := filepath.FromSlash(bucket + "/" + strings.TrimSuffix(key, "/"))
	if strings.ContainsAny(bucket, `/\`) || strings.HasPrefix(bucket, ".") || strings.Contains("/"+key, "//") || strings.ContainsRune(key, 0) ||
		!filepath.IsLocal(name) || strings.Contains("/"+key+"/", "/../") || strings.Contains("/"+key+"/", "/./") {
		return "", fmt.Errorf("s3://%s/%s cannot be a file", bucket, key)
	}
	return strings.TrimSuffix(name, string(filepath.Separator)), nil
}

// splitLocation takes an s3:// location apart; the prefix ends in a slash, so that it holds no neighbour's objects.
func splitLocation(location string) (bucket, prefix string, err error) {
	rest, ok := strings.CutPrefix(location, "s3://")
	if !ok {
		if rest, ok = strings.CutPrefix(location, "s3a://"); !ok {
			return "", "", fmt.Errorf("location %q is not one of s3://", location)
		}
	}
	bucket, prefix, _ = strings.Cut(rest, "/")
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	return bucket, prefix, nil
}

// hidden tells whether a name below a location, or a folder on the way to it, begins with _ or a dot.
func hidden(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, "_") || strings.HasPrefix(part, ".") {
			return true
		}
	}
	return false
}
