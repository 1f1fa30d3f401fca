package actors

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"citystream/engine/commitlog"
)

// outcomes are what may have become of a record, as the label of Metrics.Accounted says it, and where a log counts it.
var outcomes = []struct {
	label string
	count func(*commitlog.Counters) int64
}{
	{"row", func(c *commitlog.Counters) int64 { return c.Rows }},
	{"late_row", func(c *commitlog.Counters) int64 { return c.LateRows }},
	{"late_dropped", func(c *commitlog.Counters) int64 { return c.LateDropped }},
	{"dead_letter", func(c *commitlog.Counters) int64 { return c.DeadLetters }},
	{"tombstone", func(c *commitlog.Counters) int64 { return c.Tombstones }},
	{"gap", func(c *commitlog.Counters) int64 { return c.Gaps }},
	{"future_time_clamped", func(c *commitlog.Counters) int64 { return c.Future }},
	{"lost", func(c *commitlog.Counters) int64 { return c.Lost }},
}

// partitionGauges are the measures of one partition, found by their labels once: they are set several times a second.
type partitionGauges struct {
	position, lag, watermark, waiting prometheus.Gauge
	accounted                         []prometheus.Gauge // as outcomes
	clear                             func()             // takes back what a partition that no longer runs here showed
}

func (m *Metrics) partition(log commitlog.Log) *partitionGauges {
	table, number := log.Table, strconv.Itoa(int(log.Partition))
	g := &partitionGauges{
		position: m.Position.WithLabelValues(table, number),
		lag:      m.Lag.WithLabelValues(table, number), watermark: m.Watermark.WithLabelValues(table, number), waiting: m.Waiting.WithLabelValues(table, number),
	}
	g.clear = func() {
		labels := prometheus.Labels{"table": table, "partition": number}
		for _, v := range []*prometheus.GaugeVec{m.Position, m.Lag, m.Watermark, m.Waiting, m.Accounted} {
			v.DeletePartialMatch(labels)
		}
	}
	for _, o := range outcomes {
		g.accounted = append(g.accounted, m.Accounted.WithLabelValues(table, number, o.label))
	}
	return g
}

func (g *partitionGauges) set(m partitionStatus) {
	g.position.Set(float64(m.status.Position))
	g.lag.Set(float64(max(0, m.status.End-m.status.Resume)))
	g.watermark.Set(float64(m.status.Committed) / 1e6)
	for i, o := range outcomes {
		g.accounted[i].Set(float64(o.count(&m.status.Counters)))
	}
	waiting := 0.0
	if !m.since.IsZero() {
		waiting = time.Since(m.since).Seconds()
	}
	g.waiting.Set(waiting)
}
