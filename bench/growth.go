package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// growth measures what changes with partitions, with the length of records, and with open windows.
func (b *suite) growth() {
	n := b.records / 3
	header("partitions", "CPU-s per million", "peak MB", "files")
	byPartitions := plot{title: "CPU by partitions", x: "partitions", y: "CPU-s per million records"}
	for _, partitions := range []int{1, 8, 64} {
		r := b.full(load{partitions: partitions, step: time.Millisecond}, n)
		row(partitions, r.perMillion(), r.peak>>20, r.files)
		byPartitions.add(float64(partitions), r.perMillion())
	}
	b.draw("growth-partitions", byPartitions)
	header("bytes a record", "CPU-s per million", "CPU-s per GB of records", "peak MB")
	byLength := plot{title: "CPU by length of the records", x: "bytes a record", y: "CPU-s per GB of records"}
	for _, c := range []struct{ bytes, n int }{{tinyBytes, 2 * n}, {274, n}, {4 << 10, n / 10}, {100 << 10, n / 200}} {
		ld := load{partitions: 4, step: time.Millisecond, tiny: c.bytes == tinyBytes}
		var settings []string
		if ld.tiny {
			settings = append(settings, "--config="+b.tinyTable())
		}
		if c.bytes > 274 {
			ld.fill = c.bytes - 274
		}
		r := b.full(ld, c.n, settings...)
		perGB := r.cpu / (float64(r.records) * float64(c.bytes) / 1e9)
		row(c.bytes, r.perMillion(), perGB, r.peak>>20)
		byLength.add(float64(c.bytes), perGB)
	}
	b.draw("growth-length", byLength)
	header("open windows", "files", "commits", "CPU-s per million", "ms of CPU per file")
	byWindows := plot{title: "CPU by open windows", x: "open windows of each of 4 partitions", y: "CPU-s per million records"}
	for _, windows := range []int{1, 16, 64} {
		r := b.full(load{partitions: 4, windows: windows}, n, "CITYSTREAM_WINDOWS_MAX_OPEN=1000")
		row(windows, r.files, r.commits, r.perMillion(), r.cpu/float64(r.files)*1e3)
		byWindows.add(float64(windows), r.perMillion())
	}
	b.draw("growth-windows", byWindows)
}

// draw writes a plot, where plots are wanted.
func (b *suite) draw(name string, p plot) {
	if b.plots != "" {
		b.check(os.WriteFile(filepath.Join(b.plots, name+".svg"), []byte(p.svg()), 0o644))
	}
}

// full measures a topic that is full when the worker starts.
func (b *suite) full(ld load, n int, settings ...string) (r result) {
	b.apart(func(l *lab) {
		s := startServices(l, b.embedded)
		s.kafka.makeTopic(topic, ld.partitions)
		s.kafka.fill(ld, n)
		r = s.startWorker(l, "growth", settings...).until(int64(n / ld.partitions * ld.partitions))
	})
	return r
}

// tinyTable writes a configuration whose only table has one column, and returns its path.
func (b *suite) tinyTable() string {
	file := filepath.Join(b.TempDir(), "tiny.yaml")
	b.check(os.WriteFile(file, []byte(fmt.Sprintf("tables:\n  - name: %[1]s\n    topic: %[1]s\n    eventTime: t\n    columns:\n      - {name: t, type: timestamp, path: t, unit: seconds}\n", topic)), 0o644))
	return file
}
