package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func newCA(t *testing.T, dir string) *CA {
	t.Helper()
	ca, err := NewCA("lab", time.Now(), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if err := ca.Write(dir); err != nil {
		t.Fatal(err)
	}
	return ca
}

func TestACertificateIsOneForBothSidesAndTheHostsOfItsNode(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	newCA(t, dir)
	ca, err := ReadCA(dir) // as a later call of the program does
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	until := now.Add(30 * time.Minute).Truncate(time.Second)
	if err := ca.WriteNode(dir, Node{Name: "worker-1", Hosts: []string{"127.0.0.1", "::1", "node1.example"}, Until: until}, now, false); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "worker-1.pem"), filepath.Join(dir, "worker-1-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, CAFile))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		for host, want := range map[string]bool{"127.0.0.1": true, "::1": true, "node1.example": true, "node2.example": false, "127.0.0.2": false} {
			_, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots, KeyUsages: []x509.ExtKeyUsage{usage}})
			if (err == nil) != want {
				t.Errorf("usage %d, host %s: %v", usage, host, err)
			}
		}
	}
	if pair.Leaf.IsCA || !pair.Leaf.NotAfter.Equal(until) || !pair.Leaf.NotBefore.Before(now) {
		t.Errorf("authority: %t, valid from %s until %s, want %s", pair.Leaf.IsCA, pair.Leaf.NotBefore, pair.Leaf.NotAfter, until)
	}
	expectFiles(t, dir, map[string]fs.FileMode{CAFile: 0o644, CAKeyFile: 0o600, "worker-1.pem": 0o644, "worker-1-key.pem": 0o600})
}

func expectFiles(t *testing.T, dir string, want map[string]fs.FileMode) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if mode, ok := want[e.Name()]; !ok || info.Mode() != mode {
			t.Errorf("%s has mode %s, want %s", e.Name(), info.Mode(), mode)
		}
	}
	if len(entries) != len(want) {
		t.Errorf("%d files, want %d", len(entries), len(want))
	}
}

func TestFilesThatAreThereStayUnlessTheyAreToBeReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := newCA(t, dir)
	n := Node{Name: "n", Hosts: []string{"localhost"}, Until: ca.Expires()}
	if err := ca.WriteNode(dir, n, time.Now(), false); err != nil {
		t.Fatal(err)
	}
	first := contents(t, dir)
	if err := ca.WriteNode(dir, n, time.Now(), false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second certificate: %v", err)
	}
	if err := ca.Write(dir); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second authority: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "n.pem")); err != nil {
		t.Fatal(err)
	}
	if err := ca.WriteNode(dir, n, time.Now(), false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a certificate beside a key that is there: %v", err)
	}
	if now := contents(t, dir); now["n-key.pem"] != first["n-key.pem"] || now[CAKeyFile] != first[CAKeyFile] {
		t.Error("a key has changed")
	}
	if err := ca.WriteNode(dir, n, time.Now(), true); err != nil {
		t.Fatal(err)
	}
	if contents(t, dir)["n-key.pem"] == first["n-key.pem"] {
		t.Error("the key is not replaced")
	}
	expectFiles(t, dir, map[string]fs.FileMode{CAFile: 0o644, CAKeyFile: 0o600, "n.pem": 0o644, "n-key.pem": 0o600})
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, name := range []string{CAFile, CAKeyFile, "n.pem", "n-key.pem"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		all[name] = string(text)
	}
	return all
}

func TestNoCertificateOutlivesItsAuthority(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := newCA(t, dir)
	if err := ca.WriteNode(dir, Node{Name: "n", Hosts: []string{"localhost"}, Until: ca.Expires().Add(time.Hour)}, time.Now(), false); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "n.pem"), filepath.Join(dir, "n-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if !pair.Leaf.NotAfter.Equal(ca.Expires()) {
		t.Errorf("the certificate ends at %s, the authority at %s", pair.Leaf.NotAfter, ca.Expires())
	}
	if _, _, err := ca.Issue(Node{Name: "late", Hosts: []string{"localhost"}, Until: ca.Expires().Add(time.Hour)}, ca.Expires()); err == nil {
		t.Error("an authority that has ended makes certificates")
	}
}

func TestNodesThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca := newCA(t, dir)
	until := ca.Expires()
	for _, n := range []Node{
		{Name: "", Hosts: []string{"h"}, Until: until},
		{Name: "ca", Hosts: []string{"h"}, Until: until},
		{Name: "../n", Hosts: []string{"h"}, Until: until},
		{Name: "..", Hosts: []string{"h"}, Until: until},
		{Name: "n", Until: until},
		{Name: "n", Hosts: []string{""}, Until: until},
		{Name: "n", Hosts: []string{"h"}},
	} {
		if err := ca.WriteNode(dir, n, time.Now(), true); err == nil {
			t.Errorf("%+v has a certificate", n)
		}
	}
	expectFiles(t, dir, map[string]fs.FileMode{CAFile: 0o644, CAKeyFile: 0o600})
}

func TestAnAuthorityIsReadWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	if _, err := ReadCA(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without files: %v", err)
	}
	other := t.TempDir()
	newCA(t, other)
	for name, c := range map[string]struct {
		spoil func(dir string) error
		want  string
	}{
		"no key":         {func(dir string) error { return os.Remove(filepath.Join(dir, CAKeyFile)) }, "one of"},
		"no certificate": {func(dir string) error { return os.Remove(filepath.Join(dir, CAFile)) }, "one of"},
		"the key of another": {func(dir string) error {
			return os.Rename(filepath.Join(other, CAKeyFile), filepath.Join(dir, CAKeyFile))
		}, "not that of"},
		"an empty key":  {func(dir string) error { return os.WriteFile(filepath.Join(dir, CAKeyFile), nil, 0o600) }, "no PEM"},
		"no PEM at all": {func(dir string) error { return os.WriteFile(filepath.Join(dir, CAFile), []byte("x"), 0o600) }, "no PEM"},
	} {
		dir := t.TempDir()
		newCA(t, dir)
		if err := c.spoil(dir); err != nil {
			t.Fatal(err)
		}
		_, err := ReadCA(dir)
		if err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
