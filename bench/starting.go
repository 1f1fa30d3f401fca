package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"citystream/engine/adapter/s3"
	"citystream/engine/commitlog"
	"citystream/engine/record"
)

// takeover measures how soon a worker reads.
func (b *suite) takeover() {
	header("start of a worker", "until", "s")
	byEntries := plot{title: "Start of a worker by the length of a log", x: "entries in the log", y: "s until a record is read"}
	for _, entries := range []commitlog.Slot{10, 10_000, 1_000_000} {
		seconds := b.longLog(entries)
		row(fmt.Sprint("a log of ", entries, " entries"), "a record is read", seconds)
		byEntries.add(float64(entries), seconds)
	}
	b.draw("growth-log", byEntries)
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

// longLog measures the start of a worker on one partition with a log of so many entries.
func (b *suite) longLog(entries commitlog.Slot) (seconds float64) {
	b.apart(func(l *lab) {
		const bucket, some = "long", 1000
		s := startServices(l, b.embedded)
		s.kafka.makeTopic(topic, 1)
		ld := load{partitions: 1, step: time.Millisecond}
		s.kafka.fill(ld, some)
		var store *s3.Store
		l.apart(func(first *lab) {
			w := s.startWorker(first, bucket)
			w.until(some)
			store = w.store
		})
		prolong(l, store, filepath.Join(s.dir, "store", bucket), entries)
		s.kafka.fill(ld, some)
		began := time.Now()
		w := s.startWorker(l, bucket)
		for w.read().decoded == 0 {
			if time.Since(began) > 3*time.Minute {
				l.Fatalf("nothing is read after three minutes:\n%s", strings.Join(w.last, "\n"))
			}
			<-time.After(pollEvery / 10)
		}
		seconds = time.Since(began).Seconds()
	})
	return seconds
}

// linksMax is how many names of one file some file systems have at most, with room to spare.
const linksMax = 50_000

// prolong makes the log of the topic's first partition as long as if its last entry had been written again and again: in the store's directory,
// since a million requests would take half an hour.
func prolong(l *lab, store *s3.Store, dir string, entries commitlog.Slot) {
	ctx := context.Background()
	log := commitlog.Log{Table: topic, TopicPartition: record.TopicPartition{Topic: topic}}
	there, err := store.List(ctx, log.Prefix(), "", 1000)
	l.check(err)
	newest := commitlog.Slot(len(there) - 1)
	body, _, err := store.Get(ctx, log.Key(newest))
	l.check(err)
	entry, err := commitlog.Decode(newest, body)
	l.check(err)
	from := ""
	for slot := commitlog.Slot(len(there)); slot < entries; slot++ {
		file := filepath.Join(dir, log.Key(slot))
		if from == "" || slot%linksMax == 0 {
			l.check(store.Put(ctx, log.Key(slot), body))
			from = file
			continue
		}
		l.check(os.Link(from, file))
	}
	entry.Slot = entries - 1 // the only one that a takeover reads
	l.check(os.Remove(filepath.Join(dir, log.Key(entry.Slot))))
	l.check(store.Put(ctx, log.Key(entry.Slot), entry.Encode()))
	if last := (entries - 1) / 100 * 100; last > 0 {
		l.check(store.Put(ctx, log.HintKey(), fmt.Appendf(nil, `{"slot":%d}`, last)))
	}
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
