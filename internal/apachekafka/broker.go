// Package apachekafka runs a real Apache Kafka for tests and benchmarks: one KRaft node of the version below, from its Maven
// coordinates, on loopback, with its data in a directory of its own. KAFKA_BOOTSTRAP_SERVERS names a cluster to be used instead.
package apachekafka

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"citystream/internal/jvm"
)

// Versions from Maven. Without a logger the broker would not say when it has started.
const (
	Version      = "4.4.0"
	slf4jVersion = "1.7.36"
)

const startMax = 90 * time.Second // a start after kill -9 recovers the logs first

// A Broker is one node. Not safe for concurrent use.
type Broker struct {
	Addr string // of its listener for clients

	t         jvm.Host
	dir       string
	classPath string
	process   *jvm.Process
}

// Start runs a broker until its host ends, or returns the cluster that KAFKA_BOOTSTRAP_SERVERS names.
func Start(t jvm.Host) *Broker {
	t.Helper()
	if addr := os.Getenv("KAFKA_BOOTSTRAP_SERVERS"); addr != "" {
		return &Broker{Addr: addr, t: t}
	}
	b := &Broker{t: t, dir: t.TempDir(), classPath: classPath(t)}
	client, controller := jvm.FreePort(t), jvm.FreePort(t)
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
	b.process = jvm.Start(b.t, "Apache Kafka", b.java("kafka.Kafka", b.file("server.properties")), startMax, jvm.LogHas("Kafka Server started"))
}

// Kill ends the broker as kill -9 does.
func (b *Broker) Kill() { b.process.Kill() }

func (b *Broker) file(name string) string { return filepath.Join(b.dir, name) }

func (b *Broker) java(args ...string) *exec.Cmd {
	return jvm.Command(b.dir, b.classPath, append([]string{"-Xms192m", "-Xmx384m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=info"}, args...)...)
}

func classPath(t jvm.Host) string {
	t.Helper()
	return jvm.ClassPath(t, "apache-kafka-"+Version, "org.apache.kafka:kafka_2.13:"+Version, "org.slf4j:slf4j-simple:"+slf4jVersion)
}
