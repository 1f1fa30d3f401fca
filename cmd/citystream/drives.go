package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"citystream/actors"
	"citystream/config"
	"citystream/engine/adapter/kafka"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/fleet"
	"citystream/fleet/drivestate"
)

// drives lets the fleet drive: once, or again and again. A nil drives is no fleet.
type drives struct {
	run    *run
	cancel context.CancelFunc
	goOn   chan struct{} // closed when the drives after the first may begin
	over   chan struct{} // nothing drives any more

	mu      sync.Mutex
	current *actors.Fleet
	ended   bool // the first drive
	failed  error
}

func topicsOf(r *run) fleet.Topics {
	t := r.cfg.Topics
	return fleet.Topics{Vehicle: t.Vehicle, GPS: t.GPS, Traffic: t.Traffic, Weather: t.Weather, Emergency: t.Emergency}
}

// realTime is the pace of a step in 3 s.
const realTime = 1

// lasting returns the pace of the drives that follow the first one: a fleet that is to go on for ever at full speed would only fill the disk.
func lasting(pace float64) float64 {
	if pace == 0 {
		return realTime
	}
	return pace
}

// startDrives begins or resumes a drive, and with loop the next one after each, once the first has been shown.
func startDrives(parent context.Context, r *run, loop bool, say func(string, ...any)) (*drives, error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
	d := &drives{run: r, cancel: cancel, goOn: make(chan struct{}), over: make(chan struct{})}
	begun, err := d.begin(ctx, r.cfg.Fleet.Pace, say)
	if err != nil {
		cancel()
		return nil, err
	}
	go func() {
		defer close(d.over)
		for {
			err := d.finish(ctx, begun)
			d.note(err)
			if err != nil || !loop {
				return
			}
			select {
			case <-d.goOn:
			case <-ctx.Done():
				return
			}
			if begun, err = d.begin(ctx, lasting(r.cfg.Fleet.Pace), say); err != nil {
				d.note(err)
				return
			}
		}
	}()
	return d, nil
}

func (d *drives) note(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
	if err != nil && !errors.Is(err, context.Canceled) {
		d.failed = errors.Join(d.failed, err)
	}
}

func (d *drives) state() *drivestate.File { return drivestate.In(d.run.data.path) }

// wantedOf returns the drive of a fleet; fleets of different numbers have no vehicle in common, and so no id.
func wantedOf(f config.Fleet) drivestate.Wanted {
	return drivestate.Wanted{Seed: f.Seed, First: int64(f.Node) * fleet.MaxVehicles, Vehicles: f.Vehicles, Steps: f.Steps}
}

func (d *drives) begin(ctx context.Context, pace float64, say func(string, ...any)) (*drivestate.Begun, error) {
	f := d.run.cfg.Fleet
	begun, err := d.state().Begin(ctx, d.run.source, topicsOf(d.run), wantedOf(f), record.MicrosOf(time.Now()))
	if err != nil {
		return nil, err
	}
	for _, n := range begun.Notes {
		say("%s\n", n)
	}
	started, err := actors.StartFleet(d.run.system, actors.FleetOptions{
		Drive: begun.Drive, Sent: begun.Sent, Topics: topicsOf(d.run), Pace: pace,
		Producer: func(delivered func(string, error)) (port.Producer, error) {
			return kafka.NewProducer(kafka.ProducerOptions{
				Brokers: d.run.cfg.Kafka.Brokers, ClientID: d.run.cfg.Kafka.ClientID, Logger: d.run.log,
				Compression: f.Compression,
			}, delivered)
		},
	})
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.current = started
	d.mu.Unlock()
	return begun, nil
}

// finish waits for the drive's end, and remembers it where every record was acknowledged.
func (d *drives) finish(ctx context.Context, begun *drivestate.Begun) error {
	p, err := d.fleet().Wait(ctx)
	if err != nil {
		return err
	}
	if !p.Complete() {
		if n := p.Total().Failed; n > 0 {
			return fmt.Errorf("%d records were not acknowledged, the last because: %s", n, p.LastError)
		}
		return context.Canceled // stopped on the way
	}
	return d.state().Finish(begun.Drive)
}

func (d *drives) fleet() *actors.Fleet {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.current
}

// proceed lets the drives after the first begin. It is called once.
func (d *drives) proceed() {
	if d != nil {
		close(d.goOn)
	}
}

// planned returns how many records the present drive has.
func (d *drives) planned() int64 {
	if d == nil {
		return 0
	}
	return d.fleet().Progress().Records
}

// first reports whether the first drive has ended, one way or the other.
func (d *drives) first() bool {
	if d == nil {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ended
}

func (d *drives) err() error {
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failed
}

// stop lets what was produced be acknowledged, and ends the driving.
func (d *drives) stop(ctx context.Context) error {
	if d == nil {
		return nil
	}
	err := d.fleet().Stop(ctx)
	d.cancel()
	select {
	case <-d.over:
	case <-ctx.Done():
	}
	return err
}
