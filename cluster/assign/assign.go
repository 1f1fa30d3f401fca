// Package assign decides which worker is to own which partition.
//
// A plan is sticky: what a living worker owns stays with it as long as the load is balanced, since each move stalls a partition's
// records for a moment. What has no owner goes to the least loaded workers, and moves nothing else. A worker that has nothing takes its
// share from the most loaded, and nothing moves between the others. Only when neither is the case does a plan mend what rates and lag
// have brought out of balance, and not more than a bounded number of moves at a time: the next plan goes on.
//
// The package is pure, and the plan depends on what partitions and workers there are, not on the order in which they are named.
package assign

import (
	"cmp"
	"slices"

	"citystream/engine/commitlog"
	"citystream/engine/record"
)

// A Partition is one log with what is known of its load.
type Partition struct {
	Log   commitlog.Log
	Rate  float64 // records a second that it reads
	Lag   int64   // records that it is behind
	Owner string  // who owns it now, or is to own it; empty = nobody
	Zone  string  // of its last owner; empty = unknown
}

// A Worker is one that may be given partitions.
type Worker struct {
	Name, Zone string
}

// Options are the limits of a plan.
type Options struct {
	// DeadBand is how far a worker's share of the records may lie from the mean before partitions move for it: 0.2 = a fifth of the mean.
	DeadBand float64
}

// Plan returns for each partition, by its index, the worker that is to own it: exactly one, or none without workers. An owner that is
// not among the workers is gone.
//
// A worker that joins n-1 others takes ceil(partitions/n) at most. Of workers with about the same load, the one in the partition's zone gets it.
func Plan(partitions []Partition, workers []Worker, o Options) []string {
	owners := make([]string, len(partitions))
	if len(workers) == 0 || len(partitions) == 0 {
		return owners
	}
	p := newPlan(partitions, workers, o)
	if !p.place() && !p.welcome() {
		p.mend()
	}
	for i, w := range p.owner {
		owners[i] = p.workers[w].Name
	}
	return owners
}

// A plan in the making. Workers are known by their place in the order of names, partitions by their index in the input.
type plan struct {
	partitions []Partition
	workers    []Worker
	weight     []int64 // of each partition
	band       int64   // load that may be out of balance
	owner      []int32 // of each partition; nobody
	load       []int64 // of each worker
	count      []int   // of each worker
}

const nobody = -1

func newPlan(partitions []Partition, workers []Worker, o Options) *plan {
	workers = slices.Clone(workers)
	slices.SortFunc(workers, func(a, b Worker) int { return cmp.Compare(a.Name, b.Name) })
	p := &plan{
		partitions: partitions, workers: workers,
		owner: make([]int32, len(partitions)), load: make([]int64, len(workers)), count: make([]int, len(workers)),
	}
	var demand int64
	p.weight, demand = weigh(partitions, len(workers))
	p.band = int64(o.DeadBand * float64(demand) / float64(len(workers)))
	place := make(map[string]int32, len(workers))
	for i, w := range workers {
		place[w.Name] = int32(i)
	}
	for i := range partitions {
		w, alive := place[partitions[i].Owner]
		if !alive {
			p.owner[i] = nobody
			continue
		}
		p.give(int32(i), w)
	}
	return p
}

func (p *plan) give(partition, worker int32) {
	p.owner[partition] = worker
	p.load[worker] += p.weight[partition]
	p.count[worker]++
}

// share returns how many partitions each of the workers has at most if all have the same number.
func (p *plan) share() int { return (len(p.partitions) + len(p.workers) - 1) / len(p.workers) }

// place gives away what has no owner, the heaviest first and each to the least loaded worker. It reports whether there was anything.
func (p *plan) place() bool {
	type item struct { // what the order depends on, side by side: there are many
		weight    int64
		partition record.Partition
		index     int32
	}
	var free []item
	for i, w := range p.owner {
		if w == nobody {
			free = append(free, item{p.weight[i], p.partitions[i].Log.Partition, int32(i)})
		}
	}
	if len(free) == 0 {
		return false
	}
	slices.SortFunc(free, func(a, b item) int {
		if a.weight != b.weight {
			return cmp.Compare(b.weight, a.weight)
		}
		if a.partition != b.partition {
			return cmp.Compare(a.partition, b.partition)
		}
		return p.compare(a.index, b.index)
	})
	light := newReceivers(p, func(int32) bool { return true })
	for _, f := range free {
		w := light.least(p.partitions[f.index].Zone)
		p.give(f.index, w)
		light.fix(w)
	}
	return true
}

// welcome lets workers that have nothing take their share from the most loaded ones. It reports whether any did.
func (p *plan) welcome() bool {
	empty := make([]bool, len(p.workers))
	n := 0
	for w := range p.workers {
		if p.count[w] == 0 {
			empty[w] = true
			n++
		}
	}
	if n == 0 {
		return false
	}
	to := newReceivers(p, func(w int32) bool { return empty[w] })
	from := newGivers(p, func(w int32) bool { return !empty[w] })
	return p.even(from, to, n*p.share(), 0) > 0
}

// mend moves partitions from the most to the least loaded workers, if some pair differs by more than the dead band and a move makes it
// better by more than that. Then it goes on until half of it is left, so that the next noise does not move anything again.
func (p *plan) mend() {
	most, least := int32(0), int32(0)
	for w := range p.load {
		if p.load[w] > p.load[most] {
			most = int32(w)
		}
		if p.load[w] < p.load[least] {
			least = int32(w)
		}
	}
	if p.load[most]-p.load[least] <= 2*p.band+unit {
		return // as it nearly always is
	}
	all := func(int32) bool { return true }
	from, to := newGivers(p, all), newReceivers(p, all)
	if p.even(from, to, 1, 2*p.band) > 0 {
		p.even(from, to, p.share()-1, p.band)
	}
}

// even moves partitions as long as that makes the pair of the most and the least loaded worker better by more than slack, most times at
// the most. It returns the number of moves.
func (p *plan) even(from *givers, to *receivers, most int, slack int64) int {
	for moves := 0; ; {
		giver, ok := from.most()
		if !ok || moves == most {
			return moves
		}
		least := to.least("")
		i, ok := from.pick(giver, p.load[giver]-p.load[least], slack)
		if !ok {
			from.drop() // it cannot give to the least loaded, so it cannot give at all
			continue
		}
		if w := to.least(p.partitions[i].Zone); p.load[giver]-p.load[w]-p.weight[i] > slack {
			least = w
		}
		p.load[giver] -= p.weight[i]
		p.count[giver]--
		p.give(i, least)
		from.fix(giver)
		from.fix(least)
		to.fix(giver)
		to.fix(least)
		moves++
	}
}

// compare orders partitions: by number first, which is cheap, and puts those of one topic apart.
func (p *plan) compare(a, b int32) int {
	x, y := &p.partitions[a].Log, &p.partitions[b].Log
	if x.Partition != y.Partition {
		return cmp.Compare(x.Partition, y.Partition)
	}
	return cmp.Or(cmp.Compare(x.Topic, y.Topic), cmp.Compare(x.Table, y.Table))
}
