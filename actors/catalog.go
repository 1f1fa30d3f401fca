package actors

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"citystream/engine/commitlog"
	"citystream/messages"
)

// catalogActor makes committed files known to SQL, and does what follows from them: it announces Hive partitions that are complete, has
// transforms run, and has commits loaded. Each of these is a chore with one goroutine at a time. It is told of new entries, and looks
// at all logs now and then in case a word was lost. What it knows is in the bucket; a second one for a while does the same work again.
type catalogActor struct {
	node      *Node
	board     *board
	registrar *registrar
	dirty     map[commitlog.Log]bool // told to have grown
	all       bool                   // look at everything
	failed    map[commitlog.Log]bool // to be looked at again beside the next that are, or when it is time to try again
	failedAll bool                   // so is everything
	registers *chore
	others    []*chore // that follow from what is registered
	ctx       context.Context
	cancel    context.CancelFunc
	ticking   chan struct{}
	asked     []*actor.PID // who waits for a round that has not begun yet
	answered  []*actor.PID // who waits for the present one
}

// registerAll asks for a look at all logs; registeredAll answers when everything that they have is registered.
type (
	registerAll   struct{}
	registeredAll struct{}
)

// How long rounds may take: a crawler's run over all tables, many queries of half an hour each, and copies of large backlogs.
const (
	registerMax  = 5 * time.Minute
	crawlMax     = 2 * time.Hour
	transformMax = 24 * time.Hour
	loadMax      = time.Hour
)

// CatalogProps makes the catalog actor.
func CatalogProps(node *Node) *actor.Props {
	return actor.PropsFromProducer(func() actor.Actor {
		return &catalogActor{node: node, dirty: map[commitlog.Log]bool{}, failed: map[commitlog.Log]bool{}, all: true, board: newBoard()}
	})
}

// Receive implements actor.Actor.
func (c *catalogActor) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		c.start(ctx)
	case *actor.Stopping, *actor.Restarting:
		c.cancel()
		close(c.ticking)
	case tick:
		c.all = true
		c.kick(ctx)
	case *messages.Committed:
		c.dirty[fromLog(m.Log)] = true
		c.kick(ctx)
	case registerAll:
		c.all, c.asked = true, append(c.asked, ctx.Sender())
		c.kick(ctx)
	case choreDone:
		c.onDone(ctx, m)
	case choreDue:
		c.all = c.all || m.of == &c.registers.look
		m.chore.due(ctx, c.ctx, m)
	case *messages.GetCatalogStatus:
		s := c.board.status()
		s.AtWork = c.registers.atWork() || slices.ContainsFunc(c.others, (*chore).atWork)
		ctx.Respond(s)
	}
}

func (c *catalogActor) start(ctx actor.Context) {
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.registrar = newRegistrar(c.node, c.board)
	c.registers = &chore{name: "register", node: c.node, max: registerMax, begin: c.beginRound}
	if c.node.Crawl != nil {
		c.registers.max = crawlMax
	}
	h := &housekeeper{node: c.node, board: c.board}
	c.others = []*chore{{name: "keep house", background: true, node: c.node, max: registerMax, pause: c.node.CatalogPoll, begin: func() work { return h.round }}}
	if len(c.node.Transforms) > 0 && c.node.Query != nil {
		t := newTransformer(c.node, c.board)
		s := &sweeper{node: c.node}
		c.others = append(c.others,
			&chore{name: "transform", node: c.node, max: transformMax, begin: func() work { return t.round }},
			&chore{name: "sweep", background: true, node: c.node, max: registerMax, pause: c.node.CatalogPoll, begin: func() work { return s.round }})
	}
	if c.node.Warehouse != nil {
		l := newLoader(c.node, c.board)
		c.others = append(c.others, &chore{name: "load", node: c.node, max: loadMax, pause: c.node.LoadEvery, begin: func() work { return l.round }})
	}
	c.ticking = tickTo(ctx, c.node.CatalogPoll, tick{})
	c.kick(ctx)
}

// kick begins a round of registering if there is reason to.
func (c *catalogActor) kick(ctx actor.Context) {
	if c.all || len(c.dirty) > 0 {
		c.registers.kick(ctx, c.ctx)
	}
}

// beginRound takes what is to be looked at; what comes meanwhile is for the next round.
func (c *catalogActor) beginRound() work {
	logs, all := c.dirty, c.all || c.failedAll
	maps.Copy(logs, c.failed)
	c.dirty, c.all, c.failed, c.failedAll = map[commitlog.Log]bool{}, false, map[commitlog.Log]bool{}, false
	c.answered, c.asked = append(c.answered, c.asked...), nil
	return func(ctx context.Context) outcome { return c.registrar.round(ctx, logs, all) }
}

// onDone takes in how a round of a chore ended. What follows from registered files is looked at after each round of registering, for part of
// a round may have gone well.
func (c *catalogActor) onDone(ctx actor.Context, m choreDone) {
	if c.ctx.Err() != nil {
		return
	}
	c.board.noteTrouble(m.chore.name, m.outcome.err)
	if m.chore == c.registers {
		maps.Copy(c.dirty, m.outcome.more)
		if m.outcome.err == nil {
			maps.Copy(c.dirty, m.outcome.logs)
		} else {
			maps.Copy(c.failed, m.outcome.logs)
		}
		c.failedAll = c.failedAll || m.outcome.all
		if m.outcome.err == nil && len(m.outcome.logs)+len(m.outcome.more) == 0 {
			for _, pid := range c.answered {
				ctx.Send(pid, registeredAll{})
			}
			c.answered = nil
		}
	}
	m.chore.done(ctx, c.ctx, m.outcome)
	if m.chore == c.registers {
		for _, o := range c.others {
			o.kick(ctx, c.ctx)
		}
		c.kick(ctx)
	}
}
