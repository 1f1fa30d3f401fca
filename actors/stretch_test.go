package actors

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/parquet-go/parquet-go"

	"citystream/engine/commitlog"
	"citystream/engine/enginetest"
	"citystream/engine/pipeline"
	"citystream/engine/record"
	"citystream/engine/schema"
	"citystream/engine/window"
)

// stretch is the life of one partition's topic, run by one owner after another: every call to store and broker on the way can be
// made to fail, or to be the last that an owner lives to see.
type stretch struct {
	*testing.T
	source *enginetest.FakeSource
	store  *enginetest.FakeStore
	faults *enginetest.Faults
	node   *Node
	log    commitlog.Log
	system *actor.ActorSystem
	owners int64

	mu      sync.Mutex
	present *owner
	crashed bool
}

func newStretch(t *testing.T, faults *enginetest.Faults) *stretch {
	s := &stretch{T: t, source: enginetest.NewFakeSource(), store: enginetest.NewFakeStore(), faults: faults}
	s.system = NewSystem(slog.New(slog.DiscardHandler))
	t.Cleanup(s.system.Shutdown)
	s.source.MaxWait = 5 * time.Millisecond
	s.source.MaxRecords = 16
	s.source.CreateTopic("gps", 1)
	table := schema.Cities()[1].WithTopic("gps")
	s.log = logOf(table, 0)
	s.node = &Node{
		Metrics: NewMetrics(), Log: slog.New(slog.DiscardHandler),
		Tables: []*schema.Table{table}, DeadLetters: schema.DeadLetters(), Bucket: "b", RawPrefix: "raw",
		Limits:      window.Limits{Rows: 12, Bytes: 1 << 30, Age: time.Hour, OpenWindows: 8},
		IdleTimeout: time.Hour, SealAfter: time.Hour, Batches: 2, PartBytes: 5 << 20,
	}
	return s
}

// produce appends records: mostly rows, whose event times move on by two minutes each, with undecodable ones, tombstones, gaps and late ones.
func (s *stretch) produce(n int) {
	_, end, err := s.source.Offsets(s.Context(), s.log.TopicPartition)
	if err != nil {
		s.Fatal(err)
	}
	for i := int(end); i < int(end)+n; i++ {
		r := record.Record{Timestamp: record.MicrosOf(time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC).Add(time.Duration(i) * 2 * time.Minute))}
		minute := i * 2
		switch {
		case i%11 == 5:
			r.Value = []byte("not json")
		case i%13 == 6:
			r.Value = nil
		case i%17 == 8:
			s.source.Gap(s.log.TopicPartition, 1)
			continue
		case i%19 == 9:
			minute = 0
			fallthrough
		default:
			r.Value = fmt.Appendf(nil, `{"id":"%d","deviceId":"d","timestamp":"2026-01-02T%02d:%02d:00","speed":1.5}`, i, 3+minute/60, minute%60)
		}
		s.source.Append(s.log.TopicPartition, r)
	}
}

// owner is one life of the partition under a parent that hears its last word.
type owner struct {
	s      *stretch
	life   *enginetest.Life
	budget *Budget
	pid    *actor.PID
	ended  chan partitionEnded
}

func (s *stretch) own() *owner {
	s.owners++
	o := &owner{s: s, life: s.faults.Life(), budget: NewBudget(s.node.MemoryBytes, 0, s.node.Metrics), ended: make(chan partitionEnded, 1)}
	node := *s.node
	node.Source, node.Store = o.life.Source(s.source), o.life.Store(s.store)
	cfg := pipeline.Config{
		Log: s.log, Table: node.Tables[0], DeadLetters: node.DeadLetters, Prefix: node.RawPrefix, Limits: node.Limits,
		Owner:       commitlog.Owner{Epoch: 1, Version: s.owners, Worker: "w", Incarnation: "i"},
		IdleTimeout: node.IdleTimeout, SealAfter: node.SealAfter,
	}
	started := make(chan *actor.PID, 1)
	parent := s.system.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case *actor.Started:
			started <- ctx.Spawn(partitionProps(&node, o.budget, cfg))
		case partitionEnded:
			o.ended <- m
		}
	}))
	s.Cleanup(func() { s.system.Root.Stop(parent) })
	o.pid = <-started
	return o
}

// die ends an owner at once, as kill -9 does: nothing of what it still wanted to do is done.
func (o *owner) die() {
	o.life.Kill()
	o.s.system.Root.Stop(o.pid)
}

// caughtUp waits until the owner has read everything, or is dead.
func (o *owner) caughtUp() {
	deadline := time.Now().Add(30 * time.Second)
	for !o.life.Dead() {
		_, end, err := o.s.source.Offsets(o.s.Context(), o.s.log.TopicPartition)
		if err != nil {
			o.s.Fatal(err)
		}
		answer, err := o.s.system.Root.RequestFuture(o.pid, askStatus{record.MicrosOf(time.Now())}, time.Second).Result()
		if s, ok := answer.(partitionStatus); err == nil && ok && s.status.Owned && s.status.Position >= end && !s.status.Flushing {
			return
		}
		if time.Now().After(deadline) {
			o.s.Fatal("the owner does not catch up")
		}
		<-time.After(time.Millisecond)
	}
}

// drain lets the owner commit everything and end, unless it dies on the way.
func (o *owner) drain() {
	o.s.system.Root.Send(o.pid, pipeline.Drain{Now: record.MicrosOf(time.Now()), Reason: commitlog.ReasonShutdown})
	deadline := time.After(30 * time.Second)
	for !o.life.Dead() {
		select {
		case m := <-o.ended:
			if m.err != nil {
				o.s.Fatalf("the owner stopped: %v", m.err)
			}
			return
		case <-deadline:
			o.s.Fatal("the owner does not end")
		case <-time.After(time.Millisecond):
		}
	}
}

// run goes through the stretch: one owner that is killed with open files, all uploads aborted, and an owner that takes over and drains.
// Then one without faults makes what is left whole.
func (s *stretch) run() {
	s.produce(40)
	first := s.begin()
	first.caughtUp()
	s.produce(20)
	first.caughtUp()
	first.die()
	s.expireUploads()
	s.produce(10)
	second := s.begin()
	second.caughtUp()
	second.drain()
	second.die()
	s.faults.Heal()
	last := s.begin()
	last.caughtUp()
	last.drain()
}

// begin makes a new owner the present one.
func (s *stretch) begin() *owner {
	o := s.own()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.present = o
	if s.crashed { // a fault came before anybody knew whom it was to kill
		s.crashed = false
		o.die()
	}
	return o
}

// crash kills the present owner, when a fault says so.
func (s *stretch) crash() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.present == nil || s.present.life.Dead() {
		s.crashed = true
		return
	}
	s.present.die()
}

// expireUploads aborts every open upload, as a lifecycle rule of the bucket does: orphans, and those that an entry counts on.
func (s *stretch) expireUploads() {
	uploads, err := s.store.ListUploads(s.Context(), "")
	if err != nil {
		s.Fatal(err)
	}
	for _, u := range uploads {
		if err := s.store.AbortUpload(s.Context(), u.Key, u.ID); err != nil {
			s.Fatal(err)
		}
	}
}

// prove reads everything that was written: each record of the topic is in one file of its table or of the dead letters, or is nothing to be written.
func (s *stretch) prove() error {
	type place struct {
		Offset int64 `parquet:"kafka_offset,optional"`
	}
	seen := map[int64]string{}
	objects, err := s.store.List(context.Background(), "raw/", "", 10_000)
	if err != nil {
		return err
	}
	for _, o := range objects {
		body, _, err := s.store.Get(context.Background(), o.Key)
		if err != nil {
			return err
		}
		rows, err := parquet.Read[place](bytes.NewReader(body), int64(len(body)))
		if err != nil {
			return fmt.Errorf("%s: %w", o.Key, err)
		}
		for _, r := range rows {
			if before, ok := seen[r.Offset]; ok {
				return fmt.Errorf("offset %d is in %s and in %s", r.Offset, before, o.Key)
			}
			seen[r.Offset] = o.Key
		}
	}
	for i := range int64(70) {
		_, written := seen[i]
		if nothing := i%11 != 5 && (i%13 == 6 || i%17 == 8); written == nothing {
			return fmt.Errorf("offset %d: written is %t", i, written)
		}
	}
	return nil
}
