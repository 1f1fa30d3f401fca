package actors

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"citystream/engine/catalog"
	"citystream/engine/commitlog"
	"citystream/engine/record"
	"citystream/messages"
)

// topicOf is what one object of progress is for.
type topicOf struct{ table, topic string }

// A board is where the works of one catalog write down how far they are, for each other and for who asks. Each line has one writer, the
// work that it belongs to. Safe for concurrent use.
type board struct {
	mu       sync.Mutex
	tables   map[string]*catalog.TableState
	shown    map[string]int64 // Hive partitions registered, by table
	cursors  map[topicOf]map[record.Partition]catalog.Cursor
	loaded   map[topicOf]catalog.Slots
	results  map[string]*messages.TransformStatus
	loads    map[string]*messages.LoadStatus
	troubles map[string]string // by work: the error of its last round
}

func newBoard() *board {
	return &board{
		tables: map[string]*catalog.TableState{}, shown: map[string]int64{}, cursors: map[topicOf]map[record.Partition]catalog.Cursor{},
		loaded: map[topicOf]catalog.Slots{}, results: map[string]*messages.TransformStatus{}, loads: map[string]*messages.LoadStatus{},
		troubles: map[string]string{},
	}
}

// noteProgress takes in the progress of a table's topic as it was written.
func (b *board) noteProgress(of topicOf, p catalog.Progress, partitions int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cursors[of] = maps.Clone(p.Logs)
	if s := b.tables[of.table]; s != nil {
		s.Closed = max(s.Closed, p.Closed(partitions))
		s.Pending = map[record.Micros]bool{}
		for w := range p.Windows {
			s.Pending[w] = true
		}
	}
}

// noteTable takes in what was announced of a table before.
func (b *board) noteTable(table string, s *catalog.TableState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if old := b.tables[table]; old != nil {
		s.Closed, s.Pending = old.Closed, old.Pending
	}
	b.tables[table] = s
}

func (b *board) noteAnnounced(a *catalog.Announcement) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.tables[a.Table]; s != nil {
		s.Announced[a.Window] = max(s.Announced[a.Window], a.Revision)
	}
}

// revision returns the newest known revision of a window; 0 is none.
func (b *board) revision(table string, window record.Micros) catalog.Revision {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.tables[table]; s != nil {
		return s.Announced[window]
	}
	return 0
}

// with calls f with the tables' states, which f only reads.
func (b *board) with(f func(map[string]*catalog.TableState)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(b.tables)
}

func (b *board) noteShown(table string, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shown[table] = int64(n)
}

// registered returns the cursors of a table's topic; the answer is the caller's.
func (b *board) registered(of topicOf) map[record.Partition]catalog.Cursor {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.cursors[of])
}

// logs returns the logs that are followed.
func (b *board) logs() (logs []commitlog.Log) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for of, cursors := range b.cursors {
		for p := range cursors {
			logs = append(logs, commitlog.Log{Table: of.table, TopicPartition: record.TopicPartition{Topic: of.topic, Partition: p}})
		}
	}
	return logs
}

func (b *board) noteLoaded(of topicOf, slots catalog.Slots) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.loaded[of] = maps.Clone(slots)
}

// needed returns the newest slot of a log that nobody has to read again; loads says whether its table is loaded at all.
func (b *board) needed(log commitlog.Log, loads bool) commitlog.Slot {
	b.mu.Lock()
	defer b.mu.Unlock()
	of := topicOf{log.Table, log.Topic}
	slot := commitlog.None
	if c, ok := b.cursors[of][log.Partition]; ok {
		slot = c.Slot
	}
	if !loads {
		return slot
	}
	loaded, ok := b.loaded[of][log.Partition]
	if !ok {
		return commitlog.None
	}
	return min(slot, loaded)
}

// noteResult changes the line of a transform.
func (b *board) noteResult(table string, change func(*messages.TransformStatus)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.results[table] == nil {
		b.results[table] = &messages.TransformStatus{Table: table}
	}
	change(b.results[table])
}

// noteLoad changes the line of a table's loads.
func (b *board) noteLoad(table string, change func(*messages.LoadStatus)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.loads[table] == nil {
		b.loads[table] = &messages.LoadStatus{Table: table}
	}
	change(b.loads[table])
}

// noteTrouble says how the last round of a work has ended; nil is well.
func (b *board) noteTrouble(work string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.troubles, work)
	if err != nil {
		b.troubles[work] = err.Error()
	}
}

// status returns everything as a message; the answer is the receiver's.
func (b *board) status() *messages.CatalogStatus {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &messages.CatalogStatus{}
	for _, work := range slices.Sorted(maps.Keys(b.troubles)) {
		if s.Error != "" {
			s.Error += "; "
		}
		s.Error += work + ": " + b.troubles[work]
	}
	for _, table := range slices.Sorted(maps.Keys(b.shown)) {
		s.Tables = append(s.Tables, b.table(table))
	}
	for _, table := range slices.Sorted(maps.Keys(b.results)) {
		s.Transforms = append(s.Transforms, proto.CloneOf(b.results[table]))
	}
	for _, table := range slices.Sorted(maps.Keys(b.loads)) {
		s.Loads = append(s.Loads, proto.CloneOf(b.loads[table]))
	}
	return s
}

func (b *board) table(table string) *messages.CatalogTable {
	t := &messages.CatalogTable{Table: table, HivePartitions: b.shown[table]}
	for of, cursors := range b.cursors {
		if of.table != table {
			continue
		}
		for p, c := range cursors {
			log := commitlog.Log{Table: of.table, TopicPartition: record.TopicPartition{Topic: of.topic, Partition: p}}
			t.Cursors = append(t.Cursors, &messages.CatalogCursor{Log: toLog(log), Slot: int64(c.Slot)})
		}
	}
	slices.SortFunc(t.Cursors, func(a, b *messages.CatalogCursor) int { return cmp.Compare(a.Log.Partition, b.Log.Partition) })
	if s := b.tables[table]; s != nil {
		t.Complete, t.Closed = int64(len(s.Announced)), int64(s.Closed)
		for w := range s.Pending {
			if catalog.IsClosed(w, s.Length, s.Closed) {
				t.Waiting++
			} else {
				t.Open++
			}
		}
		for _, r := range s.Announced {
			t.Revisions += int64(r)
		}
	}
	return t
}
