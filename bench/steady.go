package main

import (
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// usualLoad is the vehicle record on four partitions, as fast as one vehicle a millisecond.
var usualLoad = load{partitions: 4, step: time.Millisecond}

// steady measures a topic that is full when the worker starts: a third of the records, then all of them. The difference between both is
// what a record costs in steady state, without the start of the process and the wait for the last commit.
func (b *suite) steady() {
	header("topic", "CPU-s per million", "records/s", "floor, CPU-s per million", "ratio", "peak MB", "bytes a row", "files", "read and write calls per commit")
	for _, codec := range []sarama.CompressionCodec{sarama.CompressionNone, sarama.CompressionLZ4, sarama.CompressionZSTD} {
		ld := usualLoad
		ld.codec = codec
		b.apart(func(l *lab) { b.slopes(l, ld, b.records) })
	}
}

// A candidate is one program in a comparison.
type candidate struct {
	name, program string
	runs          []result
}

// slopes measures a topic at a third and at its end.
func (b *suite) slopes(l *lab, ld load, n int) (worker, floor result) {
	s := startServices(l, b.embedded)
	s.kafka.makeTopic(topic, ld.partitions)
	candidates := []*candidate{{name: "worker", program: b.program}}
	if b.compare != "" {
		candidates = append(candidates, &candidate{name: "other", program: b.compare})
	}
	var floors []result
	for i, part := range []int{n / 3, n - n/3} {
		s.kafka.fill(ld, part)
		total := int64(part / ld.partitions * ld.partitions)
		if i > 0 {
			total += floors[0].records
		}
		for turn := range len(candidates) * len(candidates) { // once alone; two in turn, twice
			c := candidates[turn%len(candidates)]
			l.apart(func(l *lab) {
				l.program = c.program
				w := s.startWorker(l, fmt.Sprintf("catchup-%d-%d", i, turn))
				if i > 0 && turn == 0 {
					w.profile(b.profile, 6)
				}
				r := w.until(total)
				if turn < len(candidates) {
					c.runs = append(c.runs, r)
				} else {
					c.runs[i] = better(c.runs[i], r)
				}
			})
		}
		floors = append(floors, s.startFloor(l, ld.partitions, total))
	}
	floor = slope(floors)
	for _, c := range candidates {
		w := slope(c.runs)
		name := fmt.Sprintf("%s, %s", s.name, ld.codec)
		if len(candidates) > 1 {
			name = c.name + ": " + name
		}
		row(name, w.perMillion(), int(w.rate()), floor.perMillion(), w.perMillion()/floor.perMillion(), w.peak>>20,
			float64(c.runs[1].bytes)/float64(c.runs[1].records), c.runs[1].files, int(float64(c.runs[1].calls)/float64(c.runs[1].commits)))
	}
	return slope(candidates[0].runs), floor
}

// better returns the run with less CPU: what disturbs a run only ever adds.
func better(a, b result) result {
	if b.cpu < a.cpu {
		return b
	}
	return a
}

// slope is what the second of two runs did more than the first.
func slope(r []result) result {
	a, b := r[0], r[1]
	return result{
		records: b.records - a.records, seconds: b.seconds - a.seconds, cpu: b.cpu - a.cpu, peak: b.peak,
		files: b.files - a.files, bytes: b.bytes - a.bytes, commits: b.commits - a.commits, calls: b.calls - a.calls,
	}
}

// guardRatio is how many times the floor's CPU the guard lets the worker use. Between two runs on a machine that is shared the ratio
// moves between one and two, so less would fail by itself; what triples the cost of a record is a mistake.
const guardRatio = 3.0

// guardCalls is how many calls of the system, for reading and writing, a million records may take. It does not depend on the machine's load
// as time does.
const guardCalls = 10_000

// guard fails where the worker costs far more than the bare path.
func (b *suite) guard() {
	header("topic", "CPU-s per million", "records/s", "floor, CPU-s per million", "ratio", "peak MB", "bytes a row", "files", "read and write calls per commit")
	b.apart(func(l *lab) {
		b.embedded = true
		w, f := b.slopes(l, usualLoad, 3_000_000)
		calls := int(float64(w.calls) / float64(w.records) * 1e6)
		fmt.Printf("%d calls of the system to read or write a million records\n", calls)
		if calls > guardCalls {
			l.Fatalf("more than %d: batches or parts have become small, or something asks too often", guardCalls)
		}
		if ratio := w.perMillion() / f.perMillion(); ratio > guardRatio {
			l.Fatalf("the worker takes %.2f times the processor time of the floor, more than %.1f: profile it with -profile", ratio, guardRatio)
		}
	})
}

// memory measures what a worker takes at most while it catches up.
func (b *suite) memory() {
	header("records catching up", "worker.memory", "peak MB", "most in the worker's own count, MB", "most in use on the heap, MB", "files", "CPU-s per million")
	for _, c := range []struct {
		name string
		load load
		env  []string
	}{
		{"4 partitions", usualLoad, nil},
		{"32 partitions", load{partitions: 32, step: 8 * time.Millisecond}, nil},
		{"4 partitions, 64 open windows", load{partitions: 4, windows: 64}, []string{"CITYSTREAM_WINDOWS_MAX_OPEN=1000"}},
	} {
		b.apart(func(l *lab) {
			s := startServices(l, b.embedded)
			s.kafka.makeTopic(topic, c.load.partitions)
			s.kafka.fill(c.load, b.records)
			w := s.startWorker(l, "memory", c.env...)
			r := w.until(int64(b.records / c.load.partitions * c.load.partitions))
			row(fmt.Sprint(b.records/1e6, " M records, ", c.name), "128MiB", r.peak>>20, r.buffered>>20, r.live>>20, r.files, r.perMillion())
		})
	}
}
