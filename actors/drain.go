package actors

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"citystream/engine/commitlog"
	"citystream/messages"
)

// leaveMax is how long a drained worker waits for a master to take note of that: whoever asked for the drain should not wait long for one that
// may be gone.
const leaveMax = 2 * time.Second

// lastOffsetsMax is how long it waits for Kafka to take the group's last offsets.
const lastOffsetsMax = 5 * time.Second

// draining is the end of a worker: its partitions commit what they have read and are released; the master takes note, and gives them to others;
// the group's offsets are said; the master lets the worker leave.
type draining struct {
	asked   []*actor.PID // who is told in the end
	empty   time.Time    // since when nothing runs
	asking  time.Time    // since when a master's word is waited for
	said    bool         // the group's last offsets
	leaving bool         // Leave was sent
	over    bool
}

// leaveAnyway ends the waiting for a master.
type leaveAnyway struct{}

func (w *worker) onDrain(ctx actor.Context) {
	if w.drain == nil {
		w.drain = &draining{}
		w.log.Info("draining: what was read is committed and handed over", "partitions", len(w.owned))
		for _, o := range w.owned {
			w.release(ctx, o, commitlog.ReasonShutdown)
		}
		w.beat(ctx)
	}
	if ctx.Sender() != nil {
		w.drain.asked = append(w.drain.asked, ctx.Sender())
	}
	w.drainGoesOn(ctx)
}

// drainTicks looks whether the master is still to be waited for.
func (w *worker) drainTicks(ctx actor.Context, now time.Time) {
	d := w.drain
	if d == nil || d.empty.IsZero() || d.over {
		return
	}
	if !d.said && now.Sub(d.empty) > lastOffsetsMax { // only tools that show lag by them are wrong
		d.said = true
		w.drainGoesOn(ctx)
	}
	if d.said && d.asking.IsZero() {
		d.asking = now
	}
	if !d.asking.IsZero() && now.Sub(d.asking) > leaveMax {
		ctx.Send(ctx.Self(), leaveAnyway{})
	}
}

func (w *worker) onOffsetsSaid(ctx actor.Context) {
	if w.drain != nil {
		w.drain.said = true
		w.drainGoesOn(ctx)
	}
}

// drainGoesOn takes the next step of a drain as soon as the one before is done.
func (w *worker) drainGoesOn(ctx actor.Context) {
	d := w.drain
	if d == nil || len(w.owned) > 0 || d.over {
		return
	}
	if d.empty.IsZero() {
		d.empty = time.Now()
		w.offsets.last()
		d.said = w.offsets == nil
	}
	if !d.said || d.leaving || w.master == nil {
		return
	}
	if len(w.released) > 0 && !w.link.Refused() {
		return // the master is to give them to others before it forgets this worker
	}
	d.leaving = true
	ctx.Request(w.master, &messages.Leave{Worker: w.options.Name, Incarnation: w.options.Incarnation})
}

// onLeft ends the drain. Without a master's word it is not clean: others begin with the partitions only when it counts this worker as dead.
func (w *worker) onLeft(ctx actor.Context) {
	d := w.drain
	if d == nil || d.over {
		return
	}
	_, confirmed := ctx.Message().(*messages.Left)
	d.over = true
	answer := &messages.Drained{Clean: confirmed}
	if !confirmed {
		answer.Error = "no master has confirmed it: everything is committed, but others go on with the partitions only when this worker counts as dead"
	}
	for _, pid := range d.asked {
		ctx.Send(pid, answer)
	}
}
