package fleet

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"citystream/engine/record"
)

var noon = record.MicrosOf(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC))

func anyDrive(t *rapid.T) Drive {
	return Drive{
		Number:   rapid.Int64Range(1, maxNumber).Draw(t, "number"),
		Seed:     rapid.Uint64().Draw(t, "seed"),
		First:    rapid.Int64Range(0, maxNumber-MaxVehicles).Draw(t, "first"),
		Vehicles: rapid.IntRange(1, 1000).Draw(t, "vehicles"),
		Steps:    rapid.IntRange(0, 120).Draw(t, "steps"),
		Start:    record.Micros(rapid.Int64Range(0, int64(noon)).Draw(t, "start")),
	}
}

func TestADriveWithAnyFaultIsRefusedWithAllOfThem(t *testing.T) {
	t.Parallel()
	if err := (Drive{Number: 1, Vehicles: 1, Start: noon}).Validate(); err != nil {
		t.Errorf("a good drive is refused: %v", err)
	}
	err := Drive{Number: 0, First: -1, Vehicles: 0, Steps: -1, Start: -1}.Validate()
	for _, want := range []string{"drive number 0", "0 vehicles", "number -1", "-1 steps", "start -1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not tell of %q", err, want)
		}
	}
}

func TestTheClockMovesByThirtyToSixtySecondsAStepAndVehiclesStayTogether(t *testing.T) {
	t.Parallel()
	d := Drive{Number: 3, Seed: 9, Vehicles: 500, Start: noon}
	first, last := make([]record.Micros, 200), make([]record.Micros, 200)
	for i := range d.Vehicles {
		v := d.Vehicle(i)
		was := v.start
		if was < d.Start || was >= d.Start.Add(startSpread) {
			t.Fatalf("vehicle %d starts at %v", i, was.Time())
		}
		for !v.Arrived() {
			_, now := v.move()
			if moved := now.Time().Sub(was.Time()); moved < 30*time.Second || moved > 60*time.Second {
				t.Fatalf("step %d of vehicle %d takes %v", v.Taken(), i, moved)
			}
			was = now
			k := v.Taken()
			if first[k] == 0 || now < first[k] {
				first[k] = now
			}
			last[k] = max(last[k], now)
		}
		if was > d.End() {
			t.Fatalf("vehicle %d arrives at %v, after the end %v", i, was.Time(), d.End().Time())
		}
	}
	for k := 1; k <= 99; k++ {
		if apart := last[k].Time().Sub(first[k].Time()); apart > startSpread+2*stepJitter || apart < startSpread/2 {
			t.Errorf("at step %d the vehicles' clocks are %v apart", k, apart)
		}
	}
}

func TestADriveStartsInThePastAndAfterTheOneBefore(t *testing.T) {
	t.Parallel()
	d := Drive{Number: 1, Vehicles: 1, Steps: 4}
	length := startSpread + 4*stepMean + stepJitter
	tests := []struct {
		name       string
		after      record.Micros
		start, end time.Duration // from now
	}{
		{"the first drive ends now", 0, -length, 0},
		{"a drive long after the one before ends now", noon.Add(-time.Hour), -length, 0},
		{"a drive soon after the one before begins at its end", noon.Add(-time.Minute), -time.Minute, length - time.Minute},
		{"a drive after one of the future begins now", noon.Add(time.Minute), 0, length},
	}
	for _, test := range tests {
		got := d.StartingAt(noon, test.after)
		if got.Start != noon.Add(test.start) || got.End() != noon.Add(test.end) {
			t.Errorf("%s: from %v to %v", test.name, got.Start.Time(), got.End().Time())
		}
	}
}

func TestEvenDrivesGoBackUnlessTheOneBeforeWasCutShort(t *testing.T) {
	t.Parallel()
	tests := []struct {
		number int64
		steps  int
		from   Point
		device string
	}{
		{1, 0, London, "North-West"}, {2, 0, Birmingham, "South-East"}, {3, 0, London, "North-West"}, {2, 3, London, "North-West"},
	}
	for _, test := range tests {
		v := Drive{Number: test.number, Vehicles: 1, Steps: test.steps, Start: noon}.Vehicle(0)
		if v.At() != test.from {
			t.Errorf("drive %d of %d steps starts at %v", test.number, test.steps, v.At())
		}
		if r := v.Step(nil); !strings.Contains(string(r[VehicleData].Value), `"direction":"`+test.device+`"`) {
			t.Errorf("drive %d of %d steps goes otherwise than %s: %s", test.number, test.steps, test.device, r[VehicleData].Value)
		}
	}
}

func TestStepsEndADriveBeforeArrival(t *testing.T) {
	t.Parallel()
	for steps, want := range map[int]int64{1: 1, 3: 3, 50: 50, 100: 100, 500: 100, 0: 100} {
		d := Drive{Number: 1, Seed: 5, Vehicles: 20, Steps: steps, Start: noon}
		if got := d.Records(); got != 20*want*Kinds {
			t.Errorf("%d steps: %d records, want %d", steps, got, 20*want*Kinds)
		}
	}
}

func TestTopicsAreFiveAndDiffer(t *testing.T) {
	t.Parallel()
	if err := DefaultTopics().Validate(); err != nil {
		t.Error(err)
	}
	topics := DefaultTopics()
	topics.GPS = topics.Vehicle
	if err := topics.Validate(); err == nil {
		t.Error("one topic for two kinds is taken")
	}
	if err := (Topics{}).Validate(); err == nil {
		t.Error("topics without a name are taken")
	}
}
