package actors

import (
	"strings"
	"testing"

	"citystream/engine/catalog"
	"citystream/engine/enginetest"
)

func TestTheCatalogBringsWhatIsCommittedToItsEnd(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	l.commit(0, hourOf(0), 0)
	l.commit(1, hourOf(0), 0)
	f := l.follow()
	f.settled()
	l.commit(0, hourOf(2), 0, 1)
	f.told()
	f.settled() // of partition 1 nothing says that the hour is over
	l.commit(1, hourOf(1), 0)
	f.told()
	f.settled()
	if a, err := l.lastAnnouncement(hourOf(0)); err != nil || a == nil || a.Revision != 1 || a.Through[0] != 1 || a.Through[1] != 1 {
		t.Fatalf("%v, %v", a, err)
	}
	l.commit(1, hourOf(1), 0) // late
	f.told()
	f.settled()
	if a, err := l.lastAnnouncement(hourOf(0)); err != nil || a.Revision != 2 || a.Through[1] != 2 {
		t.Fatalf("%v, %v", a, err)
	}
	s := f.status()
	if len(s.Transforms) != 1 || s.Transforms[0].Queries != 2 || s.Transforms[0].Revision != 2 || s.Transforms[0].Dollars != (catalog.Price{PerTB: 5, MinBytes: 10 << 20}).Of(1000) || s.Transforms[0].QueryId == "" {
		t.Errorf("transforms: %v", s.Transforms)
	}
	if len(s.Loads) != 1 || s.Loads[0].Loaded != 6 || s.Loads[0].Rows != 60 {
		t.Errorf("loads: %v", s.Loads)
	}
	for _, table := range s.Tables {
		if table.Table == "gps_data" && (table.Complete != 1 || table.Revisions != 2 || table.HivePartitions != 2) {
			t.Errorf("table: %v", table)
		}
	}
	if s.Error != "" {
		t.Error(s.Error)
	}
}

func TestTheStatementOfATransformIsWhatAthenaTakes(t *testing.T) {
	t.Parallel()
	l := newLedger(t, enginetest.NewFaults())
	l.commit(0, hourOf(1), 0)
	l.commit(1, hourOf(1))
	l.follow().settled()
	objects, err := l.store.List(t.Context(), "transformed/speeds/date=2026-01-02/hour=03/v0001-r000001-", "", 10)
	if err != nil || len(objects) != 1 {
		t.Fatal(objects, err)
	}
	body, _, err := l.store.Get(t.Context(), objects[0].Key)
	if want := `SELECT CAST("speed" AS double) AS "speed"`; err != nil || !strings.Contains(string(body), want) || !strings.Contains(string(body), "hour = '03'") {
		t.Errorf("%s, %v", body, err)
	}
}
