//go:build scaleout

package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"citystream/local/lab"
)

var (
	scaleoutRate  = flag.Int("scaleout.rate", 3500, "records a second that each worker reads at most, so that two processors suffice for eight")
	scaleoutTime  = flag.Duration("scaleout.time", 12*time.Second, "how long each number of workers is measured")
	scaleoutTable = flag.String("scaleout.table", "", "file that the table is written into")
	scaleoutPlot  = flag.String("scaleout.plot", "", "SVG file of the throughput")
)

// step is what one number of workers has shown.
type step struct {
	workers  int
	rate     float64       // records a second
	joined   time.Duration // from the start of the last worker's process until every worker owns its share
	stall    time.Duration // longest that a partition was not read meanwhile
	moves    int64
	expected float64
}

// TestScaleout starts 1, 2, 4 and 8 workers, each held to a rate, and measures how throughput grows, how long a new worker takes to own its share,
// and how long a move holds records up. Then it proves that each record is there once.
func TestScaleout(t *testing.T) {
	n := newNodes(t, lab.Options{Secure: true, Config: quick + fmt.Sprintf("worker:\n  maxRate: %d\n  fetchBytes: 16KiB\n", *scaleoutRate)})
	n.master("m1")
	// Small fetches, so that a worker of many partitions comes round to each of them often. More records than eight workers can read in all that time wait in the topics, so that the rate is always the limit.
	const vehicles = 3000
	seconds := 4*(*scaleoutTime) + time.Minute
	steps := int(float64(8**scaleoutRate)*seconds.Seconds()*0.6)/(vehicles*5) + 1
	n.drive(vehicles, steps, 0)
	n.driven()
	total := recordsIn(t, n.lab.Kafka)
	read := followWorkers(t)
	var results []step
	var names []string
	for _, workers := range []int{1, 2, 4, 8} {
		results = append(results, n.scaleTo(workers, &names, read))
		s := results[len(results)-1]
		t.Logf("%d workers: %.0f records/s, share after %.1f s, stall %.1f s", s.workers, s.rate, s.joined.Seconds(), s.stall.Seconds())
	}
	n.until("everything is committed", rows(total))
	n.proved(total)
	judge(t, results)
	table := scaleoutMarkdown(results)
	t.Logf("%d records, each there once\n%s", total, table)
	for file, text := range map[string]string{*scaleoutTable: table, *scaleoutPlot: scaleoutSVG(results)} {
		if file != "" && !t.Failed() {
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// scaleTo starts workers until there are so many, one after another, and measures.
func (n *nodes) scaleTo(workers int, names *[]string, read *readings) step {
	n.Helper()
	s := step{workers: workers}
	read.reset()
	for len(*names) < workers {
		name := fmt.Sprint("w", len(*names)+1)
		*names = append(*names, name)
		began := time.Now()
		read.add(n.worker(name))
		state := n.until(name+" has its share", shared(partitionsOfTheCity, *names...))
		s.joined, s.moves = max(s.joined, time.Since(began)), state.Moves
	}
	if workers > 1 {
		read.allRead(n.T, partitionsOfTheCity)
		s.stall = read.stall()
	}
	before, at := read.sum(), time.Now()
	<-time.After(*scaleoutTime)
	s.rate = (read.sum() - before) / time.Since(at).Seconds()
	return s
}

func judge(t *testing.T, results []step) {
	for i := range results {
		s := &results[i]
		s.expected = results[0].rate * float64(s.workers)
		if s.rate < 0.9*s.expected {
			t.Errorf("%d workers read %.0f records/s, less than 0.9 of %.0f", s.workers, s.rate, s.expected)
		}
		if s.joined > 3*time.Second {
			t.Errorf("a worker owned its share only after %s", s.joined)
		}
		if s.stall > 2*time.Second {
			t.Errorf("a move held records up for %s", s.stall)
		}
	}
}

func scaleoutMarkdown(results []step) string {
	b := &strings.Builder{}
	b.WriteString("| workers | records/s | of linear | a new worker owns its share after | longest that a partition was not read | partitions moved so far |\n|---|---|---|---|---|---|\n")
	for _, s := range results {
		fmt.Fprintf(b, "| %d | %.0f | %.2f | %.1f s | %.1f s | %d |\n", s.workers, s.rate, s.rate/s.expected, s.joined.Seconds(), s.stall.Seconds(), s.moves)
	}
	return b.String()
}

// scaleoutSVG draws the throughput over the number of workers, beside the line that it should follow.
func scaleoutSVG(results []step) string {
	const width, height, left, bottom = 480.0, 320.0, 70.0, 40.0
	last := results[len(results)-1]
	top := max(last.rate, last.expected) * 1.1
	x := func(workers int) float64 { return left + (width-left-20)*float64(workers)/float64(last.workers) }
	y := func(rate float64) float64 { return height - bottom - (height-bottom-20)*rate/top }
	b := &strings.Builder{}
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(b, `<rect width="100%%" height="100%%" fill="white"/><path d="M%.0f 20V%.0fH%.0f" fill="none" stroke="black"/>`+"\n", left, height-bottom, width-20)
	fmt.Fprintf(b, `<path d="M%.1f %.1fL%.1f %.1f" stroke="gray" stroke-dasharray="4"/><text x="%.0f" y="%.0f" fill="gray" text-anchor="end">linear</text>`+"\n",
		x(0), y(0), x(last.workers), y(last.expected), x(last.workers)-30, y(last.expected)+4)
	path := "M"
	for i, s := range results {
		if i > 0 {
			path += "L"
		}
		path += fmt.Sprintf("%.1f %.1f", x(s.workers), y(s.rate))
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3" fill="steelblue"/><text x="%.1f" y="%.1f" text-anchor="middle">%d</text><text x="%.0f" y="%.1f" text-anchor="end">%.0f</text>`+"\n",
			x(s.workers), y(s.rate), x(s.workers), height-bottom+16, s.workers, left-6, y(s.rate)+4, s.rate)
	}
	fmt.Fprintf(b, `<path d="%s" fill="none" stroke="steelblue" stroke-width="2"/><text x="%.0f" y="%.0f" text-anchor="middle">workers</text><text x="%.0f" y="14">records a second</text>`+"\n</svg>\n",
		path, (left+width)/2, height-6, left)
	return b.String()
}
