package membership_test

import (
	"maps"
	"slices"
	"time"

	"citystream/cluster/membership"
	"citystream/engine/commitlog"
)

// A workerNode is one life of a worker: a Link, and partitions that do nothing.
type workerNode struct {
	node
	world       *world
	incarnation string
	began       time.Time
	link        *membership.Link
	target      *masterNode
	reign       int64 // of the target
	holds       map[commitlog.Log]*held
	released    []release
	replaced    time.Time // when a master last had to do with it after a younger life of its name was accepted
	isolated    bool      // its last look did not reach the store
	abandoned   int
}

// held is a partition that runs.
type held struct {
	version  int64
	draining bool
	outlived bool // kept beyond StopAfter without a look at the lease, and not confirmed since
}

type release struct {
	log     commitlog.Log
	version int64
}

// report is a Register or a Heartbeat.
type report struct {
	worker, incarnation  string
	number, epoch, order int64
	from                 *workerNode
	owned                map[commitlog.Log]int64
	released             []release
}

// word is a Registered or a HeartbeatAck.
type word struct {
	membership.Answer
	assigned map[commitlog.Log]int64
}

func (p *workerNode) String() string { return p.name + "/" + p.incarnation[10:18] }

// has says whether it has a log that I9 speaks of: the exceptions are those of the package's comment.
func (p *workerNode) has(log commitlog.Log) bool {
	h := p.holds[log]
	return h != nil && !h.outlived && !p.dead && !p.isPaused(p.world.now) && p.replaced.IsZero()
}

func (p *workerNode) tick() {
	now := p.world.now
	do := p.link.Tick(now)
	if do.Abandon {
		p.world.logf("%v abandons %d after %v", p, len(p.holds), p.link.Silence(now))
		clear(p.holds)
		p.released = nil
		p.abandoned++
	}
	if p.isolated && p.link.Silence(now) >= stopAfter {
		for _, h := range p.holds {
			h.outlived = true
		}
	}
	if p.link.Refused() && len(p.holds) > 0 {
		p.world.fail("%v is refused and goes on", p)
	}
	if !p.replaced.IsZero() && len(p.holds) > 0 && now.Sub(p.replaced) > orphaned && now.Sub(p.paused) > step {
		p.world.fail("%v was replaced at %v and goes on", p, p.replaced)
	}
	if do.Look {
		p.look()
	}
	if p.target == nil || !do.Register && !do.Beat {
		return
	}
	in := report{p.name, p.incarnation, do.Number, p.link.Epoch(), p.link.Order(), p, map[commitlog.Log]int64{}, slices.Clone(p.released)}
	for log, h := range p.holds {
		in.owned[log] = h.version
	}
	to := p.target
	p.world.send(&p.node, &to.node, func() {
		if do.Register {
			to.onRegister(in)
		} else {
			to.onHeartbeat(in)
		}
	})
}

// look asks the store who leads: it sees a moment between now and when the answer is here.
func (p *workerNode) look() {
	w := p.world
	if !w.reachable || w.now.Before(p.blind) {
		w.later(&p.node, lookMost, func() { p.isolated = true; p.link.Leader(false, 0, false, w.now) })
		return
	}
	there := time.Duration(w.r.Int64N(int64(lookMost / 2)))
	if w.hasty || w.r.IntN(3) > 0 {
		there /= 10
	}
	store := &node{name: "store"}
	w.mail = append(w.mail, mail{w.now.Add(there), store, store, func() {
		leader, reign := w.leader(), w.lease.reign
		w.later(&p.node, there, func() { p.found(leader, reign) })
	}})
}

func (p *workerNode) found(leader *masterNode, reign int64) {
	p.isolated = false
	if leader == nil {
		p.link.Leader(false, 0, false, p.world.now)
		return
	}
	changed := p.target != leader || p.reign != reign
	if changed {
		p.world.logf("%v finds %s, reign %d", p, leader.name, reign)
	}
	p.target, p.reign = leader, reign
	p.link.Leader(true, reign, changed, p.world.now)
}

func (p *workerNode) onRegistered(in word) {
	if p.link.Registered(in.Answer, p.world.now) {
		p.isolated = false
		p.world.logf("%v is registered with %d", p, in.Epoch)
	}
}

func (p *workerNode) onAck(in word) {
	if !p.link.Acked(in.Answer, p.world.now) {
		return
	}
	p.released = slices.DeleteFunc(p.released, func(r release) bool { return in.assigned[r.log] != r.version })
	for _, log := range slices.SortedFunc(maps.Keys(p.holds), byPartition) {
		if h := p.holds[log]; in.assigned[log] != h.version && !h.draining {
			h.draining = true
			p.world.later(&p.node, time.Duration(p.world.r.Int64N(int64(time.Second))), func() {
				if p.holds[log] == h {
					delete(p.holds, log)
					p.released = append(p.released, release{log, h.version})
					p.world.logf("%v releases %v version %d", p, log, h.version)
				}
			})
		}
	}
	for _, log := range slices.SortedFunc(maps.Keys(in.assigned), byPartition) {
		version := in.assigned[log]
		if h := p.holds[log]; h != nil && h.version == version {
			h.outlived = false
		}
		if p.holds[log] == nil && !slices.Contains(p.released, release{log, version}) {
			p.holds[log] = &held{version: version}
			p.world.logf("%v starts %v version %d of epoch %d", p, log, version, in.Epoch)
		}
	}
}

func byPartition(a, b commitlog.Log) int { return int(a.Partition) - int(b.Partition) }
