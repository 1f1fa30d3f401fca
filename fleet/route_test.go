package fleet

import (
	"testing"

	"pgregory.net/rapid"
)

// along returns how many steps a vehicle needs whose jitter is the same at each step.
func along(t *testing.T, r route, lat, lon Degrees) int {
	t.Helper()
	at, stride := r.from, r.stride()
	for step := 1; step <= 2*MostSteps; step++ {
		at.Lat, at.Lon = at.Lat+stride.Lat+lat, at.Lon+stride.Lon+lon
		if r.arrived(at) {
			return step
		}
	}
	t.Fatal("never arrives")
	return 0
}

func TestAVehicleArrivesWithinTheStepsThatJitterAllows(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		lat, lon Degrees // jitter of each step from London to Birmingham
		steps    int
	}{
		{"without jitter it takes a hundred steps", 0, 0, 100},
		{"all jitter forward saves a step", jitter, -jitter, 99},
		{"all jitter backward costs a step, and no more", -jitter, jitter, MostSteps},
		{"jitter across the way changes nothing", jitter, jitter, 100},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := along(t, route{London, Birmingham}, test.lat, test.lon); got != test.steps {
				t.Errorf("arrives with step %d, want %d", got, test.steps)
			}
			if got := along(t, route{Birmingham, London}, -test.lat, -test.lon); got != test.steps {
				t.Errorf("arrives back with step %d, want %d", got, test.steps)
			}
		})
	}
}

func TestArrivalIsLessThanHalfAStrideBeforeTheGoal(t *testing.T) {
	t.Parallel()
	r := route{London, Birmingham}
	stride := r.stride()
	before := func(lat, lon Degrees) Point { return Point{Birmingham.Lat + lat, Birmingham.Lon + lon} }
	tests := []struct {
		name    string
		at      Point
		arrived bool
	}{
		{"at the start", London, false},
		{"a stride before the goal", before(-stride.Lat, -stride.Lon), false},
		{"half a stride before the goal", before(-stride.Lat/2, -stride.Lon/2), false},
		{"a little less than half a stride before the goal", before(-stride.Lat/2+1, -stride.Lon/2), true},
		{"at the goal", Birmingham, true},
		{"beyond the goal", before(stride.Lat, stride.Lon), true},
		{"beside the goal", before(50_000, 29_104), true},
	}
	for _, test := range tests {
		if got := r.arrived(test.at); got != test.arrived {
			t.Errorf("%s: arrived %v, want %v", test.name, got, test.arrived)
		}
	}
}

func TestAStepIsAHundredthOfTheWayPlusJitter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := anyDrive(t)
		v := d.Vehicle(rapid.IntRange(0, d.Vehicles-1).Draw(t, "vehicle"))
		from, to := London, Birmingham
		if d.back() {
			from, to = to, from
		}
		if v.At() != from {
			t.Fatalf("starts at %v, want %v", v.At(), from)
		}
		for !v.Arrived() {
			was := v.At()
			v.Skip()
			lat, lon := v.At().Lat-was.Lat-(to.Lat-from.Lat)/100, v.At().Lon-was.Lon-(to.Lon-from.Lon)/100
			if max(lat, -lat) > 100 || max(lon, -lon) > 100 {
				t.Fatalf("step %d goes astray by %d, %d millionths of a degree", v.Taken(), lat, lon)
			}
		}
		if v.Taken() > d.MostSteps() {
			t.Fatalf("took %d steps of %d", v.Taken(), d.MostSteps())
		}
		off := max(abs(v.At().Lat-to.Lat), abs(v.At().Lon-to.Lon))
		if d.MostSteps() == MostSteps && off > 25_000 {
			t.Fatalf("ends at %v, not at %v", v.At(), to)
		}
	})
}

func abs(d Degrees) Degrees { return max(d, -d) }

func TestJitterUsesItsWholeRange(t *testing.T) {
	t.Parallel()
	seen := map[Degrees]bool{}
	d := Drive{Number: 1, Seed: 1, Vehicles: 100}
	for i := range d.Vehicles {
		for v := d.Vehicle(i); !v.Arrived(); {
			was := v.At().Lat
			v.Skip()
			seen[v.At().Lat-was-9788] = true
		}
	}
	if len(seen) != 201 || !seen[-100] || !seen[100] {
		t.Errorf("%d values of jitter, want all 201 from -100 to 100", len(seen))
	}
}
