package actors

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"citystream/fleet"
)

// FleetProgress is how far a drive is.
type FleetProgress struct {
	Drive   fleet.Drive
	Records int64 // of the whole drive, all topics together; each topic gets a fifth of them
	Arrived int   // vehicles that take no further step
	Crashed int   // vehicles that were taken out of the drive by a fault in the program
	Topics  [fleet.Kinds]TopicProgress
	// LastError is the reason of the latest delivery that failed, empty if none did.
	LastError string
	Ended     bool // everything that was produced is acknowledged or given up, and nothing more will be
}

// TopicProgress counts the records of one topic. What is neither acknowledged nor failed is under way:
// Produced - Failed - (Acknowledged - AlreadyThere) records.
type TopicProgress struct {
	Topic        string
	Produced     int64 // given to the producer
	Acknowledged int64 // in the topic for certain: confirmed by the brokers, or already there
	AlreadyThere int64 // found in the topic when the drive was taken up again, and not sent
	Failed       int64 // given up by the producer; whether they are in the topic is known at the next start only
}

// Total adds up all topics.
func (p FleetProgress) Total() TopicProgress {
	total := TopicProgress{Topic: "all"}
	for _, t := range p.Topics {
		total.Produced += t.Produced
		total.Acknowledged += t.Acknowledged
		total.AlreadyThere += t.AlreadyThere
		total.Failed += t.Failed
	}
	return total
}

// Complete says whether each record of the drive is in its topic. A drive that ended without can be taken up again.
func (p FleetProgress) Complete() bool { return p.Total().Acknowledged == p.Records }

// topicCount are the counters of one topic.
type topicCount struct {
	topic                                  string
	produced, acked, alreadyThere, refused atomic.Int64
}

// trip is what the fleet, its vehicles and its sender share. All but the queue is immutable or atomic.
type trip struct {
	drive   fleet.Drive
	sent    *fleet.Sent // read only while the drive runs
	records int64

	queue   chan stepRecords // room for a step of each credit, so that vehicles never wait
	drained chan struct{}    // closed by the fleet when no credit is out and none will be given

	counts  [fleet.Kinds]topicCount
	byTopic map[string]*topicCount
	arrived atomic.Int64
	crashed atomic.Int64
	ended   atomic.Bool

	mu        sync.Mutex
	failure   error // the first fault that keeps the drive from being complete, other than failed deliveries
	lastError string
}

func newTrip(o FleetOptions) *trip {
	t := &trip{
		drive: o.Drive, sent: o.Sent, records: o.Drive.Records(),
		queue: make(chan stepRecords, o.InFlight), drained: make(chan struct{}),
		byTopic: map[string]*topicCount{},
	}
	for kind, name := range o.Topics.Names() {
		t.counts[kind].topic = name
		t.byTopic[name] = &t.counts[kind]
	}
	return t
}

// delivered counts what became of one message. It is called by goroutines of the producer.
func (t *trip) delivered(topic string, err error) {
	count := t.byTopic[topic]
	switch {
	case count == nil:
		t.fail(fmt.Errorf("a message for the unknown topic %q was delivered", topic))
	case err == nil:
		count.acked.Add(1)
	default:
		count.refused.Add(1)
		t.mu.Lock()
		t.lastError = err.Error()
		t.mu.Unlock()
	}
}

// fail keeps the first fault for Wait.
func (t *trip) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failure == nil {
		t.failure = err
	}
}

// fault returns the first fault, and an error if vehicles crashed.
func (t *trip) fault() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := t.crashed.Load(); n > 1 {
		return errors.Join(t.failure, fmt.Errorf("%d vehicles crashed", n))
	}
	return t.failure
}

func (t *trip) progress() FleetProgress {
	p := FleetProgress{
		Drive: t.drive, Records: t.records,
		Ended:   t.ended.Load(), // before the counters: once it is true they are final
		Arrived: int(t.arrived.Load()), Crashed: int(t.crashed.Load()),
	}
	for kind := range t.counts {
		c := &t.counts[kind]
		there := c.alreadyThere.Load()
		acked := c.acked.Load() // before produced, so that no more are acknowledged than produced
		p.Topics[kind] = TopicProgress{
			Topic: c.topic, Failed: c.refused.Load(), Acknowledged: acked + there, AlreadyThere: there, Produced: c.produced.Load(),
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	p.LastError = t.lastError
	return p
}
