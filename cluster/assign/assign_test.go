package assign

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"citystream/engine/commitlog"
	"citystream/engine/record"
)

var usual = Options{DeadBand: 0.2}

func partitions(n int) []Partition {
	all := make([]Partition, n)
	for i := range all {
		all[i].Log = commitlog.Log{Table: fmt.Sprint("t", i%3), TopicPartition: record.TopicPartition{Topic: "a", Partition: record.Partition(i / 3)}}
	}
	return all
}

func workers(n int) []Worker {
	all := make([]Worker, n)
	for i := range all {
		all[i] = Worker{Name: fmt.Sprint("w", i), Zone: []string{"", "a", "b"}[i%3]}
	}
	return all
}

// drawPartitions draws partitions with loads of all kinds: none, even, and some that are much greater than others.
func drawPartitions(t *rapid.T, most int) []Partition {
	all := partitions(rapid.IntRange(1, most).Draw(t, "partitions"))
	greatest := rapid.SampledFrom([]float64{0, 1, 100, 1e6}).Draw(t, "greatest rate")
	for i := range all {
		if greatest > 0 {
			all[i].Rate = rapid.OneOf(rapid.Just(0.0), rapid.Just(greatest), rapid.Float64Range(0, greatest)).Draw(t, "rate")
			all[i].Lag = rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(0, 1e9)).Draw(t, "lag")
		}
		all[i].Zone = rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "zone")
	}
	return all
}

// settle plans until nothing moves any more.
func settle(t interface{ Fatal(...any) }, all []Partition, ws []Worker) {
	for range 500 {
		if follow(all, Plan(all, ws, usual)) == 0 {
			return
		}
	}
	t.Fatal("500 plans, and there is still something to move")
}

// follow makes the plan's owners the owners, and returns how many are new.
func follow(all []Partition, plan []string) (moves int) {
	for i := range all {
		if all[i].Owner != plan[i] {
			all[i].Owner = plan[i]
			moves++
		}
	}
	return moves
}

func counts(all []Partition, ws []Worker) map[string]int {
	n := map[string]int{}
	for _, w := range ws {
		n[w.Name] = 0
	}
	for _, p := range all {
		n[p.Owner]++
	}
	return n
}

func spread(n map[string]int) int {
	least, most := int(1e9), 0
	for _, c := range n {
		least, most = min(least, c), max(most, c)
	}
	return most - least
}

func TestEveryPartitionHasOneLivingOwnerWhateverTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, ws := drawPartitions(t, 60), workers(rapid.IntRange(1, 9).Draw(t, "workers"))
		for i := range all {
			all[i].Owner = rapid.SampledFrom([]string{"", "dead", "w0", "w1", "w5", "w8"}).Draw(t, "owner")
		}
		plan := Plan(all, ws, usual)
		want := map[commitlog.Log]string{}
		for i, owner := range plan {
			if !slices.ContainsFunc(ws, func(w Worker) bool { return w.Name == owner }) {
				t.Fatalf("%v is to be owned by %q", all[i].Log, owner)
			}
			want[all[i].Log] = owner
		}
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		r.Shuffle(len(ws), func(i, j int) { ws[i], ws[j] = ws[j], ws[i] })
		for i, owner := range Plan(all, ws, usual) {
			if want[all[i].Log] != owner {
				t.Fatalf("%v is to be owned by %s, and in another order of the input by %s", all[i].Log, want[all[i].Log], owner)
			}
		}
	})
}

func TestAJoiningWorkerMovesAtMostItsShareAndNothingBetweenTheOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, n := drawPartitions(t, 80), rapid.IntRange(2, 9).Draw(t, "workers")
		settle(t, all, workers(n-1))
		before := slices.Clone(all)
		moves := follow(all, Plan(all, workers(n), usual))
		if most := (len(all) + n - 1) / n; moves > most {
			t.Fatalf("%d moves, where a share is %d", moves, most)
		}
		for i := range all {
			if all[i].Owner != before[i].Owner && all[i].Owner != fmt.Sprint("w", n-1) {
				t.Fatalf("%v moves from %s to %s", all[i].Log, before[i].Owner, all[i].Owner)
			}
		}
		if len(all) >= 2*n && counts(all, workers(n))[fmt.Sprint("w", n-1)] == 0 {
			t.Fatal("it was given nothing")
		}
	})
}

func TestAWorkerThatGoesAndComesBackMovesNothingOfOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, n := drawPartitions(t, 80), rapid.IntRange(2, 9).Draw(t, "workers")
		settle(t, all, workers(n))
		gone := rapid.IntRange(0, n-1).Draw(t, "gone")
		name := fmt.Sprint("w", gone)
		before := slices.Clone(all)
		had := counts(all, workers(n))[name]
		if moves := follow(all, Plan(all, slices.Delete(workers(n), gone, gone+1), usual)); moves != had {
			t.Fatalf("%d moves for the %d partitions that it had", moves, had)
		}
		for i := range all {
			if before[i].Owner != name && before[i].Owner != all[i].Owner {
				t.Fatalf("%v moves, which was not its", all[i].Log)
			}
		}
		before = slices.Clone(all)
		if moves, most := follow(all, Plan(all, workers(n), usual)), (len(all)+n-1)/n; moves > most {
			t.Fatalf("%d moves when it is back, where a share is %d", moves, most)
		}
		for i := range all {
			if before[i].Owner != all[i].Owner && all[i].Owner != name {
				t.Fatalf("%v moves between others when it is back", all[i].Log)
			}
		}
	})
}

func TestAPlanMovesAtMostAShareForBalance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, n := drawPartitions(t, 80), rapid.IntRange(1, 5).Draw(t, "workers")
		for i := range all {
			all[i].Owner = fmt.Sprint("w", rapid.IntRange(0, n-1).Draw(t, "owner"))
		}
		if slices.Contains(slices.Collect(maps.Values(counts(all, workers(n)))), 0) {
			t.Skip("somebody has nothing")
		}
		if moves, most := follow(all, Plan(all, workers(n), usual)), (len(all)+n-1)/n; moves > most {
			t.Fatalf("%d moves, where a share is %d", moves, most)
		}
	})
}

func TestNoiseInRatesMovesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, ws := drawPartitions(t, 80), workers(rapid.IntRange(1, 9).Draw(t, "workers"))
		for i := range all {
			all[i].Lag = 0
		}
		settle(t, all, ws)
		settled := slices.Clone(all)
		for range 5 {
			for i := range all {
				// Loads of workers and their mean change by no more than the noise, to both sides: together less than half the band.
				all[i].Rate = settled[i].Rate * rapid.Float64Range(0.96, 1.04).Draw(t, "noise")
			}
			if moves := follow(all, Plan(all, ws, usual)); moves > 0 {
				t.Fatalf("%d moves for noise", moves)
			}
		}
	})
}

func TestWithoutLoadCountsDifferByOneAtMost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, ws := partitions(rapid.IntRange(0, 80).Draw(t, "partitions")), workers(rapid.IntRange(1, 9).Draw(t, "workers"))
		for i := range all {
			all[i].Owner = rapid.SampledFrom([]string{"", "dead", "w0", "w1", "w5", "w8"}).Draw(t, "owner")
		}
		settle(t, all, ws)
		if n := counts(all, ws); spread(n) > 1 {
			t.Fatal(n)
		}
	})
}

func TestWithLoadCountsStayWithinBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, ws := drawPartitions(t, 80), workers(rapid.IntRange(1, 9).Draw(t, "workers"))
		settle(t, all, ws)
		// Every partition weighs one unit by itself, and loads are close to the mean of at most four units a partition.
		most := int(4.7*float64(len(all))/float64(len(ws))) + 2
		for w, n := range counts(all, ws) {
			if n > most {
				t.Fatalf("%s has %d of %d partitions, at most %d are sane", w, n, len(all), most)
			}
		}
	})
}

func TestLoadIsSharedOut(t *testing.T) {
	for _, c := range []struct {
		name       string
		rates      []float64
		lags       []int64
		workers    int
		best       float64 // the greatest rate of a worker
		mostCounts []int   // nil = not looked at
	}{
		{"even rates", []float64{10, 10, 10, 10, 10, 10}, nil, 3, 20, []int{2, 2, 2}},
		{"hot and cold", []float64{90, 30, 30, 30}, nil, 2, 90, []int{1, 3}},
		{"two hot topics' partitions do not meet", []float64{500, 500, 1, 1, 1, 1, 1, 1}, nil, 2, 503, []int{4, 4}},
		{"one has nearly all", []float64{1000, 1, 1, 1, 1, 1, 1, 1, 1}, nil, 3, 1000.1, nil},
		{"who is behind has room beside it", []float64{10, 10, 10, 10}, []int64{1e9, 1e9, 0, 0}, 2, 20, []int{2, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			all, ws := partitions(len(c.rates)), workers(c.workers)
			for i := range all {
				all[i].Rate = c.rates[i]
				if c.lags != nil {
					all[i].Lag = c.lags[i]
				}
			}
			settle(t, all, ws)
			rate, behind := map[string]float64{}, map[string]int{}
			for _, p := range all {
				rate[p.Owner] += p.Rate
				if p.Lag > 0 {
					behind[p.Owner]++
				}
			}
			var n []int
			for w, c := range counts(all, ws) {
				n = append(n, c)
				if behind[w] > 1 {
					t.Errorf("%s has both that are behind", w)
				}
			}
			slices.Sort(n)
			for w, r := range rate {
				if r > c.best {
					t.Errorf("%s reads %v, at most %v is needed: %v", w, r, c.best, rate)
				}
			}
			if c.mostCounts != nil && !slices.Equal(n, c.mostCounts) {
				t.Errorf("counts are %v, want %v", n, c.mostCounts)
			}
		})
	}
}

func TestADriftBeyondTheBandIsMendedAFewMovesAtATime(t *testing.T) {
	all, ws := partitions(40), workers(4)
	for i := range all {
		all[i].Rate = 10
	}
	settle(t, all, ws)
	for i := range all {
		if all[i].Owner == "w0" {
			all[i].Rate = 100
		}
	}
	moved := 0
	for {
		moves := follow(all, Plan(all, ws, usual))
		if moves == 0 {
			break
		}
		if moves > 10 {
			t.Fatalf("%d moves in one plan", moves)
		}
		moved += moves
	}
	rate := map[string]float64{}
	for _, p := range all {
		rate[p.Owner] += p.Rate
	}
	for w, r := range rate {
		if mean := 1300.0 / 4; r < 0.6*mean || r > 1.4*mean {
			t.Errorf("%s reads %v of a mean of %v", w, r, mean)
		}
	}
	if moved == 0 || moved > 20 {
		t.Errorf("%d moves", moved)
	}
}

func TestALagThatComesAndGoesMovesNothing(t *testing.T) {
	all, ws := partitions(60), workers(4)
	for i := range all {
		all[i].Rate = 10
	}
	settle(t, all, ws)
	for _, lag := range []int64{1e3, 1e6, 1e12, 0, 1e9} {
		all[7].Lag = lag
		if moves := follow(all, Plan(all, ws, usual)); moves > 0 {
			t.Errorf("%d moves for a lag of %d", moves, lag)
		}
	}
}

func TestOfEqualWorkersTheOneInTheZoneIsTaken(t *testing.T) {
	all := partitions(9)
	for i := range all {
		all[i].Zone, all[i].Log.Partition = []string{"a", "b", "c"}[i%3], record.Partition(i)
	}
	ws := []Worker{{"w0", "c"}, {"w1", "a"}, {"w2", "b"}}
	for i, owner := range Plan(all, ws, usual) {
		if want := []string{"w1", "w2", "w0"}[i%3]; owner != want {
			t.Errorf("%v of zone %s goes to %s", all[i].Log, all[i].Zone, owner)
		}
	}
	// Balance comes first: a zone with one worker does not draw everything.
	for i := range all {
		all[i].Zone = "a"
	}
	follow(all, Plan(all, ws, usual))
	if n := counts(all, ws); spread(n) > 0 {
		t.Error(n)
	}
}

func TestRatesThatAreNoNumbersCountAsNothing(t *testing.T) {
	all, ws := partitions(12), workers(3)
	nan := 0.0
	nan /= nan
	for i := range all {
		all[i].Rate = []float64{nan, -1, -nan, 0}[i%4]
		all[i].Lag = -5
	}
	settle(t, all, ws)
	if n := counts(all, ws); spread(n) > 0 {
		t.Fatal(n)
	}
}

func TestWithoutWorkersNothingIsPlanned(t *testing.T) {
	all := partitions(3)
	all[0].Owner = "gone"
	if plan := Plan(all, nil, usual); !slices.Equal(plan, []string{"", "", ""}) {
		t.Fatal(plan)
	}
}
