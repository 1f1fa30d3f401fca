package actors

import (
	"citystream/engine/commitlog"
	"citystream/engine/record"
	"citystream/messages"
)

func toLog(l commitlog.Log) *messages.Log {
	return &messages.Log{Table: l.Table, Topic: l.Topic, Partition: int32(l.Partition)}
}

func fromLog(m *messages.Log) commitlog.Log {
	return commitlog.Log{
		Table: m.GetTable(), TopicPartition: record.TopicPartition{Topic: m.GetTopic(), Partition: record.Partition(m.GetPartition())},
	}
}

func toStatus(log commitlog.Log, o *owned) *messages.PartitionStatus {
	s := o.last.status
	m := &messages.PartitionStatus{
		Log: toLog(log), Version: o.version, Owned: s.Owned,
		Position: int64(s.Position), End: int64(s.End), First: int64(s.First), Resume: int64(s.Resume), ReadThrough: int64(s.ReadThrough),
		Watermark: int64(s.Watermark), CommittedWatermark: int64(s.Committed), EventMax: int64(s.EventMax),
		Idle: s.Idle, AtEnd: s.AtEnd.Microseconds(), Slot: int64(s.Slot), Reason: string(s.Reason),
		OpenRows: s.OpenRows, OpenFiles: int32(s.OpenFiles), Retrying: o.last.what,
		Counters: &messages.Counters{
			Rows: s.Counters.Rows, DeadLetters: s.Counters.DeadLetters, LateRows: s.Counters.LateRows, LateDropped: s.Counters.LateDropped,
			Tombstones: s.Counters.Tombstones, Gaps: s.Counters.Gaps, Future: s.Counters.Future, Files: s.Counters.Files, Bytes: s.Counters.Bytes,
		},
	}
	m.Rate, m.FlushReason = o.rate.perSecond, o.flushed.reason
	if !o.flushed.at.IsZero() {
		m.Flushed = o.flushed.at.UnixMicro()
	}
	if !o.last.since.IsZero() {
		m.RetryingSince = o.last.since.UnixMicro()
	}
	return m
}
