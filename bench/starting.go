package main

import (
	"fmt"
	"time"
)

// takeover measures how soon a worker reads.
func (b *suite) takeover() {
	header("start of a worker", "until", "s")
	b.apart(func(l *lab) {
		const partitions = 1000
		s := startServices(l, b.embedded)
		s.kafka.makeTopic(topic, partitions)
		s.kafka.fill(load{partitions: partitions, step: time.Millisecond}, partitions)
		began := time.Now()
		w := s.startWorker(l, "cold")
		w.profile(b.profile, 6)
		first := 0.0
		for r := w.read(); r.decoded < partitions; r = w.read() {
			if first == 0 && r.decoded > 0 {
				first = time.Since(began).Seconds()
			}
			if time.Since(began) > 3*time.Minute {
				l.Fatalf("%d of %d partitions read after three minutes", r.decoded, partitions)
			}
			<-time.After(pollEvery / 2)
		}
		row(fmt.Sprint(partitions, " partitions with a record each, new logs"), "a first record is read", first)
		row("", "every partition is read", time.Since(began).Seconds())
	})
}

// simulate measures the fleet's producer.
func (b *suite) simulate() {
	header("citystream simulate, one processor", "acknowledged records/s", "CPU-s per million", "peak MB")
	const vehicles, few, many = 100_000, 4, 16
	short, long := b.drive(vehicles, few), b.drive(vehicles, many)
	const records = vehicles * (many - few) * 5
	row(fmt.Sprintf("%d vehicles: from step %d to step %d", vehicles, few, many),
		int(records/(long.seconds-short.seconds)), (long.cpu-short.cpu)/records*1e6, max(short.peak, long.peak)>>20)
}

// drive lets a fleet drive some steps.
func (b *suite) drive(vehicles, steps int) (r result) {
	b.apart(func(l *lab) {
		s := startServices(l, b.embedded)
		began := time.Now()
		p := l.start([]string{"GOMAXPROCS=1"}, "simulate", "--kafka", s.kafka.addr, "--vehicles", fmt.Sprint(vehicles), "--steps", fmt.Sprint(steps), "--data", l.TempDir())
		for ended := false; !ended; {
			select {
			case _, more := <-p.lines:
				ended = !more
			case <-time.After(pollEvery / 4):
				if c, err := cpuSeconds(p.cmd.Process.Pid); err == nil { // else it has just ended
					r.cpu = max(r.cpu, c)
				}
				if m, err := peakBytes(p.cmd.Process.Pid); err == nil {
					r.peak = max(r.peak, m)
				}
			}
		}
		r.seconds = time.Since(began).Seconds()
	})
	return r
}
