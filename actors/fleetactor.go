package actors

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// stepPeriod is how long a step takes at pace 1.
const stepPeriod = 3 * time.Second

// fleetActor paces its vehicles. A vehicle takes a step for a credit, which comes back when the producer has taken the step's
// records: so no mailbox and no queue of the fleet ever holds more than there are credits, and a producer that waits stops the
// vehicles.
//
// Vehicles drive in laps: none begins its next step before all have ended this one. Otherwise one that the scheduler forgets for a
// moment would fall behind by many steps when there is no pace, and its records would come late for their windows.
//
// Owned by its actor; not safe for concurrent use.
type fleetActor struct {
	trip     *trip
	ctx      context.Context // ends with the sending
	abort    func()          // ends the sending at once
	root     *actor.RootContext
	self     *actor.PID
	period   time.Duration // between two steps of a vehicle; 0 = as soon as it can
	vehicles []*actor.PID
	due      []time.Duration // when a vehicle's present step was due, since began
	out      []bool          // which vehicles hold a credit
	ready    fleetRing       // vehicles without a credit, in the order of their turns: first those of this lap, then those of the next
	lap      int             // how many of them have this lap's step before them
	credits  int
	driving  int // vehicles that have not arrived and not crashed
	began    time.Time
	stopping bool
	waking   *time.Timer // sends a wake; nil if none is on its way
	drained  bool
}

// Messages of the fleet to itself, and of its handle.
type (
	stopDriving struct{} // no further steps
	wake        struct{} // a vehicle's turn may have come
)

// Receive implements actor.Actor.
func (f *fleetActor) Receive(ctx actor.Context) {
	if f.ctx.Err() != nil { // the drive is over; after a crash of the fleet itself, this is a new one without vehicles
		if f.waking != nil {
			f.waking.Stop()
		}
		return
	}
	switch m := ctx.Message().(type) {
	case *actor.Started:
		f.start(ctx)
	case *actor.Stopping:
		f.trip.fail(errors.New("the fleet was stopped from outside"))
		f.abort()
	case *actor.Restarting:
		f.trip.fail(errors.New("the fleet crashed"))
		f.abort()
	case stepsTaken:
		f.onStepsTaken(m)
		f.giveCredits()
	case wake:
		f.waking = nil
		f.giveCredits()
	case stopDriving:
		f.stopping = true
		f.giveCredits()
	}
}

// start spawns the vehicles. All share one Props, whose producer is called once for each, in order, while it is spawned: none is
// ever restarted.
func (f *fleetActor) start(ctx actor.Context) {
	f.root, f.self = ctx.ActorSystem().Root, ctx.Self()
	n := f.trip.drive.Vehicles
	f.vehicles, f.due, f.out, f.ready = make([]*actor.PID, 0, n), make([]time.Duration, n), make([]bool, n), newFleetRing(n)
	props := actor.PropsFromProducer(func() actor.Actor {
		i := len(f.vehicles)
		return &vehicle{trip: f.trip, index: i, vehicle: f.trip.drive.Vehicle(i)}
	}, actor.WithDispatcher(newStacks()))
	for i := range n {
		pid, err := ctx.SpawnNamed(props, strconv.Itoa(i)) // the name tells which vehicle crashed
		if err != nil {
			panic(err) // a name in use: there is no other vehicle of this number
		}
		f.vehicles = append(f.vehicles, pid)
		f.due[i] = f.period * time.Duration(i) / time.Duration(n) // turns are spread evenly over the period
		f.ready.push(i)
	}
	f.driving, f.began = n, time.Now()
	f.giveCredits()
}

// giveCredits lets the vehicles whose turn has come take a step, as far as there are credits.
func (f *fleetActor) giveCredits() {
	now := time.Since(f.began)
	for f.credits > 0 && !f.stopping && f.ready.len() > 0 {
		if f.lap == 0 {
			if f.underWay() > 0 {
				break
			}
			f.lap = f.ready.len()
		}
		next := f.ready.first()
		if f.due[next] > now {
			f.wakeIn(f.due[next] - now)
			break
		}
		f.ready.pop()
		f.lap--
		f.credits--
		f.out[next] = true
		f.root.Send(f.vehicles[next], takeStep{})
	}
	if !f.drained && f.underWay() == 0 && (f.driving == 0 || f.stopping) {
		f.drained = true
		close(f.trip.drained)
	}
}

// underWay returns how many vehicles hold a credit.
func (f *fleetActor) underWay() int { return cap(f.trip.queue) - f.credits }

// wakeIn wakes the fleet after a while, unless it is to be woken already.
func (f *fleetActor) wakeIn(wait time.Duration) {
	if f.waking == nil {
		root, self := f.root, f.self
		f.waking = time.AfterFunc(wait, func() { root.Send(self, wake{}) })
	}
}

func (f *fleetActor) onStepsTaken(steps stepsTaken) {
	now := time.Since(f.began)
	for _, step := range steps {
		f.credits++
		f.out[step.vehicle] = false
		if step.arrived {
			f.driving--
			f.trip.arrived.Add(1)
			continue
		}
		// A fleet that fell behind by more than a period, say because the machine slept, goes on from now instead of racing.
		f.due[step.vehicle] = max(f.due[step.vehicle]+f.period, now-f.period)
		f.ready.push(step.vehicle)
	}
}

// HandleFailure implements actor.SupervisorStrategy: a vehicle that crashed is taken out and reported. To start it again would meet the
// same fault, since all that it does follows from its number.
func (f *fleetActor) HandleFailure(
	_ *actor.ActorSystem, supervisor actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, reason, _ any,
) {
	supervisor.StopChildren(child)
	i, err := strconv.Atoi(child.Id[strings.LastIndexByte(child.Id, '/')+1:])
	if err != nil {
		panic(err) // start named it
	}
	f.trip.crashed.Add(1)
	f.trip.fail(fmt.Errorf("vehicle %d crashed: %v", f.trip.drive.First+int64(i), reason))
	f.driving--
	if f.out[i] {
		f.out[i] = false
		f.credits++
	}
	f.giveCredits()
}

// fleetRing is a queue of vehicles with room for all of them.
type fleetRing struct {
	items       []int32
	head, count int
}

func newFleetRing(size int) fleetRing { return fleetRing{items: make([]int32, size)} }

func (r *fleetRing) len() int   { return r.count }
func (r *fleetRing) first() int { return int(r.items[r.head]) }

func (r *fleetRing) push(vehicle int) {
	r.items[(r.head+r.count)%len(r.items)] = int32(vehicle)
	r.count++
}

func (r *fleetRing) pop() {
	r.head = (r.head + 1) % len(r.items)
	r.count--
}
