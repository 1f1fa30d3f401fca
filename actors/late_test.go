package actors

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"citystream/engine/commitlog"
	"citystream/engine/record"
	"citystream/engine/schema"
	"citystream/messages"
)

func TestLateRowsGoToTheSideTableWhichTheCatalogKnows(t *testing.T) {
	t.Parallel()
	c := newCity(t)
	side := *c.node.Tables[0]
	side.Late, side.Lateness = schema.Side, time.Minute
	c.node.Tables = []*schema.Table{&side}
	send := func(id string, hour int) {
		at := time.Date(2026, 1, 2, hour, 30, 0, 0, time.UTC)
		c.source.Append(record.TopicPartition{Topic: "gps"}, record.Record{
			Timestamp: record.MicrosOf(at), Value: fmt.Appendf(nil, `{"id":%q,"deviceId":"d","timestamp":%q,"speed":1.5}`, id, at.Format("2006-01-02T15:04:05")),
		})
	}
	send("on time", 3)
	send("closes the window", 5)
	system := NewSystem(c.node.Log)
	defer system.Shutdown()
	cluster, err := StartCluster(system, c.node, commitlog.Epoch(1), 1)
	if err != nil {
		t.Fatal(err)
	}
	c.until(cluster, "2 rows", func(rows int64, _ *messages.Status) bool { return rows == 2 })
	send("late", 3)
	c.until(cluster, "3 rows", func(rows int64, _ *messages.Status) bool { return rows == 3 })
	c.untilMeasured("citystream_accounted_records", map[string]string{"partition": "0", "outcome": "late_row"}, 1)
	if err := cluster.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	partitions, err := c.node.Catalog.Partitions(t.Context(), "city", "gps_data_late")
	if err != nil || len(partitions) != 1 || strings.Join(partitions[0].Values, " ") != "2026-01-02 03" {
		t.Errorf("the side table has %v, %v", partitions, err)
	}
	objects, err := c.store.List(t.Context(), "raw/gps_data_late/", "", 10)
	if err != nil || len(objects) != 1 {
		t.Errorf("the side table has the files %v, %v", objects, err)
	}
	c.expectRows(3)
}

// untilMeasured waits until a gauge with these labels, among others, has a value.
func (c *city) untilMeasured(name string, labels map[string]string, want float64) {
	c.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		families, err := c.node.Metrics.Registry.Gather()
		if err != nil {
			c.Fatal(err)
		}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				matching := 0
				for _, l := range m.GetLabel() {
					if labels[l.GetName()] == l.GetValue() {
						matching++
					}
				}
				if f.GetName() == name && matching == len(labels) && m.GetGauge().GetValue() == want {
					return
				}
			}
		}
		if time.Now().After(deadline) {
			c.Fatalf("%s %v is not %v", name, labels, want)
		}
		<-time.After(10 * time.Millisecond)
	}
}
