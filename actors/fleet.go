package actors

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"citystream/engine/port"
	"citystream/fleet"
)

// FleetOptions say what a fleet drives and where its records go.
type FleetOptions struct {
	Drive    fleet.Drive
	Sent     *fleet.Sent  // records of the drive that are in the topics already; nil = none. Not to be changed from now on
	Topics   fleet.Topics // default fleet.DefaultTopics
	Pace     float64      // 1 = a step in 3 s, 2 = twice as fast; 0 = as fast as possible
	InFlight int          // most steps on their way from the vehicles to the producer, default 1024
	// Producer makes the producer, which the fleet closes in the end. delivered is told what became of each message.
	Producer func(delivered func(topic string, err error)) (port.Producer, error)
}

func (o *FleetOptions) complete() error {
	if o.Topics == (fleet.Topics{}) {
		o.Topics = fleet.DefaultTopics()
	}
	if o.InFlight == 0 {
		o.InFlight = 1024
	}
	var faults []error
	if o.Pace < 0 || math.IsNaN(o.Pace) || math.IsInf(o.Pace, 0) {
		faults = append(faults, fmt.Errorf("pace %v: 0 (as fast as possible) or more", o.Pace))
	}
	if o.InFlight < 0 {
		faults = append(faults, fmt.Errorf("%d steps in flight: 1 or more", o.InFlight))
	}
	if !o.Sent.Of(o.Drive) {
		faults = append(faults, errors.New("the records that are in the topics already are those of another drive"))
	}
	return errors.Join(append(faults, o.Drive.Validate(), o.Topics.Validate())...)
}

// period is the time between two steps of a vehicle.
func (o *FleetOptions) period() time.Duration {
	if o.Pace == 0 {
		return 0
	}
	const longest = math.MaxInt64 / (2 * fleet.MostSteps) // so that the due time of the last step is a duration too
	return time.Duration(min(float64(stepPeriod)/o.Pace, longest))
}

// Fleet is a drive under way: an actor a vehicle, under an actor that paces them. All methods are safe for concurrent use.
//
// Each record of the drive is counted as one of: acknowledged, failed, or not produced because the fleet was stopped or a vehicle
// crashed. Only a drive whose records are all acknowledged is complete.
type Fleet struct {
	trip   *trip
	system *actor.ActorSystem
	actor  *actor.PID
	abort  context.CancelFunc
	done   chan struct{}
}

// StartFleet starts a drive. It ends when all vehicles have arrived, or by Stop, and what is left to do then is Wait.
func StartFleet(system *actor.ActorSystem, options FleetOptions) (*Fleet, error) {
	if err := options.complete(); err != nil {
		return nil, fmt.Errorf("start fleet: %w", err)
	}
	t := newTrip(options)
	producer, err := options.Producer(t.delivered)
	if err != nil {
		return nil, fmt.Errorf("start fleet: %w", err)
	}
	return startTrip(system, t, producer, options.period()), nil
}

func startTrip(system *actor.ActorSystem, t *trip, producer port.Producer, period time.Duration) *Fleet {
	ctx, abort := context.WithCancel(context.Background())
	f := &Fleet{trip: t, system: system, abort: abort, done: make(chan struct{})}
	f.actor = system.Root.SpawnPrefix(actor.PropsFromProducer(func() actor.Actor {
		return &fleetActor{trip: t, ctx: ctx, abort: abort, period: period, credits: cap(t.queue)}
	}), "fleet")
	s := &fleetSender{trip: t, producer: producer, ctx: ctx, give: func(steps stepsTaken) { system.Root.Send(f.actor, steps) }}
	go func() {
		defer close(f.done)
		s.run()
		abort()
		system.Root.Stop(f.actor)
	}()
	return f
}

// Progress returns how far the drive is. It is cheap.
func (f *Fleet) Progress() FleetProgress { return f.trip.progress() }

// Done is closed when the drive has ended.
func (f *Fleet) Done() <-chan struct{} { return f.done }

// Wait waits for the end of the drive and returns its totals. The error is ctx's if it ends first, or tells of a fault that took
// records out of the drive: a vehicle that crashed, or a producer that took no more. Failed deliveries are no error here: they are
// counted, and the drive is not complete.
func (f *Fleet) Wait(ctx context.Context) (FleetProgress, error) {
	select {
	case <-f.done:
		return f.Progress(), f.trip.fault()
	case <-ctx.Done():
		return f.Progress(), ctx.Err()
	}
}

// Stop ends the drive early: no vehicle takes a further step, and everything produced is acknowledged or given up when Stop
// returns. If ctx ends first, what the producer has not taken yet is thrown away, and the producer is left to end by itself.
// Either way the drive can be taken up again from what is in the topics.
func (f *Fleet) Stop(ctx context.Context) error {
	select {
	case <-f.done: // and the actor is gone
		return nil
	default:
		f.system.Root.Send(f.actor, stopDriving{})
	}
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
		f.abort()
		return fmt.Errorf("stop fleet: %w", ctx.Err())
	}
}
