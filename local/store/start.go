package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

const (
	startMax = 20 * time.Second // the waiting for a former owner of the directory included
	closeMax = stopMax + 2*time.Second
)

// ChildOptions say how to run the store as a child process.
type ChildOptions struct {
	// Args make the executable call ServeChild with the wanted directory and address. No secrets: everybody on the machine sees them.
	Args       []string
	Executable string // default: the one that runs now

	AccessKey string
	SecretKey string
	Buckets   []string // made if they are missing

	StartMax time.Duration // until it must be ready, default 20 s
	Logger   *slog.Logger  // for what the child prints, default none
}

// A Child is a store that runs as a child process. Its methods are safe for concurrent use.
type Child struct {
	process *os.Process
	stdin   io.Closer
	addr    string
	words   *lastWords

	done    chan struct{}
	mu      sync.Mutex
	closing bool
	err     error // why it ended by itself

	once     sync.Once
	closeErr error
}

// Start runs the store as a child process and returns when it is ready. ctx bounds the starting, not the child's life, which ends by
// Close or with this process.
func Start(ctx context.Context, o ChildOptions) (*Child, error) {
	c, reports, err := spawn(o)
	if err != nil {
		return nil, fmt.Errorf("start the embedded store: %w", err)
	}
	if o.StartMax == 0 {
		o.StartMax = startMax
	}
	if err := c.await(ctx, reports, o.StartMax); err != nil {
		return nil, errors.Join(fmt.Errorf("start the embedded store: %w", err), c.abandon())
	}
	return c, nil
}

// spawn starts the process and hands over what it needs. The channel brings its answer.
func spawn(o ChildOptions) (*Child, <-chan report, error) {
	if o.Executable == "" {
		own, err := os.Executable()
		if err != nil {
			return nil, nil, fmt.Errorf("find the own executable: %w", err)
		}
		o.Executable = own
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	words := &lastWords{}
	reports := make(chan report, 1)
	cmd := exec.Command(o.Executable, o.Args...)
	cmd.SysProcAttr = ownGroup()
	cmd.WaitDelay = time.Second
	cmd.Stdout = &lineWriter{line: func(line string) { offer(reports, line) }}
	cmd.Stderr = &lineWriter{line: func(line string) {
		words.add(line)
		o.Logger.Warn("embedded store", "detail", line)
	}}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	c := &Child{process: cmd.Process, stdin: stdin, words: words, done: make(chan struct{})}
	go func() { c.ended(cmd.Wait()) }()
	line, err := json.Marshal(handover{AccessKey: o.AccessKey, SecretKey: o.SecretKey, Buckets: o.Buckets})
	if err != nil {
		return nil, nil, errors.Join(err, c.abandon())
	}
	_, _ = stdin.Write(append(line, '\n')) // where this fails the child has ended, and says why
	return c, reports, nil
}

// offer passes on the child's first line that is a report; there is room for it.
func offer(reports chan<- report, line string) {
	var r report
	if json.Unmarshal([]byte(line), &r) != nil || (r.Addr == "" && r.Error == "") {
		return
	}
	select {
	case reports <- r:
	default:
	}
}

// await waits for the child's answer.
func (c *Child) await(ctx context.Context, reports <-chan report, most time.Duration) error {
	timeout := time.NewTimer(most)
	defer timeout.Stop()
	for {
		select {
		case r := <-reports:
			c.addr = r.Addr
			return r.err()
		case <-c.done:
			select {
			case r := <-reports: // its last act
				if r.Error != "" {
					return r.err()
				}
			default:
			}
			return c.Err()
		case <-ctx.Done():
			return ctx.Err()
		case <-timeout.C:
			return fmt.Errorf("it is not ready after %v%s", most, c.words.quote())
		}
	}
}

// ended notes the child's end.
func (c *Child) ended(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closing {
		if err == nil {
			err = errors.New("exit status 0")
		}
		c.err = fmt.Errorf("the embedded store (process %d) ended by itself: %w%s", c.process.Pid, err, c.words.quote())
	}
	close(c.done)
}

// Addr returns the host:port where the store listens.
func (c *Child) Addr() string { return c.addr }

// PID returns the child's process id.
func (c *Child) PID() int { return c.process.Pid }

// Done is closed when the child has ended.
func (c *Child) Done() <-chan struct{} { return c.done }

// Err tells why the child ended by itself, with its last words; nil while it runs and after Close.
func (c *Child) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the child and waits for it: gently at first, by force after five seconds. A child that ended by itself before is an
// error. A second call returns what the first one did.
func (c *Child) Close() error {
	c.once.Do(func() { c.closeErr = c.stop() })
	return c.closeErr
}

func (c *Child) stop() error {
	c.mu.Lock()
	c.closing = true
	c.mu.Unlock()
	_ = c.stdin.Close() // fails only where it is closed
	select {
	case <-c.done:
		return c.Err()
	case <-time.After(closeMax):
	}
	if err := c.kill(); err != nil {
		return fmt.Errorf("close the embedded store: %w", err)
	}
	return fmt.Errorf("close the embedded store: process %d did not end within %v and was killed", c.process.Pid, closeMax)
}

// abandon ends a child that nobody will use, at once: there is nothing to lose.
func (c *Child) abandon() error {
	c.mu.Lock()
	c.closing = true
	c.mu.Unlock()
	_ = c.stdin.Close()
	return c.kill()
}

func (c *Child) kill() error {
	if err := c.process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill process %d: %w", c.process.Pid, err)
	}
	<-c.done
	return nil
}

const (
	lineBytesMax = 1 << 10
	linesMax     = 12
)

// A lineWriter passes on what is written to it line by line, long ones cut. One goroutine writes.
type lineWriter struct {
	line func(string)
	rest []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	for _, b := range p {
		switch {
		case b == '\n':
			w.line(string(w.rest))
			w.rest = w.rest[:0]
		case len(w.rest) < lineBytesMax:
			w.rest = append(w.rest, b)
		}
	}
	return len(p), nil
}

// lastWords keeps the last lines that a child printed.
type lastWords struct {
	mu    sync.Mutex
	lines []string
}

func (w *lastWords) add(line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines[max(0, len(w.lines)-linesMax+1):], line)
}

// quote returns the lines for the end of an error's text.
func (w *lastWords) quote() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.lines) == 0 {
		return ""
	}
	return "; its last words: " + strings.Join(w.lines, " | ")
}
