// Package certs makes the authority and the certificates of a lab's nodes.
//
// An authority that a company already has is better: this one's key is a file. What it makes is what nodes ask of each other: ECDSA P-256,
// for both sides of TLS, with the host names and IP addresses that the node is reached by.
package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Names of the authority's files in their directory.
const (
	CAFile    = "ca.pem"
	CAKeyFile = "ca-key.pem"
)

// skew is how long before it was made a certificate is valid: clocks of nodes differ.
const skew = 5 * time.Minute

// CA is an authority with its key. It is not changed.
type CA struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// Node says for whom a certificate is.
type Node struct {
	Name  string    // of the node, and of its files
	Hosts []string  // host names and IP addresses that it is reached by; at least one
	Until time.Time // the certificate's end, or that of the authority, if it comes first
}

// NewCA makes an authority that is valid until a time.
func NewCA(name string, now, until time.Time) (*CA, error) {
	if !until.After(now) {
		return nil, fmt.Errorf("make an authority: it would end at %s, before it begins", until.Format(time.RFC3339))
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make an authority: %w", err)
	}
	form := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-skew), NotAfter: until,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make an authority: %w", err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make an authority: %w", err)
	}
	return &CA{certificate: c, key: key}, nil
}

// Issue makes a node's certificate and key, as PEM.
func (c *CA) Issue(n Node, now time.Time) (cert, key []byte, err error) {
	if len(n.Hosts) == 0 || slices.Contains(n.Hosts, "") {
		return nil, nil, fmt.Errorf("certificate of %s: at least one host name or IP address, and no empty one", n.Name)
	}
	until := n.Until
	if until.After(c.certificate.NotAfter) {
		until = c.certificate.NotAfter
	}
	if !until.After(now) {
		return nil, nil, fmt.Errorf("certificate of %s: it would end at %s, before it begins", n.Name, until.Format(time.RFC3339))
	}
	form := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: n.Name}, NotBefore: now.Add(-skew), NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	for _, h := range n.Hosts {
		if ip := net.ParseIP(h); ip != nil {
			form.IPAddresses = append(form.IPAddresses, ip)
		} else {
			form.DNSNames = append(form.DNSNames, h)
		}
	}
	cert, key, err = c.sign(form)
	if err != nil {
		return nil, nil, fmt.Errorf("certificate of %s: %w", n.Name, err)
	}
	return cert, key, nil
}

func (c *CA) sign(form *x509.Certificate) (cert, key []byte, err error) {
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, form, c.certificate, secret.Public(), c.key)
	if err != nil {
		return nil, nil, err
	}
	if key, err = keyPEM(secret); err != nil {
		return nil, nil, err
	}
	return certPEM(der), key, nil
}

// PEM returns the authority's certificate, for those who check others by it.
func (c *CA) PEM() []byte { return certPEM(c.certificate.Raw) }

// Expires returns when the authority ends.
func (c *CA) Expires() time.Time { return c.certificate.NotAfter }

// Write puts certificate and key of the authority into a directory. It overwrites nothing.
func (c *CA) Write(dir string) error {
	key, err := keyPEM(c.key)
	if err != nil {
		return fmt.Errorf("write the authority: %w", err)
	}
	return writePair(dir, CAFile, CAKeyFile, c.PEM(), key, false)
}

// ReadCA reads an authority that Write has written. Without its files, the error is an fs.ErrNotExist.
func ReadCA(dir string) (*CA, error) {
	cert, errCert := os.ReadFile(filepath.Join(dir, CAFile))
	key, errKey := os.ReadFile(filepath.Join(dir, CAKeyFile))
	if (errCert == nil) != (errKey == nil) {
		return nil, fmt.Errorf("read the authority: one of %s and %s is missing: %s", CAFile, CAKeyFile, errors.Join(errCert, errKey))
	}
	if errCert != nil {
		return nil, fmt.Errorf("read the authority: %w", errCert)
	}
	c, err := parseCA(cert, key)
	if err != nil {
		return nil, fmt.Errorf("read the authority in %s: %w", dir, err)
	}
	return c, nil
}

// CopyCA puts the authority's certificate, with those beside it in its file, from one directory into another; its key stays where it is.
func CopyCA(from, to string) error {
	text, err := os.ReadFile(filepath.Join(from, CAFile))
	if err == nil {
		err = os.MkdirAll(to, 0o755)
	}
	if err == nil {
		err = writeWhole(filepath.Join(to, CAFile), text, 0o644)
	}
	if err != nil {
		return fmt.Errorf("copy the authority's certificate: %w", err)
	}
	return nil
}

func parseCA(cert, key []byte) (*CA, error) {
	block, _ := pem.Decode(cert) // the first, where an older one follows
	secret, _ := pem.Decode(key)
	if block == nil || secret == nil {
		return nil, errors.New("no PEM")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(secret.Bytes)
	if err != nil {
		return nil, err
	}
	k, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !k.PublicKey.Equal(c.PublicKey) {
		return nil, fmt.Errorf("the key in %s is not that of %s", CAKeyFile, CAFile)
	}
	if !c.IsCA {
		return nil, fmt.Errorf("%s is no authority", CAFile)
	}
	return &CA{certificate: c, key: k}, nil
}

// WriteNode issues a node's certificate and puts it into a directory as NAME.pem and NAME-key.pem. Files that are there are left alone,
// with an error, unless they are to be replaced.
func (c *CA) WriteNode(dir string, n Node, now time.Time, replace bool) error {
	if n.Name == "" || n.Name == "ca" || n.Name != filepath.Base(n.Name) || strings.HasPrefix(n.Name, ".") {
		return fmt.Errorf("certificate of %q: the name is to be that of a file, and not that of the authority", n.Name)
	}
	cert, key, err := c.Issue(n, now)
	if err != nil {
		return err
	}
	return writePair(dir, n.Name+".pem", n.Name+"-key.pem", cert, key, replace)
}

// writePair writes a certificate and its key. Each file appears whole or not at all, since nodes read them while they run.
func writePair(dir, certName, keyName string, cert, key []byte, replace bool) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write certificates: %w", err)
	}
	for _, name := range []string{certName, keyName} {
		_, err := os.Lstat(filepath.Join(dir, name))
		switch {
		case err == nil && !replace:
			return fmt.Errorf("write certificates: %s: %w", filepath.Join(dir, name), fs.ErrExist)
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("write certificates: %w", err)
		}
	}
	if err := writeWhole(filepath.Join(dir, keyName), key, 0o600); err != nil {
		return fmt.Errorf("write certificates: %w", err)
	}
	if err := writeWhole(filepath.Join(dir, certName), cert, 0o644); err != nil {
		return fmt.Errorf("write certificates: %w", err)
	}
	return nil
}

func writeWhole(file string, text []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*") // readable by its owner only
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // where a step below fails
	_, err = f.Write(text)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}

func serial() *big.Int {
	b := make([]byte, 16)
	rand.Read(b)   // never fails
	b[0] &= 0x7f   // positive
	b[0] |= 1 << 6 // and never zero
	return new(big.Int).SetBytes(b)
}

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func keyPEM(k *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
