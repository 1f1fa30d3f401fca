package assign

import (
	"fmt"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"citystream/engine/commitlog"
	"citystream/engine/record"
)

func logs(n int) []commitlog.Log {
	all := make([]commitlog.Log, n)
	for i := range all {
		all[i] = commitlog.Log{Table: fmt.Sprint("t", i%3), TopicPartition: record.TopicPartition{Topic: "a", Partition: record.Partition(i)}}
	}
	return all
}

func names(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint("w", i)
	}
	return all
}

func moves(before, after map[commitlog.Log]string) int {
	n := 0
	for l, w := range after {
		if before[l] != w {
			n++
		}
	}
	return n
}

func TestEveryLogHasOneOwnerAndSharesDifferByOneAtMost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, workers := logs(rapid.IntRange(0, 60).Draw(t, "logs")), names(rapid.IntRange(1, 9).Draw(t, "workers"))
		current := map[commitlog.Log]string{}
		for _, l := range all {
			if w := rapid.IntRange(0, 12).Draw(t, "owner"); w < 12 {
				current[l] = fmt.Sprint("w", w) // some have died
			}
		}
		plan := Plan(all, workers, current)
		if len(plan) != len(all) {
			t.Fatalf("%d of %d logs have an owner", len(plan), len(all))
		}
		count := map[string]int{}
		for _, w := range plan {
			count[w]++
		}
		least, most := len(all), 0
		for _, w := range workers {
			least, most = min(least, count[w]), max(most, count[w])
		}
		if most-least > 1 {
			t.Fatalf("shares from %d to %d", least, most)
		}
		if again := Plan(all, workers, plan); !maps.Equal(plan, again) {
			t.Fatal("a balanced plan was changed")
		}
	})
}

func TestAJoiningWorkerMovesOnlyItsShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, n := logs(rapid.IntRange(1, 60).Draw(t, "logs")), rapid.IntRange(2, 9).Draw(t, "workers")
		before := Plan(all, names(n-1), nil)
		after := Plan(all, names(n), before)
		if m, most := moves(before, after), (len(all)+n-1)/n; m > most {
			t.Fatalf("%d moves, at most %d are needed", m, most)
		}
	})
}

func TestALeavingWorkerMovesOnlyWhatItHad(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, n := logs(rapid.IntRange(1, 60).Draw(t, "logs")), rapid.IntRange(2, 9).Draw(t, "workers")
		before := Plan(all, names(n), nil)
		had := 0
		for _, w := range before {
			if w == fmt.Sprint("w", n-1) {
				had++
			}
		}
		if m := moves(before, Plan(all, names(n-1), before)); m != had {
			t.Fatalf("%d moves for %d logs", m, had)
		}
	})
}

func TestWithoutWorkersNothingIsPlanned(t *testing.T) {
	if plan := Plan(logs(3), nil, map[commitlog.Log]string{}); len(plan) != 0 {
		t.Fatal(plan)
	}
}
