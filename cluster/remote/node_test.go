package remote

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"citystream/messages"
)

// Tests with nodes run each in a process of its own: the test's binary, started again. Two in one process race in protoactor. A node takes
// commands as lines of its standard input and answers each by a line.

const nodeVariable = "CITYSTREAM_TEST_NODE" // Options as JSON: this process is a node

func TestMain(m *testing.M) {
	if text := os.Getenv(nodeVariable); text != "" {
		os.Exit(runNode(text))
	}
	os.Exit(m.Run())
}

func runNode(text string) int {
	var o Options
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		panic(err)
	}
	o.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	r, err := Start(o)
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	answered := int64(0)
	props := actor.PropsFromFunc(func(c actor.Context) {
		if _, ok := c.Message().(*messages.Heartbeat); ok {
			answered++
			c.Respond(&messages.HeartbeatAck{Epoch: int64(os.Getpid()), Beat: answered})
		}
	})
	if _, err := r.System().Root.SpawnNamed(props, "echo"); err != nil {
		panic(err)
	}
	fmt.Println("address", r.Address())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		fmt.Println(obey(r, strings.Fields(in.Text())))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for range 2 { // the second finds it stopped
		if err := r.Stop(ctx); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	if l, err := net.Listen("tcp", r.Address()); err != nil {
		fmt.Fprintln(os.Stderr, "something listens still:", err)
		return 1
	} else if err := l.Close(); err != nil {
		panic(err)
	}
	return 0
}

func obey(r *Remote, words []string) string {
	switch command, at := words[0], actor.NewPID(words[1], "echo"); command {
	case "ask", "bulk":
		m := &messages.Heartbeat{}
		if command == "bulk" {
			m.Worker = strings.Repeat("bulk", 8<<20) // 32 MiB
		}
		answer, err := r.System().Root.RequestFuture(at, m, 5*time.Second).Result()
		if err != nil {
			return "error " + err.Error()
		}
		a := answer.(*messages.HeartbeatAck)
		return fmt.Sprint("answer ", a.GetEpoch(), a.GetBeat())
	case "send":
		r.System().Root.Send(at, &messages.Heartbeat{})
		return "sent"
	case "watch": // says in the log when it learns that the other has ended, and that it does watch
		r.System().Root.Spawn(actor.PropsFromFunc(func(c actor.Context) {
			switch m := c.Message().(type) {
			case *actor.Started:
				c.Watch(at)
			case *actor.Terminated:
				fmt.Fprintln(os.Stderr, "ended", m.GetWho().GetAddress(), m.GetWhy())
			}
		}))
		return "watching"
	case "end":
		r.System().Root.Stop(r.System().NewLocalPID("echo"))
		return "told"
	case "garble": // sends what is no protobuf message
		r.System().Root.Send(at, struct{ secret string }{"hidden"})
		return "sent"
	case "expires":
		return r.CertificateExpires().UTC().Format(time.RFC3339)
	}
	return "error what?"
}

// node is a process.
type node struct {
	address string
	process *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Scanner
	said    *lines // its log
	killed  bool
	beat    int // its last answer to anyone, where the test counts
}

// startNode starts a node that ends with the test.
func startNode(t *testing.T, o Options) *node {
	t.Helper()
	n, line := launch(t, o)
	address, ok := strings.CutPrefix(line, "address ")
	if !ok {
		t.Fatalf("the node says %q\n%s", line, n.said)
	}
	n.address = address
	return n
}

// launch starts a node and returns its first line.
func launch(t *testing.T, o Options) (*node, string) {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{process: exec.Command(os.Args[0]), said: newLines()}
	n.process.Env = append(os.Environ(), nodeVariable+"="+string(text), "GORACE=atexit_sleep_ms=0") // which waits a second by default
	n.process.Stderr = n.said
	if n.in, err = n.process.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := n.process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.process.Start(); err != nil {
		t.Fatal(err)
	}
	n.out = bufio.NewScanner(out)
	n.out.Scan()
	line := n.out.Text()
	t.Cleanup(func() {
		if n.killed {
			return
		}
		_ = n.in.Close() // it ends by that
		err := n.process.Wait()
		if said := n.said.String(); err != nil && n.address != "" || strings.Contains(said, "DATA RACE") {
			t.Errorf("node %s ends: %v\n%s", n.address, err, said)
		}
	})
	return n, line
}

// kill ends a node by SIGKILL.
func (n *node) kill(t *testing.T) {
	t.Helper()
	n.killed = true
	if err := n.process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = n.process.Wait() // says that it was killed
}

// tell gives a node a command and returns its answer.
func (n *node) tell(t *testing.T, words ...string) string {
	t.Helper()
	if _, err := fmt.Fprintln(n.in, strings.Join(words, " ")); err != nil {
		t.Fatalf("tell node %s: %v\n%s", n.address, err, n.said)
	}
	if !n.out.Scan() {
		t.Fatalf("node %s does not answer\n%s", n.address, n.said)
	}
	return n.out.Text()
}

// ask lets a node ask another, which must answer as the process that it was, with the actor that it had: that counts its answers.
func (n *node) ask(t *testing.T, other *node) {
	t.Helper()
	n.request(t, "ask", other)
}

func (n *node) request(t *testing.T, command string, other *node) {
	t.Helper()
	want := fmt.Sprint("answer ", other.process.Process.Pid, other.beat+1)
	if got := n.tell(t, command, other.address); got != want {
		t.Fatalf("node %s answers %q, want %q\nlog of who asked:\n%s\nlog of who answers:\n%s", other.address, got, want, n.said, other.said)
	}
	other.beat++
}

// waitForLog waits until a node's log tells of something.
func (n *node) waitForLog(t *testing.T, part string) string {
	t.Helper()
	line, ok := n.said.wait(part, 20*time.Second)
	if !ok {
		t.Fatalf("node %s never tells of %q:\n%s", n.address, part, n.said)
	}
	return line
}

// lines is a log that can be waited for.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{} // closed at the next write
}

func newLines() *lines { return &lines{more: make(chan struct{})} }

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.more)
	l.more = make(chan struct{})
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lines) wait(part string, patience time.Duration) (string, bool) {
	late := time.After(patience)
	for {
		l.mu.Lock()
		text, more := l.text.String(), l.more
		l.mu.Unlock()
		for line := range strings.Lines(text) {
			if strings.Contains(line, part) {
				return line, true
			}
		}
		select {
		case <-more:
		case <-late:
			return "", false
		}
	}
}
