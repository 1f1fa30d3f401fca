package kafka_test

import (
	"fmt"
	"testing"

	"citystream/engine/adapter/kafka"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/local/broker"
)

func TestReplayerSendsEachMessageOnce(t *testing.T) {
	t.Parallel()
	replaysOnce(t, start(t, broker.Options{Dir: t.TempDir()}).Addr())
}

// replaysOnce sends in transactions, leaves one open as a killed process does, and begins again.
func replaysOnce(t *testing.T, addr string) {
	c := cluster{addr}
	c.createTopic(t, "letters", 1)
	c.createTopic(t, "again", 1)
	from := record.TopicPartition{Topic: "letters"}
	open := func() (*kafka.Replayer, record.Offset) {
		r, err := kafka.NewReplayer(kafka.ProducerOptions{Brokers: []string{addr}}, "replay", from)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = r.Close() })
		progress, err := r.Progress()
		if err != nil {
			t.Fatal(err)
		}
		return r, progress
	}
	batch := func(from, to int) (all []port.Message) {
		for i := from; i < to; i++ {
			all = append(all, port.Message{Topic: "again", Key: []byte("k"), Value: fmt.Appendf(nil, "v%d", i)})
		}
		return all
	}
	first, progress := open()
	if progress != 0 {
		t.Fatalf("it begins at %d", progress)
	}
	if err := first.Send(batch(0, 3), 7); err != nil {
		t.Fatal(err)
	}
	second, progress := open() // while the first still lives
	if progress != 7 {
		t.Fatalf("the second begins at %d, want 7", progress)
	}
	if err := first.Send(batch(3, 5), 9); err == nil {
		t.Error("the first was not locked out")
	}
	if err := second.Send(batch(3, 5), 9); err != nil {
		t.Fatal(err)
	}
	third, progress := open()
	if progress != 9 {
		t.Fatalf("the third begins at %d, want 9", progress)
	}
	if err := third.Send(nil, 12); err != nil {
		t.Fatalf("progress without messages: %v", err)
	}
	s := source(t, kafka.Options{Brokers: []string{addr}})
	tp := record.TopicPartition{Topic: "again"}
	_, end, err := s.Offsets(t.Context(), tp)
	if err != nil {
		t.Fatal(err)
	}
	reader := s.Open(tp, 0)
	defer reader.Close()
	var values []string
	for position := record.Offset(0); position < end; {
		got, err := reader.Fetch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range got.Records {
			values = append(values, string(r.Value))
		}
		position = got.Next
		got.Release()
	}
	if fmt.Sprint(values) != "[v0 v1 v2 v3 v4]" {
		t.Errorf("sent are %v", values)
	}
}
