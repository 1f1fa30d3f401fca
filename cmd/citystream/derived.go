package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"citystream/engine/catalog"
	"citystream/engine/port"
	"citystream/engine/transform"
	"citystream/messages"
)

// derivedSummary counts the rows of a table that was made of another one's, next to that one's.
type derivedSummary struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"`   // transform or redshift
	Source string `json:"source"` // the raw table
	Counts int64  `json:"counts"` // rows of the raw table that the rows of this one stand for
	Rows   int64  `json:"rows"`   // of this table
	Raw    int64  `json:"raw"`    // of the raw one
	Equal  bool   `json:"equal"`  // Counts and Raw
}

// derivedMax is how long up waits for what follows from complete tables while nothing moves and something fails.
const derivedMax = 20 * time.Second

// openMax is how long up waits for the end of the stream to close the last hours. Those of event times that lie too far in the future to be
// believed stay open until their time has come.
const openMax = 5 * time.Second

// derivations follows what is made of committed files until it is up to date. Owned by who watches.
type derivations struct {
	seen  string    // what the catalog said last
	begun time.Time // when it was first asked
	moved time.Time // when it said something else than before
	stuck string    // why it is not waited for any more
}

// settled reports whether nothing is left to be done, or will be soon: something fails, and nothing has moved for a while.
func (d *derivations) settled(s *messages.CatalogStatus) bool {
	left, open, failure := 0, 0, s.GetError()
	for _, t := range s.GetTables() {
		left += int(t.Waiting)
		open += int(t.Open)
	}
	for _, t := range s.GetTransforms() {
		left += int(t.Due)
		if t.Due > 0 && t.Error != "" {
			failure = "transform " + t.Table + ": " + t.Error
		}
	}
	for _, l := range s.GetLoads() {
		left += int(l.Pending)
		if l.Error != "" {
			failure = "load " + l.Table + ": " + l.Error
		}
	}
	if d.begun.IsZero() {
		d.begun = time.Now()
	}
	if left == 0 && failure == "" && !s.GetAtWork() && (open == 0 || time.Since(d.begun) > openMax) {
		d.stuck = ""
		return true
	}
	if said := s.String(); said != d.seen && failure == "" || d.moved.IsZero() {
		d.seen, d.moved = said, time.Now()
	}
	if failure != "" && time.Since(d.moved) > derivedMax {
		d.stuck = failure
		return true
	}
	return false
}

// countedTransforms are the transforms of the city whose column readings counts each row of their table once.
var countedTransforms = []string{"vehicle_speed_5min", "traffic_cameras_seen", "weather_by_hour"}

// derived counts one table of the transformed zone and those of the warehouse, next to their raw tables.
func (u *up) derived(ctx context.Context, tables []tableSummary) ([]derivedSummary, error) {
	var all []derivedSummary
	if u.catalog == nil {
		return nil, nil
	}
	for _, x := range u.cfg.Transforms {
		if !slices.Contains(countedTransforms, x.Name) {
			continue
		}
		numbers, err := u.transformed(ctx, x)
		if err != nil {
			return all, fmt.Errorf("count the rows of %s: %w", x.Name, err)
		}
		d := derivedSummary{Name: x.Name, Kind: "transform", Source: x.Table, Rows: numbers[0], Counts: numbers[1], Raw: numbers[2]}
		all = append(all, d.compared())
		break // one is enough to be shown
	}
	if u.warehouse == nil || u.cfg.Redshift.Mode != "load" {
		return all, nil
	}
	for _, t := range tables {
		name := strings.ToLower(t.Name)
		rows, err := u.warehouse.Rows(ctx, name)
		if err != nil {
			return all, fmt.Errorf("count the rows of %s in Redshift: %w", name, err)
		}
		d := derivedSummary{Name: u.cfg.Redshift.Schema + "." + name, Kind: "redshift", Source: t.Name, Rows: rows, Counts: rows, Raw: t.Committed}
		all = append(all, d.compared())
	}
	return all, nil
}

func (d derivedSummary) compared() derivedSummary {
	d.Equal = d.Counts == d.Raw
	return d
}

// transformed counts the rows of a transform's table, the rows that these stand for, and the rows of its raw table in the hours that are
// announced complete, whether the transform's table has them or not.
func (u *up) transformed(ctx context.Context, x *transform.Transform) ([3]int64, error) {
	var numbers [3]int64
	made, raw := strings.ToLower(x.Name), strings.ToLower(x.Table)
	partitions, err := u.catalog.Partitions(ctx, u.cfg.AWS.Database, raw)
	if err != nil {
		return numbers, err
	}
	result, err := u.query.Run(ctx, u.cfg.AWS.Database, fmt.Sprintf(
		`SELECT (SELECT count(*) FROM "%[1]s"), (SELECT coalesce(sum(readings), 0) FROM "%[1]s"), `+
			`(SELECT count(*) FROM "%[2]s" WHERE date || hour IN (%[3]s))`, made, raw, announcedHours(partitions)))
	if err != nil {
		return numbers, err
	}
	if len(result.Rows) != 1 || len(result.Rows[0]) != len(numbers) {
		return numbers, errors.New("the answer is not one row of numbers")
	}
	for i, c := range result.Rows[0] {
		if numbers[i], err = strconv.ParseInt(cell(c), 10, 64); err != nil {
			return numbers, err
		}
	}
	return numbers, nil
}

// announcedHours returns the Hive partitions that are announced complete as a list of SQL texts, date and hour in one; an empty one is among them, so
// that the list is never without a text.
func announcedHours(partitions []port.HivePartition) string {
	hours := []string{"''"}
	for _, p := range partitions {
		if catalog.RevisionOf(p) > 0 {
			hours = append(hours, "'"+strings.Join(p.Values, "")+"'")
		}
	}
	return strings.Join(hours, ", ")
}

// allEqual reports whether each table has what its raw table has.
func allEqual(all []derivedSummary) bool {
	return !slices.ContainsFunc(all, func(d derivedSummary) bool { return !d.Equal })
}

// writeDerived prints what was made of the tables.
func writeDerived(w io.Writer, all []derivedSummary) {
	if len(all) == 0 {
		return
	}
	t := newTable(w)
	t.AppendHeader(table.Row{"made of it", "by", "rows", "stand for", "raw rows", "of", ""})
	for _, d := range all {
		by := map[string]string{"transform": "Athena transform", "redshift": "Redshift COPY"}[d.Kind]
		t.AppendRow(table.Row{d.Name, by, d.Rows, d.Counts, d.Raw, d.Source, map[bool]string{true: "equal", false: "NOT equal"}[d.Equal]})
	}
	t.Render()
}
