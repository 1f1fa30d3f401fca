package port

import "context"

// A Message is one record on its way to Kafka. The producer keeps Key and Value until it has been delivered.
type Message struct {
	Topic      string
	Key, Value []byte
}

// A Producer sends messages to Kafka, idempotently and in order for each key. Safe for concurrent use.
//
// What became of each message arrives at the function that the producer was made with, once a message, from a goroutine of the
// producer's own: nil when every in-sync replica has it, else the reason why it was given up.
type Producer interface {
	// Produce queues messages. It waits while the queue is full, and returns early only with ctx's error: the messages from
	// index sent on were not queued then, and nothing will be reported of them.
	Produce(ctx context.Context, messages []Message) (sent int, err error)
	// Close waits until everything queued is delivered or given up.
	Close() error
}
