package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/versity/versitygw/backend/meta"
)

const (
	lockName = ".store.lock" // no bucket's name can begin with a dot
	lockMax  = 5 * time.Second
)

// takeDir makes a directory this process's own, after it has seen that a store can live there. A store whose parent was killed may
// take a moment to end, so it waits for the lock for a while.
func takeDir(ctx context.Context, dir string) (*flock.Flock, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the data directory: %w; choose a directory that can be written", err)
	}
	if err := (meta.XattrMeta{}).Test(dir); err != nil {
		return nil, withoutAttributes(dir, err)
	}
	path := filepath.Join(dir, lockName)
	lock := flock.New(path)
	waiting, cancel := context.WithTimeout(ctx, lockMax)
	defer cancel()
	taken, err := lock.TryLockContext(waiting, pollPeriod)
	switch {
	case taken:
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("lock %s: %w; choose a directory that can be written", path, err)
	case ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("lock %s: %w", path, err)
	default:
		return nil, fmt.Errorf("%w: %s is held by %s; stop that process or choose another directory", ErrLocked, dir, holder(path))
	}
	if err := markDir(path); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// markDir notes the owner in the lock's file, and tries on it what every object will need.
func markDir(path string) error {
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
		return fmt.Errorf("note the owner: %w; choose a directory that can be written, on a disk that is not full", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("note the owner: %w", err)
	}
	defer f.Close()
	if err := (meta.XattrMeta{}).StoreAttribute(f, "", "", "citystream.test", []byte("1")); err != nil {
		return withoutAttributes(filepath.Dir(path), err)
	}
	return nil
}

func withoutAttributes(dir string, err error) error {
	return fmt.Errorf("the file system of %s cannot hold the store: %w; it needs extended attributes of users: "+
		"choose a directory on ext4, xfs, btrfs, zfs or APFS", dir, err)
}

func holder(path string) string {
	note, err := os.ReadFile(path)
	if err != nil {
		return "another process"
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(note)))
	if err != nil {
		return "another process"
	}
	return fmt.Sprintf("process %d", pid)
}
