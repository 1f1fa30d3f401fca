// Package apachezookeeper runs a real Apache ZooKeeper for tests: one server of the version below, from its Maven coordinates, on loopback,
// with its data in a directory of its own.
package apachezookeeper

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"citystream/internal/jvm"
)

// Versions from Maven. The server needs the last two at run time, although its own project names them as provided.
const (
	Version        = "3.9.5"
	slf4jVersion   = "2.0.13"
	metricsVersion = "4.1.12.1"
	snappyVersion  = "1.1.10.5"
)

const startMax = 60 * time.Second

// Tick is the server's: sessions last 2 to 20 of them.
const Tick = 500 * time.Millisecond

// Start runs a server until its host ends, and returns its address.
func Start(t jvm.Host) (addr string) {
	t.Helper()
	dir, port := t.TempDir(), jvm.FreePort(t)
	addr = fmt.Sprintf("127.0.0.1:%d", port)
	settings := fmt.Sprintf("tickTime=%d\ndataDir=%s\nclientPort=%d\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\nmaxClientCnxns=0\n",
		Tick.Milliseconds(), filepath.Join(dir, "data"), port)
	file := filepath.Join(dir, "zoo.cfg")
	if err := os.WriteFile(file, []byte(settings), 0o644); err != nil {
		t.Fatal(err)
	}
	command := jvm.Command(dir, classPath(t), "-Xms64m", "-Xmx128m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
		"org.apache.zookeeper.server.quorum.QuorumPeerMain", file)
	server := jvm.Start(t, "Apache ZooKeeper", command, startMax, func(string) bool {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err != nil {
			return false
		}
		return c.Close() == nil
	})
	t.Cleanup(server.Kill)
	return addr
}

func classPath(t jvm.Host) string {
	t.Helper()
	return jvm.ClassPath(t, "apache-zookeeper-"+Version, "org.apache.zookeeper:zookeeper:"+Version, "org.slf4j:slf4j-simple:"+slf4jVersion,
		"io.dropwizard.metrics:metrics-core:"+metricsVersion, "org.xerial.snappy:snappy-java:"+snappyVersion)
}
