package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"citystream/local/lab"
)

func labCommand() *cobra.Command {
	var o labOptions
	c := &cobra.Command{
		Use:   "lab",
		Short: "A cluster of processes on this machine: services, masters and workers",
		Long: `Starts an embedded broker, store and AWS endpoint, and masters and workers as processes of their own, which can be paused and killed like nodes on other
machines. Ctrl-C ends them in good order. What they write is below --data, with a log a process.

Exit code 0: ended by a signal, in good order. 1: an error, or a process that ended by itself. 2: wrong flags.`,
		Example: "  citystream lab --masters 2 --workers 4\n  citystream lab --workers 3 --insecure --max-rate 5000 --simulate 100",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return o.run(c.Context(), c.OutOrStdout()) },
	}
	f := c.Flags()
	f.StringVar(&o.data, "data", "./lab", "data `DIR`")
	f.IntVar(&o.masters, "masters", 2, "master nodes")
	f.IntVar(&o.workers, "workers", 4, "worker nodes")
	f.IntVar(&o.vehicles, "simulate", 0, "vehicles of a fleet that drives on, in real time; 0 is none")
	f.IntVar(&o.maxRate, "max-rate", 0, "records a second that each worker reads at most; 0 is as many as it can")
	f.BoolVar(&o.insecure, "insecure", false, "nodes talk without TLS")
	return c
}

type labOptions struct {
	data                                string
	masters, workers, vehicles, maxRate int
	insecure                            bool
}

func (o *labOptions) run(ctx context.Context, w io.Writer) (err error) {
	if o.masters < 1 || o.workers < 0 || o.vehicles < 0 {
		return usageError{errors.New("a lab has a master at least, and no number of anything is negative")}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	l, err := lab.Start(ctx, lab.Options{
		Program: self, Dir: o.data, Secure: !o.insecure, Config: fmt.Sprintf("flush:\n  maxAge: 10s\nworker:\n  maxRate: %d\n", max(0, o.maxRate)),
	})
	if err != nil {
		return err
	}
	defer func() {
		fmt.Fprintln(w, "ending: workers first, which commit what they have read")
		err = errors.Join(err, l.Close())
	}()
	fmt.Fprintf(w, "Kafka %s   S3 %s   AWS %s\n", l.Kafka, l.S3, l.AWS)
	if err := o.nodes(ctx, w, l); err != nil {
		return err
	}
	fmt.Fprintf(w, "running; Ctrl-C ends it. Try in another terminal:\n")
	env := fmt.Sprintf("AWS_CONFIG_FILE=%[1]s/aws/config AWS_SHARED_CREDENTIALS_FILE=%[1]s/aws/credentials", o.data)
	fmt.Fprintf(w, "  %s %s status --config %s --watch\n", env, os.Args[0], l.Config)
	fmt.Fprintf(w, "  %s simulate --kafka %s --vehicles 50 --pace 1\n", os.Args[0], l.Kafka)
	fmt.Fprintf(w, "  %s query --data %s \"SELECT count(*) FROM vehicle_data\"\n", os.Args[0], o.data)
	return watchLab(ctx, l)
}

// nodes starts the masters and the workers, and the fleet if there is to be one.
func (o *labOptions) nodes(ctx context.Context, w io.Writer, l *lab.Lab) error {
	for i := range o.masters {
		p, err := l.Master(ctx, fmt.Sprint("master-", i+1), nil)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%-9s process %d, at %s, pages %s, log %s\n", p.Name, p.PID(), p.Address, p.Pages, p.Log)
	}
	for i := range o.workers {
		p, err := l.Worker(ctx, fmt.Sprint("worker-", i+1), nil)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%-9s process %d, at %s, pages %s, log %s\n", p.Name, p.PID(), p.Address, p.Pages, p.Log)
	}
	if o.vehicles > 0 {
		return l.Simulate(ctx, o.vehicles)
	}
	return nil
}

// watchLab waits for the end, and tells of processes that ended unasked. Nodes may be killed: that is what a lab is for.
func watchLab(ctx context.Context, l *lab.Lab) error {
	gone := map[string]bool{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(500 * time.Millisecond):
		}
		for _, p := range l.Processes() {
			select {
			case <-p.Ended():
			default:
				continue
			}
			if gone[p.Name] {
				continue
			}
			gone[p.Name] = true
			if !strings.HasPrefix(p.Name, "worker") && !strings.HasPrefix(p.Name, "master") && p.Role != "simulate" {
				return fmt.Errorf("%s has ended by itself: see %s", p.Name, p.Log)
			}
			fmt.Fprintf(os.Stderr, "%s has ended: see %s\n", p.Name, p.Log)
		}
	}
}
