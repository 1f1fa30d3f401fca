package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"citystream/engine/commitlog"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/schema"
)

const hour = record.Micros(3_600_000_000)

func TestATableIsDescribedInLowerCaseWithItsHiveKeys(t *testing.T) {
	got := Describe(&schema.Table{Name: "weather", Columns: []schema.Column{
		{Name: "windSpeed", Type: schema.Double, Comment: "km/h"}, {Name: "humidity", Type: schema.Int},
	}}, "s3://b/raw/weather/")
	want := []port.CatalogColumn{
		{Name: "windspeed", Type: "double", Comment: "km/h"},
		{Name: "humidity", Type: "int"},
		{Name: "kafka_partition", Type: "int", Comment: schema.SystemColumns[0].Comment},
		{Name: "kafka_offset", Type: "bigint", Comment: schema.SystemColumns[1].Comment},
		{Name: "kafka_timestamp", Type: "timestamp", Comment: schema.SystemColumns[2].Comment},
	}
	if d := cmp.Diff(want, got.Columns); d != "" {
		t.Error(d)
	}
	if len(got.PartitionKeys) != 2 || got.PartitionKeys[0].Name != "date" || got.PartitionKeys[1].Name != "hour" {
		t.Error(got.PartitionKeys)
	}
}

func TestHivePartitionsOfEntriesAreNamedOnce(t *testing.T) {
	entries := []*commitlog.Entry{
		{Files: []commitlog.File{
			{Table: "b", Window: 2 * hour, Key: "raw/b/date=1970-01-01/hour=02/x.parquet"},
			{Table: "b", Window: hour, Key: "raw/b/date=1970-01-01/hour=01/x.parquet"},
		}},
		{},
		{Files: []commitlog.File{
			{Table: "b", Window: hour, Key: "raw/b/date=1970-01-01/hour=01/y.parquet"},
			{Table: "a", Window: hour, Key: "raw/a/date=1970-01-01/hour=01/y.parquet"},
		}},
	}
	want := []Place{
		{"a", hour, "raw/a/date=1970-01-01/hour=01/"},
		{"b", hour, "raw/b/date=1970-01-01/hour=01/"},
		{"b", 2 * hour, "raw/b/date=1970-01-01/hour=02/"},
	}
	if d := cmp.Diff(want, Places(entries)); d != "" {
		t.Error(d)
	}
	if got := want[0].Partition("city"); got.Location != "s3://city/raw/a/date=1970-01-01/hour=01/" || got.Values[1] != "01" {
		t.Error(got)
	}
}

func TestTheLastEntryCountsOnlyWhenItsFilesWereSeen(t *testing.T) {
	files, none := &commitlog.Entry{Files: []commitlog.File{{}}}, &commitlog.Entry{}
	for name, c := range map[string]struct {
		entries []*commitlog.Entry
		seen    bool
		want    int
	}{
		"no entries":                       {nil, false, 0},
		"last has files, not seen":         {[]*commitlog.Entry{files, files}, false, 1},
		"last has files, seen":             {[]*commitlog.Entry{files, files}, true, 2},
		"last has no files: it is a proof": {[]*commitlog.Entry{files, none}, false, 2},
	} {
		if got := Usable(c.entries, c.seen); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestCursorsComeBackFromTheirBytes(t *testing.T) {
	c := Cursors{Slots: map[record.Partition]commitlog.Slot{0: 4, 7: 12}}
	got, err := DecodeCursors(c.Encode())
	if err != nil || cmp.Diff(c, got) != "" {
		t.Fatal(err, got)
	}
	if got.After(7) != 12 || got.After(3) != commitlog.None {
		t.Error("wrong slot")
	}
	if _, err := DecodeCursors([]byte("{")); err == nil {
		t.Error("half an object was accepted")
	}
}
