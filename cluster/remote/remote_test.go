package remote

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"citystream/cluster/certs"
)

// lab is an authority in a directory, with the certificates of nodes.
type lab struct {
	dir string
	ca  *certs.CA
}

func newLab(t *testing.T) *lab {
	t.Helper()
	ca, err := certs.NewCA("lab", time.Now(), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{dir: t.TempDir(), ca: ca}
	if err := ca.Write(l.dir); err != nil {
		t.Fatal(err)
	}
	return l
}

// node returns the files of a new node.
func (l *lab) node(t *testing.T, name string, hosts ...string) *TLS {
	t.Helper()
	if err := l.ca.WriteNode(l.dir, certs.Node{Name: name, Hosts: hosts, Until: l.ca.Expires()}, time.Now(), true); err != nil {
		t.Fatal(err)
	}
	return &TLS{Cert: filepath.Join(l.dir, name+".pem"), Key: filepath.Join(l.dir, name+"-key.pem"), CA: filepath.Join(l.dir, certs.CAFile)}
}

func TestNodesTalk(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for name, o := range map[string]Options{
		"with TLS, by IP address": {Listen: "127.0.0.1:0", TLS: l.node(t, "ip", "127.0.0.1")},
		"with TLS, by name":       {Listen: "127.0.0.1:0", Advertise: "localhost", TLS: l.node(t, "name", "localhost")},
		"with TLS, by IPv6":       {Listen: "[::1]:0", TLS: l.node(t, "six", "::1")},
		"in plaintext":            {Listen: "127.0.0.1:0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if p, err := net.Listen("tcp", o.Listen); err != nil {
				t.Skip(err)
			} else {
				_ = p.Close()
			}
			a, b := startNode(t, o), startNode(t, o)
			for range 3 {
				a.ask(t, b)
				b.ask(t, a)
			}
			if s := a.said.String() + b.said.String(); s != "" {
				t.Errorf("a peaceful life is told of:\n%s", s)
			}
		})
	}
}

func TestStartRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() }) // after the parallel tests below
	for name, c := range map[string]struct {
		o    Options
		want string
	}{
		"plaintext on all interfaces":     {Options{Listen: "0.0.0.0:0", Advertise: "127.0.0.1"}, "citystream certs"},
		"plaintext known by another name": {Options{Listen: "127.0.0.1:0", Advertise: "node1.example"}, "citystream certs"},
		"an address nobody can reach":     {Options{Listen: "0.0.0.0:0", TLS: l.node(t, "any", "127.0.0.1")}, "others can reach"},
		"a port that is taken":            {Options{Listen: taken.Addr().String()}, "address already in use"},
		"no port":                         {Options{Listen: "127.0.0.1"}, "missing port"},
		"a certificate of another host":   {Options{Listen: "127.0.0.1:0", TLS: l.node(t, "other", "10.0.0.1")}, "valid for 10.0.0.1, not 127.0.0.1"},
		"no certificate":                  {Options{Listen: "127.0.0.1:0", TLS: &TLS{Cert: "/missing"}}, "/missing: no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if n, line := launch(t, c.o); !strings.HasPrefix(line, "error ") || !strings.Contains(line, c.want) {
				t.Errorf("the node says %q, want an error with %q\n%s", line, c.want, n.said)
			}
		})
	}
}

func TestANodeThatComesBackIsReachedAgain(t *testing.T) {
	t.Parallel()
	o := Options{Listen: "127.0.0.1:0", TLS: newLab(t).node(t, "node", "127.0.0.1")}
	a, b := startNode(t, o), startNode(t, o)
	a.ask(t, b)
	b.ask(t, a)
	b.kill(t)
	a.waitForLog(t, "lost connection")
	if got := a.tell(t, "ask", b.address); !strings.HasPrefix(got, "error ") {
		t.Errorf("a dead node answers %q", got)
	}
	o.Listen = b.address
	again := startNode(t, o)
	for deadline := time.Now().Add(20 * time.Second); !strings.HasPrefix(a.tell(t, "ask", b.address), "answer "); {
		if time.Now().After(deadline) {
			t.Fatalf("the node is not reached again:\n%s", a.said)
		}
	}
	again.beat++
	a.ask(t, again)
	again.ask(t, a)
}

func TestAWatchCrossesNodes(t *testing.T) {
	t.Parallel()
	o := Options{Listen: "127.0.0.1:0", TLS: newLab(t).node(t, "node", "127.0.0.1")}
	a, stops, dies := startNode(t, o), startNode(t, o), startNode(t, o)
	for _, n := range []*node{stops, dies} {
		a.tell(t, "watch", n.address)
	}
	stops.tell(t, "end", "-")
	a.waitForLog(t, "ended "+stops.address+" Stopped")
	dies.tell(t, "watch", stops.address) // which has no such actor any more
	dies.waitForLog(t, "ended "+stops.address+" Stopped")
	a.ask(t, dies)
	dies.kill(t)
	a.waitForLog(t, "ended "+dies.address+" AddressTerminated")
}
