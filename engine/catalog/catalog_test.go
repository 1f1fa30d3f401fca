package catalog

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"citystream/engine/commitlog"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/schema"
	"citystream/engine/transform"
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

func TestProgressComesBackFromItsBytes(t *testing.T) {
	p := NewProgress()
	p.Logs[7] = Cursor{Slot: 12, Watermark: 5}
	p.Touch(hour)[7] = 11
	got, err := DecodeProgress(p.Encode())
	if err != nil || cmp.Diff(p, got) != "" {
		t.Fatal(err, got)
	}
	if got.After(7) != 12 || got.After(3) != commitlog.None {
		t.Error("wrong slot")
	}
	if _, err := DecodeProgress([]byte("{")); err == nil {
		t.Error("half an object was accepted")
	}
	if _, err := DecodeProgress([]byte(`{"format":2}`)); err == nil {
		t.Error("a format of the future was accepted")
	}
	if got, err := DecodeProgress([]byte(`{"slots":{"0":4}}`)); err != nil || got.After(0) != commitlog.None {
		t.Errorf("progress of format 0 is not begun anew: %v, %v", got, err)
	}
}

func TestAllPartitionsHaveToPassTheEndOfAWindow(t *testing.T) {
	p := NewProgress()
	log := commitlog.Log{Table: "b", TopicPartition: record.TopicPartition{Topic: "b"}}
	files := []commitlog.File{{Table: "b", Window: hour}, {Table: "dead_letters", Window: 0}}
	p.Note(log, &commitlog.Entry{Slot: 3, Files: files, State: commitlog.State{Watermark: 2 * hour}})
	if got := p.Closed(2); got != 0 {
		t.Errorf("one of two partitions was never heard of, and %d is closed", got)
	}
	if got := p.Due(1, time.Hour); len(got) != 1 || got[0] != hour {
		t.Errorf("due are %v; dead letters have no watermark", got)
	}
	log.Partition = 1
	p.Note(log, &commitlog.Entry{Slot: 0, State: commitlog.State{Watermark: 2*hour - 1}})
	if got := p.Due(2, time.Hour); got != nil {
		t.Errorf("due are %v before their end", got)
	}
}

func TestAnAnnouncementCountsWhatTheOneBeforeCounted(t *testing.T) {
	stale := NewProgress()
	stale.Logs[0], stale.Logs[1] = Cursor{Slot: 2}, Cursor{Slot: 9}
	last := &Announcement{Table: "b", Revision: 4, Through: Slots{0: 5, 1: 3}}
	a := Announce(last, "b", Place{Table: "b", Window: hour, Folder: "raw/b/date=1970-01-01/hour=01/"}, "x", stale, 2, time.Unix(0, 0))
	if d := cmp.Diff(Slots{0: 5, 1: 9}, a.Through); d != "" || a.Revision != 5 || a.Location != "s3://x/raw/b/date=1970-01-01/hour=01/" {
		t.Error(d, a)
	}
	if !a.Counts(Slots{0: 5, 1: 9}) || a.Counts(Slots{1: 10}) || a.Counts(Slots{2: 0}) {
		t.Error("it counts other slots than it names")
	}
}

func TestKeysAreReadBack(t *testing.T) {
	key := AnnouncementKey("b", 3*hour, 12)
	if w, r, ok := ParseAnnouncementKey("b", key); !ok || w != 3*hour || r != 12 {
		t.Errorf("%s: %d, %d, %t", key, w, r, ok)
	}
	e := Edition{Version: 3, Input: 14}
	key = ResultKey("b", 3*hour, e)
	if w, got, ok := ParseResultKey("b", key); !ok || w != 3*hour || got != e {
		t.Errorf("%s: %d, %v, %t", key, w, got, ok)
	}
	for _, key := range []string{
		"", "x", AnnouncementsPrefix("b"), AnnouncementsPrefix("b") + "date=2026-01-01/hour=99/r1.json", AnnouncementsPrefix("b") + "date=2026-01-01/hour=09/",
		AnnouncementsPrefix("b") + "date=2026-01-01/hour=09/x", ResultsPrefix("b") + "date=2026-01-01/hour=09/vx-r1.json", ResultsPrefix("b") + "date=2026-01-01/hour=09/v1.json",
	} {
		if _, _, ok := ParseAnnouncementKey("b", key); ok {
			t.Errorf("%q passes for an announcement", key)
		}
		if _, _, ok := ParseResultKey("b", key); ok {
			t.Errorf("%q passes for a result", key)
		}
	}
}

func TestAProjectedTableFindsItsFolders(t *testing.T) {
	got := Project(Describe(&schema.Table{Name: "b"}, "s3://x/raw/b/"), time.Date(2020, 2, 3, 4, 0, 0, 0, time.UTC)).Parameters
	if got["projection.date.range"] != "2020-02-03,NOW+1DAYS" || got["storage.location.template"] != "s3://x/raw/b/date=${date}/hour=${hour}/" || got["classification"] != "parquet" {
		t.Error(got)
	}
}

func TestOldFoldersAreSweptADayAfterTheSwitch(t *testing.T) {
	now := time.Date(2026, 1, 9, 0, 0, 0, 0, time.UTC)
	folders := map[string]time.Time{"current": now.Add(-72 * time.Hour), "old": now.Add(-48 * time.Hour), "young": now.Add(-time.Hour)}
	if got := Sweep(folders, "current", now.Add(-23*time.Hour), now); got != nil {
		t.Errorf("%v were swept less than a day after the switch", got)
	}
	if got := Sweep(folders, "current", now.Add(-25*time.Hour), now); len(got) != 1 || got[0] != "old" {
		t.Errorf("swept are %v", got)
	}
}

func TestAQueryCostsTenMegabytesAtLeast(t *testing.T) {
	p := Price{PerTB: 5, MinBytes: 10 << 20}
	if got := p.Of(1); got != p.Of(10<<20) || got == 0 || p.Of(1<<40) != 5 {
		t.Error(got, p.Of(1<<40))
	}
}

func TestABacklogOfOneTransformKeepsNeitherOthersNorNewHoursWaiting(t *testing.T) {
	a, b := &transform.Transform{Name: "a"}, &transform.Transform{Name: "b"}
	var due []Run
	for w := range record.Micros(4) {
		due = append(due, Run{Transform: a, Window: w})
	}
	due = append(due, Run{Transform: b, Window: 1})
	for limit, want := range map[int]string{1: "a3", 3: "a3 b1 a2", 5: "a3 b1 a2 a1 a0", 9: "a3 b1 a2 a1 a0"} {
		var got []string
		for _, run := range InTurns(due, limit) {
			got = append(got, fmt.Sprint(run.Transform.Name, run.Window))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("of %d: %v", limit, got)
		}
	}
}
