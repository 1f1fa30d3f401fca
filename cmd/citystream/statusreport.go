package main

import (
	"fmt"
	"io"
	"math"

	"github.com/jedib0t/go-pretty/v6/table"
)

// statusReport prints the workers, then their partitions, then what needs a look.
func statusReport(w io.Writer, s *state) {
	fmt.Fprintf(w, "leader %s, epoch %d, %d workers, %d partitions moved", s.Leader, s.Epoch, len(s.Workers), s.Moves)
	if s.Settling > 0 {
		fmt.Fprintf(w, "; waiting %.0f s more for workers of the master before", math.Ceil(s.Settling))
	}
	fmt.Fprintln(w)
	t := newTable(w)
	t.AppendHeader(table.Row{"worker", "zone", "address", "partitions", "records/s", "lag", "silent for", ""})
	for _, x := range s.Workers {
		t.AppendRow(table.Row{x.Name, x.Zone, x.Address, x.Partitions, round(x.Rate), x.Lag, fmt.Sprintf("%.1f s", x.Silence), remark(x)})
	}
	t.Render()
	t = newTable(w)
	t.AppendHeader(table.Row{"partition", "worker", "lag", "watermark", "open files", "open rows", "last flush", "why", "waiting for"})
	for _, p := range s.Partitions {
		t.AppendRow(table.Row{p.Log, p.Worker, p.Lag, p.Watermark, p.OpenFiles, p.OpenRows, p.Flushed, p.FlushReason, short(p.Retrying)})
	}
	t.Render()
	s.Catalog.write(w)
	writeTrouble(w, s)
}

func remark(w workerState) string {
	switch {
	case w.Deaf:
		return "does not hear the master"
	case w.Draining:
		return "draining"
	}
	return ""
}

// lagReport prints a line a partition.
func lagReport(w io.Writer, s *state) {
	t := newTable(w)
	t.AppendHeader(table.Row{"partition", "worker", "committed", "read", "end", "lag", "unread", "records/s", "seconds behind"})
	var lag, unread int64
	for _, p := range s.Partitions {
		behind := ""
		if p.Unread > 0 && p.Rate > 0 {
			behind = fmt.Sprintf("%.0f", float64(p.Unread)/p.Rate)
		}
		t.AppendRow(table.Row{p.Log, p.Worker, p.Resume, p.Position, p.End, p.Lag, p.Unread, round(p.Rate), behind})
		lag, unread = lag+p.Lag, unread+p.Unread
	}
	t.AppendFooter(table.Row{"all", "", "", "", "", lag, unread, "", ""})
	t.Render()
	writeTrouble(w, s)
}

func writeTrouble(w io.Writer, s *state) {
	for _, l := range s.Unassigned {
		fmt.Fprintln(w, "no owner:", l)
	}
	for _, p := range s.Stopped {
		fmt.Fprintf(w, "stopped: %s: %s\n", p.Log, p.Error)
	}
}

func round(rate float64) int64 { return int64(math.Round(rate)) }

// short keeps a text on a terminal's line.
func short(text string) string {
	r := []rune(text)
	if len(r) > cellMax {
		return string(r[:cellMax-1]) + "…"
	}
	return text
}
