// Command bench measures the whole program: what it costs to bring records from Kafka into Parquet files on S3.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/IBM/sarama"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == floorCommand {
		if err := runFloor(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	program := flag.String("program", "bin/citystream", "the citystream to be measured")
	records := flag.Int("records", 6_000_000, "of the large run; the small one has a third")
	partitions := flag.Int("partitions", 4, "of the topic")
	embedded := flag.Bool("embedded", false, "the embedded broker also where Apache Kafka could be had")
	codec := flag.String("codec", "none", "none, lz4 or zstd: compression of the topic's batches")
	profile := flag.String("profile", "", "`FILE` for a profile of the worker's first seconds")
	flag.Parse()
	l := &lab{program: *program}
	defer func() {
		if r := recover(); r != nil {
			b, ok := r.(broken)
			if !ok {
				panic(r)
			}
			err = errors.New(b.message)
		}
		l.close()
	}()
	var c sarama.CompressionCodec
	if err := c.UnmarshalText([]byte(*codec)); err != nil {
		return err
	}
	catchUp(l, load{partitions: *partitions, codec: c, step: time.Millisecond}, *records, *embedded, *profile)
	return nil
}

// catchUp measures a topic that is full when the worker starts: a third of the records, then all of them. The difference between both is
// what a record costs in steady state, without the start of the process and the wait for the last commit.
func catchUp(l *lab, ld load, n int, embedded bool, profile string) {
	s := startServices(l, embedded)
	s.kafka.makeTopic(topic, ld.partitions)
	fmt.Printf("# %s, %d partitions, codec %s\n", s.name, ld.partitions, ld.codec)
	var workers, floors []result
	for i, part := range []int{n / 3, n - n/3} {
		s.kafka.fill(ld, part)
		total := int64(part)
		if i > 0 {
			total += workers[0].records
		}
		l.apart(func(l *lab) {
			w := s.startWorker(l, fmt.Sprint("catchup", i))
			if i > 0 {
				w.profile(profile, 6)
			}
			workers = append(workers, w.until(total))
		})
		floors = append(floors, s.startFloor(l, ld.partitions, total))
		fmt.Println("worker", total, workers[i])
		fmt.Println("floor ", total, floors[i])
	}
	w, f := slope(workers), slope(floors)
	fmt.Printf("steady state: worker %.2f CPU-s/M, %.0f records/s; floor %.2f CPU-s/M, %.0f records/s; ratio %.2f\n",
		w.perMillion(), w.rate(), f.perMillion(), f.rate(), w.perMillion()/f.perMillion())
}

// slope is what the second of two runs did more than the first.
func slope(r []result) result {
	a, b := r[0], r[1]
	return result{
		records: b.records - a.records, seconds: b.seconds - a.seconds, cpu: b.cpu - a.cpu, peak: b.peak,
		files: b.files - a.files, bytes: b.bytes - a.bytes, commits: b.commits - a.commits,
	}
}
