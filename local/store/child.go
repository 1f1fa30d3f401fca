package store

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// A parent hands over what must not stand in a command line as one line of JSON on the child's standard input, and keeps that open:
// its end is the child's. The child answers with one line on its standard output.
type (
	handover struct {
		AccessKey string   `json:"access_key"`
		SecretKey string   `json:"secret_key"`
		Buckets   []string `json:"buckets"`
	}
	report struct {
		Addr  string `json:"addr,omitempty"`
		Error string `json:"error,omitempty"`
		Kind  string `json:"kind,omitempty"` // of the error, where it is a sentinel
	}
)

const (
	handoverBytesMax = 64 << 10
	stopMax          = 3 * time.Second // for requests under way when the store ends
)

// sentinels are the errors that keep their identity on the way from child to parent.
var sentinels = map[string]error{"locked": ErrLocked, "address in use": ErrAddressInUse}

// ServeChild is the child's side of Start: it serves the store until stdin ends. Dir, Listen and Logger are taken from o, the rest comes
// from the parent. It takes the process for itself: os.Stdout is os.Stderr from then on, and the caller ends the process when
// ServeChild returns.
func ServeChild(ctx context.Context, o Options, stdin io.Reader, stdout io.Writer) error {
	os.Stdout = os.Stderr // whatever the gateway prints, the answer stays readable
	input := bufio.NewReader(io.LimitReader(stdin, handoverBytesMax))
	line, err := input.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("serve the store for a parent: nothing was handed over on standard input: %w", err)
	}
	var h handover
	if err := json.Unmarshal(line, &h); err != nil {
		return errors.New("serve the store for a parent: what was handed over on standard input cannot be read") // it holds secrets
	}
	o.AccessKey, o.SecretKey, o.Buckets = h.AccessKey, h.SecretKey, h.Buckets
	o.Ready = func(addr string) { answer(stdout, report{Addr: addr}) }

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, stdin)
		cancel()
	}()
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, o) }()
	select {
	case err = <-served:
	case <-ctx.Done():
		select {
		case err = <-served:
		case <-time.After(stopMax):
		}
	}
	if err != nil {
		answer(stdout, reportOf(err))
	}
	return err
}

// answer writes the child's line. It cannot be reported if it fails: then the parent is gone, and standard input ends.
func answer(stdout io.Writer, r report) {
	if line, err := json.Marshal(r); err == nil {
		_, _ = stdout.Write(append(line, '\n'))
	}
}

func reportOf(err error) report {
	for kind, sentinel := range sentinels {
		if errors.Is(err, sentinel) {
			return report{Error: err.Error(), Kind: kind}
		}
	}
	return report{Error: err.Error()}
}

// err returns the error of a report as the child had it.
func (r report) err() error {
	if r.Error == "" {
		return nil
	}
	sentinel := sentinels[r.Kind]
	if sentinel == nil {
		return errors.New(r.Error)
	}
	before, after, ok := strings.Cut(r.Error, sentinel.Error())
	if !ok {
		return fmt.Errorf("%w: %s", sentinel, r.Error)
	}
	return fmt.Errorf("%s%w%s", before, sentinel, after)
}
