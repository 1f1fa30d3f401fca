//go:build failover

package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"citystream/engine/enginetest"
	"citystream/internal/apachezookeeper"
	"citystream/internal/etcdserver"
	"citystream/local/lab"
)

var (
	failoverLeases = flag.String("failover.leases", "store,zookeeper,etcd", "lease stores to try")
	failoverTable  = flag.String("failover.table", "", "file that the table is written into")
	failoverFault  = flag.String("failover.fault", "", "only faults whose names contain this")
)

// A fault is something that goes wrong in a cluster, and what its users may expect all the same.
type fault struct {
	name   string
	stall  time.Duration // that a partition is not read, at most; 0 is no limit
	leader time.Duration // until another leads, at most; 0 is no limit
	do     func(*failing)
}

var faults = []fault{
	{name: "worker killed", stall: 8 * time.Second, do: func(c *failing) {
		w := c.anyWorker()
		w.Kill()
		c.taken(w)
		c.again(w)
	}},
	{name: "worker paused", stall: 9 * time.Second, do: func(c *failing) {
		w := c.anyWorker()
		c.paused(w, func() { c.taken(w) })
	}},
	{name: "worker told to end", stall: 3 * time.Second, do: func(c *failing) {
		w := c.anyWorker()
		if err := w.Terminate(); err != nil {
			c.Errorf("drain: %v", err)
		}
		c.taken(w)
		c.again(w)
	}},
	{name: "worker does not hear the master", do: func(c *failing) {
		w := c.anyWorker()
		w.inbound.Cut()
		c.taken(w)
		w.inbound.Heal()
	}},
	{name: "worker cut off from the store for 20 s", do: func(c *failing) {
		w := c.anyWorker()
		w.store.Cut()
		<-time.After(20 * time.Second)
		w.store.Heal()
	}},
	{name: "leader killed", stall: 3 * time.Second, leader: 6 * time.Second, do: func(c *failing) {
		l := c.leader()
		l.Kill()
		c.succeeded(l)
		c.again(l)
	}},
	{name: "leader told to end", stall: 3 * time.Second, leader: 6 * time.Second, do: func(c *failing) {
		l := c.leader()
		if err := l.Terminate(); err != nil {
			c.Errorf("the leader's end: %v", err)
		}
		c.succeeded(l)
		c.again(l)
	}},
	{name: "leader paused", stall: 3 * time.Second, leader: 6 * time.Second, do: func(c *failing) {
		l := c.leader()
		c.paused(l, func() { c.succeeded(l) })
	}},
	{name: "leader cut off from the lease", stall: 3 * time.Second, leader: 6 * time.Second, do: func(c *failing) {
		l := c.leader()
		l.lease.Cut()
		c.succeeded(l)
		l.lease.Heal()
	}},
	{name: "leader does not hear the workers", do: func(c *failing) {
		l := c.leader()
		l.inbound.Cut()
		c.succeeded(l)
		l.inbound.Heal()
	}},
	{name: "leader and a worker killed", do: func(c *failing) {
		l, w := c.leader(), c.anyWorker()
		l.Kill()
		w.Kill()
		c.succeeded(l)
		c.taken(w)
		c.again(l)
		c.again(w)
	}},
	{name: "store away for 30 s", do: func(c *failing) {
		for _, n := range c.all {
			n.store.Cut()
		}
		<-time.After(30 * time.Second)
		for _, n := range c.all {
			n.store.Heal()
		}
	}},
}

// linked is a node with the ways from it to the store and to the lease, and that of other nodes to it: each can be cut.
type linked struct {
	*lab.Process
	store, lease, inbound *enginetest.Link
	start                 func() *lab.Process
}

// failing is a cluster in which things go wrong.
type failing struct {
	*nodes
	read     *readings
	all      map[string]*linked
	began    time.Time     // of the present fault
	tookOver time.Duration // until another led
}

// TestFailover lets nodes and stores fail while a fleet drives, and proves in the end that each record is there once.
func TestFailover(t *testing.T) {
	table := "| lease | what goes wrong | longest that a partition was not read | until another led |\n|---|---|---|---|\n"
	for kind := range strings.SplitSeq(*failoverLeases, ",") {
		t.Run(kind, func(t *testing.T) { table += failover(t, kind) })
	}
	t.Log("\n" + table)
	if *failoverTable != "" && !t.Failed() {
		if err := os.WriteFile(*failoverTable, []byte(table), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func failover(t *testing.T, kind string) (lines string) {
	c := newFailing(t, kind)
	if err := c.lab.Simulate(t.Context(), 200, "--pace", "3"); err != nil {
		t.Fatal(err)
	}
	fleet := c.lab.Processes()[len(c.lab.Processes())-1]
	c.settled()
	for _, f := range faults {
		if !strings.Contains(f.name, *failoverFault) {
			continue
		}
		c.tookOver, c.began = 0, time.Now()
		c.read.reset()
		f.do(c)
		c.settled()
		stall := c.read.stall()
		t.Logf("%s, %s: not read for %.1f s, another led after %.1f s", kind, f.name, stall.Seconds(), c.tookOver.Seconds())
		if f.stall > 0 && stall > f.stall {
			t.Errorf("%s, %s: a partition was not read for %s", kind, f.name, stall)
		}
		if f.leader > 0 && c.tookOver > f.leader {
			t.Errorf("%s, %s: another led after %s", kind, f.name, c.tookOver)
		}
		led := "–"
		if c.tookOver > 0 {
			led = fmt.Sprintf("%.1f s", c.tookOver.Seconds())
		}
		lines += fmt.Sprintf("| %s | %s | %.1f s | %s |\n", kind, f.name, stall.Seconds(), led)
	}
	if err := fleet.Terminate(); err != nil {
		t.Errorf("the fleet: %v", err)
	}
	total := recordsIn(t, c.lab.Kafka)
	c.until("everything is committed", rows(total))
	c.proved(total)
	if err := c.lab.Close(); err != nil { // while the links are there
		t.Errorf("the end of the cluster: %v", err)
	}
	t.Logf("%s: %d records, each there once", kind, total)
	return lines
}

// until waits for a state of the cluster. It asks the masters themselves, since who is paused still holds the lease for a moment.
func (c *failing) until(what string, reached func(*state) bool) *state {
	c.Helper()
	for deadline := time.Now().Add(90 * time.Second); time.Now().Before(deadline); {
		for _, name := range []string{"m1", "m2"} {
			if s := c.stateOf(c.all[name]); s != nil && reached(s) {
				return s
			}
		}
		<-time.After(50 * time.Millisecond)
	}
	c.Fatalf("%s: not reached", what)
	return nil
}

// stateOf asks a master; it is nil where that one does not lead, or does not answer.
func (c *failing) stateOf(m *linked) *state {
	timed, cancel := context.WithTimeout(c.Context(), time.Second)
	defer cancel()
	answer, err := (&finder{url: m.Pages}).ask(timed)
	if err != nil {
		return nil
	}
	return stateOf(answer)
}

func newFailing(t *testing.T, kind string) *failing {
	servers := ""
	switch kind {
	case "zookeeper":
		servers = apachezookeeper.Start(t)
	case "etcd":
		servers = etcdserver.Start(t)
	}
	config := quick + "lease:\n  kind: " + kind + "\n"
	if servers != "" {
		config += fmt.Sprintf("  servers: [%q]\n", servers)
	}
	c := &failing{nodes: newNodes(t, lab.Options{Secure: true, Config: config}), read: followWorkers(t), all: map[string]*linked{}}
	for _, name := range []string{"m1", "m2"} {
		c.link(name, servers, c.lab.Master)
	}
	for _, name := range []string{"w1", "w2", "w3"} {
		c.link(name, servers, c.lab.Worker)
		c.read.add(c.all[name].Process)
	}
	return c
}

// startNode starts a node of a role.
type startNode = func(ctx context.Context, name string, env []string, args ...string) (*lab.Process, error)

// link starts a node behind links. It listens at one port for all its lives, so that the link to it leads there.
func (c *failing) link(name, servers string, start startNode) {
	c.Helper()
	n := &linked{store: enginetest.NewLink(), lease: enginetest.NewLink(), inbound: enginetest.NewLink()}
	listen := freeAddress(c.T)
	env := []string{"CITYSTREAM_STORE_ENDPOINT=http://" + n.store.Addr(c.T, strings.TrimPrefix(c.lab.S3, "http://"))}
	if servers == "" {
		n.lease = n.store // the lease is in the bucket
	} else {
		env = append(env, "CITYSTREAM_LEASE_SERVERS="+n.lease.Addr(c.T, servers))
	}
	advertise := n.inbound.Addr(c.T, listen)
	n.start = func() *lab.Process {
		p, err := start(c.Context(), name, env, "--listen", listen, "--advertise", advertise)
		if err != nil {
			c.Fatal(err)
		}
		return p
	}
	n.Process = n.start()
	c.all[name] = n
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// settled waits until all nodes are members, and all partitions are read and nobody waits for anything.
func (c *failing) settled() {
	c.Helper()
	c.until("all nodes are back, and the leader knows all of them", func(s *state) bool {
		return s.Settling == 0 && shared(partitionsOfTheCity, "w1", "w2", "w3")(s)
	})
	c.read.allRead(c.T, partitionsOfTheCity)
	c.until("two masters are there", func(*state) bool { return c.isUp("m1") && c.isUp("m2") })
}

func (c *failing) isUp(name string) bool {
	answer, err := http.Get(c.all[name].Pages + "/readyz")
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// anyWorker returns one that reads something.
func (c *failing) anyWorker() *linked {
	c.Helper()
	s := c.until("somebody reads", func(s *state) bool { return len(s.Partitions) > 0 })
	return c.all[s.Partitions[0].Worker]
}

func (c *failing) leader() *linked {
	c.Helper()
	return c.all[c.until("somebody leads", func(s *state) bool { return s.Leader != "" }).Leader]
}

// taken waits until the other workers read what one had.
func (c *failing) taken(w *linked) {
	c.Helper()
	c.until("the others read all", func(s *state) bool {
		owned := 0
		for _, p := range s.Partitions {
			if p.Owned && p.Worker != w.Name {
				owned++
			}
		}
		return owned == partitionsOfTheCity
	})
}

// succeeded waits until another leads and hears workers.
func (c *failing) succeeded(l *linked) {
	c.Helper()
	c.until("another leads", func(s *state) bool { return s.Leader != l.Name && len(s.Workers) > 0 })
	c.tookOver = time.Since(c.began)
}

// again starts a node that has ended.
func (c *failing) again(n *linked) {
	n.Process = n.start()
	if n.Role == "worker" {
		c.read.add(n.Process)
	}
}

func (c *failing) paused(n *linked, meanwhile func()) {
	c.Helper()
	if err := n.Signal(syscall.SIGSTOP); err != nil {
		c.Fatal(err)
	}
	meanwhile()
	<-time.After(2 * time.Second) // long after it was given up
	if err := n.Signal(syscall.SIGCONT); err != nil {
		c.Fatal(err)
	}
}
