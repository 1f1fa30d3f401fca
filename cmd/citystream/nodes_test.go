package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"citystream/local/lab"
)

// nodes is a lab whose processes are this test's binary, and a fleet that drives into it.
type nodes struct {
	*testing.T
	lab     *lab.Lab
	dir     string
	masters map[string]*lab.Process
	workers map[string]*lab.Process
	fleet   *exec.Cmd
}

// quick are settings that suit a test: short enough to wait for, in the proportions of the defaults.
const quick = `flush:
  maxAge: 1s
master:
  discovery: 500ms
catalog:
  poll: 5s
`

func newNodes(t *testing.T, o lab.Options) *nodes {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o.Program, o.Dir = self, t.TempDir()
	o.Env = append(o.Env, "CITYSTREAM_TEST_MAIN=1")
	if o.Config == "" {
		o.Config = quick
	}
	l, err := lab.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	n := &nodes{T: t, lab: l, dir: o.Dir, masters: map[string]*lab.Process{}, workers: map[string]*lab.Process{}}
	t.Cleanup(func() {
		if t.Failed() {
			n.printLogs()
		}
		if err := l.Close(); err != nil {
			t.Errorf("the end of the cluster: %v", err)
		}
	})
	return n
}

// printLogs shows the end of each process's log.
func (n *nodes) printLogs() {
	for _, p := range n.lab.Processes() {
		b, err := os.ReadFile(p.Log)
		if err != nil {
			n.Log(err)
			continue
		}
		n.Logf("%s:\n%s", p.Name, b[max(0, len(b)-4000):])
	}
}

func (n *nodes) master(name string, env ...string) *lab.Process {
	n.Helper()
	p, err := n.lab.Master(n.Context(), name, env)
	if err != nil {
		n.Fatal(err)
	}
	n.masters[name] = p
	return p
}

func (n *nodes) worker(name string, env ...string) *lab.Process {
	n.Helper()
	p, err := n.lab.Worker(n.Context(), name, env)
	if err != nil {
		n.Fatal(err)
	}
	n.workers[name] = p
	return p
}

// run runs a command of citystream as a client of the lab.
func (n *nodes) run(args ...string) (out, errors string, err error) {
	n.Helper()
	c, stdout := citystream(n.T, args...)
	c.Env = append(c.Env, n.clientEnv()...)
	stderr := &bytes.Buffer{}
	c.Stderr = stderr
	err = c.Run()
	return stdout.String(), stderr.String(), err
}

func (n *nodes) clientEnv() []string {
	return []string{
		"AWS_CONFIG_FILE=" + filepath.Join(n.dir, "aws", "config"), "AWS_SHARED_CREDENTIALS_FILE=" + filepath.Join(n.dir, "aws", "credentials"),
	}
}

// drive lets a fleet drive to its end in the background, at a pace.
func (n *nodes) drive(vehicles, steps int, pace float64) {
	n.Helper()
	c, _ := citystream(n.T, "simulate", "--kafka", n.lab.Kafka, "--vehicles", fmt.Sprint(vehicles), "--steps", fmt.Sprint(steps),
		"--pace", fmt.Sprint(pace), "--data", n.TempDir())
	n.fleet = c
	if err := c.Start(); err != nil {
		n.Fatal(err)
	}
}

// driven waits for the end of the drive.
func (n *nodes) driven() {
	n.Helper()
	if err := n.fleet.Wait(); err != nil {
		n.Fatalf("the fleet: %v", err)
	}
}

// state asks the leader; it is nil while nobody leads.
func (n *nodes) state() *state {
	out, _, err := n.run("status", "--config", n.lab.Config, "--output", "json")
	var exit *exec.ExitError
	if err != nil && (!asExit(err, &exit) || out == "") {
		return nil
	}
	s := &state{}
	if err := json.Unmarshal([]byte(out), s); err != nil {
		n.Fatalf("%v in %s", err, out)
	}
	return s
}

func asExit(err error, exit **exec.ExitError) bool {
	e, ok := err.(*exec.ExitError)
	*exit = e
	return ok
}

// until waits for a state of the cluster.
func (n *nodes) until(what string, reached func(*state) bool) *state {
	n.Helper()
	var last *state
	for deadline := time.Now().Add(90 * time.Second); time.Now().Before(deadline); {
		if s := n.state(); s != nil {
			if last = s; reached(s) {
				return s
			}
		}
		<-time.After(50 * time.Millisecond)
	}
	n.Fatalf("%s: not reached: %+v", what, last)
	return nil
}

// shared says that each of the workers, and nobody else, reads its share.
func shared(partitions int, workers ...string) func(*state) bool {
	return func(s *state) bool {
		read := map[string]int{}
		for _, p := range s.Partitions {
			if p.Owned {
				read[p.Worker]++
			}
		}
		total := 0
		for _, w := range workers {
			total += read[w]
			if read[w] == 0 {
				return false
			}
		}
		return total == partitions && len(s.Workers) == len(workers) && len(s.Unassigned) == 0
	}
}

// rows says that so many records are committed.
func rows(want int64) func(*state) bool {
	return func(s *state) bool {
		got := int64(0)
		for _, p := range s.Partitions {
			got += p.Rows + p.DeadLetters
		}
		return got == want
	}
}

// proved proves that each record of the topics is in the files once.
func (n *nodes) proved(records int64) {
	n.Helper()
	out, errors, err := n.run("verify", "--config", n.lab.Config, "--s3", n.lab.S3, "--kafka", n.lab.Kafka, "--output", "json")
	if err != nil {
		n.Fatalf("verify: %v\n%s\n%s", err, out, errors)
	}
	var r struct {
		Proved bool `json:"proved"`
		Logs   []struct {
			Rows        int64 `json:"rows"`
			DeadLetters int64 `json:"dead_letters"`
		} `json:"logs"`
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		n.Fatal(err)
	}
	got := int64(0)
	for _, l := range r.Logs {
		got += l.Rows + l.DeadLetters
	}
	if !r.Proved || got != records {
		n.Errorf("proved %t, %d rows of %d records", r.Proved, got, records)
	}
}

// showsItself looks at what people and their tools look at.
func (n *nodes) showsItself() {
	n.Helper()
	out, _, err := n.run("lag", "--url", n.masters["m1"].Pages)
	if err != nil || !strings.Contains(out, "vehicle_data/vehicle_data/3") || !strings.Contains(out, "seconds behind") {
		n.Errorf("lag: %v\n%s", err, out)
	}
	for _, p := range []*lab.Process{n.masters["m1"], n.workers["w1"]} {
		for _, page := range []string{"healthz", "readyz"} {
			if _, errors, err := n.run("health", "--url", p.Pages+"/"+page); err != nil {
				n.Errorf("%s of %s: %v %s", page, p.Name, err, errors)
			}
		}
	}
}

const partitionsOfTheCity = 5 * 4

func TestNodesComeAndGoAndNoRecordIsLost(t *testing.T) {
	n := newNodes(t, lab.Options{Secure: true})
	n.master("m1")
	n.worker("w1")
	n.worker("w2")
	const vehicles, steps = 50, 60
	n.drive(vehicles, steps, 6) // half a second a step
	n.until("two workers share", shared(partitionsOfTheCity, "w1", "w2"))
	n.showsItself()

	n.master("m2")
	n.worker("w3")
	n.until("a third has its share", shared(partitionsOfTheCity, "w1", "w2", "w3"))

	n.workers["w1"].Kill()
	n.until("the others have a killed worker's share", shared(partitionsOfTheCity, "w2", "w3"))

	n.masters["m1"].Kill()
	s := n.until("another leads", func(s *state) bool { return s.Leader == "m2" && shared(partitionsOfTheCity, "w2", "w3")(s) })
	if s.Moves != 0 {
		t.Errorf("a change of leader moved %d partitions", s.Moves)
	}

	if err := n.workers["w2"].Terminate(); err != nil {
		t.Errorf("drain: %v", err)
	}
	n.until("the last has all", shared(partitionsOfTheCity, "w3"))
	n.worker("w1")
	n.until("one that was killed comes back", shared(partitionsOfTheCity, "w1", "w3"))

	n.driven()
	const records = vehicles * steps * 5
	n.until("all is committed", rows(records))
	n.proved(records)
}

func TestAWorkerWhoseNameAYoungerOneHasEnds(t *testing.T) {
	n := newNodes(t, lab.Options{})
	n.master("m1")
	older := n.worker("w1")
	n.until("it is a member", func(s *state) bool { return len(s.Workers) == 1 })
	n.worker("w1")
	select {
	case <-older.Ended():
	case <-time.After(30 * time.Second):
		t.Fatal("two workers of one name go on")
	}
	if err := older.Terminate(); err == nil || !strings.Contains(err.Error(), "same name") {
		t.Errorf("it ended with %v", err)
	}
}

func TestASecondSignalEndsAWorkerAtOnce(t *testing.T) {
	n := newNodes(t, lab.Options{})
	w := n.worker("w1") // without a master, so that its drain waits for one
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGTERM} {
		if err := w.Signal(s); err != nil {
			break // it was so quick
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	select {
	case <-w.Ended():
	case <-ctx.Done():
		t.Fatal("it goes on")
	}
	if err := w.Terminate(); err == nil {
		t.Error("a drain without a master ended as if it were clean")
	}
}
