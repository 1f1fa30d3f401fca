package remote

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"
)

// identity is what a node shows to others and checks them by: its certificate and key, and the authorities. They come from three files, which
// are read before each handshake and once a minute, and compared with what is in use; there are few handshakes, and to compare contents misses
// no change that a clock too coarse would hide.
//
// A set of files is taken as a whole or not at all: certificate and key belong together, and the authorities have signed the certificate. So
// files may be replaced one by one, in any order; what is in use stays until they fit, and a file that is half written changes nothing.
//
// Safe for concurrent use.
type identity struct {
	files TLS
	host  string // that the certificate must name
	log   *slog.Logger

	mu     sync.Mutex // of what follows
	used   *material
	fault  string // of the files as they were read last; told once
	warned expiry // told of the material in use
}

// material is one set of files. It is not changed.
type material struct {
	source      [3][]byte // of cert, key and CA
	certificate tls.Certificate
	authorities *x509.CertPool
	begins      time.Time // of the certificate
	expires     time.Time // of the certificate, or of the first that ends in its chain
}

// checkEvery is how often files and expiry are looked at where nobody connects.
const checkEvery = time.Minute

// readIdentity reads the files. Here each fault is an error.
func readIdentity(files TLS, host string, log *slog.Logger) (*identity, error) {
	i := &identity{files: files, host: host, log: log}
	source, err := i.read()
	if err != nil {
		return nil, err
	}
	if i.used, err = i.parse(source); err != nil {
		return nil, err
	}
	i.warn(time.Now())
	return i, nil
}

// watch looks at the files until the context ends, so that a fault or an expiry is told of in time.
func (i *identity) watch(ctx context.Context) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			i.current()
		}
	}
}

func (i *identity) expires() time.Time {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.used.expires
}

// current returns what is to be used now, after another look at the files.
func (i *identity) current() *material {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.refresh()
	i.warn(time.Now())
	return i.used
}

// refresh takes files into use that have changed.
func (i *identity) refresh() {
	source, err := i.read()
	if err == nil && slices.EqualFunc(source[:], i.used.source[:], bytes.Equal) {
		i.fault = ""
		return
	}
	var m *material
	if err == nil {
		m, err = i.parse(source)
	}
	if err != nil {
		if i.fault != err.Error() {
			i.log.Warn("the files of certificates have changed, but cannot be used: those read before stay in use", "error", err, "expires", i.used.expires)
		}
		i.fault = err.Error()
		return
	}
	i.used, i.fault, i.warned = m, "", valid
	i.log.Info("the files of certificates have changed and are in use for new connections", "expires", m.expires)
}

func (i *identity) read() (source [3][]byte, err error) {
	for n, file := range []string{i.files.Cert, i.files.Key, i.files.CA} {
		if source[n], err = os.ReadFile(file); err != nil {
			return source, fmt.Errorf("read certificates: %w", err)
		}
	}
	return source, nil
}

// parse checks what was read as other nodes will. The names of files are in its errors, nothing of their contents.
func (i *identity) parse(source [3][]byte) (*material, error) {
	certificate, err := tls.X509KeyPair(source[0], source[1])
	if err != nil {
		return nil, fmt.Errorf("certificate %s and key %s: %w", i.files.Cert, i.files.Key, err)
	}
	authorities, err := certificates(source[2])
	if err != nil {
		return nil, fmt.Errorf("CA %s: %w", i.files.CA, err)
	}
	m := &material{source: source, certificate: certificate, authorities: x509.NewCertPool(), begins: certificate.Leaf.NotBefore}
	for _, a := range authorities {
		m.authorities.AddCert(a)
	}
	between := x509.NewCertPool()
	for _, der := range certificate.Certificate[1:] {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("certificate %s: an intermediate: %w", i.files.Cert, err)
		}
		between.AddCert(c)
	}
	for _, use := range []struct {
		side  string
		usage x509.ExtKeyUsage
	}{{"as a listener", x509.ExtKeyUsageServerAuth}, {"as a dialler", x509.ExtKeyUsageClientAuth}} {
		chains, err := certificate.Leaf.Verify(x509.VerifyOptions{
			DNSName: i.host, Roots: m.authorities, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{use.usage},
		})
		if err != nil {
			return nil, fmt.Errorf("certificate %s is not one that other nodes accept from %s %s, by CA %s: %w", i.files.Cert, i.host, use.side, i.files.CA, err)
		}
		m.expires = lasts(chains)
	}
	return m, nil
}

// lasts returns when the last chain ends, which is when the first certificate in it does.
func lasts(chains [][]*x509.Certificate) time.Time {
	var last time.Time
	for _, chain := range chains {
		end := slices.MinFunc(chain, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) }).NotAfter
		if end.After(last) {
			last = end
		}
	}
	return last
}

// certificates returns those of a PEM file. One that is cut off is an error, not the end.
func certificates(text []byte) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	blocks := bytes.Count(text, []byte("-----BEGIN "))
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		text = rest
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(all)+1, err)
		}
		all = append(all, c)
	}
	if len(all) == 0 || len(all) < blocks {
		return nil, fmt.Errorf("%d of %d PEM blocks are whole", len(all), blocks)
	}
	return all, nil
}

// expiry is how much was told of the end of a certificate.
type expiry int

const (
	valid expiry = iota
	ending
	ended
)

// warn tells once when the last tenth of a certificate's life begins, and once when it has ended.
func (i *identity) warn(now time.Time) {
	m := i.used
	left := m.expires.Sub(now)
	switch {
	case left <= 0 && i.warned < ended:
		i.warned = ended
		i.log.Error("the certificate of this node has expired: other nodes refuse its new connections until its files are replaced", "cert", i.files.Cert, "expired", m.expires)
	case left > 0 && left < m.expires.Sub(m.begins)/10 && i.warned < ending:
		i.warned = ending
		i.log.Warn("the certificate of this node expires soon: replace its files; no restart is needed", "cert", i.files.Cert, "expires", m.expires)
	}
}
