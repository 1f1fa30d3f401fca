package remote

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc"

	"citystream/cluster/certs"
)

// forge signs a certificate that certs would not make, by the authority of a lab, and returns its files.
func (l *lab) forge(t *testing.T, name string, change func(*x509.Certificate)) *TLS {
	t.Helper()
	ca, err := tls.LoadX509KeyPair(filepath.Join(l.dir, certs.CAFile), filepath.Join(l.dir, certs.CAKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	change(form)
	der, err := x509.CreateCertificate(rand.Reader, form, ca.Leaf, key.Public(), ca.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	files := &TLS{Cert: filepath.Join(l.dir, name+".pem"), Key: filepath.Join(l.dir, name+"-key.pem"), CA: filepath.Join(l.dir, certs.CAFile)}
	write(t, files.Cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(t, files.Key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
	return files
}

func write(t *testing.T, file string, text []byte) {
	t.Helper()
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func expired(c *x509.Certificate)   { c.NotAfter = time.Now().Add(-time.Minute) }
func dialsOnly(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }

func listensOnly(c *x509.Certificate) {
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
}
func elsewhere(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(10, 0, 0, 9)} }

// alert dials with a certificate, or none, and returns what the listener says to it. With TLS 1.3 the dialler's handshake is over before the listener has
// looked at the certificate, so a refusal comes as the first answer.
func alert(t *testing.T, address string, files *TLS) error {
	t.Helper()
	c := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}
	if files != nil {
		pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
		if err != nil {
			t.Fatal(err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	conn, err := tls.Dial("tcp", address, c)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, err = conn.Read(make([]byte, 1)) // HTTP/2 begins by the server's settings
	return err
}

func TestAListenerRefusesWhoIsNoNode(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	files := l.node(t, "node", "127.0.0.1")
	victim, friend := startNode(t, Options{Listen: "127.0.0.1:0", TLS: files}), startNode(t, Options{Listen: "127.0.0.1:0", TLS: files})
	friend.ask(t, victim)
	for _, c := range []struct {
		name  string
		files *TLS
		want  string
	}{
		{"no certificate", nil, "certificate required"},
		{"a certificate of another CA", newLab(t).node(t, "stranger", "127.0.0.1"), "unknown certificate authority"},
		{"an expired certificate", l.forge(t, "expired", expired), "expired certificate"},
		{"a certificate that is none of a dialler", l.forge(t, "listens", listensOnly), "bad certificate"},
	} {
		if err := alert(t, victim.address, c.files); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the listener says %v, want %s", c.name, err, c.want)
		}
		friend.ask(t, victim)
	}
	if err := alert(t, victim.address, files); err != nil {
		t.Errorf("the certificate of a node: the listener says %v", err)
	}
	victim.waitForLog(t, "a connection is refused")
}

// listener is a node as far as TLS goes, with the certificate of a test; it answers nothing.
func listener(t *testing.T, files *TLS) (address string, met chan struct{}) {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	met = make(chan struct{}, 16)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if n, err := conn.Read(make([]byte, 1)); n > 0 && err == nil { // HTTP/2 begins by the dialler's preface
				met <- struct{}{}
			}
			_ = conn.Close()
		}
	}()
	return l.Addr().String(), met
}

func TestADiallerRefusesWhoIsNotTheNodeItDialled(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	files := l.node(t, "node", "127.0.0.1")
	asker, friend := startNode(t, Options{Listen: "127.0.0.1:0", TLS: files}), startNode(t, Options{Listen: "127.0.0.1:0", TLS: files})
	for _, c := range []struct {
		name  string
		files *TLS
		want  string // nothing where the listener is a node
	}{
		{"the certificate of a node", files, ""},
		{"a certificate of another CA", newLab(t).node(t, "stranger", "127.0.0.1"), "signed by unknown authority"},
		{"an expired certificate", l.forge(t, "expired", expired), "has expired"},
		{"a certificate that is none of a listener", l.forge(t, "dials", dialsOnly), "incompatible key usage"},
		{"a certificate of another host", l.forge(t, "elsewhere", elsewhere), "not 127.0.0.1"},
	} {
		address, met := listener(t, c.files)
		asker.tell(t, "send", address)
		line := asker.waitForLog(t, "failed to connect\" address="+address)
		if !strings.Contains(line, c.want) {
			t.Errorf("%s: the log says %s, want %s", c.name, line, c.want)
		}
		if spoken := len(met) > 0; spoken != (c.want == "") {
			t.Errorf("%s: spoken to is %t", c.name, spoken)
		}
		asker.ask(t, friend)
	}
	_, port, err := net.SplitHostPort(friend.address)
	if err != nil {
		t.Fatal(err)
	}
	asker.tell(t, "send", "localhost:"+port)
	if line := asker.waitForLog(t, "localhost:"+port); !strings.Contains(line, "not valid for any names, but wanted to match localhost") {
		t.Errorf("a node by a name that its certificate lacks: %s", line)
	}
	asker.ask(t, friend) // it has got nothing in between
}

func TestPlaintextAndTLSDoNotMix(t *testing.T) {
	t.Parallel()
	secure := Options{Listen: "127.0.0.1:0", TLS: newLab(t).node(t, "node", "127.0.0.1")}
	plain := Options{Listen: "127.0.0.1:0"}
	a, b, c, d := startNode(t, secure), startNode(t, secure), startNode(t, plain), startNode(t, plain)
	for _, pair := range [][2]*node{{a, c}, {c, a}} {
		pair[0].tell(t, "send", pair[1].address)
		pair[0].waitForLog(t, "failed to connect")
	}
	a.waitForLog(t, "a connection is refused")
	a.ask(t, b)
	b.ask(t, a)
	c.ask(t, d)
	d.ask(t, c)
}

func TestAPeerThatNeverAnswersDelaysNothingElse(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the system accepts for it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	a, b := startNode(t, Options{Listen: "127.0.0.1:0"}), startNode(t, Options{Listen: "127.0.0.1:0"})
	mute := muteNode(t)
	for range 3 {
		a.tell(t, "send", silent.Addr().String())
		a.tell(t, "send", mute)
		a.ask(t, b)
		b.ask(t, a)
	}
	a.waitForLog(t, "failed to connect\" address="+silent.Addr().String())
	a.waitForLog(t, "failed to connect\" address="+mute)
	a.ask(t, b)
}

// muteNode speaks gRPC, and then says nothing.
func muteNode(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	remote.RegisterRemotingServer(s, mute{})
	go func() { _ = s.Serve(l) }() // until it is stopped
	t.Cleanup(s.Stop)
	return l.Addr().String()
}

type mute struct {
	remote.UnimplementedRemotingServer
}

func (mute) Receive(s remote.Remoting_ReceiveServer) error {
	for {
		if _, err := s.Recv(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func TestTheLogSaysWhichSideRefusesACertificate(t *testing.T) {
	t.Parallel()
	a := startNode(t, Options{Listen: "127.0.0.1:0", TLS: newLab(t).node(t, "a", "127.0.0.1")})
	b := startNode(t, Options{Listen: "127.0.0.1:0", TLS: newLab(t).node(t, "b", "127.0.0.1")})
	a.tell(t, "send", b.address) // a looks first, and hangs up
	a.waitForLog(t, "signed by unknown authority")
	b.waitForLog(t, "another node does not accept the certificate of this one")
}
