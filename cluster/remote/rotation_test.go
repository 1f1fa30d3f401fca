package remote

import (
	"bytes"
	"crypto/x509"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"citystream/cluster/certs"
)

// copied returns copies of the files of a node, which stay as they are.
func copied(t *testing.T, files *TLS) *TLS {
	t.Helper()
	dir := t.TempDir()
	c := &TLS{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), CA: filepath.Join(dir, "ca.pem")}
	write(t, c.Cert, read(t, files.Cert))
	write(t, c.Key, read(t, files.Key))
	write(t, c.CA, read(t, files.CA))
	return c
}

func TestAuthoritiesAndCertificatesChangeWithoutARestart(t *testing.T) {
	t.Parallel()
	before, after := newLab(t), newLab(t)
	files := copied(t, before.node(t, "node", "127.0.0.1"))
	stolen, renewed := copied(t, files), after.node(t, "node", "127.0.0.1")
	o := Options{Listen: "127.0.0.1:0", TLS: files}
	a, b := startNode(t, o), startNode(t, o)
	a.ask(t, b)
	if err := alert(t, a.address, stolen); err != nil {
		t.Fatalf("the old certificate, before anything has changed: %v", err)
	}
	if err := alert(t, a.address, renewed); err == nil {
		t.Fatal("a certificate of the new authority is accepted before that is in the file")
	}

	write(t, files.CA, append(before.ca.PEM(), after.ca.PEM()...))
	for name, f := range map[string]*TLS{"old": stolen, "new": renewed} {
		if err := alert(t, a.address, f); err != nil {
			t.Errorf("the %s certificate, with both authorities: %v", name, err)
		}
	}

	write(t, files.Cert, read(t, renewed.Cert)) // belongs to no key for a moment
	if err := alert(t, a.address, stolen); err != nil {
		t.Errorf("between certificate and key: %v", err)
	}
	write(t, files.Key, read(t, renewed.Key))
	c := startNode(t, Options{Listen: "127.0.0.1:0", TLS: renewed}) // trusts the new authority only
	a.ask(t, c)
	c.ask(t, a)

	write(t, files.CA, after.ca.PEM())
	for _, n := range []*node{a, b, c} {
		if err := alert(t, n.address, stolen); err == nil || !strings.Contains(err.Error(), "unknown certificate authority") {
			t.Errorf("a certificate of the authority that was removed: the listener says %v", err)
		}
		if err := alert(t, n.address, renewed); err != nil {
			t.Errorf("the new certificate: %v", err)
		}
	}
	a.ask(t, b) // by the connection that they had all the time
	b.ask(t, a) // by a new one
}

func TestFilesThatCannotBeUsedChangeNothing(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for name, spoil := range map[string]func(*testing.T, *TLS){
		"half a certificate":           func(t *testing.T, f *TLS) { write(t, f.Cert, read(t, f.Cert)[:200]) },
		"an empty key":                 func(t *testing.T, f *TLS) { write(t, f.Key, nil) },
		"half an authority":            func(t *testing.T, f *TLS) { write(t, f.CA, read(t, f.CA)[:200]) },
		"one and a half authorities":   func(t *testing.T, f *TLS) { write(t, f.CA, append(read(t, f.CA), read(t, f.CA)[:200]...)) },
		"half an authority before one": func(t *testing.T, f *TLS) { write(t, f.CA, append(read(t, f.CA)[:200:200], read(t, f.CA)...)) },
		"a strange authority":          func(t *testing.T, f *TLS) { write(t, f.CA, newLab(t).ca.PEM()) },
		"another node's certificate":   func(t *testing.T, f *TLS) { write(t, f.Cert, read(t, l.node(t, "other", "127.0.0.1").Cert)) },
	} {
		files := copied(t, l.node(t, "node", "127.0.0.1"))
		said := &bytes.Buffer{}
		i, err := readIdentity(*files, "127.0.0.1", slog.New(slog.NewTextHandler(said, nil)))
		if err != nil {
			t.Fatal(err)
		}
		used := i.current()
		good := copied(t, files)
		spoil(t, files)
		for range 3 {
			if i.current() != used {
				t.Errorf("%s is taken into use", name)
			}
		}
		if n := strings.Count(said.String(), "cannot be used"); n != 1 {
			t.Errorf("%s is told of %d times:\n%s", name, n, said)
		}
		for to, from := range map[string]string{files.Cert: good.Cert, files.Key: good.Key, files.CA: good.CA} {
			write(t, to, read(t, from))
		}
		if i.current() != used {
			t.Errorf("%s and back is a change", name)
		}
	}
}

func TestTheEndOfACertificateIsToldOfOnceBeforeAndOnceAfter(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	said := &bytes.Buffer{}
	i, err := readIdentity(*l.node(t, "node", "127.0.0.1"), "127.0.0.1", slog.New(slog.NewTextHandler(said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if !i.expires().Equal(l.ca.Expires()) {
		t.Errorf("it expires at %s, the authority at %s", i.expires(), l.ca.Expires())
	}
	for _, step := range []struct {
		left     time.Duration
		soon, by int
	}{{50 * time.Minute, 0, 0}, {5 * time.Minute, 1, 0}, {4 * time.Minute, 1, 0}, {-time.Second, 1, 1}, {-time.Hour, 1, 1}} {
		i.warn(i.expires().Add(-step.left))
		if soon, by := strings.Count(said.String(), "expires soon"), strings.Count(said.String(), "has expired"); soon != step.soon || by != step.by {
			t.Errorf("%s before the end it was told %d times that it comes and %d times that it has come", step.left, soon, by)
		}
	}
}

func TestANodeKnowsWhenItsChainEnds(t *testing.T) {
	t.Parallel()
	short, err := certs.NewCA("lab", time.Now(), time.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{dir: t.TempDir(), ca: short}
	if err := short.Write(l.dir); err != nil {
		t.Fatal(err)
	}
	long := l.forge(t, "long", func(*x509.Certificate) {}) // an hour
	n := startNode(t, Options{Listen: "127.0.0.1:0", TLS: long})
	if got, want := n.tell(t, "expires", "-"), short.Expires().UTC().Format(time.RFC3339); got != want {
		t.Errorf("it expires at %s, its authority at %s", got, want)
	}
	if got := startNode(t, Options{Listen: "127.0.0.1:0"}).tell(t, "expires", "-"); got != "0001-01-01T00:00:00Z" {
		t.Errorf("without TLS it expires at %s", got)
	}
}
