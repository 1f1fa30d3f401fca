package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"citystream/config"
)

// settingsOf reads the configuration of a command: its presets, the file of --config, the environment, and those of its flags that
// were given and that name a key.
func settingsOf(c *cobra.Command, presets []config.Setting, keys map[string]string) (*config.Config, error) {
	s := config.Sources{Presets: presets, ReadFile: os.ReadFile, Getenv: os.Getenv}
	if f := c.Flags().Lookup("config"); f != nil && f.Value.String() != "" {
		text, err := os.ReadFile(f.Value.String())
		if err != nil {
			return nil, usageError{fmt.Errorf("read the configuration: %w", err)}
		}
		s.File, s.Text = f.Value.String(), text
	}
	for name, key := range keys {
		if f := c.Flags().Lookup(name); f != nil && f.Changed {
			s.Flags = append(s.Flags, config.Setting{Key: key, Value: f.Value.String(), Name: name})
		}
	}
	cfg, err := config.Load(s)
	if err != nil {
		return nil, usageError{err}
	}
	return cfg, nil
}

func configFlag(c *cobra.Command) {
	c.Flags().String("config", "", "YAML `FILE`; see citystream config explain")
}

// newLog returns the program's log, on standard error.
func newLog(cfg *config.Config) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.Log.Level)) // the configuration has checked it
	options := &slog.HandlerOptions{Level: level}
	if cfg.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}
