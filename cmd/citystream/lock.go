package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/gofrs/flock"
)

// dataDir is a data directory that this process holds alone.
type dataDir struct {
	path string // absolute
	lock *flock.Flock
}

// openDataDir makes the directory where it is missing and locks it. The lock goes with the process, however that ends.
func openDataDir(path string) (*dataDir, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("data directory %s: %w", path, err)
	}
	if err := os.MkdirAll(abs, 0o755); err != nil {
		return nil, fmt.Errorf("the data directory cannot be made: %w: choose another with --data DIR", err)
	}
	name := filepath.Join(abs, "lock")
	lock := flock.New(name)
	got, err := lock.TryLock()
	switch {
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.EPERM):
		return nil, fmt.Errorf("the data directory %s cannot be written (%w): make it writable for this user, or choose another with --data DIR", abs, err)
	case err != nil:
		return nil, fmt.Errorf("lock %s: %w", name, err)
	case !got:
		return nil, fmt.Errorf("%s is in use by another citystream (%s): stop that one, or choose another directory with --data DIR", abs, holder(name))
	}
	if err := os.WriteFile(name, fmt.Appendf(nil, "process %d\n", os.Getpid()), 0o644); err != nil {
		_ = lock.Unlock() // the error that is returned says what matters
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	return &dataDir{path: abs, lock: lock}, nil
}

// inUse reports whether a process holds the data directory.
func inUse(path string) bool {
	lock := flock.New(filepath.Join(path, "lock"), flock.SetFlag(os.O_RDONLY))
	got, err := lock.TryRLock()
	if err != nil {
		return false
	}
	if got {
		_ = lock.Unlock() // taken just above
	}
	return !got
}

// holder says who wrote the lock file.
func holder(name string) string {
	b, err := os.ReadFile(name)
	if text := strings.TrimSpace(string(b)); err == nil && text != "" {
		return text
	}
	return "an unknown process"
}

func (d *dataDir) join(elem ...string) string {
	return filepath.Join(append([]string{d.path}, elem...)...)
}

func (d *dataDir) close() error { return d.lock.Unlock() }
