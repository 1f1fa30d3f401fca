package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"citystream/engine/adapter/s3"
	"citystream/engine/commitlog"
	"citystream/engine/port"
	"citystream/engine/record"
)

// Of the paced scenario.
const (
	pacedRate = 5000 // records a second, over all partitions
	pacedTick = 20 * time.Millisecond
)

// An acked is when a batch of one partition was acknowledged.
type acked struct {
	first, end record.Offset
	at         time.Time
}

// pace writes records at a constant rate and returns when each batch of each partition was acknowledged.
func (k *kafkaCluster) pace(l load, seconds int) [][]acked {
	b := k.connect()
	defer b.Close()
	authors, acks := make([]*author, l.partitions), make([][]acked, l.partitions)
	for p := range authors {
		authors[p] = newAuthor(l, p)
		authors[p].at = time.Now().UTC().Truncate(time.Hour) // one window for the whole run, whenever it is
	}
	size := pacedRate * int(pacedTick.Milliseconds()) / 1000 / l.partitions
	ticks := time.NewTicker(pacedTick)
	defer ticks.Stop()
	for range time.Duration(seconds) * time.Second / pacedTick {
		<-ticks.C
		for p, a := range authors {
			first := record.Offset(k.send(b, p, a.batch(size, time.Now())))
			acks[p] = append(acks[p], acked{first, first + record.Offset(size), time.Now()})
		}
	}
	return acks
}

// paced measures a stream that is never behind.
func (b *suite) paced() {
	header("5,000 records/s on 4 partitions", "CPU-s in all", "files", "commits with files", "peak MB")
	ld := load{partitions: 4, step: time.Microsecond}
	b.apart(func(l *lab) {
		s := startServices(l, b.embedded)
		s.kafka.makeTopic(topic, ld.partitions)
		w := s.startWorker(l, "paced", "CITYSTREAM_FLUSH_MAX_AGE=10s")
		w.read() // it has started
		w.profile(b.profile, 30)
		s.kafka.pace(ld, 60)
		r := w.until(60 * pacedRate)
		row("a minute, flush.maxAge 10s", r.cpu, r.files, r.commits-int64(ld.partitions), r.peak>>20)
	})
	header("5,000 records/s on 4 partitions, flush.maxAge 2s", "p50, s", "p99, s", "longest, s")
	b.apart(func(l *lab) {
		s := startServices(l, b.embedded)
		s.kafka.makeTopic(topic, ld.partitions)
		w := s.startWorker(l, "latency", "CITYSTREAM_FLUSH_MAX_AGE=2s")
		w.read()
		seen := make([][]sighting, ld.partitions)
		var watchers sync.WaitGroup
		for p := range seen {
			watchers.Go(func() {
				seen[p] = watchLog(l, w.store, record.Partition(p), record.Offset(30*pacedRate/ld.partitions))
			})
		}
		acks := s.kafka.pace(ld, 30)
		watchers.Wait()
		var all []time.Duration
		for p := range acks {
			all = append(all, latencies(acks[p], seen[p])...)
		}
		slices.Sort(all)
		row("30 s", all[len(all)/2].Seconds(), all[len(all)*99/100].Seconds(), all[len(all)-1].Seconds())
	})
}

// A sighting is when a file was there, and the offsets of its rows.
type sighting struct {
	from, to record.Offset
	at       time.Time
}

// watchPoll is how often a log is looked at: the grain of the latencies.
const watchPoll = 10 * time.Millisecond

// watchLog looks at a partition's log until its files reach an offset, and notes when each file is there.
func watchLog(l *lab, store *s3.Store, p record.Partition, until record.Offset) []sighting {
	log := commitlog.Log{Table: topic, TopicPartition: record.TopicPartition{Topic: topic, Partition: p}}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var seen []sighting
	for slot, reached := commitlog.Slot(0), record.Offset(0); reached < until; slot++ {
		body := appears(l, ctx, func() (body []byte, err error) {
			body, _, err = store.Get(ctx, log.Key(slot))
			return body, err
		})
		entry, err := commitlog.Decode(slot, body)
		l.check(err)
		for _, f := range entry.Files {
			appears(l, ctx, func() (struct{}, error) {
				_, err := store.Head(ctx, f.Key)
				return struct{}{}, err
			})
			seen = append(seen, sighting{f.From, f.To, time.Now()})
			reached = max(reached, f.To)
		}
	}
	return seen
}

// appears asks for an object until it is there.
func appears[T any](l *lab, ctx context.Context, get func() (T, error)) T {
	for {
		got, err := get()
		if err == nil {
			return got
		}
		if !errors.Is(err, port.ErrNotFound) {
			l.Fatal(err)
		}
		<-time.After(watchPoll)
	}
}

// latencies returns how long each record took from its acknowledgement to its file.
func latencies(acks []acked, seen []sighting) []time.Duration {
	var all []time.Duration
	for _, a := range acks {
		for o := a.first; o < a.end; o++ {
			i := slices.IndexFunc(seen, func(s sighting) bool { return s.from <= o && o < s.to })
			if i >= 0 {
				all = append(all, seen[i].at.Sub(a.at))
			}
		}
	}
	return all
}
