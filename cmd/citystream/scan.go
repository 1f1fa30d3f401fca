package main

import (
	"fmt"
	"os"
	"time"

	"citystream/engine/adapter/athena"
	"citystream/engine/catalog"
)

// scan shows on a terminal how far a statement is; elsewhere it shows nothing.
type scan struct {
	out     *os.File // nil where nobody looks
	price   catalog.Price
	started time.Time
	scanned int64
	id      string
}

// scanAfter is how long a statement runs before it is worth a line.
const scanAfter = time.Second

func newScan(out *os.File, price catalog.Price) *scan {
	s := &scan{price: price, started: time.Now()}
	if isTerminal(out) {
		s.out = out
	}
	return s
}

func (s *scan) show(p athena.Progress) {
	s.scanned, s.id = p.ScannedBytes, p.ID
	if s.out != nil && time.Since(s.started) > scanAfter {
		fmt.Fprintf(s.out, "\r\x1b[K%s for %.0f s, %s scanned; Ctrl-C stops it", p.State, time.Since(s.started).Seconds(), megabytes(p.ScannedBytes))
	}
}

func (s *scan) end(rows int, err error) {
	if s.out == nil || s.id == "" {
		return
	}
	fmt.Fprint(s.out, "\r\x1b[K")
	if err == nil {
		fmt.Fprintf(s.out, "query %s: %d rows in %.1f s, %s scanned, about %.6f $\n",
			s.id, rows, time.Since(s.started).Seconds(), megabytes(s.scanned), s.price.Of(s.scanned))
	}
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
