package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"citystream/config"
)

func configCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "config", Short: "Print, check or explain the configuration", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	print := &cobra.Command{
		Use: "print", Short: "Print the effective configuration as YAML", Args: cobra.NoArgs,
		Example: "  citystream config print --config citystream.yaml",
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := settingsOf(c, nil, nil)
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(c.OutOrStdout(), cfg.YAML())
			return err
		},
	}
	check := &cobra.Command{
		Use: "check FILE", Short: "Report every fault of a configuration file with line and column", Args: cobra.ExactArgs(1),
		Example: "  citystream config check citystream.yaml",
		RunE: func(c *cobra.Command, args []string) error {
			if err := c.Flags().Set("config", args[0]); err != nil {
				return err
			}
			if _, err := settingsOf(c, nil, nil); err != nil {
				return fmt.Errorf("%s has faults:\n%w", args[0], err)
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "%s: no faults\n", args[0])
			return err
		},
	}
	explain := &cobra.Command{
		Use: "explain", Short: "Print every key with its default, its names and its meaning", Args: cobra.NoArgs,
		Example: "  citystream config explain",
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(c.OutOrStdout(), config.Explain())
			return err
		},
	}
	configFlag(print)
	configFlag(check) // which the argument sets
	_ = check.Flags().MarkHidden("config")
	c.AddCommand(print, check, explain)
	return c
}
