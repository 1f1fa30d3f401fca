package pipeline

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"citystream/engine/commitlog"
	"citystream/engine/decode"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/schema"
	"citystream/engine/window"
)

const second = record.Micros(1_000_000)

// script drives one partition by hand: the test says what happens, and looks at the work that is wanted.
type script struct {
	*testing.T
	p    *Partition
	now  record.Micros
	want []Effect // not yet looked at
	next record.Offset
}

func table(change func(*schema.Table)) *schema.Table {
	t := &schema.Table{
		Name: "cars", Topic: "cars", Window: time.Hour, Lateness: 2 * time.Minute, MaxFuture: time.Hour,
		Columns: []schema.Column{{Name: "at", Type: schema.Timestamp, Required: true}},
	}
	if change != nil {
		change(t)
	}
	return t
}

func newScript(t *testing.T, tab *schema.Table) *script {
	return &script{T: t, now: base + 50*hour, p: New(Config{
		Log: commitlog.Log{Table: "cars", TopicPartition: record.TopicPartition{Topic: "cars"}}, Table: tab, DeadLetters: schema.DeadLetters(),
		Prefix: "raw", IdleTimeout: 10 * time.Second, SealAfter: 10 * time.Minute,
		Owner: commitlog.Owner{Epoch: 3, Version: 7, Worker: "me", Incarnation: "i"}, Life: "l",
		Limits: window.Limits{Rows: 1000, Bytes: 1 << 40, Age: time.Minute, OpenWindows: 8},
	})}
}

func (s *script) in(in Input) { s.want = append(s.want, s.p.Step(in)...) }

// expect takes the next wanted effect, which must be of the given type.
func expect[E Effect](s *script) E {
	s.Helper()
	if len(s.want) == 0 {
		s.Fatalf("nothing is wanted, not even %T", *new(E))
	}
	e, ok := s.want[0].(E)
	if !ok {
		s.Fatalf("wanted is %#v, not %T", s.want[0], *new(E))
	}
	s.want = s.want[1:]
	return e
}

func (s *script) nothing() {
	s.Helper()
	for _, e := range s.want {
		if _, ok := e.(Release); !ok {
			s.Fatalf("wanted is %#v, not nothing", e)
		}
	}
	s.want = nil
}

// own takes an empty log over.
func (s *script) own() {
	s.Helper()
	s.in(Begin{s.now})
	s.in(Found{Attempt: expect[FindLast](s).Attempt, Now: s.now, TopicID: "t", End: 1000, EpochEnd: -1})
	s.in(PutDone{Entry: expect[Put](s).Entry, Written: true})
	expect[Announce](s)
	expect[Read](s)
}

// rows delivers records with the given event times, in minutes after base.
func (s *script) rows(end record.Offset, minutes ...int) {
	b := &decode.Batch{Good: newColumns(len(minutes)), Dead: newColumns(0)}
	for _, m := range minutes {
		b.Offsets = append(b.Offsets, s.next)
		b.EventTimes = append(b.EventTimes, base+record.Micros(m)*minute)
		b.KafkaTimes = append(b.KafkaTimes, s.now)
		s.next++
	}
	s.in(Rows{Generation: s.p.generation, Now: s.now, Batch: b, Next: s.next, End: end, LeaderEpoch: 4})
}

// commit carries a flush to its end, and returns the entry.
func (s *script) commit() *commitlog.Entry {
	s.Helper()
	for len(s.want) > 0 {
		if c, ok := s.want[0].(Close); ok {
			s.in(Closed{File: c.File, Now: s.now, Upload: fmt.Sprint("u", c.File), Parts: []port.Part{{Number: 1}}, Rows: s.rowsOf(c.File), Bytes: 10})
		} else if _, ok := s.want[0].(Put); ok {
			break
		}
		s.want = s.want[1:]
	}
	e := expect[Put](s).Entry
	s.in(PutDone{Entry: e, Written: true})
	if len(e.Files) > 0 {
		s.in(Completed{Now: s.now, Entry: expect[Complete](s).Entry})
	}
	expect[Announce](s)
	return e
}

func (s *script) rowsOf(id FileID) int64 {
	for _, c := range s.p.flush.files {
		if c.id == id {
			return c.entry.Rows
		}
	}
	s.Fatalf("file %d is not being flushed", id)
	return 0
}

func TestTakeover(t *testing.T) {
	last := func() *commitlog.Entry {
		return &commitlog.Entry{
			Format: 1, ID: "e4", Slot: 4, Kind: commitlog.Flush, Owner: commitlog.Owner{Epoch: 2, Worker: "old"}, TopicID: "t",
			Fingerprint: table(nil).Fingerprint(), Files: []commitlog.File{{Key: "f", Upload: "u"}},
			State: commitlog.State{First: 10, Resume: 40, ReadThrough: 50, LeaderEpoch: 6, Watermark: base},
		}
	}
	found := func(e *commitlog.Entry) Found {
		return Found{Attempt: 1, Last: e, Table: table(nil), TopicID: "t", Start: 5, End: 60, EpochEnd: -1}
	}
	t.Run("completes the last entry's files before it claims, and reads from the resume offset", func(t *testing.T) {
		s := newScript(t, table(nil))
		s.in(Begin{s.now})
		expect[FindLast](s)
		e := last()
		s.in(found(e))
		if c := expect[Complete](s); c.Entry != e {
			t.Fatal(c)
		}
		s.nothing()
		s.in(Completed{Now: s.now, Entry: e})
		claim := expect[Put](s).Entry
		if claim.Slot != 5 || claim.Kind != commitlog.Claim || claim.State.Resume != 40 {
			t.Fatalf("%+v", claim)
		}
		s.in(PutDone{Entry: claim, Written: true})
		expect[Announce](s)
		if r := expect[Read](s); r.From != 40 || r.Until != 0 {
			t.Fatalf("%+v", r)
		}
	})
	t.Run("of a lost claim starts again from the log", func(t *testing.T) {
		s := newScript(t, table(nil))
		s.in(Begin{s.now})
		expect[FindLast](s)
		s.in(Found{Attempt: 1, TopicID: "t", EpochEnd: -1})
		claim := expect[Put](s).Entry
		s.in(PutDone{Entry: claim})
		expect[ReadSlot](s)
		s.in(SlotRead{Entry: claim, Found: &commitlog.Entry{ID: "other"}})
		if f := expect[FindLast](s); f.Attempt != 2 {
			t.Fatal(f)
		}
	})
	t.Run("writes the same bytes again when the slot is still free", func(t *testing.T) {
		s := newScript(t, table(nil))
		s.in(Begin{s.now})
		expect[FindLast](s)
		s.in(Found{Attempt: 1, TopicID: "t", EpochEnd: -1})
		claim := expect[Put](s).Entry
		s.in(PutDone{Entry: claim})
		expect[ReadSlot](s)
		s.in(SlotRead{Entry: claim})
		if again := expect[Put](s).Entry; again != claim {
			t.Fatal("another entry was formed while a write was unresolved")
		}
	})
	for name, c := range map[string]struct {
		change func(*Found)
		says   string
	}{
		"yields to a newer owner":                          {func(f *Found) { f.Last.Owner.Epoch = 4 }, "belongs to old of epoch 4"},
		"refuses a topic that was made again":              {func(f *Found) { f.TopicID = "other" }, "deleted and made again"},
		"refuses when retention was faster":                {func(f *Found) { f.Start = 41 }, "log begins at 41"},
		"refuses when Kafka's log is shorter":              {func(f *Found) { f.End = 39 }, "ends at 39"},
		"refuses when an unclean election cut the log":     {func(f *Found) { f.EpochEnd = 30 }, "cut at 30"},
		"goes on when the leader's epoch ends behind it":   {func(f *Found) { f.EpochEnd = 40 }, ""},
		"goes on when the log begins at the resume offset": {func(f *Found) { f.Start = 40 }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, table(nil))
			s.in(Begin{s.now})
			expect[FindLast](s)
			f := found(last())
			c.change(&f)
			s.in(f)
			if c.says == "" {
				expect[Complete](s)
				return
			}
			expect[StopReading](s)
			if stop := expect[Stop](s); stop.Err == nil || !strings.Contains(stop.Err.Error(), c.says) {
				t.Fatalf("stopped with %v", stop.Err)
			}
		})
	}
}

func TestAnOlderSchemaIsReadToItsEndBeforeTheNewOneBegins(t *testing.T) {
	was := table(nil)
	is := table(func(t *schema.Table) { t.Lateness = 5 * time.Minute })
	s := newScript(t, is)
	s.in(Begin{s.now})
	expect[FindLast](s)
	s.in(Found{Attempt: 1, Table: was, TopicID: "t", End: 9, EpochEnd: -1, Last: &commitlog.Entry{
		ID: "x", TopicID: "t", Fingerprint: was.Fingerprint(), State: commitlog.State{Resume: 2, ReadThrough: 4, LeaderEpoch: -1},
	}})
	claim := expect[Put](s).Entry
	if claim.Fingerprint != was.Fingerprint() {
		t.Fatal("the claim changed the rules of what is read again")
	}
	s.in(PutDone{Entry: claim, Written: true})
	expect[Announce](s)
	if r := expect[Read](s); r.Table != was || r.From != 2 || r.Until != 4 {
		t.Fatalf("%+v", r)
	}
	s.next = 2
	s.rows(9, 1, 2)
	e := s.commit()
	if e.Reason != commitlog.ReasonSchema || e.Resume != 4 || e.ReadThrough != 4 || e.Fingerprint != is.Fingerprint() {
		t.Fatalf("%+v", e)
	}
	if r := expect[Read](s); r.Table != is || r.From != 4 || r.Until != 0 {
		t.Fatalf("%+v", r)
	}
}

func TestFlushes(t *testing.T) {
	t.Run("by age commit everything, and leave the window open", func(t *testing.T) {
		s := newScript(t, table(nil))
		s.own()
		s.rows(1000, 10, 11)
		s.now += 61 * second
		s.in(Tick{s.now})
		e := s.commit()
		if e.Reason != commitlog.ReasonAge || e.Resume != 2 || e.ReadThrough != 2 || len(e.Files) != 1 || len(e.Windows) != 0 {
			t.Fatalf("%+v", e)
		}
		if f := e.Files[0]; f.From != 0 || f.To != 2 || f.Rows != 2 || f.Window != base {
			t.Fatalf("%+v", f)
		}
	})
	t.Run("by watermark commit the closed window, and resume at the first row of the open one", func(t *testing.T) {
		s := newScript(t, table(nil))
		s.own()
		s.rows(1000, 10, 61, 11, 63)
		e := s.commit()
		if e.Reason != commitlog.ReasonWatermark || e.Watermark != base+61*minute || e.Resume != 1 || e.ReadThrough != 4 {
			t.Fatalf("%+v", e)
		}
		if len(e.Windows) != 1 || e.Windows[0].FlushedThrough != 4 || e.Windows[0].Start != base {
			t.Fatalf("%+v", e.Windows)
		}
	})
	t.Run("go on reading while the entry is written, and cut again only after it", func(t *testing.T) {
		s := newScript(t, table(nil))
		s.own()
		s.rows(1000, 10)
		s.now += 61 * second
		s.in(Tick{s.now})
		s.rows(1000, 11, 200)
		for _, e := range s.want {
			if _, ok := e.(Put); ok {
				t.Fatal("an entry was written before its files were closed")
			}
		}
		first := s.commit()
		second := s.commit()
		if first.ReadThrough != 1 || second.ReadThrough != 3 || second.Reason != commitlog.ReasonWatermark {
			t.Fatalf("%+v\n%+v", first.State, second.State)
		}
	})
	t.Run("of tombstones alone say how far was read", func(t *testing.T) {
		s := newScript(t, table(nil))
		s.own()
		s.in(Rows{
			Generation: s.p.generation, Now: s.now, Next: 1, End: 1000,
			Batch: &decode.Batch{Good: newColumns(0), Dead: newColumns(0), Tombstones: []record.Offset{0}},
		})
		s.now += 61 * second
		s.in(Tick{s.now})
		if e := s.commit(); e.ReadThrough != 1 || e.Counters.Tombstones != 1 || len(e.Files) != 0 {
			t.Fatalf("%+v", e)
		}
	})
	t.Run("are sealed when nothing follows for ten minutes, once", func(t *testing.T) {
		s := newScript(t, table(nil))
		s.own()
		s.rows(1, 10)
		s.now += 61 * second
		s.in(Tick{s.now})
		s.commit()
		s.now += 10 * minute
		s.in(Tick{s.now})
		if e := s.commit(); e.Kind != commitlog.Seal || len(e.Files) != 0 {
			t.Fatalf("%+v", e)
		}
		s.now += 20 * minute
		s.in(Tick{s.now})
		s.nothing()
	})
}

func TestLateRows(t *testing.T) {
	for name, c := range map[string]struct {
		policy        schema.LatePolicy
		files         int
		late, dropped int64
	}{
		"make a file of their own": {schema.Append, 1, 1, 0},
		"are dropped and counted":  {schema.Drop, 0, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, table(func(t *schema.Table) { t.Late = c.policy }))
			s.own()
			s.rows(1000, 10, 63) // closes the first hour
			s.commit()
			s.rows(1000, 20)
			s.now += 61 * second
			s.in(Tick{s.now})
			e := s.commit()
			late := 0
			for _, f := range e.Files {
				if f.Window == base {
					late++
				}
			}
			if late != c.files || e.Counters.LateRows != c.late || e.Counters.LateDropped != c.dropped {
				t.Fatalf("%+v", e)
			}
		})
	}
}

func TestARowIsOnTimeUntilAnEntryClosesItsWindow(t *testing.T) {
	s := newScript(t, table(func(t *schema.Table) { t.Late = schema.Drop }))
	s.own()
	s.rows(1000, 63, 20) // in one batch: the watermark has passed the first hour, but no entry says so yet
	e := s.commit()
	if e.Counters.LateDropped != 0 || e.Counters.Rows != 1 || e.Files[0].Window != base {
		t.Fatalf("%+v", e)
	}
}

func TestIdlePartitions(t *testing.T) {
	atEnd := func(s *script) {
		s.in(Rows{Generation: s.p.generation, Now: s.now, Next: s.next, End: s.next, LeaderEpoch: -1})
	}
	t.Run("follow the others once they were idle for the timeout, and write an entry", func(t *testing.T) {
		s := newScript(t, table(nil))
		s.own()
		s.rows(1, 10)
		atEnd(s)
		s.want = nil
		s.in(Advance{Now: s.now, To: base + 70*minute, Reason: commitlog.ReasonIdle})
		s.nothing() // not idle for long enough
		s.now += 10 * second
		s.in(Advance{Now: s.now, To: base + 70*minute, Reason: commitlog.ReasonIdle})
		if e := s.commit(); e.Reason != commitlog.ReasonIdle || e.Watermark != base+70*minute {
			t.Fatalf("%+v", e)
		}
	})
	t.Run("without any record write an entry too", func(t *testing.T) {
		s := newScript(t, table(nil))
		s.own()
		atEnd(s)
		s.now += 10 * second
		s.in(Advance{Now: s.now, To: base + 70*minute, Reason: commitlog.ReasonIdle})
		if e := s.commit(); e.Watermark != base+70*minute || e.Resume != 0 {
			t.Fatalf("%+v", e)
		}
	})
	t.Run("are not those that have not read yet", func(t *testing.T) {
		s := newScript(t, table(nil))
		s.own()
		s.now += hour
		s.in(Advance{Now: s.now, To: base + 70*minute, Reason: commitlog.ReasonIdle})
		s.nothing()
	})
	t.Run("close their windows at the end of the stream", func(t *testing.T) {
		s := newScript(t, table(nil))
		s.own()
		s.rows(1, 10)
		atEnd(s)
		s.in(Advance{Now: s.now, To: base + hour, Reason: commitlog.ReasonEndOfStream})
		if e := s.commit(); e.Reason != commitlog.ReasonEndOfStream || len(e.Files) != 1 || e.Watermark != base+hour {
			t.Fatalf("%+v", e)
		}
	})
}

func TestDrain(t *testing.T) {
	t.Run("commits what was read, then ends", func(t *testing.T) {
		s := newScript(t, table(nil))
		s.own()
		s.rows(1000, 10)
		s.in(Drain{Now: s.now, Reason: commitlog.ReasonShutdown})
		if e := s.commit(); e.Reason != commitlog.ReasonShutdown || e.Resume != 1 {
			t.Fatalf("%+v", e)
		}
		expect[StopReading](s)
		if stop := expect[Stop](s); stop.Err != nil {
			t.Fatal(stop.Err)
		}
	})
	t.Run("with nothing read ends without an entry", func(t *testing.T) {
		s := newScript(t, table(nil))
		s.own()
		s.in(Drain{Now: s.now, Reason: commitlog.ReasonShutdown})
		expect[StopReading](s)
		expect[StopReading](s)
		expect[Stop](s)
	})
	t.Run("during a flush commits that one first, then what came after it", func(t *testing.T) {
		s := newScript(t, table(nil))
		s.own()
		s.rows(1000, 10)
		s.now += 61 * second
		s.in(Tick{s.now})
		s.rows(1000, 11)
		s.in(Drain{Now: s.now, Reason: commitlog.ReasonShutdown})
		if a, b := s.commit(), s.commit(); a.ReadThrough != 1 || b.ReadThrough != 2 || b.Reason != commitlog.ReasonShutdown {
			t.Fatalf("%+v\n%+v", a, b)
		}
	})
}

func TestAnErrorThatDoesNotPassStopsThePartitionAndGivesBackItsUploads(t *testing.T) {
	s := newScript(t, table(nil))
	s.own()
	s.rows(1000, 10)
	s.want = nil
	broken := errors.New("broken")
	s.in(Failed{broken})
	expect[StopReading](s)
	expect[Discard](s)
	if stop := expect[Stop](s); !errors.Is(stop.Err, broken) {
		t.Fatal(stop)
	}
	s.rows(1000, 11)
	expect[Release](s)
	s.nothing()
}

func TestALostUploadStartsAgainFromTheLog(t *testing.T) {
	s := newScript(t, table(nil))
	s.own()
	s.rows(1000, 10)
	s.want = nil
	s.in(UploadLost{File: 1})
	expect[StopReading](s)
	expect[Discard](s)
	expect[FindLast](s)
}
