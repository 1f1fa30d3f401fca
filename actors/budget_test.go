package actors

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"citystream/engine/commitlog"
	"citystream/engine/enginetest"
	"citystream/engine/pipeline"
	"citystream/engine/record"
)

func TestOpenWindowsStayWithinTheBudget(t *testing.T) {
	const limit, windows, records = 64 << 20, 64, 80_000
	s := newStretch(t, enginetest.NewFaults())
	s.source.MaxRecords = 2000
	s.node.MemoryBytes = limit
	s.node.Limits.Rows, s.node.Limits.OpenWindows = 1<<40, 1000
	table := *s.node.Tables[0]
	table.Lateness = 1000 * time.Hour // no window closes by itself
	s.node.Tables[0] = &table
	text := strings.Repeat("north by north-west ", 40)
	begin := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	batch := make([]record.Record, 0, 1000)
	for i := range records {
		at := begin.Add(time.Duration(i%windows) * time.Hour)
		batch = append(batch, record.Record{
			Timestamp: record.MicrosOf(at),
			Value:     fmt.Appendf(nil, `{"id":"%d","deviceId":"d","timestamp":"%s","speed":1.5,"direction":"%d %s"}`, i, at.Format("2006-01-02T15:04:05"), i, text),
		})
		if len(batch) == cap(batch) {
			s.source.Append(s.log.TopicPartition, batch...)
			batch = batch[:0]
		}
	}
	o := s.begin()
	o.caughtUp()
	o.drain()
	if peak := o.budget.Peak(); peak > limit || peak < limit/4 {
		t.Errorf("%d bytes were buffered at most, the limit is %d", peak, limit)
	}
	o.budget.mu.Lock()
	used := o.budget.used
	o.budget.mu.Unlock()
	if used != 0 {
		t.Errorf("%d bytes were not given back", used)
	}
	last, files := s.lastEntry()
	if last.Counters.Rows != records || files[commitlog.ReasonMemory] == 0 {
		t.Errorf("%d rows of %d, flushed for %v", last.Counters.Rows, records, files)
	}
}

// lastEntry returns the newest entry, and how many there are for each reason.
func (s *stretch) lastEntry() (*commitlog.Entry, map[commitlog.Reason]int) {
	s.Helper()
	reasons := map[commitlog.Reason]int{}
	var last *commitlog.Entry
	for slot := commitlog.Slot(0); ; slot++ {
		body, _, err := s.store.Get(s.Context(), s.log.Key(slot))
		if isNotFound(err) {
			return last, reasons
		}
		if err != nil {
			s.Fatal(err)
		}
		if last, err = commitlog.Decode(slot, body); err != nil {
			s.Fatal(err)
		}
		reasons[last.Reason]++
	}
}

// partaker is a partition of a budget in a test, which keeps what it is asked for.
type partaker struct {
	*share
	asked []pipeline.FileID
}

func newPartaker(b *Budget) *partaker {
	m := &partaker{}
	m.share = b.join(func(id pipeline.FileID) { m.asked = append(m.asked, id) })
	return m
}

func (m *partaker) admitted(bytes int64) bool {
	m.budget.mu.Lock()
	defer m.budget.mu.Unlock()
	return m.budget.hasRoom(m.share, bytes)
}

func TestBudget(t *testing.T) {
	t.Run("the largest file of all is asked for at three quarters", func(t *testing.T) {
		b := NewBudget(1000, 0, NewMetrics())
		one, two := newPartaker(b), newPartaker(b)
		one.file(1, 300)
		two.file(1, 100)
		two.file(2, 340)
		if len(one.asked)+len(two.asked) != 0 {
			t.Fatalf("asked for %v and %v at 740", one.asked, two.asked)
		}
		one.file(2, 20)
		if len(one.asked) != 0 || len(two.asked) != 1 || two.asked[0] != 2 {
			t.Fatalf("asked for %v and %v", one.asked, two.asked)
		}
		one.file(2, 25)
		if len(two.asked) != 1 || len(one.asked) != 0 {
			t.Errorf("asked again, for %v and %v, though enough will be given back", one.asked, two.asked)
		}
	})
	t.Run("a partition that cannot write holds up itself, and not the others", func(t *testing.T) {
		b := NewBudget(1000, 0, NewMetrics())
		stuck, other := newPartaker(b), newPartaker(b)
		stuck.file(1, 590)
		if !stuck.admitted(20) {
			t.Error("nobody else holds anything, and yet a share is kept for others")
		}
		other.file(1, 100)
		if stuck.admitted(20) {
			t.Error("the stuck one may go on beyond its share and the common half")
		}
		if !other.admitted(40) {
			t.Error("the other one may not use its own share")
		}
	})
	t.Run("a partition that holds nothing may always fetch", func(t *testing.T) {
		b := NewBudget(1000, 0, NewMetrics())
		stuck, other := newPartaker(b), newPartaker(b)
		stuck.file(1, 900)
		if !other.admitted(5000) {
			t.Error("it would wait for ever")
		}
	})
	t.Run("who waits is let in when something is given back, and the largest file is asked for meanwhile", func(t *testing.T) {
		b := NewBudget(1000, 0, NewMetrics())
		m := newPartaker(b)
		newPartaker(b).file(1, 10)
		newPartaker(b) // holds nothing, and so nothing back
		m.file(1, 550)
		admitted := make(chan error)
		go func() { admitted <- m.admit(context.Background(), 100) }()
		deadline := time.Now().Add(10 * time.Second)
		for waits := false; !waits; {
			if time.Now().After(deadline) {
				t.Fatal("it does not wait")
			}
			b.mu.Lock()
			waits = b.waiting == 1
			b.mu.Unlock()
		}
		m.file(1, 0)
		if err := <-admitted; err != nil {
			t.Fatal(err)
		}
	})
	t.Run("what somebody does who has left counts no more", func(t *testing.T) {
		b := NewBudget(1000, 0, NewMetrics())
		m := newPartaker(b)
		m.file(1, 300)
		m.leave()
		m.file(1, 400)
		if b.used != 0 {
			t.Errorf("%d bytes are used by nobody", b.used)
		}
	})
}

func TestFewPartitionsLookForTheEndsOfTheirLogsAtATime(t *testing.T) {
	t.Parallel()
	b := NewBudget(0, 0, NewMetrics())
	var done []func()
	for range turns {
		d, err := b.turn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		done = append(done, d)
	}
	brief, cancel := context.WithTimeout(t.Context(), turnMax/20)
	defer cancel()
	if _, err := b.turn(brief); err == nil {
		t.Error("one more had its turn")
	}
	done[0]()
	done[0]() // gives its own turn up once
	if d, err := b.turn(t.Context()); err != nil {
		t.Error(err)
	} else {
		defer d()
	}
	// The others never say that they are done: a broker that does not answer holds nobody up for long.
	for range turns {
		if _, err := b.turn(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
