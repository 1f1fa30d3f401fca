package actors

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"citystream/engine/commitlog"
	"citystream/engine/pipeline"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/schema"
)

// device does the effects of one partition, one after another in one goroutine, and a second goroutine reads. Outcomes are sent to
// the partition's actor.
//
// Its queue needs no limit of its own: a batch is read only for one of node.Batches credits, which Release gives back when the
// batch's effects are done, so that a device that waits stops the reading, and what is queued stays proportional to the credits and the
// open windows. Bytes are bounded by the worker's budget.
type device struct {
	node    *Node
	cfg     pipeline.Config
	send    func(any)
	retries *retries // of the effects
	fetches *retries // of the reader
	ctx     context.Context
	cancel  context.CancelFunc

	mu    sync.Mutex
	queue []pipeline.Effect
	wake  chan struct{} // one slot: something was queued

	// Owned by the goroutine of run.
	files     map[pipeline.FileID]*openFile
	credits   chan struct{} // a place for each batch that may be under way
	share     *share
	reading   context.CancelFunc // ends the present reader; nil if there is none
	refused   string             // id of an entry whose write was refused or unanswered
	refusedAt time.Time          // when it was written first
	again     time.Duration      // how long to wait before that entry is written again
}

// ended is the device's last word: a Stop effect was reached.
type ended struct {
	err  error
	seen commitlog.Epoch
}

func newDevice(node *Node, budget *Budget, cfg pipeline.Config, send func(any)) *device {
	ctx, cancel := context.WithCancel(context.Background())
	log := node.Log.With("table", cfg.Log.Table, "topic", cfg.Log.Topic, "partition", int(cfg.Log.Partition),
		"epoch", cfg.Owner.Epoch, "incarnation", cfg.Owner.Incarnation)
	d := &device{
		node: node, cfg: cfg, send: send, ctx: ctx, cancel: cancel,
		retries: &retries{log: log, metrics: node.Metrics}, fetches: &retries{log: log, metrics: node.Metrics},
		wake:    make(chan struct{}, 1),
		files:   map[pipeline.FileID]*openFile{},
		credits: make(chan struct{}, node.Batches),
		share:   budget.join(func(id pipeline.FileID) { send(pipeline.Shed{Now: now(), File: id}) }),
	}
	go d.guard(d.run)
	return d
}

// guard turns a panic of a goroutine into one of the actor, which is what supervision handles.
func (d *device) guard(run func()) {
	defer func() {
		if r := recover(); r != nil {
			d.send(crashed{fmt.Sprintf("%v\n%s", r, debug.Stack())})
		}
	}()
	run()
}

// waiting returns since when a call is being tried again, and which; the zero time if none is.
func (d *device) waiting() (since time.Time, what string) {
	if since, what = d.retries.waiting(); since.IsZero() {
		since, what = d.fetches.waiting()
	}
	return since, what
}

// stop ends both goroutines soon; a call that is under way is cancelled.
func (d *device) stop() {
	d.cancel()
	d.share.leave()
}

// enqueue adds an effect; it never waits.
func (d *device) enqueue(e pipeline.Effect) {
	d.mu.Lock()
	d.queue = append(d.queue, e)
	d.mu.Unlock()
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *device) run() {
	for {
		d.mu.Lock()
		batch := d.queue
		d.queue = nil
		d.mu.Unlock()
		for _, e := range batch {
			if d.ctx.Err() != nil {
				return
			}
			d.do(e)
		}
		if len(batch) > 0 {
			continue
		}
		select {
		case <-d.ctx.Done():
			return
		case <-d.wake:
		}
	}
}

// do does one effect. Errors that pass are retried inside; those that do not become Failed.
func (d *device) do(e pipeline.Effect) {
	var err error
	switch e := e.(type) {
	case pipeline.FindLast:
		err = d.findLast(e)
	case pipeline.Complete:
		err = d.complete(e)
	case pipeline.Put:
		err = d.put(e)
	case pipeline.ReadSlot:
		err = d.readSlot(e)
	case pipeline.Read:
		d.read(e)
	case pipeline.StopReading:
		d.stopReading()
	case pipeline.Open:
		d.open(e)
	case pipeline.Append:
		err = d.append(e)
	case pipeline.Release:
		d.share.change(-int64(e.Batch.MemoryBytes()))
		d.share.budget.giveBatch(e.Batch)
		<-d.credits
	case pipeline.Close:
		err = d.close(e)
	case pipeline.Discard:
		d.discard(e)
	case pipeline.Abort:
		d.abort(e.Key, e.Upload)
	case pipeline.Announce:
		d.announce(e.Entry)
	case pipeline.Stop:
		d.stopReading()
		d.send(ended{err: e.Err, seen: e.Seen})
	default:
		panic(fmt.Sprintf("unknown effect %T", e))
	}
	if err != nil && d.ctx.Err() == nil {
		d.send(pipeline.Failed{Err: err})
	}
}

func now() record.Micros { return record.MicrosOf(time.Now()) }

// put writes an entry once. Every other answer than success is unresolved, and read back by the next effect; an entry that has to
// be written again waits a little longer each time.
func (d *device) put(e pipeline.Put) error {
	if d.refused == e.Entry.ID {
		d.again = min(max(2*d.again, waitMin), waitMax)
		d.retries.note(d.refusedAt, fmt.Sprintf("write slot %d, without a clear answer so far", e.Entry.Slot))
		if !pause(d.ctx, d.again) {
			return nil
		}
	} else {
		d.again, d.refusedAt = 0, time.Now()
		if err := d.sameTopic(e.Entry); err != nil {
			return err
		}
	}
	err := d.node.Store.PutIfAbsent(d.ctx, d.cfg.Log.Key(e.Entry.Slot), e.Entry.Encode())
	if err != nil {
		d.refused = e.Entry.ID
		if !errors.Is(err, port.ErrConflict) {
			d.retries.log.Warn("an entry's write has no clear outcome; reading back", "slot", e.Entry.Slot, "error", err)
			d.node.Metrics.Retries.WithLabelValues("write entry").Inc()
		}
	}
	low, lowErr := d.low()
	if lowErr != nil {
		return lowErr
	}
	d.send(pipeline.PutDone{Entry: e.Entry, Written: err == nil, Low: low})
	return nil
}

// sameTopic checks before a commit that the offsets still mean what they meant: a topic that is deleted and made again between two
// fetches is noticed by nothing else. A cluster that does not answer does not hold up the commit.
func (d *device) sameTopic(e *commitlog.Entry) error {
	if e.Kind != commitlog.Flush || e.Reason == commitlog.ReasonTopic { // the reader noticed it before it read on
		return nil
	}
	topics, err := d.node.Source.Topics(d.ctx, []string{d.cfg.Log.Topic})
	if err != nil || len(topics) == 0 {
		return nil
	}
	if topics[0].ID != e.TopicID {
		return &commitlog.TopicChangedError{Logged: e.TopicID, Found: topics[0].ID}
	}
	return nil
}

// low returns the first slot of the log that counts. It is looked up after a write: the slots below are deleted, and free.
func (d *device) low() (commitlog.Slot, error) {
	var low commitlog.Slot
	err := d.retries.do(d.ctx, "read low", nil, func(ctx context.Context) (err error) {
		low, err = readLow(ctx, d.node.Store, d.cfg.Log)
		return err
	})
	return low, err
}

func (d *device) readSlot(e pipeline.ReadSlot) error {
	found, err := d.entry(e.Entry.Slot)
	if err != nil {
		return err
	}
	low, err := d.low()
	if err != nil {
		return err
	}
	d.send(pipeline.SlotRead{Entry: e.Entry, Found: found, Low: low})
	return nil
}

// entry reads a slot; nil if it is free.
func (d *device) entry(slot commitlog.Slot) (*commitlog.Entry, error) {
	var body []byte
	err := d.retries.do(d.ctx, "read entry", isNotFound, func(ctx context.Context) (err error) {
		body, _, err = d.node.Store.Get(ctx, d.cfg.Log.Key(slot))
		return err
	})
	switch {
	case isNotFound(err):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return commitlog.Decode(slot, body)
}

func isNotFound(err error) bool { return errors.Is(err, port.ErrNotFound) }

// announce tells the catalog and the measures of a committed entry, and leaves a hint to long logs.
func (d *device) announce(e *commitlog.Entry) {
	table := d.cfg.Log.Table
	d.node.Metrics.Flushes.WithLabelValues(table, string(e.Reason)).Inc()
	for _, f := range e.Files {
		d.node.Metrics.Files.WithLabelValues(f.Table).Inc()
		d.node.Metrics.Bytes.WithLabelValues(f.Table).Add(float64(f.Bytes))
	}
	if e.Slot > 0 && e.Slot%hintEvery == 0 {
		if err := d.node.Store.Put(d.ctx, d.cfg.Log.HintKey(), encodeHint(e.Slot)); err != nil {
			d.retries.log.Warn("the hint to the log's end was not written; the next one will be", "slot", e.Slot, "error", err)
		}
	}
	d.retries.log.Debug("committed", "slot", e.Slot, "reason", e.Reason, "files", len(e.Files), "resume", e.Resume, "read_through", e.ReadThrough)
	d.send(committed{log: d.cfg.Log, slot: e.Slot, resume: e.Resume})
}

// committed passes on to the catalog that a log has grown.
type committed struct {
	log    commitlog.Log
	slot   commitlog.Slot
	resume record.Offset
}

// schemaOf returns the table as it was when an entry was written.
func (d *device) schemaOf(fingerprint string) (*schema.Table, error) {
	if fingerprint == d.cfg.Table.Fingerprint() {
		return d.cfg.Table, nil
	}
	var body []byte
	err := d.retries.do(d.ctx, "read schema", isNotFound, func(ctx context.Context) (err error) {
		body, _, err = d.node.Store.Get(ctx, commitlog.SchemaKey(fingerprint))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("the log was written under schema %s, whose text cannot be read: %w", fingerprint, err)
	}
	return schema.FromCanonical(body)
}
