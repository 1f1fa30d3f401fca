package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"citystream/config"
	"citystream/engine/adapter/kafka"
	"citystream/engine/verify"
)

// verifyMemory is what a proof may use, whatever the size of the data.
const verifyMemory = 256 << 20

func verifyCommand() *cobra.Command {
	var output, state string
	c := &cobra.Command{
		Use:   "verify",
		Short: "Prove from logs, files and, with --kafka, the records themselves that the guarantees hold",
		Long: `Reads the commit logs and every file that they name, and proves I1 to I6 and I10 of docs/guarantees.md for each table and partition.
It only reads, shares no code with what writes, and can run beside it. With --kafka each record is looked for in the files and held
against its row, value by value.

Exit code 0: proved. 1: a violation, which is named with table, partition, offsets and file, or an error. 2: wrong flags or configuration.`,
		Example: "  citystream verify --data ./data\n  citystream verify --s3 https://s3.eu-west-1.amazonaws.com --bucket city --kafka broker1:9092 --output json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if output != "table" && output != "json" {
				return usageError{fmt.Errorf("--output %s: table or json", output)}
			}
			cfg, err := settingsOf(c, nil, map[string]string{
				"data": "embedded.data", "s3": "store.endpoint", "bucket": "store.bucket", "kafka": "kafka.brokers",
			})
			if err != nil {
				return err
			}
			debug.SetMemoryLimit(verifyMemory)
			report, err := runVerify(c.Context(), cfg, c.Flags().Changed("kafka"), state)
			if err != nil {
				return err
			}
			if err := writeReport(c.OutOrStdout(), report, output == "json"); err != nil {
				return err
			}
			if !report.Proved {
				return fmt.Errorf("%d violations", report.Count)
			}
			return nil
		},
	}
	f := c.Flags()
	f.String("data", "./data", "data `DIR`")
	f.String("s3", "", "`URL` of an S3 service instead of the data directory's store, with the credentials of the usual chain")
	f.String("bucket", "", "bucket of the files and the commit logs")
	f.String("kafka", "", "`HOST:PORT,...` of the Kafka cluster to compare with")
	f.StringVar(&state, "state", "", "`FILE` that keeps what was proved, so that an interrupted run goes on and a later one reads only what is new")
	f.StringVar(&output, "output", "table", "form of the report: table or json")
	configFlag(c)
	return c
}

// runVerify opens what is asked for, and proves it.
func runVerify(ctx context.Context, cfg *config.Config, withKafka bool, statePath string) (_ *verify.Report, err error) {
	bucket, end, err := openBucket(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, end()) }()
	o := verify.Options{Store: bucket, RawPrefix: cfg.Store.RawPrefix}
	if withKafka {
		source, err := kafka.NewSource(kafka.Options{
			Brokers: cfg.Kafka.Brokers, ClientID: cfg.Kafka.ClientID + "-verify", MaxWait: cfg.Worker.FetchWait, MaxBytes: int32(cfg.Worker.FetchBytes), Logger: newLog(cfg),
		})
		if err != nil {
			return nil, err
		}
		defer source.Close()
		o.Source = source
	}
	if statePath != "" {
		if o.State, err = verify.OpenState(statePath); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, o.State.Save()) }()
	}
	bar := newProgress(os.Stderr, "proved", "logs")
	defer bar.end()
	o.Progress = func(p verify.Progress) { bar.show(int64(p.Logs), int64(p.LogsAll)) }
	return verify.Run(ctx, o)
}

func writeReport(w io.Writer, r *verify.Report, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	t := newTable(w)
	t.AppendHeader(table.Row{"table", "partition", "entries", "files", "rows", "dead letters", "offsets from", "to", "read to", "pending", "compared"})
	for _, l := range r.Logs {
		t.AppendRow(table.Row{l.Table, fmt.Sprintf("%s/%d", l.Topic, l.Partition), l.Entries, l.Files, l.Rows, l.DeadLetters, l.First, l.Resume, l.ReadThrough, l.Pending, l.Compared})
	}
	t.Render()
	for _, v := range r.Violations {
		fmt.Fprintln(w, v)
	}
	if n := r.Count - int64(len(r.Violations)); n > 0 {
		fmt.Fprintf(w, "and %d more\n", n)
	}
	if r.OldFiles > 0 {
		fmt.Fprintf(w, "%d files are of slots that retention has deleted: not proved\n", r.OldFiles)
	}
	verdict := "proved: I1 to I6 and I10 hold in every log"
	if !r.Proved {
		verdict = "NOT proved"
	} else if r.WithRecords {
		verdict += ", and each record of Kafka's below the resume offsets is where it must be"
	}
	_, err := fmt.Fprintln(w, verdict)
	return err
}
