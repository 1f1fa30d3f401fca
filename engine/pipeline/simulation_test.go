package pipeline

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"citystream/engine/commitlog"
	"citystream/engine/record"
	"citystream/engine/schema"
	"citystream/engine/window"
)

func (w *world) begin() *life {
	epoch := w.epoch
	switch assigned := w.draw("assigned", 0, 9); {
	case w.version == 0 || assigned > 2:
		w.version++
	case assigned == 2: // a new master
		w.epoch++
		epoch = w.epoch
	case assigned == 1: // by a master that does not know that it leads no longer
		epoch = max(1, epoch-1)
	default: // another life under the same assignment, as after a crash
	}
	l := &life{open: map[FileID]*upload{}}
	w.all = append(w.all, l)
	l.p = New(Config{
		Log: commitlog.Log{Table: "cars", TopicPartition: record.TopicPartition{Topic: "cars", Partition: 0}}, Table: w.table,
		DeadLetters: schema.DeadLetters(), Prefix: "raw", IdleTimeout: 10 * time.Second, SealAfter: 10 * time.Minute, AllowLoss: w.loss,
		Owner:  commitlog.Owner{Epoch: epoch, Version: w.version, Worker: "w", Incarnation: "i"},
		Life:   fmt.Sprint("life", len(w.all)),
		Limits: window.Limits{Rows: 6, Bytes: 1 << 40, Age: 20 * time.Second, OpenWindows: 3},
	})
	w.lives = append(w.lives, l)
	w.step(l, Begin{w.now})
	return l
}

// land lets a write arrive that its writer has heard nothing of.
func (w *world) land() {
	if len(w.delayed) == 0 {
		return
	}
	e := w.delayed[0]
	w.delayed = w.delayed[1:]
	if _, taken := w.slots[e.Slot]; !taken {
		w.write(e)
	}
}

// retain raises low to a slot of the log, or deletes what lies below it: a step of its own, as a sweeper may be killed between the two.
func (w *world) retain() {
	last := w.last()
	if last == nil || rapid.Bool().Draw(w.t, "delete") {
		for s, e := range w.slots {
			if s < w.low {
				if w.old[s] == nil {
					w.old[s] = e
				}
				delete(w.slots, s)
			}
		}
		return
	}
	w.low = max(w.low, last.Slot-commitlog.Slot(w.draw("slots kept", 0, 3)))
}

// expire takes records from the beginning of Kafka's log away: up to what is committed and complete, or beyond where that is allowed.
func (w *world) expire() {
	last := w.last()
	if last == nil {
		return
	}
	to := last.Resume
	for _, f := range last.Files {
		to = min(to, f.From)
	}
	if w.loss {
		to = last.Resume
		to += record.Offset(w.draw("lost records", 0, 10))
	}
	w.kept = max(w.kept, min(to, record.Offset(len(w.kafka))))
}

// abort lets a lifecycle rule take an upload away, of whoever it is.
func (w *world) abort() {
	ids := slices.Sorted(maps.Keys(w.uploads))
	if len(ids) > 0 {
		id := rapid.SampledFrom(ids).Draw(w.t, "aborted upload")
		u := w.uploads[id]
		u.gone = true
		w.uploads[id] = u
	}
}

func (w *world) produce(n int) {
	for range n {
		kind := []string{"row", "row", "row", "row", "row", "dead", "tombstone", "gap"}[w.draw("kind", 0, 7)]
		// Time moves on by a few minutes a record, with records up to two hours out of order and now and then one from the future.
		event := base + record.Micros(len(w.kafka))*3*minute - record.Micros(w.draw("behind", 0, 120))*minute
		if w.draw("future", 0, 30) == 0 {
			event = base + 500*hour
		}
		w.kafka = append(w.kafka, kafkaRecord{event, kind})
	}
}

// draw returns a number in [from, to], each as likely as the other: rapid alone prefers small ones so much that what is rare here would
// never happen. 0 stays the lowest, so that a failing schedule still shrinks.
func (w *world) draw(what string, from, to int) int {
	v := rapid.Uint64().Draw(w.t, what) * 0x9e3779b97f4a7c15
	return from + int((v>>32)%uint64(to-from+1))
}

// act lets one thing happen.
func (w *world) act() {
	if len(w.lives) == 0 {
		w.begin()
	}
	l := w.lives[len(w.lives)-1]
	if w.draw("zombie", 0, 4) == 0 {
		l = w.lives[w.draw("life", 0, len(w.lives)-1)]
	}
	switch what := w.draw("what", 0, 105); {
	case what < 45:
		if len(l.effects) > 0 {
			lost := w.draw("lost", 0, 5) == 0
			w.do(l, lost, lost && rapid.Bool().Draw(w.t, "took"))
		}
	case what < 70:
		w.deliver(l)
	case what < 80:
		if l.stale != nil && w.draw("stale", 0, 3) == 0 {
			l.from = w.deliverRows(l, l.stale.Generation, l.from, 3)
		} else if l.read != nil && !l.ended {
			w.fetch(l, w.draw("records", 0, 5))
		}
	case what < 87:
		w.now += record.Micros(w.draw("seconds", 0, 30)) * 1_000_000
		if w.draw("clock jumps", 0, 40) == 0 {
			w.now += record.Micros(w.draw("jump", -3600, 3600)) * 1_000_000
		}
		l.inputs = append(l.inputs, Tick{w.now})
	case what < 92:
		w.produce(w.draw("produced", 1, 10))
	case what < 94:
		l.inputs = append(l.inputs, Advance{Now: w.now, To: l.p.watermark.At() + hour, Reason: commitlog.ReasonIdle})
	case what < 95:
		l.inputs = append(l.inputs, Drain{Now: w.now, Reason: commitlog.ReasonRevoked})
	case what < 96:
		w.land()
	case what < 101:
		switch w.draw("mishap", 0, 5) {
		case 5:
			if len(l.p.open) > 0 {
				l.inputs = append(l.inputs, Shed{w.now, l.p.open[w.draw("shed", 0, len(l.p.open)-1)].id})
			}
		case 0:
			l.inputs = append(l.inputs, UploadLost{})
		case 1:
			w.abort()
		case 2:
			w.expire()
		default:
			w.retain()
		}
	case what < 103:
		w.lives = slices.DeleteFunc(w.lives, func(x *life) bool { return x == l }) // kill -9
	default:
		if len(w.lives) < 3 {
			w.begin() // beside those that live: they are zombies now
		}
	}
}

func (w *world) deliver(l *life) {
	if len(l.inputs) > 0 {
		in := l.inputs[0]
		l.inputs = l.inputs[1:]
		w.step(l, in)
	}
}

// finish lets a last owner read everything and drain.
func (w *world) finish() {
	w.lives = nil
	w.epoch++ // of a master that is above what it has seen in the log
	l := w.begin()
	for l.p.cfg.Owner.Epoch < w.epoch {
		l = w.begin()
	}
	for range 10_000 {
		switch {
		case l.ended:
			if l.err != nil {
				w.t.Fatalf("the last owner stopped: %v", l.err)
			}
			return
		case len(l.effects) > 0:
			w.do(l, false, false)
		case len(l.inputs) > 0:
			w.deliver(l)
		case l.read != nil && int(l.next) < len(w.kafka):
			w.fetch(l, 7)
		default:
			l.inputs = append(l.inputs, Drain{Now: w.now, Reason: commitlog.ReasonShutdown})
		}
	}
	w.t.Fatal("the last owner does not end")
}

// schedules is how many schedules each world goes through unless -rapid.checks says otherwise.
const schedules = 300

func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	if !given {
		if err := flag.Set("rapid.checks", strconv.Itoa(schedules)); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// tally counts what schedules have reached, so that a simulation that never meets a danger does not pass for one that survives it.
type tally struct {
	mu    sync.Mutex
	times map[string]int
}

func (y *tally) add(what string, n int) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.times == nil {
		y.times = map[string]int{}
	}
	y.times[what] += n
}

func TestEveryRecordIsCommittedOnceWhateverHappens(t *testing.T) {
	for name, c := range map[string]struct {
		policy schema.LatePolicy
		loss   bool
	}{
		"late rows appended":                            {schema.Append, false},
		"late rows dropped":                             {schema.Drop, false},
		"Kafka loses records, and that is written down": {schema.Append, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reached := &tally{}
			rapid.Check(t, func(t *rapid.T) {
				w := newWorld(t, c.policy)
				w.loss = c.loss
				w.produce(rapid.IntRange(1, 40).Draw(t, "first"))
				for range 600 {
					w.act()
				}
				w.finish()
				w.prove()
				w.count(reached)
			})
			t.Log("reached: ", reached.times)
			want := []string{"entries", "files made again", "slots deleted", "writes too late", "superseded owners", "dead letters", "gaps"}
			if c.policy == schema.Drop {
				want = append(want, "late rows dropped")
			} else {
				want = append(want, "late rows")
			}
			if c.loss {
				want = append(want, "records lost", "files lost")
			}
			for _, what := range want {
				if reached.times[what] == 0 && !t.Failed() {
					t.Errorf("no schedule had any %s", what)
				}
			}
		})
	}
}

// count adds up what this world has seen.
func (w *world) count(y *tally) {
	c := w.last().Counters
	for what, n := range map[string]int{
		"entries": len(w.log()), "files made again": w.made, "slots deleted": len(w.old), "writes too late": w.tooLate, "records lost": len(w.lost),
		"files lost": len(w.gone), "late rows": int(c.LateRows), "late rows dropped": int(c.LateDropped), "dead letters": int(c.DeadLetters), "gaps": int(c.Gaps),
	} {
		y.add(what, n)
	}
	for _, l := range w.all {
		var superseded *commitlog.SupersededError
		if errors.As(l.err, &superseded) {
			y.add("superseded owners", 1)
		}
	}
}
