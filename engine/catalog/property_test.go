package catalog

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"citystream/engine/commitlog"
	"citystream/engine/record"
	"citystream/engine/transform"
)

// world is what catalogs share: the logs, the objects that they write, and what the data catalog shows.
type world struct {
	t             *rapid.T
	logs          [][]*commitlog.Entry
	objects       map[string][]byte
	registered    map[record.Micros]bool
	registrations int
	shown         map[record.Micros]Revision // of the raw table
	location      map[record.Micros]string   // of the transformed one
	runs          int
}

const (
	worldLogs    = 2
	worldWindows = 4
)

func newWorld(t *rapid.T) *world {
	return &world{
		t: t, logs: make([][]*commitlog.Entry, worldLogs), objects: map[string][]byte{},
		registered: map[record.Micros]bool{}, shown: map[record.Micros]Revision{}, location: map[record.Micros]string{},
	}
}

// commit appends an entry to a log: files in some windows, late ones too, and a watermark that does not go back.
func (w *world) commit(n int, watermark record.Micros) {
	e := &commitlog.Entry{Slot: commitlog.Slot(len(w.logs[n]))}
	if k := len(w.logs[n]); k > 0 {
		watermark = max(watermark, w.logs[n][k-1].Watermark)
	}
	e.Watermark = watermark
	for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, worldWindows-1), 0, 2, rapid.ID[int]).Draw(w.t, "windows") {
		e.Files = append(e.Files, commitlog.File{Table: "b", Window: record.Micros(i) * hour, Key: fmt.Sprintf("raw/b/%s/%d-%d.parquet", commitlog.HivePath(record.Micros(i)*hour), n, e.Slot)})
	}
	w.logs[n] = append(w.logs[n], e)
}

// worker is a catalog, which may stop before any of its steps: it then knows nothing any more.
type worker struct {
	w        *world
	progress Progress
	fuel     int  // steps that it lives
	fresh    bool // it has not compared yet what is shown with what was written
}

// errDown ends a life.
type errDown struct{}

func (c *worker) step() {
	if c.fuel == 0 {
		panic(errDown{})
	}
	c.fuel--
}

// read takes in the progress that was written last; a progress that was lost is nothing.
func (c *worker) read() {
	c.progress, c.fresh = NewProgress(), true
	if b, ok := c.w.objects[ProgressKey("b", "b")]; ok {
		p, err := DecodeProgress(b)
		if err != nil {
			c.w.t.Fatal(err)
		}
		c.progress = p
	}
}

// register does what the catalog actor does with new entries, in its order.
func (c *worker) register() {
	for n, entries := range c.w.logs {
		for _, e := range entries[c.progress.After(record.Partition(n))+1:] {
			for _, p := range Places([]*commitlog.Entry{e}) {
				c.step()
				if !c.w.registered[p.Window] {
					c.w.registrations++
				}
				c.w.registered[p.Window] = true
			}
			c.progress.Note(commitlog.Log{Table: "b", TopicPartition: record.TopicPartition{Topic: "b", Partition: record.Partition(n)}}, e)
		}
	}
	for _, window := range c.progress.Due(worldLogs, time.Hour) {
		c.announce(window)
		delete(c.progress.Windows, window)
	}
	c.step()
	c.w.objects[ProgressKey("b", "b")] = c.progress.Encode() // even an old one does no harm
}

// newest returns the newest announcement of a window.
func (w *world) newest(window record.Micros) *Announcement {
	var last *Announcement
	for r := Revision(1); ; r++ {
		b, ok := w.objects[AnnouncementKey("b", window, r)]
		if !ok {
			return last
		}
		a, err := DecodeAnnouncement(b)
		if err != nil {
			w.t.Fatal(err)
		}
		last = a
	}
}

func (c *worker) announce(window record.Micros) {
	for {
		c.step()
		last := c.w.newest(window)
		if !last.Counts(c.progress.Windows[window]) {
			last = Announce(last, "b", Place{Table: "b", Window: window}, "x", c.progress, worldLogs, time.UnixMicro(0))
			c.step()
			key := AnnouncementKey("b", window, last.Revision)
			if _, taken := c.w.objects[key]; taken {
				continue
			}
			c.w.objects[key] = last.Encode()
		}
		c.step()
		c.w.shown[window] = last.Revision
		return
	}
}

// transform does what the catalog actor does with runs that are due.
func (c *worker) transform(t *transform.Transform) {
	state := &TableState{Length: time.Hour, Closed: c.progress.Closed(worldLogs), Pending: map[record.Micros]bool{}, Announced: map[record.Micros]Revision{}}
	done := map[record.Micros]Edition{}
	for i := range worldWindows {
		window := record.Micros(i) * hour
		if a := c.w.newest(window); a != nil {
			state.Announced[window] = a.Revision
		}
		if r := c.w.result(t, window); r != nil {
			done[window] = r.Edition
		}
		state.Pending[window] = c.progress.Windows[window] != nil
	}
	for _, run := range DueRuns(t, map[string]*TableState{"b": state}, done) {
		c.step()
		c.w.runs++
		result := &Result{Table: t.Name, Window: run.Window, Edition: run.Edition, Location: run.Folder("t", fmt.Sprint(c.w.runs))}
		c.step()
		key := ResultKey(t.Name, run.Window, run.Edition)
		if _, taken := c.w.objects[key]; !taken {
			c.w.objects[key] = result.Encode()
		}
		c.step()
		c.w.location[run.Window] = c.w.result(t, run.Window).Location
	}
}

// result returns the newest result for a window.
func (w *world) result(t *transform.Transform, window record.Micros) *Result {
	var newest *Result
	for _, key := range slices.Sorted(maps.Keys(w.objects)) {
		if at, _, ok := ParseResultKey(t.Name, key); ok && at == window {
			r, err := DecodeResult(w.objects[key])
			if err != nil {
				w.t.Fatal(err)
			}
			newest = r
		}
	}
	return newest
}

// compare mends what is shown where it is not what was written: another catalog may have had its last word late, or none.
func (c *worker) compare(t *transform.Transform) {
	for i := range worldWindows {
		window := record.Micros(i) * hour
		if a := c.w.newest(window); a != nil {
			c.step()
			c.w.shown[window] = a.Revision
		}
		if r := c.w.result(t, window); r != nil {
			c.step()
			c.w.location[window] = r.Location
		}
	}
	c.fresh = false
}

// live runs a catalog for so many steps, or until it has done everything.
func (c *worker) live(t *transform.Transform, fuel int) {
	c.fuel = fuel
	defer func() {
		if e := recover(); e != nil {
			if _, down := e.(errDown); !down {
				panic(e)
			}
			c.read()
		}
	}()
	if c.fresh {
		c.compare(t)
	}
	c.register()
	c.transform(t)
}

func TestEachHivePartitionIsAnnouncedAndTransformedWhateverHappens(t *testing.T) {
	made := &transform.Transform{Name: "m", Table: "b", Version: 1}
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		catalogs := []*worker{{w: w, progress: NewProgress()}, {w: w, progress: NewProgress()}}
		for range rapid.IntRange(1, 25).Draw(t, "events") {
			c := catalogs[rapid.IntRange(0, 1).Draw(t, "catalog")]
			switch rapid.IntRange(0, 5).Draw(t, "event") {
			case 0, 1:
				w.commit(rapid.IntRange(0, worldLogs-1).Draw(t, "log"), record.Micros(rapid.IntRange(0, worldWindows).Draw(t, "watermark"))*hour)
			case 2, 3: // the other one's progress is not read: it goes on from what it last knew
				c.live(made, rapid.IntRange(0, 12).Draw(t, "steps"))
			case 4:
				c.read()
			case 5:
				delete(w.objects, ProgressKey("b", "b")) // somebody took it away
			}
		}
		last := &worker{w: w}
		last.read()
		last.live(made, 1_000)
		w.prove(last, made)
	})
}

// prove checks what is left after a catalog that nobody has disturbed.
func (w *world) prove(c *worker, t *transform.Transform) {
	touched := map[record.Micros]Slots{}
	for n, entries := range w.logs {
		for _, e := range entries {
			for _, f := range e.Files {
				if touched[f.Window] == nil {
					touched[f.Window] = Slots{}
				}
				touched[f.Window][record.Partition(n)] = e.Slot
			}
		}
	}
	if w.registrations != len(touched) || len(w.registered) != len(touched) {
		w.t.Fatalf("%d windows have files, %d were registered", len(touched), len(w.registered))
	}
	for window, slots := range touched {
		last := w.newest(window)
		if !IsClosed(window, time.Hour, c.progress.Closed(worldLogs)) {
			if last != nil {
				w.t.Fatalf("window %d was announced before its end", window)
			}
			continue
		}
		if !last.Counts(slots) {
			w.t.Fatalf("window %d: the newest announcement %v does not count %v", window, last, slots)
		}
		w.proveRevisions(window)
		if w.shown[window] != last.Revision {
			w.t.Fatalf("window %d is shown in revision %d, and was announced in %d", window, w.shown[window], last.Revision)
		}
		r := w.result(t, window)
		if r == nil || r.Edition.Input != last.Revision || w.location[window] != r.Location {
			w.t.Fatalf("window %d, revision %d: the result is %v, and readers are led to %s", window, last.Revision, r, w.location[window])
		}
	}
}

// proveRevisions checks that each revision of a window counts files that the one before did not.
func (w *world) proveRevisions(window record.Micros) {
	var before *Announcement
	for r := Revision(1); r <= w.newest(window).Revision; r++ {
		a, err := DecodeAnnouncement(w.objects[AnnouncementKey("b", window, r)])
		if err != nil {
			w.t.Fatal(err)
		}
		counted := Slots{}
		for n, entries := range w.logs {
			for _, e := range entries {
				if through, ok := a.Through[record.Partition(n)]; ok && e.Slot <= through && slices.ContainsFunc(e.Files, func(f commitlog.File) bool { return f.Window == window }) {
					counted[record.Partition(n)] = e.Slot
				}
			}
		}
		if len(counted) == 0 || before.Counts(counted) {
			w.t.Fatalf("revision %d of window %d counts nothing new: %v after %v", r, window, a, before)
		}
		before = a
	}
}
