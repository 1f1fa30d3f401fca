package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestAFileOfRowsIsMadeOnlyWhenThereAreSome(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "out.csv")
	if err := os.WriteFile(name, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	failed := errors.New("the statement does not start")
	if err := intoFile(name, func(io.Writer) error { return failed }); !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}
	if b, err := os.ReadFile(name); err != nil || string(b) != "before" {
		t.Errorf("a statement that failed has left %q, %v", b, err)
	}
	if err := intoFile(name, func(w io.Writer) error { _, err := io.WriteString(w, "rows"); return err }); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(name); err != nil || string(b) != "rows" {
		t.Errorf("the file has %q, %v", b, err)
	}
	if err := intoFile(name, func(io.Writer) error { return nil }); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(name); err != nil || len(b) != 0 {
		t.Errorf("a statement without rows has left %q, %v", b, err)
	}
}

func TestAFileThatCannotBeClosedIsAnError(t *testing.T) {
	t.Parallel()
	err := intoFile(filepath.Join(t.TempDir(), "out.csv"), func(w io.Writer) error {
		if _, err := io.WriteString(w, "rows"); err != nil {
			return err
		}
		return w.(*lateFile).file.Close() // so that closing it fails
	})
	if !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
