// Package assign decides which worker owns which partition.
//
// A plan is sticky: whatever a living worker owns stays with it as long as the shares stay balanced, so that a worker that joins
// takes only its share and one that leaves moves only what it had. The package is pure.
package assign

import (
	"cmp"
	"slices"

	"citystream/engine/commitlog"
)

// Plan returns the intended owner of every log. Shares differ by at most one.
//
// current is who owns what now; owners that are no longer among the workers are ignored. The same input gives the same plan.
func Plan(logs []commitlog.Log, workers []string, current map[commitlog.Log]string) map[commitlog.Log]string {
	plan := make(map[commitlog.Log]string, len(logs))
	if len(workers) == 0 {
		return plan
	}
	logs = slices.Clone(logs)
	slices.SortFunc(logs, compare)
	workers = slices.Sorted(slices.Values(workers))

	held := make(map[string][]commitlog.Log, len(workers))
	for _, w := range workers {
		held[w] = nil
	}
	var free []commitlog.Log
	for _, l := range logs {
		if _, alive := held[current[l]]; alive {
			held[current[l]] = append(held[current[l]], l)
		} else {
			free = append(free, l)
		}
	}
	// The largest holders keep the larger shares, so that as little as possible moves.
	slices.SortStableFunc(workers, func(a, b string) int { return cmp.Compare(len(held[b]), len(held[a])) })
	share, extra := len(logs)/len(workers), len(logs)%len(workers)
	for i, w := range workers {
		keep := share
		if i < extra {
			keep++
		}
		if len(held[w]) > keep {
			free = append(free, held[w][keep:]...)
			held[w] = held[w][:keep]
		}
		for _, l := range held[w] {
			plan[l] = w
		}
	}
	for i, w := range workers {
		keep := share
		if i < extra {
			keep++
		}
		for n := len(held[w]); n < keep; n++ {
			plan[free[0]] = w
			free = free[1:]
		}
	}
	return plan
}

func compare(a, b commitlog.Log) int {
	return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}
