package catalog

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"citystream/engine/commitlog"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/schema"
)

func TestAWarehousesTableHasTheFilesColumnsAndTheHivePartitions(t *testing.T) {
	t.Parallel()
	table := &schema.Table{Name: "Trips", Columns: []schema.Column{
		{Name: "deviceId", Type: schema.String},
		{Name: "raw", Type: schema.Binary},
		{Name: "on", Type: schema.Bool},
		{Name: "year", Type: schema.Int},
		{Name: "speed", Type: schema.Double},
	}}
	want := port.WarehouseTable{
		Name: "trips", PartitionKeys: []string{"date", "hour"}, DistKey: "deviceid", SortKeys: []string{"speed"},
		Columns: []port.WarehouseColumn{
			{Name: "deviceid", Type: "varchar(65535)"},
			{Name: "raw", Type: "varbyte(1024000)"},
			{Name: "on", Type: "boolean"},
			{Name: "year", Type: "integer"},
			{Name: "speed", Type: "double precision"},
			{Name: "kafka_partition", Type: "integer"},
			{Name: "kafka_offset", Type: "bigint"},
			{Name: "kafka_timestamp", Type: "timestamp"},
		},
	}
	if diff := cmp.Diff(want, Warehouse(table, "deviceId", []string{"Speed"})); diff != "" {
		t.Errorf("table differs (-want +got):\n%s", diff)
	}
}

func TestAnEntryIsACommitForEachOfItsHivePartitions(t *testing.T) {
	t.Parallel()
	five := record.Micros(time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC).UnixMicro())
	file := func(table, key string, window record.Micros) commitlog.File {
		return commitlog.File{Table: table, Key: key, Window: window, Rows: 7, Bytes: 99, Parts: []port.Part{{SizeBytes: 3}, {SizeBytes: 4}}}
	}
	e := &commitlog.Entry{ID: "E1", Slot: 12, Files: []commitlog.File{
		file("trips", "a", five), file("dead_letters", "x", five), file("trips", "b", five+record.Micros(time.Hour/time.Microsecond)), file("trips", "c", five),
	}}
	loaded := func(keys ...string) (files []port.LoadFile) {
		for _, k := range keys {
			files = append(files, port.LoadFile{Key: k, SizeBytes: 7, Rows: 7})
		}
		return files
	}
	want := []port.LoadCommit{
		{ID: "trips/topic/3/12/E1/2026-11-22/05", Values: []string{"2026-11-22", "05"}, Files: loaded("a", "c"), Columns: []string{"id"}},
		{ID: "trips/topic/3/12/E1/2026-11-22/06", Values: []string{"2026-11-22", "06"}, Files: loaded("b"), Columns: []string{"id"}},
	}
	got := LoadCommits(commitlog.Log{Table: "trips", TopicPartition: record.TopicPartition{Topic: "topic", Partition: 3}}, "trips", e, []string{"id"})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("commits differ (-want +got):\n%s", diff)
	}
}

func TestTheSameSlotOfAnotherBucketIsAnotherCommit(t *testing.T) {
	t.Parallel()
	log := commitlog.Log{Table: "trips", TopicPartition: record.TopicPartition{Topic: "topic", Partition: 3}}
	files := []commitlog.File{{Table: "trips", Key: "a", Rows: 7}}
	one := LoadCommits(log, "trips", &commitlog.Entry{ID: "E1", Slot: 12, Files: files}, nil)
	two := LoadCommits(log, "trips", &commitlog.Entry{ID: "E2", Slot: 12, Files: files}, nil)
	if one[0].ID == two[0].ID {
		t.Errorf("both are %s: the second would count as loaded", one[0].ID)
	}
}
