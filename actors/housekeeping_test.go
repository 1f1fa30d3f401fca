package actors

import (
	"errors"
	"strings"
	"testing"
	"time"

	"citystream/engine/catalog"
	"citystream/engine/commitlog"
	"citystream/engine/enginetest"
	"citystream/engine/port"
)

// grown is a stretch with a log of several slots, all of them registered, and a housekeeper.
func grown(t *testing.T) (*stretch, *housekeeper) {
	s := newStretch(t, enginetest.NewFaults())
	s.produce(40)
	s.node.Store, s.node.Source = s.store, s.source
	for range 3 {
		o := s.begin()
		o.caughtUp()
		o.drain()
		o.die()
		s.produce(20)
	}
	s.node.Housekeeping, s.node.KeepLog = time.Nanosecond, 48*time.Hour
	h := &housekeeper{node: s.node, board: newBoard()}
	last, _ := s.lastEntry()
	h.noteSlot(s, last.Slot)
	return s, h
}

// noteSlot says that the stretch's log is registered up to a slot.
func (h *housekeeper) noteSlot(s *stretch, slot commitlog.Slot) {
	p := catalog.NewProgress()
	p.Logs[0] = catalog.Cursor{Slot: slot}
	h.board.noteProgress(topicOf{s.log.Table, s.log.Topic}, p, 1)
}

func (s *stretch) slots() []commitlog.Slot {
	s.Helper()
	objects, err := s.store.List(s.Context(), s.log.Prefix(), "", 1000)
	if err != nil {
		s.Fatal(err)
	}
	var slots []commitlog.Slot
	for _, o := range objects {
		if slot, ok := s.log.SlotOf(o.Key); ok {
			slots = append(slots, slot)
		}
	}
	return slots
}

func (s *stretch) keepHouse(h *housekeeper, later time.Duration) {
	s.Helper()
	s.store.Now = func() time.Time { return time.Now().Add(later) }
	if o := h.keep(s.Context(), []commitlog.Log{s.log}); o.err != nil {
		s.Fatal(o.err)
	}
}

func TestOldSlotsAreDeletedBehindARaisedLow(t *testing.T) {
	s, h := grown(t)
	before := s.slots()
	s.keepHouse(h, 47*time.Hour)
	if got := s.slots(); len(got) != len(before) {
		t.Fatalf("%d slots of %d are left before their time", len(got), len(before))
	}
	s.keepHouse(h, 49*time.Hour)
	got := s.slots()
	low, err := readLow(t.Context(), s.store, s.log)
	if err != nil || len(got) != 2 || low != got[0] {
		t.Fatalf("slots %v are left, low is %d, %v", got, low, err)
	}
	o := s.begin() // the log goes on from what is left
	o.caughtUp()
	o.drain()
	if last, _ := s.newest(); last.Slot <= got[1] {
		t.Errorf("the newest slot is %d", last.Slot)
	}
}

func TestALogThatCannotBeKeptDoesNotStopTheOthers(t *testing.T) {
	s, h := grown(t)
	broken := s.log
	broken.Partition = 7
	for slot := range commitlog.Slot(5) {
		if err := s.store.Put(t.Context(), broken.Key(slot), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.store.Put(t.Context(), broken.LowKey(), []byte("{")); err != nil {
		t.Fatal(err)
	}
	last, _ := s.lastEntry()
	p := catalog.NewProgress()
	p.Logs[0], p.Logs[7] = catalog.Cursor{Slot: last.Slot}, catalog.Cursor{Slot: 4}
	h.board.noteProgress(topicOf{s.log.Table, s.log.Topic}, p, 8)
	s.store.Now = func() time.Time { return time.Now().Add(49 * time.Hour) }
	o := h.keep(t.Context(), []commitlog.Log{broken, s.log})
	if got := s.slots(); len(got) != 2 || !o.part || o.err == nil || !strings.Contains(o.err.Error(), "gps/7") {
		t.Errorf("slots %v are left: %v", got, o.err)
	}
	if logs := h.board.logs(); len(logs) != 2 || !h.last.IsZero() {
		t.Errorf("of %v the last was at %v", logs, h.last)
	}
}

func TestSlotsThatAreNotRegisteredStay(t *testing.T) {
	s, h := grown(t)
	before := s.slots()
	h.noteSlot(s, before[1])
	s.keepHouse(h, 49*time.Hour)
	if got := s.slots(); got[0] != before[1] {
		t.Errorf("the first slot is %d, but only those below %d are registered", got[0], before[1])
	}
}

func TestSlotsThatAreNotLoadedStay(t *testing.T) {
	s, h := grown(t)
	s.node.Warehouse = enginetest.NewFakeWarehouse()
	before := s.slots()
	h.board.noteLoaded(topicOf{s.log.Table, s.log.Topic}, catalog.Slots{0: before[1]})
	s.keepHouse(h, 49*time.Hour)
	if got := s.slots(); got[0] != before[1] {
		t.Errorf("the first slot is %d, but only those below %d are loaded", got[0], before[1])
	}
}

func TestAShortRetentionIsADayAllTheSame(t *testing.T) {
	s, h := grown(t)
	s.node.KeepLog = time.Second
	before := s.slots()
	s.keepHouse(h, 23*time.Hour)
	if got := s.slots(); len(got) != len(before) {
		t.Errorf("%d of %d slots are left after less than a day", len(got), len(before))
	}
}

func TestAWriterOfLongAgoDoesNotWriteADeletedSlot(t *testing.T) {
	s, h := grown(t)
	zombie := s.own()
	zombie.caughtUp() // its claim is in the log
	claim, _ := s.newest()
	o := s.begin()
	o.caughtUp()
	o.drain()
	o = s.begin()
	o.caughtUp()
	o.drain()
	last, _ := s.newest()
	h.noteSlot(s, last.Slot)
	s.keepHouse(h, 49*time.Hour)
	if slots := s.slots(); slots[0] <= claim.Slot+1 {
		t.Fatalf("slots from %d on are left; the zombie's next would be %d", slots[0], claim.Slot+1)
	}
	files, err := s.store.List(t.Context(), "raw/", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	zombie.drain() // it has rows to commit, and its slot is free
	after, err := s.store.List(t.Context(), "raw/", "", 1000)
	if err != nil || len(after) != len(files) {
		t.Errorf("%d files became %d, %v", len(files), len(after), err)
	}
}

// newest returns the newest entry, wherever the log begins.
func (s *stretch) newest() (*commitlog.Entry, error) {
	s.Helper()
	slots := s.slots()
	body, _, err := s.store.Get(s.Context(), s.log.Key(slots[len(slots)-1]))
	if err != nil {
		s.Fatal(err)
	}
	return commitlog.Decode(slots[len(slots)-1], body)
}

func TestOnlyUploadsOfSupersededOwnersAreAborted(t *testing.T) {
	s, h := grown(t)
	last, _ := s.newest()
	key := func(claim commitlog.Slot) string { return s.log.FileKey("raw", s.log.Table, 1, claim, 0, 7) }
	open := map[string]string{}
	for name, key := range map[string]string{
		"of the present owner": key(last.Claim), "of one before": key(last.Claim - 1),
		"of another table": strings.Replace(key(0), "gps_data.gps-", "other-", 1), "of somebody else": "raw/gps_data/date=2026-01-02/hour=03/spark.parquet",
	} {
		id, err := s.store.CreateUpload(t.Context(), key, nil)
		if err != nil {
			t.Fatal(err)
		}
		open[id] = name
	}
	left := func() map[string]bool {
		uploads, err := s.store.ListUploads(t.Context(), "raw/")
		if err != nil {
			t.Fatal(err)
		}
		names := map[string]bool{}
		for _, u := range uploads {
			names[open[u.ID]] = true
		}
		return names
	}
	s.keepHouse(h, 59*time.Minute)
	if got := left(); len(got) != 4 {
		t.Errorf("left are %v after less than an hour", got)
	}
	s.keepHouse(h, 61*time.Minute)
	if got := left(); len(got) != 3 || got["of one before"] {
		t.Errorf("left are %v", got)
	}
	if _, err := s.store.Head(t.Context(), key(0)); !errors.Is(err, port.ErrNotFound) {
		t.Errorf("%v", err)
	}
}
