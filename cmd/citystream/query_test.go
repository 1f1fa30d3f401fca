package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"citystream/actors"
)

// checkQueryForms runs one statement in each of the ways to give it and to write its rows.
func checkQueryForms(t *testing.T, dir string) {
	t.Helper()
	const sql = "SELECT 1 AS one, NULL AS nothing, 'a,b' AS text"
	file, out := filepath.Join(t.TempDir(), "q.sql"), filepath.Join(t.TempDir(), "rows.json")
	if err := os.WriteFile(file, []byte(sql+" ;\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const asCSV = "one,nothing,text\n1,,\"a,b\"\n"
	for name, args := range map[string][]string{
		"an argument": {sql}, "--file": {"--file", file}, "a file behind --": {"--", file},
	} {
		c, said := citystream(t, append([]string{"query", "--data", dir, "--output", "csv"}, args...)...)
		c.Stderr = os.Stderr
		if err := c.Run(); err != nil || said.String() != asCSV {
			t.Errorf("%s: %v, %q", name, err, said)
		}
	}
	c, said := citystream(t, "query", "--data", dir, "--out", out, sql)
	c.Stderr = os.Stderr
	if err := c.Run(); err != nil || said.Len() > 0 {
		t.Errorf("--out: %v, %q", err, said)
	}
	if got, err := os.ReadFile(out); err != nil || string(got) != "[\n{\"one\":1,\"nothing\":null,\"text\":\"a,b\"}\n]\n" {
		t.Errorf("--out: %q, %v", got, err)
	}
	c, _ = citystream(t, "query", "--data", dir)
	if err := c.Run(); err == nil || c.ProcessState.ExitCode() != exitUsage {
		t.Errorf("without a statement: %v", err)
	}
}

// checkLoads reloads one Hive partition of each table, after which nothing has changed.
func checkLoads(t *testing.T, dir string) {
	t.Helper()
	status := func() []actors.TableLoads {
		c, said := citystream(t, "load", "status", "--data", dir, "--output", "json")
		c.Stderr = os.Stderr
		var all []actors.TableLoads
		if err := c.Run(); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(said.Bytes(), &all); err != nil {
			t.Fatal(err, said)
		}
		return all
	}
	c, said := citystream(t, "query", "--data", dir, "--output", "csv", "SELECT DISTINCT 'date=' || date || '/hour=' || hour FROM gps_data ORDER BY 1")
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	partition := strings.Split(said.String(), "\n")[1]
	c, said = citystream(t, "load", "reload", "--data", dir, "--table", "gps_data", "--partition", partition)
	c.Stderr = os.Stderr
	if err := c.Run(); err != nil || !strings.Contains(said.String(), partition) {
		t.Errorf("reload of %s: %v, %s", partition, err, said)
	}
	for _, s := range status() {
		if s.Rows != 2000 || s.Counted != 2000 || s.Pending != 0 || s.Commits == 0 {
			t.Errorf("%+v", s)
		}
	}
}
