package jvm

import (
	"bytes"
	"net"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// A Process is one server that runs. Not safe for concurrent use.
type Process struct {
	command *exec.Cmd
	ended   chan struct{}
	log     *lockedBuffer
}

// Command returns the command that runs a Java program in a directory; it ends with the process that started it.
func Command(dir, classPath string, args ...string) *exec.Cmd {
	c := exec.Command("java", append([]string{"-cp", classPath}, args...)...)
	c.Dir = dir
	dieWithParent(c)
	return c
}

// Start starts a server and waits until ready says that its log shows that it serves, or for the time it may take. What is the server's name.
func Start(t Host, what string, command *exec.Cmd, timeMax time.Duration, ready func(log string) bool) *Process {
	t.Helper()
	p := &Process{command: command, ended: make(chan struct{}), log: &lockedBuffer{}}
	command.Stdout, command.Stderr = p.log, p.log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = command.Wait() // its log says why it ended
		close(p.ended)
	}()
	deadline := time.After(timeMax)
	for !ready(p.log.String()) {
		select {
		case <-p.ended:
			t.Fatalf("%s has ended at its start:\n%s", what, p.log)
		case <-deadline:
			p.Kill()
			t.Fatalf("%s has not started within %s:\n%s", what, timeMax, p.log)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return p
}

// LogHas is a ready that waits for a text.
func LogHas(text string) func(string) bool {
	return func(log string) bool { return strings.Contains(log, text) }
}

// Kill ends the server as kill -9 does. It may be called again, and of no process.
func (p *Process) Kill() {
	if p != nil {
		_ = p.command.Process.Kill() // it may have ended by itself
		<-p.ended
	}
}

// FreePort returns a port on loopback that was free a moment ago.
func FreePort(t Host) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// lockedBuffer is written by a process and read by a test.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
