package membership_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"citystream/cluster/membership"
	"citystream/engine/commitlog"
	"citystream/engine/record"
)

// Times of the simulation, as they are by default.
const (
	step      = 100 * time.Millisecond
	heartbeat = time.Second
	stopAfter = 4 * time.Second
	deadAfter = 6 * time.Second
	orphaned  = 12 * time.Second
	lookAfter = 1500 * time.Millisecond
	lookMost  = 2 * time.Second // then a look has failed
	leaseTTL  = 2 * time.Second
)

// A world is some masters and workers, an unkind network between them, and the store of the lease, on a virtual clock.
type world struct {
	now     time.Time
	r       *rand.Rand
	masters []*masterNode
	workers []*workerNode
	lease   leaseRecord
	logs    []commitlog.Log

	loss, twice, slow float64 // chance of a message
	reign             int64   // of the newest leader: its epoch too
	hasty             bool    // looks at the lease are fast
	reachable         bool    // false while the lease's store is down for all
	mail              []mail
	trace             []string
	fault             string // the first broken property
}

// leaseRecord is what the store says of the lease.
type leaseRecord struct {
	holder *masterNode
	reign  int64
	until  time.Time
}

// node is what masters and workers have in common.
type node struct {
	name      string
	dead      bool
	paused    time.Time // until when
	deafUntil time.Time // messages to it are lost
	muteUntil time.Time // messages from it are lost
	blind     time.Time // until when it does not reach the lease's store
}

func (n *node) isPaused(now time.Time) bool { return now.Before(n.paused) }

type mail struct {
	at       time.Time
	from, to *node
	deliver  func()
}

func newWorld(seed uint64, masters, workers, logs int) *world {
	w := &world{now: time.Unix(1e9, 0), r: rand.New(rand.NewPCG(seed, 1)), reachable: true}
	for i := range masters {
		w.masters = append(w.masters, &masterNode{node: node{name: fmt.Sprint("m", i)}, world: w})
	}
	for i := range workers {
		w.start(fmt.Sprint("w", i))
	}
	for i := range logs {
		w.logs = append(w.logs, commitlog.Log{Table: "t", TopicPartition: record.TopicPartition{Topic: "t", Partition: record.Partition(i)}})
	}
	return w
}

// start begins a new life of a worker.
func (w *world) start(name string) {
	incarnation := membership.NewIncarnation(w.now, w.r.Uint64())
	limits := membership.LinkLimits{Heartbeat: heartbeat, StopAfter: stopAfter, OrphanedAfter: orphaned, LookAfter: lookAfter}
	w.workers = append(w.workers, &workerNode{
		node: node{name: name}, world: w, incarnation: incarnation, began: w.now,
		link: membership.NewLink(incarnation, limits, w.now), holds: map[commitlog.Log]*held{},
	})
}

// send puts a message under way, if it is not lost; it may arrive twice, and late.
func (w *world) send(from, to *node, deliver func()) {
	if w.now.Before(from.muteUntil) || w.r.Float64() < w.loss {
		return
	}
	for n := 1; ; n++ {
		delay := time.Duration(w.r.Int64N(int64(150 * time.Millisecond)))
		if w.r.Float64() < w.slow {
			delay = time.Duration(w.r.Int64N(int64(9 * time.Second)))
		}
		w.mail = append(w.mail, mail{w.now.Add(delay), from, to, deliver})
		if n == 3 || w.r.Float64() >= w.twice {
			return
		}
	}
}

// later lets something happen at a node without the network.
func (w *world) later(n *node, after time.Duration, f func()) {
	w.mail = append(w.mail, mail{w.now.Add(after), n, n, f})
}

// advance lets one step of time go by.
func (w *world) advance() {
	w.now = w.now.Add(step)
	for _, p := range w.workers {
		if !p.dead && !p.isPaused(w.now) {
			p.tick()
		}
	}
	for _, m := range w.masters {
		if !m.dead && !m.isPaused(w.now) {
			m.wake()
		}
	}
	w.deliver()
	w.check()
}

func (w *world) deliver() {
	due, wait := []mail{}, []mail{}
	for _, m := range w.mail {
		switch {
		case m.to.dead || m.from != m.to && w.now.Before(m.to.deafUntil) && !m.at.After(w.now):
		case m.at.After(w.now) || m.to.isPaused(w.now): // a paused node reads its messages when it goes on
			wait = append(wait, m)
		default:
			due = append(due, m)
		}
	}
	w.mail = wait
	slices.SortStableFunc(due, func(a, b mail) int { return a.at.Compare(b.at) })
	for _, m := range due {
		m.deliver()
	}
}

func (w *world) logf(format string, args ...any) {
	w.trace = append(w.trace, w.now.UTC().Format("04:05.0 ")+fmt.Sprintf(format, args...))
}

func (w *world) fail(format string, args ...any) {
	if w.fault == "" {
		w.fault = fmt.Sprintf(format, args...)
		w.logf("FAULT %s", w.fault)
	}
}

// check looks for a log that two workers have at once (I9).
func (w *world) check() {
	for _, log := range w.logs {
		var holder *workerNode
		for _, p := range w.workers {
			if !p.has(log) {
				continue
			}
			if holder != nil {
				w.fail("%v and %v both have %v", holder, p, log)
			}
			holder = p
		}
	}
}

// given looks whether somebody still has a log that is being given away (I9).
func (w *world) given(log commitlog.Log, to string) {
	for _, p := range w.workers {
		if p.name != to && p.has(log) {
			w.fail("%v is given to %s while %v has it", log, to, p)
		}
	}
}

// leader returns the master that holds the lease.
func (w *world) leader() *masterNode {
	if w.lease.holder != nil && w.now.Before(w.lease.until) {
		return w.lease.holder
	}
	return nil
}
