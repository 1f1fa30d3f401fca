package actors

import (
	"errors"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"citystream/engine/commitlog"
	"citystream/engine/pipeline"
	"citystream/engine/record"
	"citystream/messages"
)

// tickEvery is how often a worker lets the time go by in its partitions: the grain of flushes by age.
const tickEvery = 200 * time.Millisecond

// worker runs the partitions that the master assigns to it. It reports all of them with every heartbeat, and each answer names
// all that it is to own, so a lost message is made good a heartbeat later.
//
// Owned by its actor; not safe for concurrent use.
type worker struct {
	node        *Node
	budget      *Budget
	name        string
	incarnation string
	master      *actor.PID

	registered bool
	epoch      int64
	heard      time.Time // last answer of the master
	beaten     time.Time // last heartbeat
	catalog    *actor.PID
	owned      map[commitlog.Log]*owned
	released   []*messages.Released // said with each heartbeat until the master stops assigning them
	drain      *actor.PID           // who is told when everything is drained
	ticking    chan struct{}
}

// owned is a partition that runs here.
type owned struct {
	pid      *actor.PID
	version  int64
	draining bool
	last     partitionStatus
	gauges   *partitionGauges
}

// tick lets the time go by.
type tick struct{}

// WorkerProps makes a worker with a name that it keeps over restarts and an incarnation that is new each time.
func WorkerProps(node *Node, name, incarnation string, master *actor.PID) *actor.Props {
	return actor.PropsFromProducer(func() actor.Actor {
		return &worker{node: node, budget: NewBudget(node.MemoryBytes, node.Uploads, node.Metrics), name: name, incarnation: incarnation, master: master, owned: map[commitlog.Log]*owned{}}
	})
}

// Receive implements actor.Actor.
func (w *worker) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		w.heard = time.Now()
		w.ticking = tickTo(ctx, tickEvery, tick{})
		w.register(ctx)
	case *actor.Stopping:
		close(w.ticking)
		clear(w.owned) // they are stopped with it, and have not crashed
	case tick:
		w.onTick(ctx)
	case *messages.Registered:
		w.onRegistered(ctx, m)
	case *messages.HeartbeatAck:
		w.onAck(ctx, m)
	case partitionStatus:
		w.onStatus(m)
	case partitionEnded:
		w.onEnded(ctx, m)
	case *actor.Terminated:
		ctx.Send(ctx.Self(), gone{m.Who}) // behind the partition's last word, which a system message overtakes
	case gone:
		w.onGone(ctx, m.pid)
	case committed:
		if w.catalog != nil {
			ctx.Send(w.catalog, &messages.Committed{Log: toLog(m.log), Slot: int64(m.slot)})
		}
	case *messages.Drain:
		w.onDrain(ctx)
	}
}

// tickTo sends a message to the actor again and again until the returned channel is closed.
func tickTo(ctx actor.Context, every time.Duration, message any) chan struct{} {
	stop := make(chan struct{})
	self, root := ctx.Self(), ctx.ActorSystem().Root
	go func() {
		t := time.NewTicker(every)
		defer t.Stop()
		for {
			select {
			case <-stop:
				return
			case <-t.C:
				root.Send(self, message)
			}
		}
	}()
	return stop
}

func (w *worker) register(ctx actor.Context) {
	ctx.Request(w.master, &messages.Register{Worker: w.name, Incarnation: w.incarnation, Owned: w.statuses()})
	w.beaten = time.Now()
}

func (w *worker) onRegistered(ctx actor.Context, m *messages.Registered) {
	if m.Incarnation != w.incarnation || m.Epoch < w.epoch {
		return
	}
	w.registered, w.epoch, w.heard = true, m.Epoch, time.Now()
	if m.Catalog != nil {
		w.catalog = actor.NewPID(m.Catalog.Host, m.Catalog.Id)
	}
	w.beat(ctx)
}

func (w *worker) onTick(ctx actor.Context) {
	now := record.MicrosOf(time.Now())
	for _, o := range w.owned {
		ctx.Request(o.pid, askStatus{now})
	}
	if silence := time.Since(w.heard); silence > w.node.WorkerSelfStop && len(w.owned) > 0 && w.drain == nil {
		w.node.Log.Warn("no word from the master: giving the partitions up", "worker", w.name, "silence", silence.Round(time.Millisecond))
		w.abandon(ctx)
	}
	if time.Since(w.beaten) < w.node.Heartbeat {
		return
	}
	if w.registered {
		w.beat(ctx)
	} else {
		w.register(ctx)
	}
}

func (w *worker) beat(ctx actor.Context) {
	w.beaten = time.Now()
	ctx.Request(w.master, &messages.Heartbeat{Worker: w.name, Incarnation: w.incarnation, Epoch: w.epoch, Partitions: w.statuses(), Released: w.released})
}

func (w *worker) statuses() []*messages.PartitionStatus {
	var all []*messages.PartitionStatus
	for log, o := range w.owned {
		all = append(all, toStatus(log, o))
	}
	return all
}

// abandon stops all partitions at once: what is not committed is read again by their next owners.
func (w *worker) abandon(ctx actor.Context) {
	for log, o := range w.owned {
		ctx.Stop(o.pid)
		delete(w.owned, log)
	}
	w.registered = false
}

// onAck brings what runs here into line with what is assigned.
func (w *worker) onAck(ctx actor.Context, m *messages.HeartbeatAck) {
	if m.Incarnation != w.incarnation || m.Epoch < w.epoch {
		return
	}
	w.heard, w.epoch = time.Now(), m.Epoch
	if !m.Known {
		w.registered = false
		w.register(ctx)
		return
	}
	assigned := map[commitlog.Log]int64{}
	for _, a := range m.Assigned {
		assigned[fromLog(a.Log)] = a.Version
	}
	w.forgetReleased(assigned)
	for log, o := range w.owned {
		if assigned[log] != o.version {
			w.release(ctx, o, commitlog.ReasonRevoked)
		}
	}
	if w.drain == nil {
		for log, version := range assigned {
			w.own(ctx, log, version)
		}
	}
	w.passTimes(ctx, m.Times)
}

// forgetReleased drops the releases that the master has taken note of.
func (w *worker) forgetReleased(assigned map[commitlog.Log]int64) {
	var kept []*messages.Released // a new list: the old one may be in a message that is still under way
	for _, r := range w.released {
		if assigned[fromLog(r.Log)] == r.Version {
			kept = append(kept, r)
		}
	}
	w.released = kept
}

// own starts a partition, unless it runs, has ended under this very assignment, or still runs under an older one.
func (w *worker) own(ctx actor.Context, log commitlog.Log, version int64) {
	if w.owned[log] != nil {
		return
	}
	for _, r := range w.released {
		if fromLog(r.Log) == log && r.Version == version {
			return
		}
	}
	table := w.node.Table(log.Table)
	if table == nil {
		w.say(ctx, log, version, fmt.Errorf("table %s is not in this worker's configuration", log.Table), 0)
		return
	}
	pid := ctx.Spawn(partitionProps(w.node, w.budget, pipeline.Config{
		Log: log, Table: table, DeadLetters: w.node.DeadLetters, Prefix: w.node.RawPrefix, Limits: w.node.Limits,
		Owner:       commitlog.Owner{Epoch: commitlog.Epoch(w.epoch), Version: version, Worker: w.name, Incarnation: w.incarnation},
		IdleTimeout: w.node.IdleTimeout, SealAfter: w.node.SealAfter, AllowLoss: w.node.AllowLoss,
	}))
	ctx.Watch(pid)
	w.owned[log] = &owned{pid: pid, version: version, gauges: w.node.Metrics.partition(log)}
}

// gone says that a partition's actor has ended, and that its last word has come if there was one.
type gone struct{ pid *actor.PID }

// onGone takes note of a partition that supervision has given up: its last word never came.
func (w *worker) onGone(ctx actor.Context, pid *actor.PID) {
	for log, o := range w.owned {
		if o.pid.Equal(pid) {
			err := errors.New("it crashed again and again, on a broken invariant that the log tells of")
			w.onEnded(ctx, partitionEnded{pid: pid, log: log, version: o.version, err: err})
			return
		}
	}
}

// release lets a partition commit what it has read, and end.
func (w *worker) release(ctx actor.Context, o *owned, reason commitlog.Reason) {
	if !o.draining {
		o.draining = true
		ctx.Send(o.pid, pipeline.Drain{Now: record.MicrosOf(time.Now()), Reason: reason})
	}
}

// passTimes hands on the watermark that idle partitions follow.
func (w *worker) passTimes(ctx actor.Context, times []*messages.TableTime) {
	now := record.MicrosOf(time.Now())
	for _, t := range times {
		reason := commitlog.ReasonIdle
		if t.EndOfStream {
			reason = commitlog.ReasonEndOfStream
		}
		for log, o := range w.owned {
			if log.Table == t.Table && t.Watermark > int64(o.last.status.Watermark) {
				ctx.Send(o.pid, pipeline.Advance{Now: now, To: record.Micros(t.Watermark), Reason: reason})
			}
		}
	}
}

func (w *worker) onStatus(m partitionStatus) {
	o := w.owned[m.log]
	if o == nil || o.version != m.version {
		return
	}
	o.last = m
	o.gauges.set(m)
}

// onEnded tells the master how a partition ended.
func (w *worker) onEnded(ctx actor.Context, m partitionEnded) {
	if o := w.owned[m.log]; o == nil || !o.pid.Equal(m.pid) {
		return
	}
	delete(w.owned, m.log)
	w.say(ctx, m.log, m.version, m.err, m.seen)
	w.drainedWhenEmpty(ctx)
}

func (w *worker) say(ctx actor.Context, log commitlog.Log, version int64, err error, seen commitlog.Epoch) {
	r := &messages.Released{Worker: w.name, Incarnation: w.incarnation, Version: version, Log: toLog(log), SeenEpoch: int64(seen)}
	var superseded *commitlog.SupersededError
	switch {
	case err == nil:
	case errors.As(err, &superseded):
		r.Cause, r.Error = messages.Released_LOST, err.Error()
		r.SeenEpoch = int64(superseded.By.Epoch)
		w.node.Log.Info("another worker has taken a partition over", "log", log, "by", superseded.By.Worker, "epoch", superseded.By.Epoch)
	default:
		r.Cause, r.Error = messages.Released_FAILED, err.Error()
		w.node.Log.Error("a partition has stopped and needs a person", "log", log, "error", err, "what_to_do", advice(err))
	}
	w.released = append(w.released, r)
	w.beat(ctx)
}

const goOn = "to go on without them, set kafka.failOnDataLoss to false: the loss is then written into the commit log"

// advice says what a person can do about an error that stopped a partition.
func advice(err error) string {
	var changed *commitlog.TopicChangedError
	var lost *pipeline.DataLostError
	var files *pipeline.FilesLostError
	switch {
	case errors.As(err, &changed):
		return "if the new topic is meant, move the old log's objects away: the table then begins anew with the new topic"
	case errors.As(err, &files):
		return "restore the files if you can, and look for what removes objects or uploads from the bucket; " + goOn
	case errors.As(err, &lost) && lost.Resume < lost.Start:
		return "restore the records if you can, and lengthen the topic's retention; " + goOn
	case errors.As(err, &lost):
		return "restore the topic if you can: offsets that were committed must not come again with other records"
	default:
		return "restart the worker after the cause is mended: it goes on from the last commit"
	}
}

func (w *worker) onDrain(ctx actor.Context) {
	w.drain = ctx.Sender()
	for _, o := range w.owned {
		w.release(ctx, o, commitlog.ReasonShutdown)
	}
	w.drainedWhenEmpty(ctx)
}

func (w *worker) drainedWhenEmpty(ctx actor.Context) {
	if w.drain != nil && len(w.owned) == 0 {
		ctx.Request(w.drain, &messages.Drained{Clean: true}) // with its own name: the master counts who has ended
	}
}
