package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// summary is what a run of up ends with. As JSON it is a contract: fields may be added, none is renamed or removed.
type summary struct {
	Tables    []tableSummary `json:"tables"`
	Complete  bool           `json:"complete"`
	Seconds   float64        `json:"seconds"`
	Endpoints endpoints      `json:"endpoints"`
	Database  string         `json:"database"`
	Bucket    string         `json:"bucket"`
	Failed    []string       `json:"failed,omitempty"` // why partitions stopped

	Derived []derivedSummary `json:"derived,omitempty"` // what was made of the tables
}

// tableSummary counts one table over its whole log: what the topic holds, and what became of it.
type tableSummary struct {
	Name         string `json:"name"`
	Acknowledged int64  `json:"acknowledged"` // records in the topic
	Committed    int64  `json:"committed"`    // rows in committed files
	DeadLetters  int64  `json:"dead_letters"`
	LateDropped  int64  `json:"late_dropped"`
	Tombstones   int64  `json:"tombstones"`
	Files        int64  `json:"files"`
	Bytes        int64  `json:"bytes"`
	Windows      int64  `json:"windows"`   // Hive partitions registered
	Watermark    string `json:"watermark"` // least of the partitions', RFC 3339; empty before the first
	done         bool   // every partition is accounted for to its end, and registered
}

// accounted returns the records that have come to their end.
func (t tableSummary) accounted() int64 {
	return t.Committed + t.DeadLetters + t.LateDropped + t.Tombstones
}

type endpoints struct {
	Kafka string `json:"kafka"`
	S3    string `json:"s3"`
	AWS   string `json:"aws"`
}

func (s *summary) writeJSON(w io.Writer) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", b)
	return err
}

// writeTable prints the tables side by side.
func (s *summary) writeTable(w io.Writer) {
	t := newTable(w)
	t.AppendHeader(table.Row{"table", "acknowledged", "committed", "dead letters", "late dropped", "tombstones", "files", "bytes", "windows", "watermark"})
	var sum tableSummary
	for _, row := range s.Tables {
		t.AppendRow(table.Row{
			row.Name, row.Acknowledged, row.Committed, row.DeadLetters, row.LateDropped, row.Tombstones, row.Files, row.Bytes, row.Windows, row.Watermark,
		})
		sum.Acknowledged += row.Acknowledged
		sum.Committed += row.Committed
		sum.DeadLetters += row.DeadLetters
		sum.LateDropped += row.LateDropped
		sum.Tombstones += row.Tombstones
		sum.Files += row.Files
		sum.Bytes += row.Bytes
	}
	t.AppendFooter(table.Row{"all", sum.Acknowledged, sum.Committed, sum.DeadLetters, sum.LateDropped, sum.Tombstones, sum.Files, sum.Bytes, "", ""})
	t.Render()
}

// newTable returns a table in the program's one style.
func newTable(w io.Writer) table.Writer {
	t := table.NewWriter()
	t.SetOutputMirror(w)
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	t.Style().Format.Footer = text.FormatDefault
	return t
}

// clock prints a watermark.
func clock(micros int64) string {
	if micros == 0 {
		return ""
	}
	return time.UnixMicro(micros).UTC().Format("2006-01-02T15:04:05Z")
}
