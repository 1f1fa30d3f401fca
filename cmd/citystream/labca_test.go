package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"citystream/config"
)

// labNode is a node that is about to open its connections to others.
func labNode(c config.Node) *node {
	cfg := config.Default()
	cfg.Node = c
	return &node{cfg: cfg, log: slog.New(slog.DiscardHandler)}
}

func TestANodeOfALabMakesItsOwnCertificate(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "certs")
	if _, err := runCerts("--out", dir, "--ca-only"); err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	n := labNode(config.Node{Listen: "0.0.0.0:0", LabCA: dir})
	if err := n.openRemote(context.Background()); err != nil {
		t.Fatal(err)
	}
	if known, _, err := net.SplitHostPort(n.remote.Address()); err != nil || known != host {
		t.Errorf("others know it as %s, not as %s", n.remote.Address(), host)
	}
	text, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	files, err := n.identityOf(config.Node{LabCA: dir}, host)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots}); err != nil {
		t.Error(err)
	}
	if err := n.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(files.Key); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the key stays behind: %v", err)
	}
}

func TestANodeSaysWhatItLacksToShowWhoItIs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		node config.Node
		says string
	}{
		{config.Node{}, "node.cert, node.key and node.ca are needed"},
		{config.Node{Cert: "c.pem", Key: "k.pem"}, "are needed"},
		{config.Node{Insecure: true, Cert: "c.pem"}, "node.insecure excludes"},
		{config.Node{Insecure: true, LabCA: "certs"}, "node.insecure excludes"},
		{config.Node{LabCA: "certs", CA: "ca.pem"}, "node.labCa excludes"},
	} {
		_, err := labNode(c.node).identityOf(c.node, "localhost")
		var usage usageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v gets %v", c.node, err)
		}
	}
}

func TestTheHostThatOthersKnowANodeBy(t *testing.T) {
	t.Parallel()
	own, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ listen, advertise, want string }{
		{"127.0.0.1:0", "", "127.0.0.1"},
		{"0.0.0.0:7700", "10.0.0.5", "10.0.0.5"},
		{"0.0.0.0:7700", "", own},
		{"[::]:7700", "", own},
		{"node1.example:7700", "", "node1.example"},
	} {
		if got, err := advertised(config.Node{Listen: c.listen, Advertise: c.advertise}); err != nil || got != c.want {
			t.Errorf("%+v gets %q, %v", c, got, err)
		}
	}
}
