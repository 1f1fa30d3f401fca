package enginetest_test

import (
	"testing"

	"citystream/engine/enginetest"
	"citystream/engine/record"
)

func TestTheFakeSourceIsASource(t *testing.T) {
	t.Parallel()
	enginetest.SourceSuite(t, func(t *testing.T) enginetest.SourceHarness {
		s := enginetest.NewFakeSource()
		t.Cleanup(func() { _ = s.Close() })
		return enginetest.SourceHarness{
			Source:      s,
			CreateTopic: func(_ testing.TB, name string, partitions int) { s.CreateTopic(name, partitions) },
			DeleteTopic: func(_ testing.TB, name string) { s.DeleteTopic(name) },
			Append:      func(_ testing.TB, tp record.TopicPartition, r ...record.Record) { s.Append(tp, r...) },
			Gap:         func(_ testing.TB, tp record.TopicPartition) { s.Gap(tp, 2) },
			Truncate:    func(_ testing.TB, tp record.TopicPartition, start record.Offset) { s.Truncate(tp, start) },
		}
	})
}

func TestAnElectionOfTheFakeSourceEndsTheEpochAndMayLoseRecords(t *testing.T) {
	t.Parallel()
	s := enginetest.NewFakeSource()
	tp := record.TopicPartition{Topic: "a"}
	s.CreateTopic("a", 1)
	s.Append(tp, make([]record.Record, 10)...)
	s.Elect(tp, 7)
	s.Append(tp, make([]record.Record, 5)...)
	for epoch, want := range map[int32]record.Offset{0: 7, 1: 12} {
		if end, ok, err := s.EpochEnd(t.Context(), tp, epoch); err != nil || !ok || end != want {
			t.Errorf("end of epoch %d is %d, %v, %v; want %d", epoch, end, ok, err, want)
		}
	}
	r := s.Open(tp, 0)
	f, err := r.Fetch(t.Context())
	if err != nil || len(f.Records) != 12 || f.LeaderEpoch != 1 {
		t.Fatalf("%d records, epoch %d, %v", len(f.Records), f.LeaderEpoch, err)
	}
	f.Release()
	if f.Records[0].Offset != -1 {
		t.Error("a released record is still as it was")
	}
}
