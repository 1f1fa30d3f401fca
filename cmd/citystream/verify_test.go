package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"citystream/engine/adapter/s3"
	"citystream/engine/verify"
)

// service starts one embedded service as a process of its own, and returns its address.
func service(t *testing.T, name, dir string) string {
	t.Helper()
	c, _ := citystream(t, name, "--data", dir)
	c.Stdout = nil
	pipe, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGINT)
		_ = c.Wait() // it was told to end
	})
	line, err := bufio.NewReader(pipe).ReadString('\n')
	address := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(line)
	if address == "" {
		t.Fatalf("%s says %q, %v", name, line, err)
	}
	return address
}

// runVerification runs verify as a process; it must say by its exit code what its report says.
func runVerification(t *testing.T, args ...string) verify.Report {
	t.Helper()
	c, out := citystream(t, append([]string{"verify", "--output", "json"}, args...)...)
	said := &bytes.Buffer{}
	c.Stderr = said
	err := c.Run()
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	}
	var r verify.Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v in %s\n%s", err, out, said)
	}
	if r.Proved != (code == 0) || code > 1 {
		t.Fatalf("exit code %d, proved %t\n%s", code, r.Proved, said)
	}
	return r
}

func expectProved(t *testing.T, rows int64, args ...string) {
	t.Helper()
	r := runVerification(t, args...)
	got := int64(0)
	for _, l := range r.Logs {
		got += l.Rows
	}
	if !r.Proved || got != rows {
		t.Errorf("proved %t with %d rows, want %d: %v", r.Proved, got, rows, r.Violations)
	}
}

func TestVerifyProvesWhatUpLeavesAndFindsEachTampering(t *testing.T) {
	t.Setenv("CITYSTREAM_FLUSH_MAX_AGE", "1s")
	dir := t.TempDir()
	checkSummary(t, runUp(t, "--data", dir, "--vehicles", "3"), 300)
	expectProved(t, 1500, "--data", dir)
	kafka := service(t, "broker", dir)
	expectProved(t, 1500, "--data", dir, "--kafka", kafka)

	d := &dataDir{path: dir}
	k, err := readKeys(d.awsCredentials())
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := s3.Connect(t.Context(), s3.Options{Endpoint: "http://" + service(t, "store", dir), Bucket: "citystream", AccessKey: k.access, SecretKey: k.secret})
	if err != nil {
		t.Fatal(err)
	}
	files, err := bucket.List(t.Context(), "raw/gps_data/", "", 1)
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	slots, err := bucket.List(t.Context(), "_citystream/log/gps_data/gps_data/0/", "", 10)
	if err != nil || len(slots) < 3 {
		t.Fatal(slots, err)
	}
	file, slot := files[0].Key, ""
	for _, o := range slots {
		body, _, err := bucket.Get(t.Context(), o.Key)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(body, []byte(`"files":[`)) {
			slot = o.Key
			break
		}
	}
	shift := regexp.MustCompile(`"from":(\d+),"to":`)
	for name, c := range map[string]struct {
		key    string
		tamper func(body []byte) (key string, changed []byte) // nil deletes
		named  string
	}{
		"a file is deleted":    {file, func([]byte) (string, []byte) { return file, nil }, file},
		"a file is doubled":    {file, func(b []byte) (string, []byte) { return file + ".copy.parquet", b }, file + ".copy.parquet"},
		"a file is truncated":  {file, func(b []byte) (string, []byte) { return file, b[:len(b)/2] }, file},
		"a file is overturned": {file, func(b []byte) (string, []byte) { return file, flipped(b) }, file},
		"an offset is shifted": {slot, func(b []byte) (string, []byte) {
			return slot, shift.ReplaceAll(b, []byte(`"from":1${1},"to":`))
		}, "offset"},
		"an entry is edited": {slot, func(b []byte) (string, []byte) {
			return slot, bytes.Replace(b, []byte(`"rows":`), []byte(`"rows":1`), 1)
		}, "rows"},
		"an entry is deleted": {slot, func([]byte) (string, []byte) { return slot, nil }, "the slot is missing"},
		"a stray file":        {file, func([]byte) (string, []byte) { return "raw/gps_data/x.parquet", []byte("PAR1") }, "raw/gps_data/x.parquet"},
	} {
		t.Run(name, func(t *testing.T) {
			before, _, err := bucket.Get(t.Context(), c.key)
			if err != nil {
				t.Fatal(err)
			}
			key, changed := c.tamper(bytes.Clone(before))
			if key == c.key && bytes.Equal(changed, before) {
				t.Fatal("nothing was changed")
			}
			if changed == nil {
				err = bucket.Delete(t.Context(), key)
			} else {
				err = bucket.Put(t.Context(), key, changed)
			}
			if err != nil {
				t.Fatal(err)
			}
			r := runVerification(t, "--data", dir)
			if r.Proved || !strings.Contains(strings.Join(texts(r), "\n"), c.named) {
				t.Errorf("proved %t: %v", r.Proved, r.Violations)
			}
			if key != c.key {
				err = bucket.Delete(t.Context(), key)
			} else {
				err = bucket.Put(t.Context(), key, before)
			}
			if err != nil {
				t.Fatal(err)
			}
		})
	}
	expectProved(t, 1500, "--data", dir)
}

// flipped returns bytes with one in the middle of the rows changed.
func flipped(b []byte) []byte {
	b[len(b)/4] ^= 0xff
	return b
}

func texts(r verify.Report) []string {
	var all []string
	for _, v := range r.Violations {
		all = append(all, v.String())
	}
	return all
}
