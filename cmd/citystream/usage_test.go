package main

import (
	"bytes"
	"errors"
	"os/exec"
	"strings"
	"testing"
)

func TestWrongUseExitsWithTwoAndSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"an argument too many":         {[]string{"query", "SELECT 1", "SELECT 2", "SELECT 3"}, "see citystream query --help"},
		"an argument where none is":    {[]string{"up", "extra"}, "see citystream up --help"},
		"no argument where one is":     {[]string{"config", "check"}, "see citystream config check --help"},
		"status of nobody knows which": {[]string{"status", "--data", t.TempDir()}, "name a cluster with --config"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command, _ := citystream(t, c.args...)
			said := &bytes.Buffer{}
			command.Stderr = said
			err := command.Run()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != exitUsage || !strings.Contains(said.String(), c.want) {
				t.Errorf("%v: %s", err, said)
			}
		})
	}
}

func TestReplayTakesTheBrokerOfItsDataDirectoryOrRefuses(t *testing.T) {
	t.Parallel()
	cfg, err := settingsOf(replayCommand(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Embedded.Data = t.TempDir()
	var usage usageError
	if err := brokersBeside(cfg); !errors.As(err, &usage) || !strings.Contains(err.Error(), "--kafka") {
		t.Errorf("without a broker: %v", err)
	}
	cfg.Kafka.Brokers = []string{"k1.example:9092"}
	if err := brokersBeside(cfg); err != nil || cfg.Kafka.Brokers[0] != "k1.example:9092" {
		t.Errorf("a broker that was named: %v, %v", cfg.Kafka.Brokers, err)
	}
}
