package actors

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"citystream/engine/commitlog"
	"citystream/engine/pipeline"
	"citystream/engine/record"
)

// partition is the actor around one pipeline.Partition: inputs come as messages, and effects go to its device goroutine, in order.
// A broken invariant panics; supervision starts a new life from the log.
type partition struct {
	node   *Node
	budget *Budget
	cfg    pipeline.Config
	state  *pipeline.Partition
	device *device
}

// Messages within a process, between a partition and its worker.
type (
	// partitionEnded is a partition's last word to its worker.
	partitionEnded struct {
		pid     *actor.PID
		log     commitlog.Log
		version int64
		err     error // nil after a drain
		seen    commitlog.Epoch
	}
	// partitionStatus answers askStatus.
	partitionStatus struct {
		log     commitlog.Log
		version int64
		status  pipeline.Status
		since   time.Time // since when a call is being tried again
		what    string
	}
	// askStatus asks a partition how it stands, and lets its time go by.
	askStatus struct{ now record.Micros }
	// fromDevice is what the goroutines of one life of the partition send to it.
	fromDevice struct {
		life    string
		message any
	}
	// crashed says that a goroutine of the partition panicked.
	crashed struct{ reason any }
)

func partitionProps(node *Node, budget *Budget, cfg pipeline.Config) *actor.Props {
	return actor.PropsFromProducer(func() actor.Actor { return &partition{node: node, budget: budget, cfg: cfg} })
}

// Receive implements actor.Actor.
func (p *partition) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		p.start(ctx)
	case *actor.Restarting, *actor.Stopping:
		p.device.stop()
	case fromDevice:
		if m.life == p.cfg.Life { // else it is the late word of a life before a restart: its generations and files are others'
			p.onDevice(ctx, m.message)
		}
	case pipeline.Input:
		p.step(m)
	case askStatus:
		p.step(pipeline.Tick{Now: m.now})
		since, what := p.device.waiting()
		ctx.Respond(partitionStatus{
			log: p.cfg.Log, version: p.cfg.Owner.Version, status: p.state.Status(m.now), since: since, what: what,
		})
	}
}

// onDevice takes a message of the present life's goroutines.
func (p *partition) onDevice(ctx actor.Context, message any) {
	switch m := message.(type) {
	case pipeline.Input:
		p.step(m)
	case committed:
		ctx.Send(ctx.Parent(), m)
	case ended:
		ctx.Send(ctx.Parent(), partitionEnded{pid: ctx.Self(), log: p.cfg.Log, version: p.cfg.Owner.Version, err: m.err, seen: m.seen})
		ctx.Stop(ctx.Self())
	case crashed:
		panic(fmt.Sprintf("partition %s: %v", p.cfg.Log, m.reason))
	}
}

func (p *partition) start(ctx actor.Context) {
	self, system := ctx.Self(), ctx.ActorSystem()
	p.node.Metrics.Restarts.WithLabelValues(p.cfg.Log.Table).Inc()
	life := NewIncarnation()
	p.cfg.Life = life
	p.state = pipeline.New(p.cfg)
	p.device = newDevice(p.node, p.budget, p.cfg, func(message any) { system.Root.Send(self, fromDevice{life, message}) })
	p.step(pipeline.Begin{Now: record.MicrosOf(time.Now())})
}

func (p *partition) step(in pipeline.Input) {
	for _, e := range p.state.Step(in) {
		p.device.enqueue(e)
	}
}
