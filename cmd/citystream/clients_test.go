//go:build clients

package main

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"citystream/internal/pythonenv"
)

// TestClientsOfOthers drives a small fleet into files and tables, and lets AWS clients written by others use the store and the endpoint
// that lie over them.
func TestClientsOfOthers(t *testing.T) {
	scripts := filepath.Join("testdata", "clients")
	python, err := pythonenv.Python("aws-clients", filepath.Join(scripts, "requirements.txt"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	checkSummary(t, runUp(t, "--data", dir, "--vehicles", "20"), 2000)
	service(t, "store", dir)
	service(t, "aws", dir)
	d := &dataDir{path: dir}
	clients := exec.CommandContext(t.Context(), python, filepath.Join(scripts, "check_clients.py"))
	clients.Env = append(withoutAWS(os.Environ()), "AWS_CONFIG_FILE="+d.awsConfig(), "AWS_SHARED_CREDENTIALS_FILE="+d.awsCredentials(),
		"AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", "CHECK_DIR="+t.TempDir(), "CHECK_ROWS=2000", "PYTHONDONTWRITEBYTECODE=1")
	said := &strings.Builder{}
	clients.Stderr = said
	answers, err := clients.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := clients.Start(); err != nil {
		t.Fatal(err)
	}
	checks := 0
	lines := bufio.NewScanner(answers)
	lines.Buffer(nil, 1<<20)
	for ; lines.Scan(); checks++ {
		reportCheck(t, lines.Bytes())
	}
	if err := clients.Wait(); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
	if checks == 0 {
		t.Error("nothing was checked")
	}
}

// reportCheck makes a test of a line that check_clients.py has written.
func reportCheck(t *testing.T, line []byte) {
	var check struct {
		Name, Error string
		Seconds     float64
	}
	if err := json.Unmarshal(line, &check); err != nil || check.Name == "" {
		t.Errorf("%s: %v", line, err)
		return
	}
	t.Run(check.Name, func(t *testing.T) {
		t.Logf("%.2f s", check.Seconds)
		if check.Error != "" {
			t.Error(check.Error)
		}
	})
}

// withoutAWS leaves out what would lead AWS clients elsewhere.
func withoutAWS(environment []string) []string {
	var left []string
	for _, v := range environment {
		if !strings.HasPrefix(v, "AWS_") {
			left = append(left, v)
		}
	}
	return left
}
