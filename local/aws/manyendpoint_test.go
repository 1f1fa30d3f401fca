//go:build cgo

package aws

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The endpoint of TestManyHivePartitions runs in a process of its own, which is this test's binary started again: the memory that it takes
// is then the endpoint's alone. It says its address in a line, and ends with its standard input.

const endpointVariable = "CITYSTREAM_TEST_ENDPOINT" // endpointOptions as JSON: this process is the endpoint

func TestMain(m *testing.M) {
	if text := os.Getenv(endpointVariable); text != "" {
		if err := serveEndpoint(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

type endpointOptions struct{ Dir, Lake string }

func serveEndpoint(text string) error {
	var o endpointOptions
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	objects, err := NewDiskObjects(o.Lake)
	if err != nil {
		return err
	}
	s, err := Open(Options{Dir: o.Dir, Listen: "127.0.0.1:0", AccessKey: testKey, SecretKey: testSecret, Region: testRegion, Objects: objects})
	if err != nil {
		return err
	}
	fmt.Println(s.Addr())
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return s.Close()
}

// An endpointProcess is a running one.
type endpointProcess struct {
	*testing.T
	addr string
	took time.Duration // to start
	cmd  *exec.Cmd
	in   io.Closer
}

func startEndpoint(t *testing.T, o endpointOptions) *endpointProcess {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	p := &endpointProcess{T: t, cmd: exec.Command(os.Args[0])}
	p.cmd.Env, p.cmd.Stderr = append(os.Environ(), endpointVariable+"="+string(text)), os.Stderr
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.in = in
	t.Cleanup(p.end)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the endpoint's process says no address: %v", err)
	}
	p.addr, p.took = strings.TrimSpace(line), time.Since(began)
	return p
}

// end ends the process, the first time it is called.
func (p *endpointProcess) end() {
	if p.in == nil {
		return
	}
	if err := p.in.Close(); err != nil {
		p.Error(err)
	}
	p.in = nil
	if err := p.cmd.Wait(); err != nil {
		p.Errorf("the endpoint's process: %v", err)
	}
}

// memory returns the process' memory in MB: what is resident, and the most that was. Where the system tells nothing of it both are 0.
func (p *endpointProcess) memory() (now, peak int64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		switch {
		case err != nil:
		case name == "VmRSS":
			now = kib >> 10
		case name == "VmHWM":
			peak = kib >> 10
		}
	}
	return now, peak
}
