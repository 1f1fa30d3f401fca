package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestConfigCheckTellsOfEachFaultOfAFile(t *testing.T) {
	t.Parallel()
	check := func(text string) (string, error) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "citystream.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, out := root(), &bytes.Buffer{}
		c.SetOut(out)
		c.SetArgs([]string{"config", "check", file})
		err := c.ExecuteContext(t.Context())
		return out.String(), err
	}
	if said, err := check("flush: {maxAge: 10s}\n"); err != nil || !strings.Contains(said, "no faults") {
		t.Errorf("a right file gets %q, %v", said, err)
	}
	if _, err := check("flush: {maxAge: soon}\nnodes: {}\n"); err == nil || !strings.Contains(err.Error(), "citystream.yaml:1:17") || !strings.Contains(err.Error(), "nodes") {
		t.Errorf("two faults get %v", err)
	}
}
