package fleet

import (
	"errors"
	"fmt"
	"math"
	"time"

	"citystream/engine/record"
)

// How event time passes. Step k of a vehicle happens at its start + k * stepMean, give or take stepJitter, so a step takes 30 to 60 s.
// The jitter does not add up (as a random length of each step would, to minutes): whatever the number of vehicles, their clocks stay
// within startSpread + 2*stepJitter of each other, well inside the lateness of the example tables.
const (
	stepMean    = 45 * time.Second
	stepJitter  = 7500 * time.Millisecond
	startSpread = 3 * time.Minute
)

// Limits of a drive: the widths of the numbers in a record's id, and what one process can hold.
const (
	MaxVehicles = 1_000_000
	maxNumber   = math.MaxUint32
)

// A Drive is one journey of a fleet. Its records follow from these numbers alone.
//
// Odd drives go from London to Birmingham and even ones back, except that drives cut short by Steps always begin in London.
type Drive struct {
	Number   int64         `json:"number"`   // from 1; no two drives of one seed share an id
	Seed     uint64        `json:"seed"`     // of everything random
	First    int64         `json:"first"`    // number of the first vehicle: apart on each node, so that nodes with one seed never share an id
	Vehicles int           `json:"vehicles"` // how many
	Steps    int           `json:"steps"`    // the drive ends after so many steps of each vehicle; 0 = on arrival only
	Start    record.Micros `json:"start"`    // event time before which no record lies
}

// Validate returns what is wrong with the numbers, all at once.
func (d Drive) Validate() error {
	var faults []error
	fault := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	fault(d.Number < 1 || d.Number > maxNumber, "drive number %d lies outside 1 to %d", d.Number, int64(maxNumber))
	fault(d.Vehicles < 1 || d.Vehicles > MaxVehicles, "%d vehicles: 1 to %d can drive", d.Vehicles, MaxVehicles)
	fault(d.First < 0 || d.First > maxNumber-MaxVehicles, "number %d of the first vehicle lies outside 0 to %d", d.First, int64(maxNumber-MaxVehicles))
	fault(d.Steps < 0, "%d steps: 0 (until arrival) or more", d.Steps)
	latest := record.MicrosOf(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)) // a timestamp's year has four digits
	fault(d.Start < 0 || d.Start > latest, "start %d µs lies outside the years 1970 to 9998", int64(d.Start))
	return errors.Join(faults...)
}

// MostSteps returns the most steps that a vehicle of the drive can take.
func (d Drive) MostSteps() int {
	if d.Steps == 0 {
		return MostSteps
	}
	return min(d.Steps, MostSteps)
}

// End returns an event time after which no record of the drive lies.
func (d Drive) End() record.Micros { return d.Start.Add(span(d.MostSteps())) }

func span(steps int) time.Duration {
	return startSpread + time.Duration(steps)*stepMean + stepJitter
}

// StartingAt returns the drive with the latest start that is right at the time now, after previous drives that ended at after (0 if there
// were none).
//
// A drive lies in the past as a whole, and after the one before it. Where both are impossible it begins right after the one before
// it, and its last records lie ahead of now; but it never begins ahead of now itself, even if its times then overlap: watermarks do not
// follow records of the future, so what begins now at the earliest is never late.
func (d Drive) StartingAt(now, after record.Micros) Drive {
	d.Start = min(max(now.Add(-span(d.MostSteps())), after), now)
	return d
}

// Records returns how many records the drive has, of all kinds. It drives all vehicles, which takes some 20 ns a step.
func (d Drive) Records() int64 {
	var steps int64
	for i := range d.Vehicles {
		v := d.Vehicle(i)
		for !v.Arrived() {
			v.Skip()
			steps++
		}
	}
	return steps * Kinds
}

// back says whether the drive goes from Birmingham to London.
func (d Drive) back() bool { return d.Steps == 0 && d.Number%2 == 0 }

// key is what all randomness of a seed derives from.
func (d Drive) key() uint64 { return mix(d.Seed + gamma) }
