package main

import (
	"fmt"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"

	"citystream/messages"
)

// catalogState is what the leader's catalog says of the tables, of what is made of them, and of what is loaded. A part of state's JSON.
type catalogState struct {
	Error      string           `json:"error,omitempty"`
	Tables     []catalogTable   `json:"tables"`
	Transforms []transformState `json:"transforms,omitempty"`
	Loads      []loadState      `json:"loads,omitempty"`
}

type catalogTable struct {
	Name           string `json:"name"`
	HivePartitions int64  `json:"hive_partitions"`
	Complete       int64  `json:"complete"`
	Late           int64  `json:"late"`    // announcements beyond the first
	Waiting        int64  `json:"waiting"` // complete, with files that are not announced yet
	Open           int64  `json:"open"`
	CompleteUpTo   string `json:"complete_up_to"`
}

type transformState struct {
	Table         string  `json:"table"`
	Current       int64   `json:"current"`
	Due           int64   `json:"due"`
	Failing       int64   `json:"failing"`
	Error         string  `json:"error,omitempty"`
	QueryID       string  `json:"query_id"` // of the last that went well
	HivePartition string  `json:"hive_partition"`
	Revision      int64   `json:"revision"`
	ScannedBytes  int64   `json:"scanned_bytes"`
	Dollars       float64 `json:"dollars"`
	Queries       int64   `json:"queries"` // since the catalog began, as the two that follow
	TotalBytes    int64   `json:"total_scanned_bytes"`
	TotalDollars  float64 `json:"total_dollars"`
}

type loadState struct {
	Table    string `json:"table"`
	Loaded   int64  `json:"loaded"` // commits, since the catalog began
	Rows     int64  `json:"rows"`
	Pending  int64  `json:"pending"` // slots
	Failures int64  `json:"failures"`
	Error    string `json:"error,omitempty"`
	Aside    int64  `json:"aside"` // commits that cannot be loaded
	Gone     int64  `json:"gone"`  // slots
}

func catalogStateOf(c *messages.CatalogStatus) *catalogState {
	if c == nil {
		return nil
	}
	s := &catalogState{Error: c.Error}
	for _, t := range c.Tables {
		s.Tables = append(s.Tables, catalogTable{
			t.Table, t.HivePartitions, t.Complete, t.Revisions - t.Complete, t.Waiting, t.Open, clock(t.Closed),
		})
	}
	for _, t := range c.Transforms {
		s.Transforms = append(s.Transforms, transformState{
			t.Table, t.Current, t.Due, t.Failing, t.Error, t.QueryId, t.HivePartition, t.Revision, t.ScannedBytes, t.Dollars, t.Queries, t.TotalBytes, t.TotalDollars,
		})
	}
	for _, l := range c.Loads {
		s.Loads = append(s.Loads, loadState{l.Table, l.Loaded, l.Rows, l.Pending, l.Failures, l.Error, l.Aside, l.Gone})
	}
	return s
}

// write prints the tables, then what is made of them, then what fails.
func (s *catalogState) write(w io.Writer) {
	if s == nil {
		return
	}
	t := newTable(w)
	t.AppendHeader(table.Row{"table", "Hive partitions", "complete", "late again", "to announce", "open", "complete up to"})
	for _, x := range s.Tables {
		t.AppendRow(table.Row{x.Name, x.HivePartitions, x.Complete, x.Late, x.Waiting, x.Open, x.CompleteUpTo})
	}
	t.Render()
	if len(s.Transforms) > 0 {
		t = newTable(w)
		t.AppendHeader(table.Row{"transform", "current", "due", "failing", "last query", "of", "revision", "scanned", "dollars", "queries", "all dollars"})
		for _, x := range s.Transforms {
			t.AppendRow(table.Row{
				x.Table, x.Current, x.Due, x.Failing, x.QueryID, x.HivePartition, x.Revision, megabytes(x.ScannedBytes), dollars(x.Dollars), x.Queries, dollars(x.TotalDollars),
			})
		}
		t.Render()
	}
	if len(s.Loads) > 0 {
		t = newTable(w)
		t.AppendHeader(table.Row{"Redshift", "commits loaded", "rows", "slots pending", "failures in a row", "set aside", "slots gone"})
		for _, x := range s.Loads {
			t.AppendRow(table.Row{x.Table, x.Loaded, x.Rows, x.Pending, x.Failures, x.Aside, x.Gone})
		}
		t.Render()
	}
	for _, x := range s.Transforms {
		if x.Error != "" {
			fmt.Fprintf(w, "transform %s: %s\n", x.Table, x.Error)
		}
	}
	if s.Error != "" {
		fmt.Fprintln(w, "catalog:", s.Error)
	}
}

func dollars(d float64) string { return fmt.Sprintf("%.6f", d) }
