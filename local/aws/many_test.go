//go:build cgo

package aws

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	gluesdk "github.com/aws/aws-sdk-go-v2/service/glue"

	"citystream/actors"
	glueadapter "citystream/engine/adapter/glue"
	"citystream/engine/commitlog"
	"citystream/engine/enginetest"
	"citystream/engine/record"
	"citystream/engine/schema"
	"citystream/messages"
)

var (
	many         = flag.Int("many", 120, "TestManyHivePartitions: Hive partitions of each of the five tables")
	manyPatience = flag.Duration("many.patience", 2*time.Minute, "TestManyHivePartitions: how long each of its steps may take")
)

const (
	manyDatabase   = "city"
	manyBucket     = "lake"
	manyKafka      = 4  // Kafka partitions of each topic
	manyFiles      = 10 // of an entry
	manyRowsOfFile = 10
)

// A manyTest is the catalog actor over commit logs with very many Hive partitions, and an endpoint in another process. The store of the
// logs is in memory, so that its calls, which docs/performance.md counts, cost nothing here.
type manyTest struct {
	*testing.T
	lake     string // the directory that is the object store of queries
	dir      string // the endpoint's
	store    *enginetest.FakeStore
	source   *enginetest.FakeSource
	tables   []*schema.Table
	system   *actor.ActorSystem
	endpoint *endpointProcess
	pid      *actor.PID
	begun    time.Time
}

// TestManyHivePartitions registers, announces, lists and queries the Hive partitions of five tables. With -v it tells what that took.
func TestManyHivePartitions(t *testing.T) {
	t.Parallel()
	m := &manyTest{
		T: t, lake: t.TempDir(), dir: t.TempDir(), store: enginetest.NewFakeStore(), source: enginetest.NewFakeSource(),
		tables: schema.Cities(), system: actors.NewSystem(slog.New(slog.DiscardHandler)),
	}
	t.Cleanup(m.system.Shutdown)
	m.endpoint = startEndpoint(t, endpointOptions{m.dir, m.lake})
	m.writeLogs()
	m.writeFiles()

	m.follow()
	m.await("all are registered", func(table *messages.CatalogTable) bool { return table.HivePartitions == int64(*many) })
	m.tellRate("registered")
	m.closeLogs()
	m.await("all are announced", func(table *messages.CatalogTable) bool { return table.Complete == int64(*many) && table.Open == 0 })
	m.tellRate("announced complete")
	m.tellMemory("then")
	m.rest()

	m.system.Root.Stop(m.pid)
	m.follow()
	m.await("another catalog knows all", func(table *messages.CatalogTable) bool {
		return table.HivePartitions == int64(*many) && table.Complete == int64(*many)
	})
	m.tellRate("compared by a catalog that starts")
	m.system.Root.Stop(m.pid)

	m.list()
	m.listSegments()
	m.find()
	m.query()

	m.endpoint.end()
	m.endpoint = startEndpoint(t, endpointOptions{m.dir, m.lake})
	m.tell("the endpoint starts again on what it has", m.endpoint.took, "")
	m.tellMemory("of the endpoint that has started again")
	m.list()
}

// manyHour returns the i-th window.
func manyHour(i int) record.Micros {
	return record.MicrosOf(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Hour))
}

func (m *manyTest) logOf(table *schema.Table, p int) commitlog.Log {
	return commitlog.Log{Table: table.Name, TopicPartition: record.TopicPartition{Topic: table.Topic, Partition: record.Partition(p)}}
}

// writeLogs writes commit logs with a file in each Hive partition, none of which is complete.
func (m *manyTest) writeLogs() {
	for _, table := range m.tables {
		m.source.CreateTopic(table.Topic, manyKafka)
		for p := range manyKafka {
			log := m.logOf(table, p)
			var files []commitlog.File
			for i := p; i < *many; i += manyKafka {
				key := log.FileKey("raw", table.Name, 1, 0, manyHour(i), record.Offset(i))
				files = append(files, commitlog.File{Table: table.Name, Key: key, Rows: manyRowsOfFile, Window: manyHour(i)})
			}
			slot := commitlog.Slot(0)
			for some := range slices.Chunk(files, manyFiles) {
				m.put(log, slot, some, manyHour(0))
				slot++
			}
			m.put(log, slot, nil, manyHour(0)) // says that the files before are complete
		}
	}
}

// closeLogs writes a last entry into each log, which completes all Hive partitions, and tells the catalog of it.
func (m *manyTest) closeLogs() {
	m.begun = time.Now()
	for _, table := range m.tables {
		for p := range manyKafka {
			log := m.logOf(table, p)
			files := (*many - p + manyKafka - 1) / manyKafka
			m.put(log, commitlog.Slot((files+manyFiles-1)/manyFiles+1), nil, manyHour(*many))
			m.system.Root.Send(m.pid, &messages.Committed{Log: &messages.Log{Table: log.Table, Topic: log.Topic, Partition: int32(log.Partition)}})
		}
	}
}

func (m *manyTest) put(log commitlog.Log, slot commitlog.Slot, files []commitlog.File, watermark record.Micros) {
	m.Helper()
	e := &commitlog.Entry{Format: commitlog.Format, ID: fmt.Sprint(log, "-", slot), Slot: slot, Kind: commitlog.Flush, Files: files}
	e.Watermark = watermark
	if err := m.store.PutIfAbsent(m.Context(), log.Key(slot), e.Encode()); err != nil {
		m.Fatal(err)
	}
}

// writeFiles puts the files of the first table where queries look for them: one file with many names.
func (m *manyTest) writeFiles() {
	type row struct {
		Offset int64 `parquet:"kafka_offset,optional"`
	}
	write(m.T, m.lake, "one.parquet", make([]row, manyRowsOfFile)...)
	log := m.logOf(m.tables[0], 0)
	for i := range *many {
		file := filepath.Join(m.lake, manyBucket, log.FileKey("raw", log.Table, 1, 0, manyHour(i), record.Offset(i)))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			m.Fatal(err)
		}
		if err := os.Link(filepath.Join(m.lake, "one.parquet"), file); err != nil {
			m.Fatal(err)
		}
	}
}

// follow starts a catalog actor.
func (m *manyTest) follow() {
	m.begun = time.Now()
	m.pid = m.system.Root.Spawn(actors.CatalogProps(&actors.Node{
		Store: m.store, Source: m.source, Catalog: glueadapter.New(m.glue()), Metrics: actors.NewMetrics(), Log: slog.New(slog.DiscardHandler),
		Tables: m.tables, DeadLetters: schema.DeadLetters(), Bucket: manyBucket, RawPrefix: "raw", Database: manyDatabase, CatalogPoll: time.Hour,
	}))
}

func (m *manyTest) glue() *gluesdk.Client {
	return gluesdk.NewFromConfig(clientConfig(m.endpoint.addr))
}

// status asks the catalog how it stands; nil is that it has not answered in time.
func (m *manyTest) status() *messages.CatalogStatus {
	answer, err := m.system.Root.RequestFuture(m.pid, &messages.GetCatalogStatus{}, 10*time.Second).Result()
	if err != nil {
		return nil
	}
	s, _ := answer.(*messages.CatalogStatus)
	return s
}

// await waits until all five tables have come so far.
func (m *manyTest) await(what string, reached func(*messages.CatalogTable) bool) {
	m.Helper()
	m.until(what, func(s *messages.CatalogStatus) bool {
		done := 0
		for _, table := range s.Tables {
			if reached(table) {
				done++
			}
		}
		return done == len(m.tables)
	})
}

// rest waits until the catalog does nothing.
func (m *manyTest) rest() {
	m.Helper()
	m.until("nothing is left to do", func(s *messages.CatalogStatus) bool { return !s.AtWork && s.Error == "" })
}

func (m *manyTest) until(what string, reached func(*messages.CatalogStatus) bool) {
	m.Helper()
	for deadline := time.Now().Add(*manyPatience); ; {
		s := m.status()
		if s != nil && reached(s) {
			return
		}
		if time.Now().After(deadline) {
			m.Fatalf("not in time: %s: %v", what, s)
		}
		<-time.After(2 * time.Millisecond)
	}
}

func (m *manyTest) tell(what string, figure any, unit string) {
	m.Helper()
	if d, ok := figure.(time.Duration); ok {
		figure, unit = fmt.Sprintf("%.3f", d.Seconds()), "s"
	}
	m.Log(strings.TrimSpace(fmt.Sprint(what, ": ", figure, " ", unit)))
}

// tellRate tells how many Hive partitions of all tables were done since the step began.
func (m *manyTest) tellRate(what string) {
	m.Helper()
	took, n := time.Since(m.begun), len(m.tables)**many
	m.Logf("%d Hive partitions %s: %.2f s, %.0f a second", n, what, took.Seconds(), float64(n)/took.Seconds())
}

func (m *manyTest) tellMemory(when string) {
	m.Helper()
	now, peak := m.endpoint.memory()
	m.Logf("memory %s: %d MB, %d MB at most", when, now, peak)
}
