package actors

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/fleet"
)

var departure = record.MicrosOf(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC))

func newFleetSystem() *actor.ActorSystem {
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
}

func fleetSystem(t testing.TB) *actor.ActorSystem {
	system := newFleetSystem()
	t.Cleanup(system.Shutdown)
	return system
}

// fleetTopics is a producer into memory. It reports deliveries from a goroutine of its own.
type fleetTopics struct {
	gate    func(ctx context.Context, n int) error // called before each message with how many there were; may wait. nil = none
	verdict func(n int, m port.Message) error      // what becomes of each message. nil = all are delivered

	delivered func(topic string, err error)
	reports   chan func()
	closed    sync.WaitGroup

	mu       sync.Mutex
	messages []port.Message
}

func (p *fleetTopics) open(delivered func(topic string, err error)) (port.Producer, error) {
	p.delivered, p.reports = delivered, make(chan func(), 1<<10)
	p.closed.Go(func() {
		for report := range p.reports {
			report()
		}
	})
	return p, nil
}

func (p *fleetTopics) Produce(ctx context.Context, messages []port.Message) (int, error) {
	for i, m := range messages {
		p.mu.Lock()
		n := len(p.messages)
		p.mu.Unlock()
		if p.gate != nil {
			if err := p.gate(ctx, n); err != nil {
				return i, err
			}
		}
		var err error
		if p.verdict != nil {
			err = p.verdict(n, m)
		}
		p.mu.Lock()
		p.messages = append(p.messages, m)
		p.mu.Unlock()
		p.reports <- func() { p.delivered(m.Topic, err) }
	}
	return len(messages), nil
}

func (p *fleetTopics) Close() error {
	close(p.reports)
	p.closed.Wait()
	return nil
}

// all returns the messages, and fails the test if an id is there twice.
func (p *fleetTopics) all(t testing.TB) []port.Message {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := map[string]bool{}
	for _, m := range p.messages {
		if seen[string(m.Key)] {
			t.Fatalf("%s is there twice", m.Key)
		}
		seen[string(m.Key)] = true
	}
	return p.messages
}

func fleetContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func startFleet(t testing.TB, o FleetOptions, p *fleetTopics) *Fleet {
	t.Helper()
	o.Producer = p.open
	f, err := StartFleet(fleetSystem(t), o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestADriveEndsWithEachRecordAcknowledged(t *testing.T) {
	t.Parallel()
	d := fleet.Drive{Number: 1, Seed: 1, Vehicles: 10, Start: departure}
	p := &fleetTopics{}
	f := startFleet(t, FleetOptions{Drive: d, InFlight: 7}, p)
	got, err := f.Wait(fleetContext(t))
	if err != nil || !got.Complete() || got.Arrived != d.Vehicles || got.LastError != "" {
		t.Fatalf("%+v, %v", got, err)
	}
	if n := int64(len(p.all(t))); n != d.Records() || got.Records != n {
		t.Errorf("%d records in the topics, and %d said, of %d", n, got.Records, d.Records())
	}
	count, names := map[string]int64{}, fleet.DefaultTopics().Names()
	for _, m := range p.all(t) {
		count[m.Topic]++
	}
	for i, topic := range got.Topics {
		want := TopicProgress{Topic: names[i], Produced: d.Records() / 5, Acknowledged: d.Records() / 5}
		if topic != want || count[topic.Topic] != want.Produced {
			t.Errorf("%+v with %d messages, want %+v", topic, count[topic.Topic], want)
		}
	}
}

func TestMessagesAreTheReadingsOfTheDrive(t *testing.T) {
	t.Parallel()
	d := fleet.Drive{Number: 2, Seed: 8, First: 1000, Vehicles: 5, Start: departure}
	names := fleet.Topics{Vehicle: "v", GPS: "g", Traffic: "t", Weather: "w", Emergency: "e"}
	p := &fleetTopics{}
	if _, err := startFleet(t, FleetOptions{Drive: d, Topics: names}, p).Wait(fleetContext(t)); err != nil {
		t.Fatal(err)
	}
	sent := map[string]port.Message{}
	for _, m := range p.all(t) {
		sent[string(m.Key)] = m
	}
	for i := range d.Vehicles {
		for v := d.Vehicle(i); !v.Arrived(); {
			for kind, r := range v.Step(nil) {
				if m := sent[string(r.Key)]; m.Topic != names.Names()[kind] || !bytes.Equal(m.Value, r.Value) {
					t.Fatalf("%s is in topic %q as %s", r.Value, m.Topic, m.Value)
				}
			}
		}
	}
}

// The tables wait ten minutes. Vehicles start within three minutes, and their clocks go astray by up to 7.5 s.
func TestEventTimesComeWithinTheLatenessOfTheTables(t *testing.T) {
	t.Parallel()
	d := fleet.Drive{Number: 1, Seed: 1, Vehicles: 200, Steps: 20, Start: departure}
	p := &fleetTopics{}
	if _, err := startFleet(t, FleetOptions{Drive: d, InFlight: 20}, p).Wait(fleetContext(t)); err != nil {
		t.Fatal(err)
	}
	var latest time.Time
	for _, m := range p.all(t) {
		_, text, _ := bytes.Cut(m.Value, []byte(`"timestamp":"`))
		at, err := time.Parse("2006-01-02T15:04:05.000000", string(text[:26]))
		if err != nil {
			t.Fatal(err)
		}
		if behind := latest.Sub(at); !latest.IsZero() && behind > 195*time.Second {
			t.Fatalf("%s is %v behind", m.Value, behind)
		}
		if at.After(latest) {
			latest = at
		}
	}
}

func TestStopSendsWhatIsUnderWayAndNoMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const inFlight = 100 // more than go to the producer at once
		d := fleet.Drive{Number: 1, Seed: 1, Vehicles: 100, Start: departure}
		reached, open := make(chan int64, 1), make(chan struct{})
		var trip *trip
		p := &fleetTopics{gate: func(_ context.Context, n int) error {
			if n == 1003 {
				reached <- trip.progress().Total().Produced
				<-open
			}
			return nil
		}}
		system := newFleetSystem()
		o := FleetOptions{Drive: d, InFlight: inFlight}
		if err := o.complete(); err != nil {
			t.Fatal(err)
		}
		trip = newTrip(o)
		producer, _ := p.open(trip.delivered)
		f := startTrip(system, trip, producer, 0)
		given := <-reached
		stopped := make(chan error, 1)
		go func() { stopped <- f.Stop(t.Context()) }()
		synctest.Wait() // the fleet knows that it is to stop, and the producer still holds up
		given += int64(len(trip.queue)) * fleet.Kinds
		close(open)
		if err := <-stopped; err != nil {
			t.Fatal(err)
		}
		got, err := f.Wait(t.Context())
		total := got.Total()
		if err != nil || !got.Ended || got.Complete() || total.Produced != given || total.Acknowledged != given || len(p.all(t)) != int(given) {
			t.Errorf("%d records were under way or before: %+v, %v", given, got, err)
		}
		if err := f.Stop(t.Context()); err != nil {
			t.Errorf("a second stop: %v", err)
		}
		system.Shutdown()
		synctest.Wait()
	})
}

func TestStopGivesUpWithItsContextWhenTheProducerWaits(t *testing.T) {
	t.Parallel()
	d := fleet.Drive{Number: 1, Seed: 1, Vehicles: 100, Start: departure}
	waiting := make(chan struct{})
	p := &fleetTopics{gate: func(ctx context.Context, n int) error {
		if n < 501 {
			return nil
		}
		close(waiting)
		<-ctx.Done()
		return ctx.Err()
	}}
	f := startFleet(t, FleetOptions{Drive: d}, p)
	<-waiting
	expired, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Stop(expired); !errors.Is(err, context.Canceled) {
		t.Errorf("Stop returns %v", err)
	}
	got, err := f.Wait(fleetContext(t))
	if err == nil || got.Complete() || !got.Ended {
		t.Errorf("%+v, %v", got, err)
	}
	if total := got.Total(); total.Produced != 501 || total.Acknowledged != 501 {
		t.Errorf("501 messages were taken: %+v", total)
	}
}

func TestDeliveriesThatFailAreCounted(t *testing.T) {
	t.Parallel()
	d := fleet.Drive{Number: 1, Seed: 1, Vehicles: 10, Steps: 10, Start: departure}
	p := &fleetTopics{verdict: func(n int, m port.Message) error {
		if m.Topic == "weather_data" && n%2 == 0 {
			return errors.New("the weather is too bad")
		}
		return nil
	}}
	got, err := startFleet(t, FleetOptions{Drive: d}, p).Wait(fleetContext(t))
	if err != nil || !got.Ended || got.Complete() || got.LastError != "the weather is too bad" {
		t.Errorf("%+v, %v", got, err)
	}
	for kind, topic := range got.Topics {
		failed := int64(0)
		if kind == int(fleet.WeatherData) {
			failed = 50
		}
		if topic.Produced != 100 || topic.Failed != failed || topic.Acknowledged != 100-failed {
			t.Errorf("%+v", topic)
		}
	}
}

func TestWhatIsInTheTopicsIsNotSentAgain(t *testing.T) {
	t.Parallel()
	d := fleet.Drive{Number: 1, Seed: 1, Vehicles: 10, Steps: 10, Start: departure}
	sent := fleet.NewSent(d)
	there := map[string]bool{}
	for i := range d.Vehicles {
		v := d.Vehicle(i)
		for !v.Arrived() {
			for kind, r := range v.Step(nil) {
				if v.Taken() <= i || (v.Taken()+kind)%3 == 0 { // some vehicles' whole beginnings, and records here and there
					sent.Add(r.Key)
					there[string(r.Key)] = true
				}
			}
		}
	}
	p := &fleetTopics{}
	got, err := startFleet(t, FleetOptions{Drive: d, Sent: sent}, p).Wait(fleetContext(t))
	total := got.Total()
	if err != nil || !got.Complete() || total.AlreadyThere != sent.Count() || total.Produced != got.Records-sent.Count() || got.Arrived != 10 {
		t.Errorf("%+v, %v", got, err)
	}
	for _, m := range p.all(t) {
		if there[string(m.Key)] {
			t.Errorf("%s was sent again", m.Key)
		}
	}
	if n := int64(len(p.all(t))); n != total.Produced {
		t.Errorf("%d messages, %d produced", n, total.Produced)
	}
}

func TestADriveThatIsWhollyThereEndsAtOnce(t *testing.T) {
	t.Parallel()
	d := fleet.Drive{Number: 1, Seed: 1, Vehicles: 3, Start: departure}
	sent := fleet.NewSent(d)
	for i := range d.Vehicles {
		for v := d.Vehicle(i); !v.Arrived(); {
			for _, r := range v.Step(nil) {
				sent.Add(r.Key)
			}
		}
	}
	got, err := startFleet(t, FleetOptions{Drive: d, Sent: sent}, &fleetTopics{}).Wait(fleetContext(t))
	if total := got.Total(); err != nil || !got.Complete() || total.Produced != 0 || total.AlreadyThere != d.Records() {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAVehicleThatCrashesIsReportedAndTheOthersArrive(t *testing.T) {
	t.Parallel()
	d := fleet.Drive{Number: 1, Seed: 1, First: 100, Vehicles: 20, Start: departure}
	fewer := d
	fewer.Vehicles = 17 // a set with too little room: the last vehicles meet a fault in it
	for _, inFlight := range []int{1, 100} {
		o := FleetOptions{Drive: d, InFlight: inFlight}
		if err := o.complete(); err != nil {
			t.Fatal(err)
		}
		trip := newTrip(o)
		trip.sent = fleet.NewSent(fewer)
		p := &fleetTopics{}
		producer, _ := p.open(trip.delivered)
		got, err := startTrip(fleetSystem(t), trip, producer, 0).Wait(fleetContext(t))
		if err == nil || !strings.Contains(err.Error(), "vehicle 11") || !strings.Contains(err.Error(), "3 vehicles crashed") {
			t.Errorf("the crash is told as %v", err)
		}
		if got.Crashed != 3 || got.Arrived != 17 || !got.Ended || got.Complete() {
			t.Errorf("%+v", got)
		}
		if n := len(p.all(t)); n < 17*100*fleet.Kinds || int64(n) != got.Total().Acknowledged {
			t.Errorf("%d records of 17 vehicles, %d acknowledged", n, got.Total().Acknowledged)
		}
	}
}

func TestAFleetStoppedFromOutsideTellsOfIt(t *testing.T) {
	t.Parallel()
	d := fleet.Drive{Number: 1, Seed: 1, Vehicles: 2, Start: departure}
	f := startFleet(t, FleetOptions{Drive: d, Pace: 0.001}, &fleetTopics{})
	f.system.Root.Stop(f.actor)
	if got, err := f.Wait(fleetContext(t)); err == nil || got.Complete() || !got.Ended {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestNoMoreStepsAreUnderWayThanCredits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const inFlight = 8
		d := fleet.Drive{Number: 1, Seed: 1, Vehicles: 100, Steps: 20, Start: departure}
		open := make(chan struct{})
		p := &fleetTopics{gate: func(context.Context, int) error { <-open; return nil }}
		system := newFleetSystem()
		f, err := StartFleet(system, FleetOptions{Drive: d, InFlight: inFlight, Producer: p.open})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // until all goroutines wait for something
		if n := int(f.Progress().Total().Produced)/fleet.Kinds + len(f.trip.queue); n != inFlight {
			t.Errorf("%d steps are under way while the producer waits, want %d", n, inFlight)
		}
		close(open)
		if got, err := f.Wait(t.Context()); err != nil || !got.Complete() {
			t.Errorf("%+v, %v", got, err)
		}
		system.Shutdown()
		synctest.Wait()
	})
}

func TestPaceSetsHowLongADriveTakes(t *testing.T) {
	t.Parallel()
	for pace, want := range map[float64]time.Duration{0: 0, 1: 30 * time.Second, 2: 15 * time.Second, 60: 500 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			d := fleet.Drive{Number: 1, Seed: 1, Vehicles: 30, Steps: 10, Start: departure}
			system := newFleetSystem()
			p := &fleetTopics{}
			began := time.Now()
			f, err := StartFleet(system, FleetOptions{Drive: d, Pace: pace, Producer: p.open})
			if err != nil {
				t.Fatal(err)
			}
			got, err := f.Wait(t.Context())
			want -= want / 300 // the last of 30 vehicles begins a thirtieth of a step before the second step of the first
			if off := time.Since(began) - want; err != nil || !got.Complete() || off.Abs() > time.Millisecond {
				t.Errorf("at pace %v it took %v, want %v: %+v, %v", pace, want+off, want, got, err)
			}
			system.Shutdown()
			synctest.Wait()
		})
	}
}

func TestAFleetThatCrashesEndsTheDriveAndTellsOfIt(t *testing.T) {
	t.Parallel()
	d := fleet.Drive{Number: 1, Seed: 1, Vehicles: 2, Start: departure}
	f := startFleet(t, FleetOptions{Drive: d, Pace: 0.001}, &fleetTopics{})
	f.system.Root.Send(f.actor, stepsTaken{{vehicle: d.Vehicles}})
	if got, err := f.Wait(fleetContext(t)); err == nil || !strings.Contains(err.Error(), "the fleet crashed") || !got.Ended {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAFleetThatWasHeldUpDoesNotRaceToCatchUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := fleet.Drive{Number: 1, Seed: 1, Vehicles: 1, Steps: 10, Start: departure}
		p := &fleetTopics{gate: func(_ context.Context, n int) error {
			if n == 0 {
				<-time.After(time.Minute)
			}
			return nil
		}}
		system := newFleetSystem()
		began := time.Now()
		f, err := StartFleet(system, FleetOptions{Drive: d, Pace: 1, Producer: p.open})
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.Wait(t.Context())
		// After the minute the second and third step come at once, the other seven in three seconds each.
		if took := time.Since(began); err != nil || !got.Complete() || took != time.Minute+7*stepPeriod {
			t.Errorf("it took %v: %+v, %v", took, got, err)
		}
		system.Shutdown()
		synctest.Wait()
	})
}

func TestTwentyThousandVehiclesRunInOneProcess(t *testing.T) {
	t.Parallel()
	d := fleet.Drive{Number: 1, Seed: 1, Vehicles: 20_000, Steps: 3, Start: departure}
	f, err := StartFleet(fleetSystem(t), FleetOptions{Drive: d, Producer: newFleetSink})
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.Wait(fleetContext(t))
	if err != nil || !got.Complete() || got.Arrived != 20_000 || got.Total().Produced != 300_000 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAFleetRefusesWhatItCannotDrive(t *testing.T) {
	t.Parallel()
	good := fleet.Drive{Number: 1, Vehicles: 1, Start: departure}
	other := good
	other.Seed = 9
	tests := []struct {
		name    string
		options FleetOptions
		want    string
	}{
		{"no drive", FleetOptions{}, "0 vehicles"},
		{"a negative pace", FleetOptions{Drive: good, Pace: -1}, "pace -1"},
		{"no steps in flight", FleetOptions{Drive: good, InFlight: -1}, "-1 steps in flight"},
		{"a topic without a name", FleetOptions{Drive: good, Topics: fleet.Topics{Vehicle: "v"}}, "no name"},
		{"records of another drive", FleetOptions{Drive: good, Sent: fleet.NewSent(other)}, "another drive"},
		{"a producer that cannot be made", FleetOptions{Drive: good, Producer: func(func(string, error)) (port.Producer, error) {
			return nil, errors.New("no broker")
		}}, "no broker"},
	}
	for _, test := range tests {
		if _, err := StartFleet(fleetSystem(t), test.options); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func BenchmarkFleet(b *testing.B) {
	d := fleet.Drive{Number: 1, Seed: 1, Vehicles: 1000, Start: departure}
	b.ReportAllocs()
	for b.Loop() {
		system := fleetSystem(b)
		f, err := StartFleet(system, FleetOptions{Drive: d, Producer: newFleetSink})
		if err != nil {
			b.Fatal(err)
		}
		if got, err := f.Wait(b.Context()); err != nil || !got.Complete() {
			b.Fatal(got, err)
		}
	}
	b.ReportMetric(float64(b.N)*float64(d.Records())/b.Elapsed().Seconds(), "records/s")
}

// fleetSink delivers everything at once and keeps nothing.
type fleetSink func(topic string, err error)

func newFleetSink(delivered func(string, error)) (port.Producer, error) {
	return fleetSink(delivered), nil
}

func (s fleetSink) Produce(_ context.Context, messages []port.Message) (int, error) {
	for _, m := range messages {
		s(m.Topic, nil)
	}
	return len(messages), nil
}

func (s fleetSink) Close() error { return nil }
