package assign

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"citystream/engine/record"
)

// BenchmarkPlan plans for 1,000 workers and 100,000 partitions. A plan is to take less than 200 ms and 100 MB.
func BenchmarkPlan(b *testing.B) {
	all, ws := partitions(100_000), workers(1_000)
	idle := partitions(100_000)
	for i := range idle {
		idle[i].Log.Partition, idle[i].Log.Topic = record.Partition(i%100), fmt.Sprint("topic-", i/100)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range all {
		all[i].Rate, all[i].Zone = 1000*r.Float64(), []string{"", "a", "b"}[i%3]
		all[i].Log.Topic = fmt.Sprint("topic-", i%50)
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	run := func(name string, all []Partition, ws []Worker) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Plan(all, ws, usual)
			}
		})
	}
	run("from nothing and no rates", idle, ws)
	run("from nothing", slices.Clone(all), ws)
	settle(b, all, ws)
	run("steady", all, ws)
	run("one lost", all, ws[1:])
	run("one joins", all, append(slices.Clone(ws), Worker{Name: "new"}))
	for i := range all {
		if all[i].Owner < "w2" {
			all[i].Rate *= 3
		}
	}
	run("drift", all, ws)
}
