package fleet

import (
	"time"

	"citystream/engine/record"
)

// A Vehicle is one vehicle on its drive: where it is and how far it has come. It belongs to whoever drives it; a copy drives on by itself.
type Vehicle struct {
	key    uint64
	start  record.Micros // its clock before the first step
	at     Point
	drive  uint32
	number uint32
	step   uint16 // taken so far
	steps  uint16 // most that it takes
	back   bool
	model  uint8
}

// Vehicle returns the i-th vehicle of the drive before its first step.
func (d Drive) Vehicle(i int) Vehicle {
	v := Vehicle{
		key:    d.key(),
		drive:  uint32(d.Number),
		number: uint32(d.First + int64(i)),
		steps:  uint16(d.MostSteps()),
		back:   d.back(),
	}
	v.at = v.route().from
	clock := v.draws()
	v.start = d.Start.Add(time.Duration(clock.below(int64(startSpread))))
	v.model = uint8(mix(v.key+uint64(v.number)) % uint64(len(models))) // the same on all drives
	return v
}

// Arrived says whether the vehicle takes no further step: it is at its goal, or the drive's steps are over.
func (v *Vehicle) Arrived() bool { return v.step >= v.steps || v.route().arrived(v.at) }

// Taken returns how many steps the vehicle has taken.
func (v *Vehicle) Taken() int { return int(v.step) }

// At returns where the vehicle is.
func (v *Vehicle) At() Point { return v.at }

// Step moves the vehicle on and returns what it reads there, written to buf, which has room for all of it if it has StepBytes. A vehicle
// that has arrived must not be moved.
func (v *Vehicle) Step(buf []byte) Readings {
	d, now := v.move()
	return v.read(&d, now, buf)
}

// Skip moves the vehicle on as Step does, without a reading.
func (v *Vehicle) Skip() { v.move() }

func (v *Vehicle) route() route {
	if v.back {
		return route{Birmingham, London}
	}
	return route{London, Birmingham}
}

// draws returns the randomness of the vehicle's present step.
func (v *Vehicle) draws() draws {
	vehicle := mix(v.key ^ (uint64(v.drive)<<32 | uint64(v.number)))
	return draws(mix(vehicle + uint64(v.step)*gamma))
}

// move takes a step and returns the time at its end, and the draws that are left for the readings.
func (v *Vehicle) move() (draws, record.Micros) {
	if v.Arrived() {
		panic("fleet: a vehicle that has arrived was driven on")
	}
	v.step++
	d := v.draws()
	stride := v.route().stride()
	v.at.Lat += stride.Lat + Degrees(d.between(-int64(jitter), int64(jitter)))
	v.at.Lon += stride.Lon + Degrees(d.between(-int64(jitter), int64(jitter)))
	astray := d.between(-int64(stepJitter/time.Microsecond), int64(stepJitter/time.Microsecond))
	return d, v.start.Add(time.Duration(v.step)*stepMean) + record.Micros(astray)
}
