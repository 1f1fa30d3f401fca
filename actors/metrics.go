package actors

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the measures of one process, in its own registry.
type Metrics struct {
	Registry *prometheus.Registry

	Records    *prometheus.CounterVec // decoded, by table and what became of them
	Flushes    *prometheus.CounterVec // entries committed, by table and reason
	Files      *prometheus.CounterVec // committed, by table
	Bytes      *prometheus.CounterVec // of committed files, by table
	Retries    *prometheus.CounterVec // tries that failed, by what was tried
	Restarts   *prometheus.CounterVec // takeovers begun, by table
	Accounted  *prometheus.GaugeVec   // what the logs count since their first claims, by table, partition and what became of it
	Lag        *prometheus.GaugeVec   // records in Kafka that are not committed, by table and partition
	Waiting    *prometheus.GaugeVec   // seconds for which a partition has been trying the same call, by table and partition
	Watermark  *prometheus.GaugeVec   // committed, in seconds since 1970 UTC, by table and partition
	Buffered   prometheus.Gauge       // bytes of batches and open files
	Held       prometheus.Gauge       // partitions that wait for memory before they fetch
	Workers    prometheus.Gauge       // registered and alive
	Placed     *prometheus.GaugeVec   // partitions, by whether they have an owner; at the leader only
	Moves      prometheus.Gauge       // partitions moved between living workers in this reign; at the leader only
	Settling   prometheus.Gauge       // seconds for which a new leader still waits for workers of the one before
	Leading    prometheus.Gauge       // 1 where the master leads
	Epoch      prometheus.Gauge       // of the reign; at the leader only
	Registered prometheus.Gauge       // 1 while a worker is registered with a master
	Abandoned  prometheus.Counter     // partitions that a worker has given up because no master answered
	Position   *prometheus.GaugeVec   // next offset that is read, by table and partition
	Cataloged  *prometheus.CounterVec // Hive partitions registered, by table

	Completed    *prometheus.CounterVec // Hive partitions announced complete, each revision once, by table
	Scanned      *prometheus.CounterVec // bytes that transforms' queries have scanned, by table
	Dollars      *prometheus.CounterVec // that these queries cost, by table
	Loaded       *prometheus.CounterVec // commits loaded into the warehouse, by table
	LoadFailures *prometheus.CounterVec // loads that failed, by table
}

// CertificateExpires shows when the node's certificate ends to be valid, as at says; nothing where that is the zero time.
func (m *Metrics) CertificateExpires(at func() time.Time) {
	if at().IsZero() {
		return
	}
	m.Registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "citystream", Name: "certificate_expires_seconds", Help: "When the certificate of this node, or one that signed it, ends to be valid; seconds since 1970 UTC.",
	}, func() float64 { return float64(at().Unix()) }))
}

// NewMetrics returns the measures in a new registry.
func NewMetrics() *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "citystream", Name: name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "citystream", Name: name, Help: help}, labels)
	}
	single := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "citystream", Name: name, Help: help})
	}
	m := &Metrics{
		Registry:  prometheus.NewRegistry(),
		Records:   counter("records_decoded_total", "Records read and decoded, by what became of them.", "table", "outcome"),
		Flushes:   counter("commits_total", "Entries committed to the logs, by reason.", "table", "reason"),
		Files:     counter("files_committed_total", "Parquet files committed.", "table"),
		Bytes:     counter("file_bytes_committed_total", "Bytes of Parquet files committed.", "table"),
		Retries:   counter("retries_total", "Calls to the store, the broker or the catalog that failed and were tried again.", "call"),
		Restarts:  counter("takeovers_total", "Times that a partition's log was taken over, or again after a lost write.", "table"),
		Accounted: gauge("accounted_records", "Records that the commit log counts since its first claim: rows, late rows, dead letters, and what else became of them.", "table", "partition", "outcome"),
		Lag:       gauge("lag_records", "Offsets in Kafka that no committed entry accounts for.", "table", "partition"),
		Waiting:   gauge("waiting_seconds", "For how long a partition has been trying the same call again.", "table", "partition"),
		Watermark: gauge("watermark_seconds", "Committed watermark, seconds since 1970 UTC.", "table", "partition"),
		Buffered: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "citystream", Name: "buffered_bytes", Help: "Bytes of fetched batches and open files.",
		}),
		Held: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "citystream", Name: "partitions_waiting_for_memory", Help: "Partitions that do not fetch because the memory budget is used up.",
		}),
		Workers: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "citystream", Name: "workers", Help: "Workers registered and alive.",
		}),
		Placed:     gauge("partitions", "Partitions that are to have an owner, by what became of that; at the leading master.", "state"),
		Moves:      single("moves", "Partitions moved between living workers in this reign."),
		Settling:   single("settling_seconds", "For how long a new master still waits for workers of the one before."),
		Leading:    single("leading", "1 where the master of this node leads."),
		Epoch:      single("epoch", "Number of the reign of this node's master."),
		Registered: single("registered", "1 while the worker of this node is registered with a master."),
		Abandoned: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "citystream", Name: "abandoned_partitions_total", Help: "Partitions given up because no master answered for too long.",
		}),
		Position:  gauge("read_position", "Next offset that is read; at the worker that owns the partition.", "table", "partition"),
		Cataloged: counter("hive_partitions_registered_total", "Hive partitions registered in the catalog.", "table"),

		Completed:    counter("hive_partitions_complete_total", "Announcements of complete Hive partitions, each revision once.", "table"),
		Scanned:      counter("transform_scanned_bytes_total", "Bytes that the queries of transforms have scanned.", "table"),
		Dollars:      counter("transform_dollars_total", "What the queries of transforms cost.", "table"),
		Loaded:       counter("commits_loaded_total", "Commits loaded into the warehouse.", "table"),
		LoadFailures: counter("load_failures_total", "Loads into the warehouse that failed and are tried again.", "table"),
	}
	m.Registry.MustRegister(m.Records, m.Flushes, m.Files, m.Bytes, m.Retries, m.Restarts, m.Accounted, m.Lag, m.Waiting, m.Watermark, m.Buffered, m.Held, m.Workers, m.Cataloged,
		m.Position, m.Placed, m.Moves, m.Settling, m.Leading, m.Epoch, m.Registered, m.Abandoned)
	m.Registry.MustRegister(m.Completed, m.Scanned, m.Dollars, m.Loaded, m.LoadFailures)
	return m
}
