package actors

import (
	"github.com/asynkron/protoactor-go/actor"

	"citystream/engine/port"
	"citystream/fleet"
)

// vehicle drives one vehicle of a fleet: a step for each credit that the fleet gives it. It holds no more than where the vehicle is.
//
// Owned by its actor; not safe for concurrent use.
type vehicle struct {
	trip    *trip
	index   int
	vehicle fleet.Vehicle
}

// takeStep is a credit: the vehicle is to take a step, and has room in the queue for its records.
type takeStep struct{}

// stepRecords are the records of a step that are still to be sent.
type stepRecords struct {
	messages [fleet.Kinds]port.Message
	count    int
	stepTaken
}

// stepTaken gives a credit back.
type stepTaken struct {
	vehicle int
	arrived bool
}

// stepsTaken gives the credits of many steps back to the fleet.
type stepsTaken []stepTaken

// Receive implements actor.Actor. A panic takes the vehicle out of the drive, and the fleet reports it.
func (v *vehicle) Receive(ctx actor.Context) {
	if _, ok := ctx.Message().(takeStep); ok {
		v.takeStep(ctx)
	}
}

// takeStep takes the next step that has a record to send, passing over those whose records are all in the topics.
func (v *vehicle) takeStep(ctx actor.Context) {
	for !v.vehicle.Arrived() && v.trip.sent.HasAll(v.index, v.vehicle.Taken()+1) {
		v.vehicle.Skip()
		for kind := range v.trip.counts {
			v.trip.counts[kind].alreadyThere.Add(1)
		}
	}
	if v.vehicle.Arrived() {
		ctx.Send(ctx.Parent(), stepsTaken{{v.index, true}})
		return
	}
	out := v.step()
	select {
	case v.trip.queue <- out:
	default:
		panic("fleet: a step without a credit")
	}
}

func (v *vehicle) step() stepRecords {
	var out stepRecords
	// A buffer for each step, since the producer keeps it until the records are delivered and does not say of which.
	readings := v.vehicle.Step(make([]byte, 0, fleet.StepBytes))
	for kind, r := range readings {
		if v.trip.sent.Has(v.index, v.vehicle.Taken(), fleet.Kind(kind)) {
			v.trip.counts[kind].alreadyThere.Add(1)
			continue
		}
		out.messages[out.count] = port.Message{Topic: v.trip.counts[kind].topic, Key: r.Key, Value: r.Value}
		out.count++
	}
	out.stepTaken = stepTaken{v.index, v.vehicle.Arrived()}
	return out
}
