package main

import (
	"context"
	"strings"
	"testing"

	"citystream/config"
	"citystream/engine/catalog"
	"citystream/engine/enginetest"
	"citystream/engine/port"
	"citystream/engine/transform"
)

// countingQuery answers each statement with three numbers, and keeps it.
type countingQuery struct{ sql string }

func (q *countingQuery) Run(_ context.Context, _, sql string) (*port.Result, error) {
	q.sql = sql
	one := "1"
	return &port.Result{Rows: [][]*string{{&one, &one, &one}}}, nil
}

func TestATransformIsComparedOverAllHoursThatAreComplete(t *testing.T) {
	t.Parallel()
	c, q := enginetest.NewFakeCatalog(), &countingQuery{}
	if err := c.EnsureDatabase(t.Context(), "city"); err != nil {
		t.Fatal(err)
	}
	keys := []port.CatalogColumn{{Name: "date", Type: "string"}, {Name: "hour", Type: "string"}}
	if err := c.EnsureTable(t.Context(), "city", port.CatalogTable{Name: "raw", PartitionKeys: keys}); err != nil {
		t.Fatal(err)
	}
	announced := map[string]string{catalog.ParamRevision: "1"}
	if err := c.AddPartitions(t.Context(), "city", "raw", []port.HivePartition{
		{Values: []string{"2026-01-02", "03"}, Parameters: announced},
		{Values: []string{"2026-01-02", "04"}},
		{Values: []string{"2026-01-02", "05"}, Parameters: announced},
	}); err != nil {
		t.Fatal(err)
	}
	u := &up{run: &run{}}
	u.cfg = &config.Config{}
	u.cfg.AWS.Database = "city"
	u.catalog, u.query = c, q
	if _, err := u.transformed(t.Context(), &transform.Transform{Name: "made", Table: "Raw"}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(q.sql, `FROM "raw" WHERE date || hour IN ('', '2026-01-0203', '2026-01-0205')`) {
		t.Error(q.sql)
	}
}
