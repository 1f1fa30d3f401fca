package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"citystream/actors"
)

// measures are the names of what a process shows.
func measures(t *testing.T, m *actors.Metrics) map[string]bool {
	t.Helper()
	m.CertificateExpires(func() time.Time { return time.Unix(1, 0) })
	all := make(chan *prometheus.Desc, 1000)
	m.Registry.Describe(all)
	close(all)
	names := map[string]bool{}
	for d := range all {
		names[regexp.MustCompile(`fqName: "([^"]+)"`).FindStringSubmatch(d.String())[1]] = true
	}
	return names
}

// measured finds the names of this program's measures in an expression.
var measured = regexp.MustCompile(`citystream_\w+`)

// alerts are the rules of deploy/prometheus.
type alerts struct {
	Groups []struct {
		Rules []struct {
			Alert, Expr string
			Labels      map[string]string
			Annotations map[string]string
		}
	}
}

func TestAlertsAndDashboardShowMeasuresThatThereAre(t *testing.T) {
	t.Parallel()
	known, seen := measures(t, actors.NewMetrics()), 0
	check := func(where, expr string) {
		for _, name := range measured.FindAllString(expr, -1) {
			if seen++; !known[name] {
				t.Errorf("%s: there is no measure %s", where, name)
			}
		}
	}
	for _, g := range readYAML[alerts](t, top+"/deploy/prometheus/alerts.yml")[0].Groups {
		for _, r := range g.Rules {
			check(r.Alert, r.Expr)
		}
	}
	text, err := os.ReadFile(top + "/deploy/grafana/dashboards/citystream.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title      string
			Datasource struct{ UID string }
			Targets    []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	source := readYAML[struct{ Datasources []struct{ UID string } }](t, top+"/deploy/grafana/provisioning/datasources/prometheus.yaml")[0].Datasources
	for _, p := range dashboard.Panels {
		if p.Datasource.UID != source[0].UID {
			t.Errorf("%s: there is no source %s", p.Title, p.Datasource.UID)
		}
		for _, target := range p.Targets {
			check(p.Title, target.Expr)
		}
	}
	if seen < 30 {
		t.Errorf("%d measures were looked at", seen)
	}
}

func TestEachAlertSaysWhatToDo(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(top, "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	anchors := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(string(text), -1) {
		anchor := regexp.MustCompile("[^a-z0-9 -]").ReplaceAllString(strings.ToLower(m[1]), "")
		anchors[strings.ReplaceAll(anchor, " ", "-")] = true
	}
	for _, g := range readYAML[alerts](t, top+"/deploy/prometheus/alerts.yml")[0].Groups {
		for _, r := range g.Rules {
			page, anchor, _ := strings.Cut(r.Annotations["runbook"], "#")
			if page != "docs/operations.md" || !anchors[anchor] || r.Labels["severity"] == "" || r.Annotations["summary"] == "" {
				t.Errorf("%s leads to %s", r.Alert, r.Annotations["runbook"])
			}
		}
	}
}

func TestPrometheusAsksWhereThePagesAre(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	jobs := readYAML[struct {
		Jobs []struct {
			DNS []struct {
				Names []string
				Port  string
			} `yaml:"dns_sd_configs"`
		} `yaml:"scrape_configs"`
	}](t, top+"/deploy/prometheus/prometheus.yml")[0].Jobs
	asked := jobs[0].DNS[0]
	for _, name := range asked.Names {
		s := c.Services[name]
		if s == nil {
			t.Fatalf("there is no service %s", name)
		}
		cfg := deployed{where: name, args: s.Command, env: s.Environment, file: filepath.Join(top, c.Configs["citystream"].File)}.configuration(t)
		if portOf(t, cfg.Node.HTTP) != asked.Port {
			t.Errorf("%s has its pages at %s, and Prometheus asks port %s", name, cfg.Node.HTTP, asked.Port)
		}
	}
	if len(asked.Names) != 3 {
		t.Errorf("Prometheus asks %v", asked.Names)
	}
}
