// Package lab runs a whole cluster as processes of this machine: an embedded broker, store and AWS endpoint, and any number of master and worker
// nodes, each a process of its own that can be paused and killed like one on another machine. It is how a cluster is tried without machines, and
// how the tests of clusters have theirs.
//
// All that it writes is below one directory: the services' data, the configuration that all nodes share, certificates, and a log a process.
package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"citystream/cluster/certs"
)

// Options say what the lab runs.
type Options struct {
	Program string   // path of citystream
	Env     []string // of all processes, besides this one's
	Dir     string
	Config  string // YAML: sections for the nodes' configuration, besides kafka, store, aws and node
	Kafka   string // brokers elsewhere; empty starts the embedded one
	Secure  bool   // nodes talk through TLS, with certificates that the lab makes
}

// Lab is a running cluster. Safe for concurrent use.
type Lab struct {
	o      Options
	Kafka  string // host:port
	S3     string // URL
	AWS    string // URL
	Config string // file that all nodes share
	env    []string

	mu        sync.Mutex
	processes []*Process
}

// Waits of a lab.
const (
	startMax = 2 * time.Minute // of a process; a test's binary with the race detector, on a busy machine, is slow
	endMax   = 90 * time.Second
)

// Start starts the services, and writes the configuration. Nodes are started one by one, with Master and Worker.
func Start(ctx context.Context, o Options) (l *Lab, err error) {
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	l = &Lab{o: o, Kafka: o.Kafka, env: append(os.Environ(), o.Env...)}
	defer func() {
		if err != nil {
			err = fmt.Errorf("lab: %w", errors.Join(err, l.Close()))
		}
	}()
	if err := os.MkdirAll(filepath.Join(o.Dir, "log"), 0o755); err != nil {
		return l, err
	}
	if err := l.services(ctx); err != nil {
		return l, err
	}
	l.env = append(l.env, "AWS_CONFIG_FILE="+filepath.Join(o.Dir, "aws", "config"), "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(o.Dir, "aws", "credentials"))
	if o.Secure {
		if err := l.certificates(); err != nil {
			return l, err
		}
	}
	return l, l.configure()
}

// services starts broker, store and AWS endpoint.
func (l *Lab) services(ctx context.Context) error {
	for _, s := range []struct {
		name string
		at   *string
	}{{"broker", &l.Kafka}, {"store", &l.S3}, {"aws", &l.AWS}} {
		if *s.at != "" {
			continue
		}
		p, err := l.start(ctx, s.name, s.name, nil, s.name, "--data", l.o.Dir, "--listen", "127.0.0.1:0")
		if err != nil {
			return err
		}
		*s.at = p.word(" at ")
	}
	return nil
}

// certificates makes an authority; nodes get theirs when they start.
func (l *Lab) certificates() error {
	dir := l.certDir()
	if _, err := os.Stat(filepath.Join(dir, certs.CAFile)); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	now := time.Now()
	ca, err := certs.NewCA("citystream lab", now, now.AddDate(1, 0, 0))
	if err != nil {
		return err
	}
	return ca.Write(dir)
}

func (l *Lab) certDir() string { return filepath.Join(l.o.Dir, "certs") }

// configure writes the configuration that all nodes share.
func (l *Lab) configure() error {
	l.Config = filepath.Join(l.o.Dir, "citystream.yaml")
	text := fmt.Sprintf("# Written by the lab.\nkafka:\n  brokers: [%s]\nstore:\n  endpoint: %s\naws:\n  endpoint: %s\n%s",
		strings.Join(quoted(strings.Split(l.Kafka, ",")), ", "), l.S3, l.AWS, l.o.Config)
	return os.WriteFile(l.Config, []byte(text), 0o644)
}

func quoted(texts []string) []string {
	all := make([]string, len(texts))
	for i, t := range texts {
		all[i] = fmt.Sprintf("%q", t)
	}
	return all
}

// Master starts a master node and waits until it is up.
func (l *Lab) Master(ctx context.Context, name string, env []string, args ...string) (*Process, error) {
	return l.node(ctx, "master", name, env, args...)
}

// Worker starts a worker node and waits until it is up.
func (l *Lab) Worker(ctx context.Context, name string, env []string, args ...string) (*Process, error) {
	return l.node(ctx, "worker", name, env, args...)
}

func (l *Lab) node(ctx context.Context, role, name string, env []string, args ...string) (*Process, error) {
	all := []string{role, "--config", l.Config, "--name", name}
	if l.o.Secure {
		if err := l.certificate(name); err != nil {
			return nil, fmt.Errorf("certificate of %s: %w", name, err)
		}
		at := func(file string) string { return filepath.Join(l.certDir(), file) }
		all = append(all, "--cert", at(name+".pem"), "--key", at(name+"-key.pem"), "--ca", at(certs.CAFile))
	} else {
		all = append(all, "--insecure")
	}
	p, err := l.start(ctx, role, name, env, append(all, args...)...)
	if err != nil {
		return nil, err
	}
	p.Address, p.Pages = p.word(" at "), p.word("pages ")
	return p, nil
}

// certificate makes a node's, unless it has one from before.
func (l *Lab) certificate(name string) error {
	if _, err := os.Stat(filepath.Join(l.certDir(), name+".pem")); err == nil {
		return nil
	}
	ca, err := certs.ReadCA(l.certDir())
	if err != nil {
		return err
	}
	now := time.Now()
	return ca.WriteNode(l.certDir(), certs.Node{Name: name, Hosts: []string{"127.0.0.1", "localhost"}, Until: now.AddDate(1, 0, 0)}, now, false)
}

// Processes returns those that were started, in that order.
func (l *Lab) Processes() []*Process {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.processes)
}

// Close ends all processes in good order: workers commit and hand over, masters follow, the services last.
func (l *Lab) Close() error {
	rank := map[string]int{"simulate": -1, "worker": 0, "master": 1, "aws": 2, "broker": 3, "store": 4}
	all := l.Processes()
	slices.SortStableFunc(all, func(a, b *Process) int { return rank[a.Role] - rank[b.Role] })
	var errs []error
	for len(all) > 0 {
		same := 1
		for same < len(all) && all[same].Role == all[0].Role {
			same++
		}
		for _, p := range all[:same] {
			p.terminate()
		}
		for _, p := range all[:same] {
			errs = append(errs, p.end(endMax))
		}
		all = all[same:]
	}
	return errors.Join(errs...)
}

// Simulate starts a fleet that drives on and on.
func (l *Lab) Simulate(ctx context.Context, vehicles int, args ...string) error {
	n := 0
	for _, p := range l.Processes() {
		if p.Role == "simulate" {
			n++
		}
	}
	name := fmt.Sprint("simulate-", n+1)
	_, err := l.start(ctx, "simulate", name, nil, append([]string{
		"simulate", "--kafka", l.Kafka, "--data", filepath.Join(l.o.Dir, name), "--node", fmt.Sprint(n), "--vehicles", fmt.Sprint(vehicles), "--pace", "1", "--loop",
	}, args...)...)
	return err
}
