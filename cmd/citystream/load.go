package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"citystream/actors"
	"citystream/config"
	"citystream/engine/record"
	"citystream/engine/schema"
)

func loadCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "load",
		Short: "Redshift: how the loads stand, loads retried, a Hive partition loaded anew",
		Long: `Works on the warehouse of the section redshift, or on that of a running up. It may run beside a catalog that loads.

Exit code 0: done. 1: an error. 2: wrong flags or configuration.`,
		Example: "  citystream load status\n  citystream load retry --table gps_data\n  citystream load reload --table gps_data --partition date=2026-01-02/hour=03",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(loadStatusCommand(), loadRetryCommand(), loadReloadCommand())
	return c
}

// loadFlags are the flags of all commands of load.
func loadFlags(c *cobra.Command) *cobra.Command {
	c.Flags().String("data", "./data", "data `DIR`")
	c.Flags().String("s3", "", "`URL` of an S3 service instead of the data directory's store, with the credentials of the usual chain")
	c.Flags().String("aws", "", "`URL` of an AWS service elsewhere, with the credentials of the usual chain")
	configFlag(c)
	return c
}

func loadStatusCommand() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use: "status", Short: "Commits and rows that are loaded, and what is still to be loaded, by table", Args: cobra.NoArgs,
		Example: "  citystream load status --output json",
		RunE: func(c *cobra.Command, _ []string) error {
			if output != "table" && output != "json" {
				return usageError{fmt.Errorf("--output %s: table or json", output)}
			}
			return withLoads(c, func(_ *config.Config, l *actors.Loads) error {
				all, err := l.Status(c.Context())
				return errors.Join(writeLoads(c.OutOrStdout(), all, output == "json"), err)
			})
		},
	}
	c.Flags().StringVar(&output, "output", "table", "form of the report: table or json")
	return loadFlags(c)
}

func loadRetryCommand() *cobra.Command {
	var names []string
	c := &cobra.Command{
		Use: "retry", Short: "Load now what is committed and not loaded yet, and what is set aside", Args: cobra.NoArgs,
		Example: "  citystream load retry\n  citystream load retry --table gps_data",
		RunE: func(c *cobra.Command, _ []string) error {
			return withLoads(c, func(cfg *config.Config, l *actors.Loads) error {
				for _, name := range names {
					if _, err := tableNamed(cfg, name); err != nil {
						return err
					}
				}
				if err := l.Retry(c.Context(), names...); err != nil {
					return err
				}
				all, err := l.Status(c.Context())
				return errors.Join(writeLoads(c.OutOrStdout(), all, false), err)
			})
		},
	}
	c.Flags().StringSliceVar(&names, "table", nil, "`NAME` of a table; all by default")
	return loadFlags(c)
}

func loadReloadCommand() *cobra.Command {
	var name, partition string
	c := &cobra.Command{
		Use: "reload --table NAME --partition date=YYYY-MM-DD/hour=HH", Short: "Replace the rows of one Hive partition in one transaction", Args: cobra.NoArgs,
		Example: "  citystream load reload --table gps_data --partition date=2026-01-02/hour=03",
		RunE: func(c *cobra.Command, _ []string) error {
			window, err := time.Parse("date=2006-01-02/hour=15", partition)
			if err != nil {
				return usageError{fmt.Errorf("--partition %q: write it like date=2026-01-02/hour=03", partition)}
			}
			return withLoads(c, func(cfg *config.Config, l *actors.Loads) error {
				t, err := tableNamed(cfg, name)
				if err != nil {
					return err
				}
				return reload(c.Context(), c.OutOrStdout(), l, t, window)
			})
		},
	}
	c.Flags().StringVar(&name, "table", "", "`NAME` of the table")
	c.Flags().StringVar(&partition, "partition", "", "the Hive `PARTITION`, date=YYYY-MM-DD/hour=HH")
	return loadFlags(c)
}

func reload(ctx context.Context, w io.Writer, l *actors.Loads, t *schema.Table, window time.Time) error {
	rows, err := l.Reload(ctx, t, record.MicrosOf(window))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s has %d rows of %s now\n", t.Name, rows, window.Format("date=2006-01-02/hour=15"))
	return err
}

// withLoads opens the store and the warehouse for one command.
func withLoads(c *cobra.Command, use func(*config.Config, *actors.Loads) error) (err error) {
	cfg, err := settingsOf(c, nil, map[string]string{"data": "embedded.data", "s3": "store.endpoint", "aws": "aws.endpoint"})
	if err != nil {
		return err
	}
	embeddedWarehouse(cfg)
	if cfg.Redshift.Mode != "load" {
		return usageError{fmt.Errorf("redshift.mode is %s: nothing is loaded", cfg.Redshift.Mode)}
	}
	bucket, end, err := openBucket(c.Context(), cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	return withAWS(c.Context(), cfg, func(clients aws.Config) error {
		node := &actors.Node{
			Store: bucket, Metrics: actors.NewMetrics(), Log: newLog(cfg), Tables: cfg.Tables, DeadLetters: schema.DeadLetters(),
			Bucket: cfg.Store.Bucket, RawPrefix: cfg.Store.RawPrefix, Database: cfg.AWS.Database,
		}
		setCatalog(node, cfg, nil, warehouseOf(clients, cfg, bucket))
		return use(cfg, actors.NewLoads(node))
	})
}

// embeddedWarehouse has commits loaded into the Redshift of the embedded endpoint where nothing else is said.
func embeddedWarehouse(cfg *config.Config) {
	if cfg.Embedded.Redshift && cfg.AWS.Endpoint == "" && cfg.Redshift.Mode == "none" && cfg.Catalog.Kind != "none" {
		cfg.Redshift.Mode, cfg.Redshift.Workgroup, cfg.Redshift.Every = "load", "citystream", time.Second
	}
}

func writeLoads(w io.Writer, all []actors.TableLoads, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(all)
	}
	t := newTable(w)
	t.AppendHeader(table.Row{"table", "commits loaded", "rows in them", "rows in the table", "slots to be looked at", "set aside", "slots gone"})
	for _, s := range all {
		t.AppendRow(table.Row{s.Table, s.Commits, s.Rows, s.Counted, s.Pending, len(s.Aside), s.Gone})
	}
	t.Render()
	for _, s := range all {
		for _, a := range s.Aside {
			fmt.Fprintf(w, "%s: commit %s is set aside: %s\n", s.Table, a.ID, a.Reason)
		}
		if s.Gone > 0 {
			fmt.Fprintf(w, "%s: %d slots were deleted before they were loaded (store.keepLog): their rows are in the bucket only\n", s.Table, s.Gone)
		}
	}
	return nil
}
