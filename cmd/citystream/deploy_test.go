package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"citystream/config"
)

// The files that run citystream elsewhere are checked against the program: commands, flags, names in the environment, the configuration that they
// mount, and the ports that they agree on. Docker and Kubernetes themselves are not needed.

// deployed is a container that runs citystream.
type deployed struct {
	where string
	args  []string
	env   map[string]string
	file  string // of the configuration that is mounted
}

// configuration is what the container's program goes by. Its command and its flags have to exist.
func (d deployed) configuration(t *testing.T) *config.Config {
	t.Helper()
	c, rest, err := root().Find(d.args)
	if err != nil || c.RunE == nil || !c.HasParent() {
		t.Fatalf("%s: %q is no command: %v", d.where, d.args, err)
	}
	if err := errors.Join(c.ParseFlags(rest), c.ValidateArgs(c.Flags().Args())); err != nil {
		t.Fatalf("%s: %q: %v", d.where, d.args, err)
	}
	known := map[string]bool{"AWS_ACCESS_KEY_ID": true, "AWS_SECRET_ACCESS_KEY": true, "POD_IP": true}
	for _, k := range config.Keys() {
		for _, name := range k.Env {
			known[name] = true
		}
	}
	for name := range d.env {
		if !known[name] {
			t.Errorf("%s: nothing reads %s from the environment", d.where, name)
		}
	}
	sources := config.Sources{File: d.file, Getenv: func(name string) string { return d.env[name] }, ReadFile: os.ReadFile}
	if f := c.Flags().Lookup("config"); f != nil && f.Value.String() != "" {
		if !strings.HasPrefix(f.Value.String(), "/etc/citystream/") {
			t.Errorf("%s: %s is not where the configuration is mounted", d.where, f.Value)
		}
		if sources.Text, err = os.ReadFile(d.file); err != nil {
			t.Fatalf("%s: %v", d.where, err)
		}
	}
	cfg, err := config.Load(sources)
	if err != nil {
		t.Fatalf("%s: %v", d.where, err)
	}
	return cfg
}

// portOf returns the port of an address or of a URL.
func portOf(t *testing.T, address string) string {
	t.Helper()
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		return u.Port()
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// readYAML decodes each document of a file. Merges are resolved before: where a struct is decoded, the library takes a key that overrides a merged
// one for a duplicate.
func readYAML[T any](t *testing.T, file string) (all []T) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for d := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var merged any
		err := d.Decode(&merged)
		if errors.Is(err, io.EOF) {
			return all
		}
		var one T
		if err == nil {
			text, err = yaml.Marshal(merged)
		}
		if err == nil {
			err = yaml.Unmarshal(text, &one)
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, one)
	}
}

const top = "../.." // of the tree

func TestTheImagesRunWhatThereIs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(top, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	instruction := regexp.MustCompile(`(?m)^(?:    CMD|CMD|ENTRYPOINT) (\[.*\])$`)
	target := regexp.MustCompile(`(?m)^FROM \S+ AS (\w+)$`)
	env := map[string]string{}
	for _, m := range regexp.MustCompile(`(CITYSTREAM_\w+)=(\S+)`).FindAllStringSubmatch(string(text), -1) {
		env[m[1]] = m[2]
	}
	program, ran := "/usr/local/bin/citystream", 0
	for _, m := range instruction.FindAllStringSubmatch(string(text), -1) {
		var words []string
		if err := json.Unmarshal([]byte(m[1]), &words); err != nil {
			t.Fatalf("%s: %v", m[1], err)
		}
		if words[0] == program {
			words = words[1:] // a health check
		}
		if len(words) == 0 {
			continue // ENTRYPOINT
		}
		ran++
		cfg := deployed{where: "Dockerfile", args: words, env: env}.configuration(t)
		if words[0] == "health" && portOf(t, words[2]) != portOf(t, cfg.Node.HTTP) {
			t.Errorf("the health check asks %s, and nodes have their pages at %s", words[2], cfg.Node.HTTP)
		}
	}
	if ran != 4 {
		t.Errorf("%d commands instead of two and their health checks", ran)
	}
	if targets := target.FindAllStringSubmatch(string(text), -1); len(targets) == 0 || targets[len(targets)-1][1] != "sql" {
		t.Errorf("the image that is built where none is named is not sql: %q", targets)
	}
	if base := regexp.MustCompile(`(?m)^USER (\S+)$`).FindAllStringSubmatch(string(text), -1); len(base) != 2 || base[0][1] != "65532:65532" || base[1][1] != base[0][1] {
		t.Errorf("the images run as %q", base)
	}
}

// compose is what is looked at of docker-compose.yml.
type compose struct {
	Services map[string]*composed `yaml:"services"`
	Configs  map[string]struct {
		File string `yaml:"file"`
	} `yaml:"configs"`
	Volumes map[string]any `yaml:"volumes"`
}

type composed struct {
	Image       string                    `yaml:"image"`
	Build       *struct{ Target string }  `yaml:"build"`
	Command     []string                  `yaml:"command"`
	Environment map[string]string         `yaml:"environment"`
	Configs     []struct{ Source string } `yaml:"configs"`
	Volumes     []string                  `yaml:"volumes"`
	Ports       []string                  `yaml:"ports"`
	DependsOn   any                       `yaml:"depends_on"`
	Name        string                    `yaml:"container_name"`
	Host        string                    `yaml:"hostname"`
	Grace       time.Duration             `yaml:"stop_grace_period"`
	Health      struct {
		Test []string `yaml:"test"`
	} `yaml:"healthcheck"`
}

// needs are the services that one waits for.
func (s *composed) needs() (names []string) {
	switch d := s.DependsOn.(type) {
	case map[string]any:
		for name := range d {
			names = append(names, name)
		}
	case []any:
		for _, name := range d {
			names = append(names, name.(string))
		}
	}
	return names
}

// given replaces ${NAME:-default} by the default.
func given(text string) string {
	return regexp.MustCompile(`\$\{\w+:-([^}]*)\}`).ReplaceAllString(text, "$1")
}

func readCompose(t *testing.T) *compose {
	t.Helper()
	c := &readYAML[compose](t, filepath.Join(top, "docker-compose.yml"))[0]
	for _, s := range c.Services {
		for i := range s.Command {
			s.Command[i] = given(s.Command[i])
		}
		for name, value := range s.Environment {
			s.Environment[name] = given(value)
		}
	}
	return c
}

func TestComposeRefersToWhatThereIs(t *testing.T) {
	t.Parallel()
	c, built := readCompose(t), map[string]int{}
	for name, s := range c.Services {
		image, tag, _ := strings.Cut(s.Image, ":")
		if image == "" || tag == "" || tag == "latest" {
			t.Errorf("%s: the image %q has no tag that stays", name, s.Image)
		}
		if s.Build != nil {
			if built[s.Image]++; tag != s.Build.Target {
				t.Errorf("%s: %s is built as %s", name, s.Image, s.Build.Target)
			}
		}
		for _, need := range s.needs() {
			if c.Services[need] == nil {
				t.Errorf("%s: there is no service %s", name, need)
			}
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s: port %s is open to other machines", name, p)
			}
		}
		for _, one := range s.Configs {
			if _, err := os.Stat(filepath.Join(top, c.Configs[one.Source].File)); err != nil || c.Configs[one.Source].File == "" {
				t.Errorf("%s: config %s: %v", name, one.Source, err)
			}
		}
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			_, named := c.Volumes[from]
			if _, err := os.Stat(filepath.Join(top, from)); !named && (err != nil || !strings.HasPrefix(from, "./")) {
				t.Errorf("%s: there is no volume %s: %v", name, from, err)
			}
		}
	}
	for name, s := range c.Services {
		if strings.HasPrefix(s.Image, "citystream:") && built[s.Image] != 1 {
			t.Errorf("%s: %s is built %d times", name, s.Image, built[s.Image])
		}
	}
	if w := c.Services["worker"]; w.Name != "" || w.Host != "" || len(w.Ports) > 0 {
		t.Error("there can be one worker only: it has a name, a host's name, or a port")
	}
}

func TestComposeRunsTheProgramAsItIs(t *testing.T) {
	t.Parallel()
	c, ran := readCompose(t), map[string]int{}
	file := filepath.Join(top, c.Configs["citystream"].File)
	for name, s := range c.Services {
		if !strings.HasPrefix(s.Image, "citystream:") {
			continue
		}
		ran[s.Command[0]]++
		cfg := deployed{where: name, args: s.Command, env: s.Environment, file: file}.configuration(t)
		if slices.Contains([]string{"master", "worker"}, s.Command[0]) {
			checkComposedNode(t, name, s, cfg)
		}
		if len(s.Health.Test) > 0 {
			health := s.Health.Test[2:]
			_ = deployed{where: name, args: health}.configuration(t)
			if at := portOf(t, health[len(health)-1]); at != portOf(t, cfg.AWS.Endpoint) || !slices.Contains(s.Command, "0.0.0.0:"+at) {
				t.Errorf("%s: health is asked for at %s, nodes find it at %s, and it is started by %q", name, health, cfg.AWS.Endpoint, s.Command)
			}
		}
	}
	for command, n := range map[string]int{"master": 2, "worker": 1, "simulate": 1, "aws": 1, "certs": 1} {
		if ran[command] != n {
			t.Errorf("%d services run %s", ran[command], command)
		}
	}
	if !slices.Equal(c.Services["certs"].Command[1:3], []string{"--out", "/certs"}) {
		t.Error("the CA is not made where nodes look for it")
	}
}

// checkComposedNode checks that a node finds what it needs.
func checkComposedNode(t *testing.T, name string, s *composed, cfg *config.Config) {
	t.Helper()
	c := readCompose(t)
	if s.Grace <= cfg.Node.DrainAfter {
		t.Errorf("%s: it is killed after %s, and may drain for %s", name, s.Grace, cfg.Node.DrainAfter)
	}
	if image := config.Default().Node; portOf(t, cfg.Node.HTTP) != "9465" || image.HTTP == cfg.Node.HTTP {
		t.Errorf("%s: its pages are at %s, and the image's health check asks 9465", name, cfg.Node.HTTP)
	}
	if cfg.Node.LabCA != "/certs" || !slices.Contains(s.Volumes, "certs:/certs:ro") {
		t.Errorf("%s: looks for the CA in %q", name, cfg.Node.LabCA)
	}
	if listeners := c.Services["kafka"].Environment["KAFKA_ADVERTISED_LISTENERS"]; !strings.Contains(listeners, "//"+cfg.Kafka.Brokers[0]+",") {
		t.Errorf("%s: looks for Kafka at %s; it is at %s", name, cfg.Kafka.Brokers, listeners)
	}
	if at := "http://s3" + c.Services["s3"].Environment["VGW_PORT"]; cfg.Store.Endpoint != at || !strings.Contains(c.Services["s3"].Command[0], "mkdir -p /data/"+cfg.Store.Bucket+" ") {
		t.Errorf("%s: looks for the bucket %s at %s; the server is at %s", name, cfg.Store.Bucket, cfg.Store.Endpoint, at)
	}
	server, node := c.Services["s3"].Environment, s.Environment
	if server["ROOT_ACCESS_KEY_ID"] != node["AWS_ACCESS_KEY_ID"] || server["ROOT_SECRET_ACCESS_KEY"] != node["AWS_SECRET_ACCESS_KEY"] {
		t.Errorf("%s: its key is not that of the server", name)
	}
	if cfg.Lease.Servers[0] != "zookeeper:2181" || c.Services["zookeeper"] == nil {
		t.Errorf("%s: looks for ZooKeeper at %s", name, cfg.Lease.Servers)
	}
}
