// Command citystream carries records from Kafka topics to Parquet files on S3, exactly once, and makes them SQL tables.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "development"

// Exit codes, the same for all commands.
const (
	exitFailed = 1 // the command did not reach its end, or found what it was to find
	exitUsage  = 2 // wrong flags, arguments or configuration
)

// usageError is an error of whoever called: it exits with exitUsage.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func main() {
	ctx, stop := signals(context.Background())
	err := root().ExecuteContext(ctx)
	stop()
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "citystream:", err)
	var usage usageError
	if errors.As(err, &usage) {
		os.Exit(exitUsage)
	}
	os.Exit(exitFailed)
}

// signals ends the context at the first SIGINT or SIGTERM; the second ends the process at once, which loses nothing either.
func signals(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(parent)
	caught := make(chan os.Signal, 2)
	signal.Notify(caught, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-caught
		cancel()
		<-caught
		fmt.Fprintln(os.Stderr, "citystream: stopped at once; the next run goes on from the last commit")
		os.Exit(exitFailed)
	}()
	return ctx, func() { signal.Stop(caught); cancel() }
}

func root() *cobra.Command {
	c := &cobra.Command{
		Use:           "citystream",
		Short:         "Carries records from Kafka topics to Parquet files on S3, exactly once, and makes them SQL tables",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("there is no command %q: see citystream --help", args[0])}
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w: see citystream %s --help", err, c.Name())}
	})
	c.AddCommand(
		upCommand(), labCommand(), masterCommand(), workerCommand(), simulateCommand(), statusCommand(), lagCommand(), healthCommand(), queryCommand(), loadCommand(),
		verifyCommand(), replayCommand(), certsCommand(), brokerCommand(), storeCommand(), awsCommand(), configCommand(), versionCommand(),
	)
	asUsage(c)
	return c
}

// asUsage makes wrong arguments of every command an error of whoever called.
func asUsage(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			err := check(c, args)
			var usage usageError
			if err == nil || errors.As(err, &usage) {
				return err
			}
			return usageError{fmt.Errorf("%w: see %s --help", err, c.CommandPath())}
		}
	}
	for _, sub := range c.Commands() {
		asUsage(sub)
	}
}
