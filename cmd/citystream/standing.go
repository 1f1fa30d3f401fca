package main

import (
	"context"
	"fmt"

	"citystream/actors"
	"citystream/engine/commitlog"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/messages"
)

// standing asks the cluster, the catalog and the broker how every table stands.
func standing(ctx context.Context, cluster *actors.Cluster, source port.Source) ([]tableSummary, []string, *messages.CatalogStatus, error) {
	status, err := cluster.Status(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	registered, err := cluster.CatalogStatus(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	partitions := map[string][]*messages.PartitionStatus{}
	for _, w := range status.Workers {
		for _, p := range w.Partitions {
			partitions[p.Log.Table] = append(partitions[p.Log.Table], p)
		}
	}
	var failed []string
	for _, f := range status.Failed {
		failed = append(failed, fmt.Sprintf("%s/%s/%d: %s", f.Log.Table, f.Log.Topic, f.Log.Partition, f.Error))
	}
	slots, windows := progressOf(registered)
	var tables []tableSummary
	for _, t := range status.Topics {
		row, err := stand(ctx, source, t, partitions[t.Table], slots)
		if err != nil {
			return nil, nil, nil, err
		}
		row.Windows = windows[t.Table]
		tables = append(tables, row)
	}
	return tables, failed, registered, nil
}

// at names a log in a form that can be compared.
func at(l *messages.Log) commitlog.Log {
	return commitlog.Log{
		Table: l.Table, TopicPartition: record.TopicPartition{Topic: l.Topic, Partition: record.Partition(l.Partition)},
	}
}

// progressOf returns the catalog's cursors, and the number of Hive partitions of each table; nil without a catalog.
func progressOf(s *messages.CatalogStatus) (slots map[commitlog.Log]int64, windows map[string]int64) {
	if s == nil {
		return nil, nil
	}
	slots, windows = map[commitlog.Log]int64{}, map[string]int64{}
	for _, t := range s.GetTables() {
		windows[t.Table] = t.HivePartitions
		for _, c := range t.Cursors {
			slots[at(c.Log)] = c.Slot
		}
	}
	return slots, windows
}

// stand sums up a table. It is done when every partition of the topic has an owner that has accounted for it to its very end,
// with nothing waiting to be flushed and the newest entry registered, and the counts agree.
func stand(
	ctx context.Context, source port.Source, topic *messages.Topic, partitions []*messages.PartitionStatus, slots map[commitlog.Log]int64,
) (tableSummary, error) {
	row := tableSummary{Name: topic.Table, done: len(partitions) == int(topic.Partitions) && topic.Partitions > 0}
	watermark := int64(0)
	for _, p := range partitions {
		log := at(p.Log)
		_, end, err := source.Offsets(ctx, log.TopicPartition)
		if err != nil {
			return row, fmt.Errorf("end of %s: %w", log.TopicPartition, err)
		}
		c := p.GetCounters()
		row.Acknowledged += int64(end) - p.First - c.GetGaps()
		row.Committed += c.GetRows()
		row.DeadLetters += c.GetDeadLetters()
		row.LateDropped += c.GetLateDropped()
		row.Tombstones += c.GetTombstones()
		row.Files += c.GetFiles()
		row.Bytes += c.GetBytes()
		if w := p.CommittedWatermark; w > 0 && (watermark == 0 || w < watermark) {
			watermark = w
		}
		slot, seen := slots[log]
		row.done = row.done && p.Owned && p.ReadThrough >= int64(end) && p.Resume == p.ReadThrough && (seen && slot >= p.Slot || slots == nil)
	}
	row.Watermark = clock(watermark)
	row.done = row.done && row.accounted() == row.Acknowledged
	return row, nil
}

// complete reports whether every table is done.
func complete(tables []tableSummary) bool {
	for _, t := range tables {
		if !t.done {
			return false
		}
	}
	return len(tables) > 0
}
