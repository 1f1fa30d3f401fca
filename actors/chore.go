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
}

// work is one round of a chore.
type work func(context.Context) outcome

// An outcome is how a round ended. What went well of it lasts, whatever err says.
type outcome struct {
	err   error
	part  bool                   // some of it went well: what failed is not the service itself
	again time.Duration          // look again after so long, though nobody has kicked; 0 is no need
	logs  map[commitlog.Log]bool // of registering: to be looked at again
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
		late  bool // of a look that was wished for later, not of the wait
	}
)

// partWait is the longest wait of a chore of which only a part fails: the rest of it goes on meanwhile.
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
	} else {
		c.node.Metrics.Retries.WithLabelValues(c.name).Inc()
		first := c.wait == 0
		longest := waitMax
		if o.part {
			longest = partWait
		}
		c.wait = min(max(2*c.wait, waitMin), longest)
		if first || c.wait == waitMax {
			c.node.Log.Warn("not all of it can be done; trying again until it works", "what", c.name, "error", o.err)
		}
		wait = max(wait, c.wait)
	}
	if wait == 0 {
		c.due(ctx, life, choreDue{chore: c})
	} else {
		c.later(ctx, life, wait, choreDue{chore: c, kick: o.err != nil})
	}
	if o.again > 0 {
		c.later(ctx, life, o.again, choreDue{chore: c, kick: true, late: true})
	}
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
	if !m.late {
		c.busy = false
	}
	if m.kick || c.kicked {
		c.kick(ctx, life)
	}
}
