package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Process is one process of a lab. Safe for concurrent use.
type Process struct {
	Role, Name string
	Address    string // of a node's actors
	Pages      string // URL of a node's pages
	Log        string // file of what it writes to standard error

	c     *exec.Cmd
	said  string // its first line
	ended chan struct{}
	err   error // once it has ended
	told  atomic.Bool
	asked atomic.Bool // how it ended has been returned
}

// start starts a process, and waits for the first line that it says: it is up then.
func (l *Lab) start(ctx context.Context, role, name string, env []string, args ...string) (*Process, error) {
	p := &Process{Role: role, Name: name, Log: filepath.Join(l.o.Dir, "log", name+".log"), ended: make(chan struct{})}
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.c = exec.Command(l.o.Program, args...)
	p.c.Env = append(append([]string{}, l.env...), env...)
	p.c.Stderr = log
	p.c.SysProcAttr = ownGroup() // so that Ctrl-C in a terminal is the lab's, which ends them in order
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.c.Stdout = in
	if err := errors.Join(p.c.Start(), in.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", name, err), out.Close())
	}
	go func() {
		p.err = p.c.Wait()
		close(p.ended)
	}()
	l.mu.Lock()
	l.processes = append(l.processes, p)
	l.mu.Unlock()
	lines := make(chan string, 1)
	go func() {
		defer out.Close()
		r := bufio.NewReader(out)
		line, _ := r.ReadString('\n')
		lines <- strings.TrimSpace(line)
		_, _ = io.Copy(io.Discard, r) // until it ends
	}()
	timer := time.NewTimer(startMax)
	defer timer.Stop()
	select {
	case p.said = <-lines:
		if p.said != "" {
			return p, nil
		}
		<-p.ended
		return nil, fmt.Errorf("%s has ended: %w: %s", name, p.err, p.lastWords())
	case <-timer.C:
		p.Kill()
		return nil, fmt.Errorf("%s is not up after %s: %s", name, startMax, p.lastWords())
	case <-ctx.Done():
		p.Kill()
		return nil, ctx.Err()
	}
}

// word returns the word of the first line that follows a mark.
func (p *Process) word(mark string) string {
	_, rest, _ := strings.Cut(p.said, mark)
	word, _, _ := strings.Cut(rest, " ")
	return strings.Trim(word, ",")
}

// lastWords returns the end of a process's log.
func (p *Process) lastWords() string {
	b, err := os.ReadFile(p.Log)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(b[max(0, len(b)-2000):]))
}

// Signal sends a signal; a process that has ended takes none.
func (p *Process) Signal(s syscall.Signal) error {
	select {
	case <-p.ended:
		return os.ErrProcessDone
	default:
	}
	return p.c.Process.Signal(s)
}

// Kill ends it with SIGKILL, and waits for that.
func (p *Process) Kill() {
	p.told.Store(true)
	_ = p.Signal(syscall.SIGKILL) // it may have ended already
	<-p.ended
}

func (p *Process) terminate() {
	p.told.Store(true)
	_ = p.Signal(syscall.SIGTERM) // it may have ended already
	_ = p.Signal(syscall.SIGCONT) // or be paused
}

// Terminate lets it end in good order, and returns how it did.
func (p *Process) Terminate() error {
	p.terminate()
	return p.end(endMax)
}

// end waits for the end of a process that was told to, and kills it where that takes too long. It returns once how the process ended; one that was
// killed before is no error.
func (p *Process) end(patience time.Duration) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.ended:
	case <-timer.C:
		p.Kill()
		return fmt.Errorf("%s did not end within %s, and was killed: %s", p.Name, patience, p.lastWords())
	}
	if p.asked.Swap(true) {
		return nil
	}
	var exit *exec.ExitError
	if errors.As(p.err, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
			return nil
		}
	}
	if p.err != nil {
		return fmt.Errorf("%s: %w: %s", p.Name, p.err, p.lastWords())
	}
	return nil
}

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Told says whether the process was told to end.
func (p *Process) Told() bool { return p.told.Load() }

// PID returns the process's number.
func (p *Process) PID() int { return p.c.Process.Pid }
