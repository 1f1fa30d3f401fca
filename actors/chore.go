package actors

import (
	"context"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"citystream/engine/commitlog"
)

// A chore is a kind of work of the catalog. It does all that is due in one round, in a goroutine of its own, one round at a time. Whoever
// finds something to do kicks it: a kick during a round brings another round behind it, and more kicks bring no more. So there is no
// queue that could grow, and a lost kick costs no more than the time to the next. Owned by the catalog actor.
type chore struct {
	name  string
	node  *Node
	pause time.Duration // between two rounds, so that what came meanwhile is done together
	max   time.Duration // after which a round is broken off, to be begun again where it was
	begin func() work   // takes what is to be done; called by the actor

	background bool // nobody waits for it

	running bool // a round runs
	busy    bool // a round runs, or the wait behind one
	kicked  bool
	wait    time.Duration // after a failure
	logged  time.Time     // when a failure was logged last
	look    look          // that was wished for
	retry   look          // for what a round has failed in, when the rest of it goes on
}

// A look is a round that is due later, whether somebody kicks or not. There is one timer for it: the earliest that was asked for.
type look struct {
	at     time.Time
	cancel context.CancelFunc // nil while none is due
}

func (l *look) stop() {
	if l.cancel != nil {
		l.cancel()
		l.cancel = nil
	}
}

// work is one round of a chore.
type work func(context.Context) outcome

// An outcome is how a round ended. What went well of it lasts, whatever err says.
type outcome struct {
	err   error
	part  bool                   // some of it went well: what failed is not the service itself
	again time.Duration          // look again after so long, though nobody has kicked; 0 is no need
	logs  map[commitlog.Log]bool // of registering: to be looked at again
	more  map[commitlog.Log]bool // of registering: that have more, to be looked at at once
	all   bool                   // of registering: to look at everything again
}

// choreDone is the end of a round, and choreDue the end of the wait behind it; kick is to begin a round whether it was kicked or not.
type (
	choreDone struct {
		chore   *chore
		outcome outcome
	}
	choreDue struct {
		chore *chore
		kick  bool
		of    *look // that this is; nil is the wait
	}
)

// partWait is for how long a chore of which only a part fails keeps the rest waiting: that goes on meanwhile. What failed waits longer each time.
const partWait = time.Second

// kick begins a round, or has one begun behind the present one. life is that of the actor.
func (c *chore) kick(ctx actor.Context, life context.Context) {
	if c.busy {
		c.kicked = true
		return
	}
	c.running, c.busy, c.kicked = true, true, false
	self, root, do := ctx.Self(), ctx.ActorSystem().Root, c.begin()
	go func() {
		timed, cancel := context.WithTimeout(life, c.max)
		defer cancel()
		root.Send(self, choreDone{c, do(timed)})
	}()
}

// atWork reports whether something is being done, or is to be done as soon as a wait is over.
func (c *chore) atWork() bool { return !c.background && (c.running || c.kicked) }

// done takes in the end of a round. After a failure the next one waits, longer each time.
func (c *chore) done(ctx actor.Context, life context.Context, o outcome) {
	c.running = false
	wait := c.pause
	if o.err == nil {
		if c.wait > 0 {
			c.node.Log.Info("answered again", "what", c.name)
		}
		c.wait = 0
		c.retry.stop()
	} else {
		wait = max(wait, c.failed(o))
	}
	if wait == 0 {
		c.due(ctx, life, choreDue{chore: c})
	} else {
		c.later(ctx, life, wait, choreDue{chore: c, kick: o.err != nil && !o.part})
	}
	if o.err != nil && o.part {
		c.lookIn(ctx, life, &c.retry, c.wait)
	}
	if o.again > 0 {
		c.lookIn(ctx, life, &c.look, o.again)
	}
}

// failed takes in a failure, and returns for how long no round begins.
func (c *chore) failed(o outcome) time.Duration {
	c.node.Metrics.Retries.WithLabelValues(c.name).Inc()
	if c.wait == 0 || time.Since(c.logged) >= retryLogged {
		c.logged = time.Now()
		c.node.Log.Warn("not all of it can be done; trying again until it works", "what", c.name, "error", o.err)
	}
	c.wait = min(max(2*c.wait, waitMin), waitMax)
	if o.part {
		return min(c.wait, partWait)
	}
	return c.wait
}

// lookIn has a round begun after a while, if none is due before.
func (c *chore) lookIn(ctx actor.Context, life context.Context, l *look, wait time.Duration) {
	at := time.Now().Add(wait)
	if l.cancel != nil && l.at.Before(at) {
		return
	}
	l.stop()
	timed, cancel := context.WithCancel(life)
	l.at, l.cancel = at, cancel
	c.later(ctx, timed, wait, choreDue{chore: c, kick: true, of: l})
}

func (c *chore) later(ctx actor.Context, life context.Context, wait time.Duration, m choreDue) {
	self, root := ctx.Self(), ctx.ActorSystem().Root
	go func() {
		if pause(life, wait) {
			root.Send(self, m)
		}
	}()
}

// due ends a wait.
func (c *chore) due(ctx actor.Context, life context.Context, m choreDue) {
	if m.of == nil {
		c.busy = false
	} else {
		m.of.stop()
	}
	if m.kick || c.kicked {
		c.kick(ctx, life)
	}
}
