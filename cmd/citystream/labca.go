package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"citystream/cluster/certs"
	"citystream/cluster/remote"
	"citystream/config"
)

// labCertificate is for how long a certificate is valid that a node of a lab makes when it starts.
const labCertificate = 365 * day

// advertised returns the host that others know a node by. One that listens at every address is known by its host's name: containers reach each
// other by that.
func advertised(c config.Node) (string, error) {
	host, _, err := net.SplitHostPort(c.Listen)
	if c.Advertise != "" || err != nil {
		return c.Advertise, err
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.IsUnspecified() {
		return host, nil
	}
	name, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("node.advertise is empty, and the host's name is not known: %w", err)
	}
	return name, nil
}

// identityOf says by which files a node shows who it is, and what makes them away when it ends; nil is none, for a node without TLS.
func (n *node) identityOf(c config.Node, host string) (*remote.TLS, error) {
	files := &remote.TLS{Cert: c.Cert, Key: c.Key, CA: c.CA}
	given := c.Cert != "" || c.Key != "" || c.CA != ""
	switch {
	case c.Insecure && (given || c.LabCA != ""):
		return nil, usageError{errors.New("node.insecure excludes node.cert, node.key, node.ca and node.labCa")}
	case c.Insecure:
		n.log.Warn("nodes talk in plain text, on this machine only (node.insecure)")
		return nil, nil
	case c.LabCA != "" && given:
		return nil, usageError{errors.New("node.labCa excludes node.cert, node.key and node.ca: with it, the node makes its certificate itself")}
	case c.LabCA != "":
		n.log.Warn("this node makes its own certificate, and could make any: for a lab only (node.labCa)", "host", host)
		return n.ownCertificate(c.LabCA, host)
	case c.Cert == "" || c.Key == "" || c.CA == "":
		return nil, usageError{errors.New("node.cert, node.key and node.ca are needed: citystream certs makes them for a lab; or say --insecure, on loopback addresses only")}
	}
	return files, nil
}

// ownCertificate makes a certificate by the authority of a lab, in a directory that ends with the node. Containers that are started in any number
// have names that nobody knows before, so nobody can make certificates for them.
func (n *node) ownCertificate(authority, host string) (*remote.TLS, error) {
	ca, err := certs.ReadCA(authority)
	if err != nil {
		return nil, fmt.Errorf("certificate of this node: %w", err)
	}
	dir, err := os.MkdirTemp("", "citystream-node-")
	if err != nil {
		return nil, fmt.Errorf("certificate of this node: %w", err)
	}
	n.closers = append(n.closers, func() error { return os.RemoveAll(dir) })
	const name = "node"
	now := time.Now()
	if err := ca.WriteNode(dir, certs.Node{Name: name, Hosts: []string{host}, Until: now.Add(labCertificate)}, now, false); err != nil {
		return nil, fmt.Errorf("certificate of this node: %w", err)
	}
	return &remote.TLS{
		Cert: filepath.Join(dir, name+".pem"), Key: filepath.Join(dir, name+"-key.pem"), CA: filepath.Join(authority, certs.CAFile),
	}, nil
}
