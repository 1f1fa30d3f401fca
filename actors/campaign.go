package actors

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"citystream/cluster/reign"
	"citystream/engine/commitlog"
	"citystream/engine/port"
	"citystream/messages"
)

// Campaign lets a node lead whenever it holds the lease: then it runs a master and a catalog, and as soon as it can no longer be sure of the
// lease it stops them. Safe for concurrent use.
type Campaign struct {
	node   *Node
	system *actor.ActorSystem
	lease  port.Lease
	self   port.Leader
	log    *slog.Logger

	mu      sync.Mutex
	master  *actor.PID // nil while another leads, or nobody
	watcher *actor.PID // of the actors of a reign
	epoch   commitlog.Epoch
}

// Waits of a campaign.
const (
	announceMax = 5 * time.Second // the first write of a new leader
	releaseMax  = 3 * time.Second
	finishEvery = 50 * time.Millisecond
	stopMax     = 10 * time.Second
	lonelyFor   = 4 * time.Second // long enough for another that stands by
	failedFor   = 2 * time.Second // before the next try of a reign that could not begin, or whose actors have ended
)

// NewCampaign makes the campaign of a node, which is reached as self says.
func NewCampaign(system *actor.ActorSystem, node *Node, lease port.Lease, self port.Leader) *Campaign {
	return &Campaign{node: node, system: system, lease: lease, self: self, log: node.Log.With("role", "master")}
}

// Run stands for leader again and again until ctx ends. Then, and whenever the lease is lost, what it has started is stopped before it
// returns or stands again. The error is one of the lease that does not pass by itself.
func (c *Campaign) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		c.log.Info("standing for leader")
		held, err := c.lease.Acquire(ctx, c.self)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("stand for leader: %w", err)
		}
		lonely, err := c.reign(ctx, held)
		if err != nil && ctx.Err() == nil {
			c.log.Warn("this reign is over", "error", err)
		}
		timed, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseMax)
		if err := held.Release(timed); err != nil && !errors.Is(err, port.ErrLeaseLost) {
			c.log.Warn("the lease could not be given back; another leads when its time has run out", "error", err)
		}
		cancel()
		switch {
		case lonely:
			pause(ctx, lonelyFor) // another may reach the workers: it goes first
		case err != nil && !errors.Is(err, port.ErrLeaseLost):
			pause(ctx, failedFor)
		}
	}
	return nil
}

// reign leads until the lease is lost, ctx ends, or all workers are lost at once while there may be others who reach them.
func (c *Campaign) reign(ctx context.Context, held port.Reign) (lonely bool, err error) {
	life, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-held.Done():
			cancel()
		case <-life.Done():
		}
	}()
	timed, done := context.WithTimeout(life, announceMax)
	defer done()
	begun, err := reign.Begin(timed, c.node.Store, 0)
	if err != nil {
		return false, fmt.Errorf("won the lease, but cannot begin: %w", err)
	}
	if err := c.announce(timed, held, begun.Epoch); err != nil { // which also proves that the lease is held still
		return false, fmt.Errorf("won the lease, but cannot say so: %w", err)
	}
	alone, crashed := make(chan struct{}, 1), make(chan error, 1)
	if err := c.start(life, held, begun, alone, crashed); err != nil {
		return false, err
	}
	defer func() { c.stop(ctx, err) }()
	select {
	case <-ctx.Done():
		return false, nil
	case <-held.Done():
		return false, port.ErrLeaseLost
	case err := <-crashed:
		return false, err
	case <-alone:
		c.log.Warn("no worker is heard of any more: perhaps another master hears them; giving the lease back for a while", "for", lonelyFor)
		return true, nil
	}
}

func (c *Campaign) announce(ctx context.Context, held port.Reign, epoch commitlog.Epoch) error {
	self := c.self
	self.Epoch = int64(epoch)
	return held.Announce(ctx, self)
}

// start starts the actors of a reign.
func (c *Campaign) start(life context.Context, held port.Reign, begun reign.Beginning, alone chan<- struct{}, crashed chan<- error) error {
	o := MasterOptions{Epoch: begun.Epoch, Name: c.self.Name, Settle: c.node.Orphaned}
	if begun.Fresh {
		o.Settle = 0
	}
	o.Lonely = func() {
		select {
		case alone <- struct{}{}:
		default:
		}
	}
	o.Raised = func(e commitlog.Epoch) {
		c.mu.Lock()
		c.epoch = e
		c.mu.Unlock()
		c.node.Metrics.Epoch.Set(float64(e))
		go func() {
			timed, cancel := context.WithTimeout(life, announceMax)
			defer cancel()
			if err := c.announce(timed, held, e); err != nil && life.Err() == nil {
				c.log.Warn("the raised epoch could not be announced; workers learn of it from the master", "error", err)
			}
		}()
	}
	var err error
	if c.node.Catalog != nil {
		if o.Catalog, err = c.system.Root.SpawnNamed(CatalogProps(c.node), catalogName); err != nil {
			return fmt.Errorf("start catalog: %w", err)
		}
	}
	master, err := c.system.Root.SpawnNamed(MasterProps(c.node, o), masterName)
	if err != nil {
		return errors.Join(fmt.Errorf("start master: %w", err), stopActor(c.system, o.Catalog))
	}
	c.mu.Lock()
	c.master, c.epoch = master, begun.Epoch
	c.watcher = watch(c.system, func(who *actor.PID) {
		select {
		case crashed <- fmt.Errorf("the actor %s has ended unasked; the log says why", who.Id):
		default: // the first counts
		}
	}, master, o.Catalog)
	c.mu.Unlock()
	c.node.Metrics.Leading.Set(1)
	c.node.Metrics.Epoch.Set(float64(begun.Epoch))
	c.log.Info("leading", "epoch", begun.Epoch, "fresh", begun.Fresh)
	return nil
}

// stop ends the actors of a reign: at once where the lease is lost. One that had no workers says so, so that the next need not wait for any.
func (c *Campaign) stop(ctx context.Context, why error) {
	timed, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseMax)
	defer cancel()
	idle := why == nil && c.finish(timed)
	c.mu.Lock()
	master, watcher, epoch := c.master, c.watcher, c.epoch
	c.master, c.watcher = nil, nil
	c.mu.Unlock()
	var catalog *actor.PID
	if c.node.Catalog != nil {
		catalog = actor.NewPID(c.system.Address(), catalogName)
	}
	if err := errors.Join(stopActor(c.system, watcher), stopActor(c.system, master), stopActor(c.system, catalog)); err != nil {
		c.log.Warn("an actor did not confirm its end", "error", err)
	}
	c.node.Metrics.Leading.Set(0)
	c.node.Metrics.Epoch.Set(0)
	c.log.Info("not leading any more")
	if !idle {
		return
	}
	if err := reign.EndIdle(timed, c.node.Store, epoch); err != nil {
		c.log.Info("the next master waits for workers in vain", "error", err)
	}
}

// finish lets the moves that are under way come to their end, since the next master would not know who has what is in between, and wait for it. It reports
// whether there are no workers that may have something: those that do not hear have given everything up.
func (c *Campaign) finish(ctx context.Context) (idle bool) {
	c.mu.Lock()
	master := c.master
	c.mu.Unlock()
	c.system.Root.Send(master, finishMoves{})
	for {
		s, err := c.Status(ctx)
		if err != nil {
			return false
		}
		if !slices.ContainsFunc(s.Workers, func(w *messages.WorkerStatus) bool { return !w.Deaf }) {
			return s.SettlingMillis == 0
		}
		if s.Moving == 0 && len(s.Unassigned) == 0 || !pause(ctx, finishEvery) {
			return false
		}
	}
}

// watch calls ended when one of the actors has ended; nil ones are none. The watcher is to be stopped before they are.
func watch(system *actor.ActorSystem, ended func(*actor.PID), actors ...*actor.PID) *actor.PID {
	return system.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case *actor.Started:
			for _, a := range actors {
				if a != nil {
					ctx.Watch(a)
				}
			}
		case *actor.Terminated:
			ended(m.Who)
		}
	}))
}

// stopActor stops an actor and waits until it has ended; nil is none.
func stopActor(system *actor.ActorSystem, pid *actor.PID) error {
	if pid == nil {
		return nil
	}
	ended := make(chan error, 1)
	go func() { ended <- system.Root.StopFuture(pid).Wait() }()
	timer := time.NewTimer(stopMax)
	defer timer.Stop()
	select {
	case err := <-ended:
		return err
	case <-timer.C:
		return fmt.Errorf("%s does not end", pid.Id)
	}
}

// Leads returns the number of the present reign; ok is false while another leads, or nobody.
func (c *Campaign) Leads() (epoch commitlog.Epoch, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch, c.master != nil
}

// Status returns how everything stands, as this node's master has last heard; port.ErrNoLeader where it does not lead.
func (c *Campaign) Status(ctx context.Context) (*messages.Status, error) {
	c.mu.Lock()
	master := c.master
	c.mu.Unlock()
	if master == nil {
		return nil, port.ErrNoLeader
	}
	return ask[*messages.Status](ctx, c.system, master, &messages.GetStatus{}, 5*time.Second)
}

// CatalogStatus returns how far the catalog has come; nil without one.
func (c *Campaign) CatalogStatus(ctx context.Context) (*messages.CatalogStatus, error) {
	if _, leads := c.Leads(); !leads || c.node.Catalog == nil {
		return nil, nil
	}
	return ask[*messages.CatalogStatus](ctx, c.system, actor.NewPID(c.system.Address(), catalogName), &messages.GetCatalogStatus{}, 5*time.Second)
}
