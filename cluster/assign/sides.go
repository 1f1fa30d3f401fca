package assign

import (
	"cmp"
	"slices"
	"sort"
)

// receivers are the workers that may be given partitions, the least loaded first, all together and by zone.
type receivers struct {
	plan   *plan
	all    *queue
	byZone map[string]*queue
}

func newReceivers(p *plan, may func(worker int32) bool) *receivers {
	lighter := func(a, b int32) bool { return p.load[a] < p.load[b] || p.load[a] == p.load[b] && a < b }
	r := &receivers{plan: p, all: newQueue(len(p.workers), lighter), byZone: map[string]*queue{}}
	for i, w := range p.workers {
		if !may(int32(i)) {
			continue
		}
		r.all.add(int32(i))
		if w.Zone == "" {
			continue
		}
		if r.byZone[w.Zone] == nil {
			r.byZone[w.Zone] = newQueue(len(p.workers), lighter)
		}
		r.byZone[w.Zone].add(int32(i))
	}
	return r
}

// least returns the least loaded worker, or of a zone the least loaded one there if that makes no difference worth speaking of: half of
// the dead band.
func (r *receivers) least(zone string) int32 {
	first := r.all.heap[0]
	if q := r.byZone[zone]; q != nil && r.plan.load[q.heap[0]]-r.plan.load[first] <= r.plan.band/2 {
		return q.heap[0]
	}
	return first
}

func (r *receivers) fix(w int32) {
	r.all.fix(w)
	if q := r.byZone[r.plan.workers[w].Zone]; q != nil {
		q.fix(w)
	}
}

// givers are the workers that may have to give partitions away, the most loaded first.
type givers struct {
	plan  *plan
	queue *queue
	held  [][]int32 // of each worker, what it can give
	ready []bool    // whose list is in order: by weight, then by log
}

func newGivers(p *plan, may func(worker int32) bool) *givers {
	heavier := func(a, b int32) bool { return p.load[a] > p.load[b] || p.load[a] == p.load[b] && a < b }
	g := &givers{plan: p, queue: newQueue(len(p.workers), heavier), held: make([][]int32, len(p.workers)), ready: make([]bool, len(p.workers))}
	room := make([]int32, len(p.partitions))
	for w := range p.workers {
		g.held[w], room = room[:0:p.count[w]], room[p.count[w]:]
		if may(int32(w)) {
			g.queue.add(int32(w))
		}
	}
	for i, w := range p.owner {
		g.held[w] = append(g.held[w], int32(i))
	}
	return g
}

func (g *givers) most() (int32, bool) {
	if len(g.queue.heap) == 0 {
		return nobody, false
	}
	return g.queue.heap[0], true
}

func (g *givers) fix(w int32) { g.queue.fix(w) }

// drop takes the most loaded worker out, which has nothing to give.
func (g *givers) drop() { g.queue.remove() }

// pick takes the partition out of a worker's list that best closes a gap to another: the heaviest of at most half the gap, or else the
// lightest. It takes none that would make it better by no more than slack. What a worker was given in this plan is not in its list.
func (g *givers) pick(w int32, gap, slack int64) (int32, bool) {
	p, held := g.plan, g.held[w]
	if !g.ready[w] {
		slices.SortFunc(held, func(a, b int32) int { return cmp.Or(cmp.Compare(p.weight[a], p.weight[b]), p.compare(a, b)) })
		g.ready[w] = true
	}
	if len(held) == 0 {
		return 0, false
	}
	limit := min(gap/2, gap-slack-1)
	at := max(0, sort.Search(len(held), func(i int) bool { return p.weight[held[i]] > limit })-1)
	i := held[at]
	if gap-p.weight[i] <= slack {
		return 0, false
	}
	g.held[w] = slices.Delete(held, at, at+1)
	return i, true
}
