// Package apachekafka runs a real Apache Kafka for tests and benchmarks: one KRaft node of the version below, from its Maven
// coordinates, on loopback, with its data in a directory of its own. KAFKA_BOOTSTRAP_SERVERS names a cluster to be used instead.
package apachekafka

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Versions from Maven. Without a logger the broker would not say when it has started.
const (
	Version      = "4.4.0"
	slf4jVersion = "1.7.36"
)

const startMax = 90 * time.Second // a start after kill -9 recovers the logs first

// A Host is whatever a broker lives in: a test, or a benchmark.
type Host interface {
	Helper()
	TempDir() string // gone when the host ends
	Cleanup(func())
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// A Broker is one node. Not safe for concurrent use.
type Broker struct {
	Addr string // of its listener for clients

	t         Host
	dir       string
	classPath string
	process   *exec.Cmd
	ended     chan struct{}
	log       *lockedBuffer
}

// Start runs a broker until its host ends, or returns the cluster that KAFKA_BOOTSTRAP_SERVERS names.
func Start(t Host) *Broker {
	t.Helper()
	if addr := os.Getenv("KAFKA_BOOTSTRAP_SERVERS"); addr != "" {
		return &Broker{Addr: addr, t: t}
	}
	b := &Broker{t: t, dir: t.TempDir(), classPath: classPath(t)}
	client, controller := freePort(t), freePort(t)
	b.Addr = fmt.Sprintf("127.0.0.1:%d", client)
	properties := fmt.Sprintf(`process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%[2]d
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:%[1]d,CONTROLLER://127.0.0.1:%[2]d
advertised.listeners=PLAINTEXT://127.0.0.1:%[1]d
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=%[3]s
num.partitions=1
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
message.max.bytes=8388608
log.cleaner.backoff.ms=100
log.segment.delete.delay.ms=0
`, client, controller, filepath.Join(b.dir, "data"))
	if err := os.WriteFile(b.file("server.properties"), []byte(properties), 0o644); err != nil {
		t.Fatal(err)
	}
	format := b.java("kafka.tools.StorageTool", "format", "--cluster-id", "AAAAAAAAQACAAAAAAAAAAQ", "--config", b.file("server.properties"))
	if out, err := format.CombinedOutput(); err != nil {
		t.Fatalf("format the storage of Apache Kafka: %v\n%s", err, out)
	}
	t.Cleanup(b.Kill)
	b.Restart()
	return b
}

// Own reports whether the broker may be killed: it is not one that somebody else runs.
func (b *Broker) Own() bool { return b.dir != "" }

// Restart starts the broker on its data, and waits until it serves.
func (b *Broker) Restart() {
	b.t.Helper()
	b.log = &lockedBuffer{}
	b.process = b.java("kafka.Kafka", b.file("server.properties"))
	b.process.Stdout, b.process.Stderr = b.log, b.log
	if err := b.process.Start(); err != nil {
		b.t.Fatal(err)
	}
	process, ended := b.process, make(chan struct{})
	b.ended = ended
	go func() {
		_ = process.Wait() // its log says why it ended
		close(ended)
	}()
	deadline := time.After(startMax)
	for !strings.Contains(b.log.String(), "Kafka Server started") {
		select {
		case <-ended:
			b.t.Fatalf("Apache Kafka has ended at its start:\n%s", b.log)
		case <-deadline:
			b.t.Fatalf("Apache Kafka has not started within %s:\n%s", startMax, b.log)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Kill ends the broker as kill -9 does.
func (b *Broker) Kill() {
	if b.process != nil {
		_ = b.process.Process.Kill() // it may have ended by itself
		<-b.ended
		b.process = nil
	}
}

func (b *Broker) file(name string) string { return filepath.Join(b.dir, name) }

func (b *Broker) java(args ...string) *exec.Cmd {
	c := exec.Command("java", append([]string{"-Xms192m", "-Xmx384m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=info", "-cp", b.classPath}, args...)...)
	c.Dir = b.dir
	dieWithParent(c)
	return c
}

func freePort(t Host) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

var resolving sync.Mutex

// classPath returns the jars of Kafka, which Maven fetches the first time.
func classPath(t Host) string {
	t.Helper()
	resolving.Lock()
	defer resolving.Unlock()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "citystream", "apache-kafka-"+Version)
	known := filepath.Join(dir, "classpath")
	if path, err := os.ReadFile(known); err == nil && exist(string(path)) {
		return string(path)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	pom := filepath.Join(dir, "pom.xml")
	text := fmt.Sprintf(`<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>citystream</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>%s</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>%s</version></dependency>
</dependencies>
</project>
`, Version, slf4jVersion)
	if err := os.WriteFile(pom, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("mvn", "-B", "-q", "-f", pom, "dependency:build-classpath", "-Dmdep.outputFile="+known).CombinedOutput()
	if err != nil {
		t.Fatalf("fetch Apache Kafka %s with Maven: %v\n%s", Version, err, out)
	}
	path, err := os.ReadFile(known)
	if err != nil {
		t.Fatal(err)
	}
	return string(path)
}

// exist reports whether all jars of a class path are still there.
func exist(classPath string) bool {
	for _, jar := range filepath.SplitList(strings.TrimSpace(classPath)) {
		if _, err := os.Stat(jar); err != nil {
			return false
		}
	}
	return true
}

// lockedBuffer is written by a process and read by a test.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
