package main

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// stayUp starts an up without a fleet, and returns its Kafka address and what ends it.
func stayUp(t *testing.T, data, config string) (address string, end func()) {
	t.Helper()
	c, _ := citystream(t, "up", "--stay", "--vehicles", "0", "--data", data, "--config", config, "--output", "json")
	pipe, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(pipe)
	for address == "" && lines.Scan() {
		if words := strings.Fields(lines.Text()); len(words) > 1 && words[0] == "Kafka" {
			address = words[1]
		}
	}
	go func() {
		for lines.Scan() { // so that the process never waits for a reader
		}
	}()
	return address, func() {
		if err := c.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); err != nil {
			t.Fatalf("after Ctrl-C: %v", err)
		}
	}
}

func TestReplayDecodesDeadLettersAgainAfterAChangeOfTheTable(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
	after := strings.Replace(ordersYAML, "  - city\n", "", 1)
	before := strings.Replace(after, "name: total, type: double", "name: total, type: double, required: true", 1)
	kafka, end := stayUp(t, data, write("before.yaml", before))
	produce(t, kafka,
		`{"head":{"id":"a1","placedAt":1767323045123},"amounts":[12.5]}`,
		`{"head":{"id":"a2","placedAt":1767323045123}}`,
		`{"head":{"id":"a3","placedAt":1767323045123}}`,
		`never JSON`)
	until(t, data, "SELECT count(*) FROM dead_letters", "3")
	end()

	changed := write("after.yaml", after)
	kafka, end = stayUp(t, data, changed)
	defer end()
	for i, want := range []int64{3, 1} { // the one that cannot be decoded comes back as a new dead letter
		until(t, data, "SELECT count(*) FROM dead_letters", []string{"3", "4"}[i])
		c, out := citystream(t, "replay", "--table", "orders", "--data", data, "--config", changed, "--kafka", kafka, "--output", "json")
		c.Stderr = os.Stderr
		if err := c.Run(); err != nil {
			t.Fatal(err)
		}
		var done []replayed
		if err := json.Unmarshal(out.Bytes(), &done); err != nil {
			t.Fatal(err)
		}
		sent := int64(0)
		for _, d := range done {
			sent += d.Sent
		}
		if sent != want {
			t.Errorf("replay %d sent %d, want %d: %+v", i, sent, want, done)
		}
	}
	until(t, data, "SELECT count(*), count(DISTINCT number), max(number) FROM orders", "3,3,a3")
}
