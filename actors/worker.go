package actors

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"citystream/cluster/membership"
	"citystream/engine/commitlog"
	"citystream/engine/pipeline"
	"citystream/engine/record"
	"citystream/messages"
)

// tickEvery is how often a worker lets the time go by in its partitions: the grain of flushes by age.
const tickEvery = 200 * time.Millisecond

// worker runs the partitions that the master assigns to it. It reports all of them with every heartbeat, and each answer names
// all that it is to own, so a lost message is made good a heartbeat later. When to report, and when to give everything up because nobody answers, is
// the rule of its membership.Link; which actor is the master, it learns from the lease.
//
// Owned by its actor; not safe for concurrent use.
type worker struct {
	node    *Node
	log     *slog.Logger
	budget  *Budget
	options WorkerOptions

	master    *actor.PID // nil while none is known
	link      *membership.Link
	looking   bool // in the lease store
	reporting bool // a report is due
	catalog   *actor.PID
	owned     map[commitlog.Log]*owned
	released  []*messages.Released // said with each heartbeat until the master stops assigning them
	offsets   *groupOffsets        // nil without
	drain     *draining            // nil unless it is to end
	ticking   chan struct{}
}

// WorkerOptions name a worker.
type WorkerOptions struct {
	Name        string // which it keeps over restarts
	Incarnation string // new each time; the greater is the younger
	Zone        string
	Master      *actor.PID // nil: looked for with Find
	Find        FindLeader // nil: Master is the only one
	// Ended is told that the worker can go on no longer, with the reason; nil if nobody needs to know.
	Ended func(error)

	registered func(bool) // is told whether the worker is a member; nil if nobody needs to know
}

// owned is a partition that runs here.
type owned struct {
	pid      *actor.PID
	version  int64
	draining bool
	last     partitionStatus
	rate     rate
	flushed  flushed
	gauges   *partitionGauges
}

// tick lets the time go by.
type tick struct{}

// ErrNamesake is why a worker ends whose name a younger one has.
var ErrNamesake = errors.New("a younger worker has the same name: give each worker a name of its own (node.name)")

// WorkerProps makes a worker. One that comes after a crash is another incarnation: its numbers begin anew.
func WorkerProps(node *Node, o WorkerOptions) *actor.Props {
	lives := 0
	return actor.PropsFromProducer(func() actor.Actor {
		if lives++; lives > 1 {
			o.Incarnation = NewIncarnation()
		}
		return &worker{
			node: node, log: node.Log.With("worker", o.Name, "incarnation", o.Incarnation), options: o, master: o.Master,
			budget: NewBudget(node.MemoryBytes, node.Uploads, node.Metrics).limited(node.MaxRate), owned: map[commitlog.Log]*owned{},
			offsets: newGroupOffsets(node),
		}
	})
}

// Receive implements actor.Actor.
func (w *worker) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		w.start(ctx)
	case *actor.Stopping, *actor.Restarting:
		close(w.ticking)
		w.offsets.close()
		clear(w.owned) // they are stopped with it, and have not crashed
	case tick:
		w.onTick(ctx)
	case leaderFound:
		w.onLeader(ctx, m)
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
		w.offsets.note(m.log, m.resume)
		if w.catalog != nil {
			ctx.Send(w.catalog, &messages.Committed{Log: toLog(m.log), Slot: int64(m.slot)})
		}
	case *messages.Drain:
		w.onDrain(ctx)
	case report:
		w.reporting = false
		w.beat(ctx)
	case offsetsSaid:
		w.onOffsetsSaid(ctx)
	case *messages.Left, leaveAnyway:
		w.onLeft(ctx)
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
		Owner:       commitlog.Owner{Epoch: commitlog.Epoch(w.link.Epoch()), Version: version, Worker: w.options.Name, Incarnation: w.options.Incarnation},
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
	now := time.Now()
	if m.status.Owned { // before, its position is not known
		o.rate.note(int64(m.status.Position), now)
	}
	o.flushed.note(m.status, now)
	o.last = m
	o.gauges.set(m)
	if m.status.Owned {
		w.offsets.note(m.log, m.status.Resume)
	}
}

// onEnded tells the master how a partition ended.
func (w *worker) onEnded(ctx actor.Context, m partitionEnded) {
	if o := w.owned[m.log]; o == nil || !o.pid.Equal(m.pid) {
		return
	}
	w.owned[m.log].gauges.clear()
	delete(w.owned, m.log)
	if m.err != nil {
		w.offsets.forget(m.log)
	}
	w.say(ctx, m.log, m.version, m.err, m.seen)
	w.drainGoesOn(ctx)
}

func (w *worker) say(ctx actor.Context, log commitlog.Log, version int64, err error, seen commitlog.Epoch) {
	r := &messages.Released{Worker: w.options.Name, Incarnation: w.options.Incarnation, Version: version, Log: toLog(log), SeenEpoch: int64(seen)}
	var superseded *commitlog.SupersededError
	switch {
	case err == nil:
	case errors.As(err, &superseded):
		r.Cause, r.Error = messages.Released_LOST, err.Error()
		r.SeenEpoch = int64(superseded.By.Epoch)
		w.log.Info("another worker has taken a partition over", "log", log, "by", superseded.By.Worker, "epoch", superseded.By.Epoch)
	default:
		r.Cause, r.Error = messages.Released_FAILED, err.Error()
		w.log.Error("a partition has stopped and needs a person", "log", log, "error", err, "what_to_do", advice(err))
	}
	w.released = append(w.released, r)
	if !w.reporting {
		w.reporting = true
		ctx.Send(ctx.Self(), report{}) // behind what else ends at the same time: a burst makes one report
	}
}

// report says that there is news for the master.
type report struct{}

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
		return "mend the cause, and restart this worker: the partition goes on from the last commit"
	}
}
