// Command bench measures the whole program: what it costs to bring records from Kafka into Parquet files on S3.
//
// Broker, store, AWS endpoint and worker are processes of their own on this machine; what is measured is the worker's. Beside it runs
// the floor: the same records through fetch, decoding and Parquet pages alone, which are thrown away. On a machine that others use, too,
// figures come and go by a third, and the ratio of two that were measured next to each other says more.
//
//	go run ./bench [flags] [scenario...]
//
// Without scenarios all are run, which takes about half an hour.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
)

// A suite is one run of the benchmark.
type suite struct {
	*lab
	records  int
	embedded bool
	compare  string // path of another citystream
	profile  string
	plots    string
}

// A scenario is one thing to be measured.
type scenario struct {
	name, about string
	run         func(*suite)
}

// scenarios are what can be measured, in the order of a whole run.
var scenarios = []scenario{
	{"steady", "CPU and records a second of a full topic, without compression, with lz4 and with zstd", (*suite).steady},
	{"memory", "peak memory with 4 and 32 partitions, and with 64 open windows", (*suite).memory},
	{"paced", "5,000 records a second for a minute: CPU, files, and the time until records are in S3", (*suite).paced},
	{"growth", "CPU a record by partitions and by length, and commits by open windows", (*suite).growth},
	{"takeover", "time until a partition with a long log is read, and a worker with 1,000 partitions", (*suite).takeover},
	{"simulate", "records a second that the fleet's producer gets acknowledged", (*suite).simulate},
	{"guard", "short: CPU against the floor, with a bound that fails", (*suite).guard},
}

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
	s := &suite{lab: &lab{}}
	flag.StringVar(&s.program, "program", "bin/citystream", "the citystream to be measured")
	flag.IntVar(&s.records, "records", 6_000_000, "records of a full topic")
	flag.BoolVar(&s.embedded, "embedded", false, "use the embedded broker also where Apache Kafka could be had")
	flag.StringVar(&s.compare, "compare", "", "`PATH` of another citystream: steady runs both in turn, twice")
	flag.StringVar(&s.profile, "profile", "", "`FILE` for a profile of the worker's first seconds of steady, and FILE.heap for its heap")
	flag.StringVar(&s.plots, "plots", "", "`DIR` for the plots of growth, as SVG")
	flag.Usage = usage
	flag.Parse()
	for _, name := range flag.Args() {
		if !slices.ContainsFunc(scenarios, func(c scenario) bool { return c.name == name }) {
			return fmt.Errorf("no scenario %q", name)
		}
	}
	defer func() {
		if r := recover(); r != nil {
			b, ok := r.(broken)
			if !ok {
				panic(r)
			}
			err = errors.New(b.message)
		}
		s.close()
	}()
	for _, c := range scenarios {
		if slices.Contains(flag.Args(), c.name) || flag.NArg() == 0 && c.name != "guard" {
			fmt.Printf("\n%s: %s\n", c.name, c.about)
			c.run(s)
		}
	}
	return nil
}

func usage() {
	fmt.Fprintln(flag.CommandLine.Output(), "usage: bench [flags] [scenario...]")
	for _, c := range scenarios {
		fmt.Fprintf(flag.CommandLine.Output(), "  %-10s %s\n", c.name, c.about)
	}
	flag.PrintDefaults()
}

// row prints one line of a table.
func row(cells ...any) {
	texts := make([]string, len(cells))
	for i, c := range cells {
		texts[i] = fmt.Sprint(c)
		if f, ok := c.(float64); ok {
			texts[i] = fmt.Sprintf("%.2f", f)
		}
	}
	fmt.Println("| " + strings.Join(texts, " | ") + " |")
}

func header(cells ...any) {
	row(cells...)
	fmt.Println("|" + strings.Repeat("---|", len(cells)))
}
