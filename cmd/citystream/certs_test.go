package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// runCerts runs certs in this process.
func runCerts(args ...string) (string, error) {
	c, out := root(), &bytes.Buffer{}
	c.SetOut(out)
	c.SetArgs(append([]string{"certs"}, args...))
	err := c.Execute()
	return out.String(), err
}

func TestCertsMakesOneCAForAllNodes(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "certs")
	for i, name := range []string{"master-1", "worker-1"} {
		said, err := runCerts("--out", dir, "--name", name, "--host", "127.0.0.1", "--host", name+".example", "--days", "3")
		if err != nil {
			t.Fatal(err)
		}
		if made := strings.Contains(said, "a new CA"); made != (i == 0) || !strings.Contains(said, name+"-key.pem") {
			t.Errorf("for %s it says %q", name, said)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	for _, name := range []string{"master-1", "worker-1"} {
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, name+".pem"), filepath.Join(dir, name+"-key.pem"))
		if err != nil {
			t.Fatal(err)
		}
		for _, host := range []string{"127.0.0.1", name + ".example"} {
			if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots}); err != nil {
				t.Error(err)
			}
		}
		if left := time.Until(pair.Leaf.NotAfter); left < 2*day || left > 3*day {
			t.Errorf("%s is valid for %s", name, left)
		}
	}
}

func TestCertsReplacesOnlyWhatItIsToldTo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := []string{"--out", dir, "--name", "n", "--host", "localhost"}
	if _, err := runCerts(args...); err != nil {
		t.Fatal(err)
	}
	var usage usageError
	if _, err := runCerts(args...); err == nil || errors.As(err, &usage) || !strings.Contains(err.Error(), "--replace") {
		t.Errorf("a second time: %v", err)
	}
	said, err := runCerts(append(args, "--replace")...)
	if err != nil || strings.Contains(said, "a new CA") {
		t.Errorf("a second time, with --replace: %v, %q", err, said)
	}
}

func TestCertsReportsEveryFaultOfItsFlags(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := runCerts("--out", dir, "--days", "0")
	var usage usageError
	if !errors.As(err, &usage) {
		t.Fatalf("%v is no error of usage", err)
	}
	for _, flag := range []string{"--name", "--host", "--days"} {
		if !strings.Contains(err.Error(), flag) {
			t.Errorf("%q does not tell of %s", err, flag)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("%d files, %v", len(entries), err)
	}
}

func TestCertsMakesACAAloneAndLetsItStay(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "certs")
	var first []byte
	for i := range 2 {
		said, err := runCerts("--out", dir, "--ca-only")
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = text
		} else if said != "" || !bytes.Equal(first, text) {
			t.Errorf("the second call says %q, and the CA is another: %v", said, !bytes.Equal(first, text))
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("%d files, %v", len(entries), err)
	}
	var usage usageError
	if _, err := runCerts("--out", dir, "--ca-only", "--name", "worker-1"); !errors.As(err, &usage) {
		t.Errorf("--ca-only with --name gets %v", err)
	}
}

func TestCertsTakesTheCAOfAnotherDirectory(t *testing.T) {
	t.Parallel()
	authority, dir := filepath.Join(t.TempDir(), "ca"), filepath.Join(t.TempDir(), "certs")
	if _, err := runCerts("--out", dir, "--ca", authority, "--name", "node", "--host", "10.0.0.7"); err == nil {
		t.Error("a CA that is not there was made")
	}
	if _, err := runCerts("--out", authority, "--ca-only"); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second as when a container is started again
		if _, err := runCerts("--out", dir, "--ca", authority, "--name", "node", "--host", "10.0.0.7", "--replace"); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); got != "ca.pem node-key.pem node.pem" {
		t.Errorf("a node gets %s", got)
	}
}
