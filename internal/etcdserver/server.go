// Package etcdserver runs a real etcd for tests: the server's own module, in this process, on loopback and data of its own.
package etcdserver

import (
	"net/url"
	"time"

	"go.etcd.io/etcd/server/v3/embed"

	"citystream/internal/jvm"
)

const startMax = 30 * time.Second

// Start runs a server until its host ends, and returns its address.
func Start(t jvm.Host) (addr string) {
	t.Helper()
	c := embed.NewConfig()
	c.Dir = t.TempDir()
	c.LogLevel = "panic" // it calls its own end an error
	c.UnsafeNoFsync = true
	any := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	c.ListenClientUrls, c.ListenPeerUrls = any, any
	e, err := embed.StartEtcd(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	select {
	case <-e.Server.ReadyNotify():
	case <-time.After(startMax):
		t.Fatal("etcd does not get ready")
	}
	return e.Clients[0].Addr().String()
}
