package assign

import "math"

const (
	// unit is the weight of a partition that reads nothing. Weights are whole numbers, so that sums do not depend on their order.
	unit = 1 << 16
	// flowing is how many units partitions weigh on average by what they read, if they read anything: three quarters of the load.
	flowing = 3
	// catchUp is the time in seconds in which a partition that is behind is to be at the end again: what its lag adds to its rate.
	catchUp = 300
	// least is a rate, in records a second, below which the mean of all is taken for noise.
	least = 1
	// milli is the grain of demands: a thousandth of a record a second.
	milli = 1000
	// greatest keeps sums of demands within range.
	greatest = 1e12
)

// weigh returns the weight of each partition, and how much of the sum is due to records.
//
// Each partition weighs one unit by itself: its buffers, its commits and its fetches cost the same however much it reads, and so counts stay
// within bounds when nothing flows. Three more units on average are shared out by demand, which is the rate and what is needed to catch up.
//
// Lag adds at most the mean rate of all. Moving a partition that is far behind does not make it faster unless its worker is busy, so
// lag is a hint to leave room beside it, not a load that grows without limit: a partition whose lag comes and goes would otherwise draw
// others here and there. And a partition has at most a whole worker's share of the demand: more cannot be taken off its owner by any plan.
func weigh(partitions []Partition, workers int) (weight []int64, records int64) {
	weight = make([]int64, len(partitions))
	var rates int64
	for i := range partitions {
		weight[i] = grains(partitions[i].Rate)
		rates += weight[i]
	}
	mean := rates / int64(len(partitions))
	var demands int64
	for i := range partitions {
		weight[i] += min(grains(float64(partitions[i].Lag)/catchUp), max(mean, least*milli))
		demands += weight[i]
	}
	mean = max(demands/int64(len(partitions)), least*milli)
	share := max(1, float64(len(partitions))/float64(workers))
	for i, demand := range weight {
		part := int64(flowing * unit * min(float64(demand)/float64(mean), share))
		weight[i] = unit + part
		records += part
	}
	return weight, records
}

// grains returns a rate in whole thousandths. What is not a sensible number counts as nothing.
func grains(rate float64) int64 {
	if math.IsNaN(rate) || rate <= 0 {
		return 0
	}
	return int64(min(rate*milli, greatest))
}
