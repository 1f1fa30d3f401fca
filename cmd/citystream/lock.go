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

// dataDir is a data directory that this process holds: alone, or as one of its services.
type dataDir struct {
	path  string // absolute
	locks []*flock.Flock
}

// openDataDir makes the directory where it is missing and locks it. The lock goes with the process, however that ends.
func openDataDir(path string) (*dataDir, error) {
	abs, err := makeDir(path)
	if err != nil {
		return nil, err
	}
	d := &dataDir{path: abs}
	if err := d.take("lock", (*flock.Flock).TryLock); err != nil {
		return nil, err
	}
	return d, nil
}

// openService locks the part of the directory that a service alone uses, beside other services of it.
func openService(path, service string) (*dataDir, error) {
	abs, err := makeDir(path)
	if err != nil {
		return nil, err
	}
	if _, err := makeDir(filepath.Join(abs, service)); err != nil {
		return nil, err
	}
	d := &dataDir{path: abs}
	if err := d.take("lock", (*flock.Flock).TryRLock); err != nil {
		return nil, err
	}
	if err := d.take(service+".lock", (*flock.Flock).TryLock); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func makeDir(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("data directory %s: %w", path, err)
	}
	if err := os.MkdirAll(abs, 0o755); err != nil {
		return "", fmt.Errorf("the data directory cannot be made: %w: choose another with --data DIR", err)
	}
	return abs, nil
}

// take locks a file of the directory, and writes into it who has.
func (d *dataDir) take(file string, try func(*flock.Flock) (bool, error)) error {
	abs, name := d.path, d.join(file)
	lock := flock.New(name)
	got, err := try(lock)
	switch {
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.EPERM):
		return fmt.Errorf("the data directory %s cannot be written (%w): make it writable for this user, or choose another with --data DIR", abs, err)
	case err != nil:
		return fmt.Errorf("lock %s: %w", name, err)
	case !got:
		return fmt.Errorf("%s is in use by another citystream (%s): stop that one, or choose another directory with --data DIR", abs, holder(name))
	}
	if err := os.WriteFile(name, fmt.Appendf(nil, "process %d\n", os.Getpid()), 0o644); err != nil {
		_ = lock.Unlock() // the error that is returned says what matters
		return fmt.Errorf("write %s: %w", name, err)
	}
	d.locks = append(d.locks, lock)
	return nil
}

// inUse reports whether a process holds the data directory, or a service alone its part of it.
func inUse(path, service string) bool {
	return isLocked(filepath.Join(path, service+".lock"), (*flock.Flock).TryLock) || isLocked(filepath.Join(path, "lock"), (*flock.Flock).TryRLock)
}

func isLocked(name string, try func(*flock.Flock) (bool, error)) bool {
	lock := flock.New(name, flock.SetFlag(os.O_RDONLY))
	got, err := try(lock)
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

func (d *dataDir) close() error {
	var errs []error
	for _, lock := range d.locks {
		errs = append(errs, lock.Unlock())
	}
	return errors.Join(errs...)
}
