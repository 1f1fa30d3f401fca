package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"citystream/engine/adapter/kafka"
	"citystream/engine/decode"
	"citystream/engine/parquetfile"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/schema"
)

// The floor is the bare path in a process of its own: fetch, decode, Parquet pages that are thrown away. No store, no commit log, no
// watermarks, no metrics, no limit of memory.

// floorCommand is the argument that makes this program the floor.
const floorCommand = "floor"

// startFloor runs the floor over n records and returns what it cost.
func (s *services) startFloor(l *lab, partitions int, n int64) result {
	self, err := os.Executable()
	l.check(err)
	c := exec.Command(self, floorCommand, s.kafka.addr, strconv.Itoa(partitions), strconv.FormatInt(n, 10))
	c.SysProcAttr = dieWithParent()
	c.Stderr = os.Stderr
	out, err := c.Output()
	l.check(err)
	r := result{records: n, cpu: (c.ProcessState.UserTime() + c.ProcessState.SystemTime()).Seconds()}
	_, err = fmt.Sscan(string(out), &r.seconds, &r.bytes, &r.peak)
	l.check(err)
	return r
}

// runFloor is that process.
func runFloor(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("usage: %s BROKER PARTITIONS RECORDS", floorCommand)
	}
	partitions, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(args[2], 10, 64)
	if err != nil {
		return err
	}
	source, err := kafka.NewSource(kafka.Options{Brokers: []string{args[0]}})
	if err != nil {
		return err
	}
	began := time.Now()
	var all sync.WaitGroup
	bytes, errs := make([]int64, partitions), make([]error, partitions)
	for p := range partitions {
		all.Go(func() { bytes[p], errs[p] = floorOf(source, p, n/int64(partitions)) })
	}
	all.Wait()
	total := int64(0)
	for p := range partitions {
		if errs[p] != nil {
			return errs[p]
		}
		total += bytes[p]
	}
	peak, err := peakBytes(os.Getpid())
	if err != nil {
		return err
	}
	fmt.Println(time.Since(began).Seconds(), total, peak)
	return nil
}

// floorOf takes one partition's records through the path.
func floorOf(source port.Source, partition int, n int64) (bytes int64, err error) {
	table := schema.Cities()[0]
	tp := record.TopicPartition{Topic: table.Topic, Partition: record.Partition(partition)}
	reader := source.Open(tp, 0)
	defer reader.Close()
	decoder, batch := decode.NewDecoder(table, tp), decode.NewBatch(table)
	w := parquetfile.NewWriter(table.FileColumns(), parquetfile.Options{}, func([]byte) error { return nil })
	for done := int64(0); done < n; {
		got, err := reader.Fetch(context.Background())
		if err != nil {
			return 0, err
		}
		batch.Reset()
		decoder.Decode(batch, got.Records)
		got.Release()
		if err := w.Append(batch.Good, nil); err != nil {
			return 0, err
		}
		done += int64(batch.Records())
	}
	s, err := w.Close(nil)
	return s.Bytes, err
}
