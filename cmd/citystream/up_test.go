package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test's binary be citystream itself: tests start it as a process, and it starts its store the same way.
func TestMain(m *testing.M) {
	if os.Getenv("CITYSTREAM_TEST_MAIN") != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func citystream(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self, args...)
	c.Env = append(os.Environ(), "CITYSTREAM_TEST_MAIN=1",
		"CITYSTREAM_EMBEDDED_BROKER=127.0.0.1:0", "CITYSTREAM_EMBEDDED_STORE=127.0.0.1:0", "CITYSTREAM_EMBEDDED_AWS=127.0.0.1:0", "CITYSTREAM_EMBEDDED_METRICS=127.0.0.1:0")
	out := &bytes.Buffer{}
	c.Stdout = out
	c.WaitDelay = 10 * time.Second
	return c, out
}

// up runs up to its end and returns the summary.
func runUp(t *testing.T, args ...string) summary {
	t.Helper()
	c, out := citystream(t, append([]string{"up", "--output", "json"}, args...)...)
	errors := &bytes.Buffer{}
	c.Stderr = errors
	if err := c.Run(); err != nil {
		t.Fatalf("%v\n%s", err, errors)
	}
	var s summary
	if err := json.Unmarshal(out.Bytes(), &s); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return s
}

func checkSummary(t *testing.T, s summary, each int64) {
	t.Helper()
	if !s.Complete || len(s.Tables) != 5 {
		t.Fatalf("%+v", s)
	}
	for _, row := range s.Tables {
		want := derivedSummary{Name: "citystream." + row.Name, Kind: "redshift", Source: row.Name, Counts: each, Rows: each, Raw: each, Equal: true}
		if !slices.Contains(s.Derived, want) {
			t.Errorf("%+v is not among %+v", want, s.Derived)
		}
		if row.Acknowledged != each || row.Committed != each || row.Files == 0 || row.Windows == 0 || row.Watermark == "" {
			t.Errorf("%+v, want %d records", row, each)
		}
	}
}

// checkTransformed holds what a transform has made against its raw table.
func checkTransformed(t *testing.T, s summary, each int64) {
	t.Helper()
	i := slices.IndexFunc(s.Derived, func(d derivedSummary) bool { return d.Kind == "transform" })
	if i < 0 || !s.Derived[i].Equal || s.Derived[i].Raw != each || s.Derived[i].Rows == 0 || s.Derived[i].Rows >= each {
		t.Errorf("%+v", s.Derived)
	}
}

// count asks for the rows of a table and its distinct places in Kafka.
func count(t *testing.T, dir, table string) string {
	t.Helper()
	c, out := citystream(t, "query", "--data", dir, "--output", "csv",
		"SELECT count(*), count(DISTINCT kafka_partition || '/' || kafka_offset), count(DISTINCT id) FROM "+table)
	c.Stderr = os.Stderr
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	return lines[len(lines)-1]
}

func TestUpBringsEveryRecordToSQLOnce(t *testing.T) {
	dir := t.TempDir()
	s := runUp(t, "--data", dir, "--vehicles", "20")
	checkSummary(t, s, 2000)
	checkTransformed(t, s, 2000)
	if got := count(t, dir, "weather_data"); got != "2000,2000,2000" {
		t.Errorf("SQL sees %s", got)
	}
	checkQueryForms(t, dir)
	checkLoads(t, dir)
	for _, name := range []string{"config", "credentials"} {
		info, err := os.Stat(dir + "/aws/" + name)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

func TestUpGoesOnAfterKillMinus9(t *testing.T) {
	dir := t.TempDir()
	c, _ := citystream(t, "up", "--data", dir, "--vehicles", "20", "--pace", "60") // 5 s of driving
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; {
		files, err := filepath.Glob(filepath.Join(dir, "store", "*", "raw", "*", "*", "*", "*.parquet"))
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("no file has appeared: %v", err)
		}
		if len(files) > 0 {
			break
		}
		<-time.After(10 * time.Millisecond)
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err == nil || c.ProcessState.ExitCode() >= 0 {
		t.Fatalf("it has ended before it was killed: %v", err)
	}
	checkSummary(t, runUp(t, "--data", dir, "--vehicles", "20"), 2000)
	if got := count(t, dir, "vehicle_data"); got != "2000,2000,2000" {
		t.Errorf("SQL sees %s", got)
	}
	expectProved(t, 10_000, "--data", dir, "--kafka", service(t, "broker", dir))
}

func TestASecondUpOnTheSameDataSaysWhoHoldsIt(t *testing.T) {
	dir := t.TempDir()
	d, err := openDataDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	c, _ := citystream(t, "up", "--data", dir)
	errors := &bytes.Buffer{}
	c.Stderr = errors
	if err := c.Run(); err == nil || !strings.Contains(errors.String(), "process ") {
		t.Fatalf("%v: %s", err, errors)
	}
}
