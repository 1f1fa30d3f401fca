package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A lab holds what one run of the benchmark starts: directories and processes. What fails ends the run, with its cleanups.
type lab struct {
	program  string // path of the citystream to be measured
	cleanups []func()
}

// broken is the panic of a run that cannot go on.
type broken struct{ message string }

func (l *lab) Helper() {}

// TempDir returns a new directory that is removed at the end.
func (l *lab) TempDir() string {
	dir, err := os.MkdirTemp("", "citystream-bench-")
	l.check(err)
	l.Cleanup(func() { _ = os.RemoveAll(dir) }) // what stays is in the system's directory for it
	return dir
}

func (l *lab) Cleanup(f func()) { l.cleanups = append(l.cleanups, f) }

func (l *lab) Fatal(args ...any) { panic(broken{fmt.Sprint(args...)}) }

func (l *lab) Fatalf(format string, args ...any) { l.Fatal(fmt.Sprintf(format, args...)) }

func (l *lab) check(err error) {
	if err != nil {
		l.Fatal(err)
	}
}

// close ends everything, the last first.
func (l *lab) close() {
	for _, f := range slices.Backward(l.cleanups) {
		f()
	}
	l.cleanups = nil
}

// apart runs f in a lab of its own, so that its processes and files are gone when it returns.
func (l *lab) apart(f func(*lab)) {
	inner := &lab{program: l.program}
	defer inner.close()
	f(inner)
}

// A process is one citystream that was started.
type process struct {
	lab   *lab
	cmd   *exec.Cmd
	lines chan string // of its standard output and error; closed at its end
	last  []string    // the last of them
}

// start runs citystream with arguments and further environment until the lab is closed.
func (l *lab) start(env []string, args ...string) *process {
	p := &process{lab: l, cmd: exec.Command(l.program, args...), lines: make(chan string, 1024)}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.SysProcAttr = dieWithParent()
	r, w := io.Pipe()
	p.cmd.Stdout, p.cmd.Stderr = w, w
	l.check(p.cmd.Start())
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(r); s.Scan(); {
			select {
			case p.lines <- s.Text():
			default: // nobody reads any more
			}
		}
	}()
	ended := make(chan struct{})
	go func() {
		_ = p.cmd.Wait() // how it ended shows in its lines
		_ = w.Close()    // of a pipe: never fails
		close(ended)
	}()
	l.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			_ = p.cmd.Process.Kill() // it may have ended just now
			<-ended
		}
	})
	return p
}

// drain takes in what the process has said.
func (p *process) drain() {
	for {
		select {
		case line, more := <-p.lines:
			if !more {
				return
			}
			p.last = append(p.last, line)
		default:
			return
		}
	}
}

// say waits for a line with the given words and returns what follows them, up to the next blank or comma.
func (p *process) say(words string) string {
	deadline := time.After(time.Minute)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				p.lab.Fatalf("%s ended:\n%s", strings.Join(p.cmd.Args[:2], " "), strings.Join(p.last, "\n"))
			}
			p.last = append(p.last, line)
			if _, rest, found := strings.Cut(line, words); found {
				rest, _, _ = strings.Cut(rest, " ")
				return strings.TrimSuffix(rest, ",")
			}
		case <-deadline:
			p.lab.Fatalf("%s did not say %q within a minute:\n%s", strings.Join(p.cmd.Args[:2], " "), words, strings.Join(p.last, "\n"))
		}
	}
}
