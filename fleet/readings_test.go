package fleet

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite testdata")

// shapes are the records as the design lists them: names in their order, and what each value must be.
var shapes = [Kinds][]field{
	VehicleData: {
		{"id", uuid},
		{"deviceId", device},
		{"timestamp", timestamp},
		{"location", location},
		{"speed", number(10, 40)},
		{"direction", direction},
		{"make", text},
		{"model", text},
		{"year", integer(2010, 2026)},
		{"fuelType", oneOf("Petrol", "Diesel", "Hybrid", "Electric")},
	},
	GPSData: {
		{"id", uuid},
		{"deviceId", device},
		{"timestamp", timestamp},
		{"speed", number(0, 40)},
		{"direction", direction},
		{"vehicle_type", oneOf("private", "public")},
	},
	TrafficData: {
		{"id", uuid},
		{"deviceId", device},
		{"cameraId", matches(`^camera-\d{3}$`)},
		{"location", location},
		{"timestamp", timestamp},
		{"snapshot", base64Text},
	},
	WeatherData: {
		{"id", uuid},
		{"deviceId", device},
		{"location", location},
		{"timestamp", timestamp},
		{"temperature", number(-5, 26)},
		{"weatherCondition", oneOf("Sunny", "Cloud", "Rain", "Snow")},
		{"precipitation", number(0, 25)},
		{"windSpeed", number(0, 100)},
		{"humidity", integer(0, 100)},
		{"airQualityIndex", number(0, 500)},
	},
	EmergencyData: {
		{"id", uuid},
		{"deviceId", device},
		{"incidentId", uuid},
		{"type", oneOf("Accident", "Fire", "Medical", "Police", "None")},
		{"location", location},
		{"timestamp", timestamp},
		{"status", oneOf("Active", "Resolved")},
		{"description", text},
	},
}

type (
	field struct {
		name  string
		check check
	}
	check func(value any) bool
)

func matches(pattern string) check {
	re := regexp.MustCompile(pattern)
	return func(v any) bool { s, ok := v.(string); return ok && re.MatchString(s) }
}

func oneOf(words ...string) check {
	return func(v any) bool { s, ok := v.(string); return ok && slices.Contains(words, s) }
}

// number wants a number with a decimal point, so that no reader takes the column for whole numbers.
func number(lo, hi float64) check {
	return func(v any) bool {
		n, ok := v.(json.Number)
		f, err := n.Float64()
		return ok && err == nil && f >= lo && f <= hi && bytes.ContainsRune([]byte(n), '.')
	}
}

func integer(lo, hi int64) check {
	return func(v any) bool {
		n, ok := v.(json.Number)
		i, err := n.Int64()
		return ok && err == nil && i >= lo && i <= hi
	}
}

var (
	uuid      = matches(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	device    = matches(`^vehicle-\d{6,}$`)
	timestamp = matches(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$`)
	direction = oneOf("North-West", "South-East")
	text      = matches(`^[\w .-]+$`)
)

func location(v any) bool {
	pair, ok := v.([]any)
	return ok && len(pair) == 2 && number(51.4, 52.6)(pair[0]) && number(-1.9, -0.1)(pair[1])
}

func base64Text(v any) bool {
	s, ok := v.(string)
	raw, err := base64.StdEncoding.DecodeString(s)
	return ok && err == nil && len(raw) == snapshotBytes
}

// decode returns the fields of an object in their order.
func decode(t *testing.T, value []byte) (names []string, values map[string]any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(value))
	if _, err := d.Token(); err != nil {
		t.Fatalf("%s: %v", value, err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			t.Fatalf("%s: %v", value, err)
		}
		names = append(names, name.(string))
		var skipped json.RawMessage
		if err := d.Decode(&skipped); err != nil {
			t.Fatalf("%s: %v", value, err)
		}
	}
	whole := json.NewDecoder(bytes.NewReader(value))
	whole.UseNumber()
	if err := whole.Decode(&values); err != nil || whole.More() {
		t.Fatalf("%s: %v", value, err)
	}
	return names, values
}

func TestEachRecordHasItsFieldsInOrderAndInRange(t *testing.T) {
	t.Parallel()
	for number := int64(1); number <= 2; number++ {
		d := Drive{Number: number, Seed: 7, Vehicles: 4, Start: noon}
		for i := range d.Vehicles {
			for v := d.Vehicle(i); !v.Arrived(); {
				checkStep(t, v.Step(nil))
			}
		}
	}
}

func checkStep(t *testing.T, readings Readings) {
	t.Helper()
	var stamp, from any
	for kind, r := range readings {
		names, values := decode(t, r.Value)
		var want []string
		for _, f := range shapes[kind] {
			want = append(want, f.name)
			if !f.check(values[f.name]) {
				t.Fatalf("kind %d: %s is %v in %s", kind, f.name, values[f.name], r.Value)
			}
		}
		if !slices.Equal(names, want) {
			t.Fatalf("kind %d: fields %v, want %v", kind, names, want)
		}
		if values["id"] != string(r.Key) {
			t.Fatalf("the key %s is not the id of %s", r.Key, r.Value)
		}
		if kind == 0 {
			stamp, from = values["timestamp"], values["deviceId"]
		}
		if values["timestamp"] != stamp || values["deviceId"] != from {
			t.Fatalf("records of one step differ in time or vehicle: %s", r.Value)
		}
	}
}

func TestReadingsReachTheEndsOfTheirRanges(t *testing.T) {
	t.Parallel()
	lo, hi, words := map[string]float64{}, map[string]float64{}, map[string]map[string]bool{}
	d := Drive{Number: 1, Seed: 3, Vehicles: 10, Start: noon}
	for i := range d.Vehicles {
		for v := d.Vehicle(i); !v.Arrived(); {
			for kind, r := range v.Step(nil) {
				_, values := decode(t, r.Value)
				for name, value := range values {
					name = fmt.Sprint(kind, ".", name)
					switch value := value.(type) {
					case json.Number:
						f, _ := value.Float64()
						if _, ok := lo[name]; !ok {
							lo[name], hi[name] = f, f
						}
						lo[name], hi[name] = min(lo[name], f), max(hi[name], f)
					case string:
						if words[name] == nil {
							words[name] = map[string]bool{}
						}
						words[name][value] = true
					}
				}
			}
		}
	}
	ranges := map[string][2]float64{
		"0.speed": {10.1, 39.9}, "1.speed": {0.1, 39.9}, "3.temperature": {-4.9, 25.9}, "3.precipitation": {0, 24.8}, "3.windSpeed": {0.5, 99.5},
		"3.humidity": {0, 100}, "3.airQualityIndex": {2, 498},
	}
	for name, want := range ranges {
		if lo[name] > want[0] || hi[name] < want[1] {
			t.Errorf("%s runs from %v to %v only", name, lo[name], hi[name])
		}
	}
	values := map[string]int{
		"3.weatherCondition": 4, "4.type": 5, "4.status": 2, "0.make": 5, "1.vehicle_type": 2, "0.fuelType": 4, "2.cameraId": 100,
	}
	for name, want := range values {
		if len(words[name]) < want {
			t.Errorf("%s has the values %v only", name, words[name])
		}
	}
}

func TestAVehicleKeepsItsMakeOverDrives(t *testing.T) {
	t.Parallel()
	of := func(number int64, vehicle int) string {
		v := Drive{Number: number, Seed: 1, Vehicles: 50, Start: noon}.Vehicle(vehicle)
		_, values := decode(t, v.Step(nil)[VehicleData].Value)
		return fmt.Sprint(values["deviceId"], values["make"], values["model"], values["year"], values["fuelType"])
	}
	for i := range 50 {
		if a, b := of(1, i), of(2, i); a != b {
			t.Errorf("vehicle %d is %s, then %s", i, a, b)
		}
	}
}

// drive returns the records of a drive as lines of JSON.
func drive(d Drive) []byte {
	var out bytes.Buffer
	for i := range d.Vehicles {
		for v := d.Vehicle(i); !v.Arrived(); {
			for _, r := range v.Step(nil) {
				out.Write(r.Value)
				out.WriteByte('\n')
			}
		}
	}
	return out.Bytes()
}

func TestTheSameNumbersGiveTheSameBytes(t *testing.T) {
	t.Parallel()
	d := Drive{Number: 1, Seed: 1, Vehicles: 3, Steps: 3, Start: noon}
	got := drive(d)
	const golden = "testdata/drive.jsonl"
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the bytes of seed 1 have changed, which breaks unfinished drives; -update if that is meant")
	}
	for name, change := range map[string]func(*Drive){
		"seed":   func(d *Drive) { d.Seed++ },
		"number": func(d *Drive) { d.Number++ },
		"first":  func(d *Drive) { d.First += 10 },
	} {
		other := d
		change(&other)
		have := map[string]bool{}
		for _, line := range bytes.Split(got, []byte("\n")) {
			have[string(line)] = true
		}
		for _, line := range bytes.Split(bytes.TrimSpace(drive(other)), []byte("\n")) {
			if have[string(line)] {
				t.Errorf("another %s gives the same record %s", name, line)
			}
		}
	}
}

func TestAVehiclesRecordsDoNotDependOnTheSizeOfTheFleet(t *testing.T) {
	t.Parallel()
	small, large := Drive{Number: 1, Seed: 1, Vehicles: 2, Start: noon}, Drive{Number: 1, Seed: 1, Vehicles: 9, Start: noon}
	if !bytes.HasPrefix(drive(large), drive(small)) {
		t.Error("the first vehicles drive otherwise in a larger fleet")
	}
}

func TestSkippingAStepLeavesTheNextAsItIs(t *testing.T) {
	t.Parallel()
	d := Drive{Number: 1, Seed: 1, Vehicles: 1, Start: noon}
	a, b := d.Vehicle(0), d.Vehicle(0)
	a.Step(nil)
	b.Skip()
	x, y := a.Step(nil), b.Step(nil)
	for kind := range x {
		if !bytes.Equal(x[kind].Value, y[kind].Value) {
			t.Errorf("after a skipped step: %s, else %s", y[kind].Value, x[kind].Value)
		}
	}
}

func TestTimestampsAlwaysHaveSixDecimalsAndNoZone(t *testing.T) {
	t.Parallel()
	v := Vehicle{}
	for micros, want := range map[int64]string{0: "12:00:00.000000", 1: "12:00:00.000001", 500_000: "12:00:00.500000"} {
		var d draws
		_, values := decode(t, v.read(&d, noon.Add(time.Duration(micros)*time.Microsecond), nil)[GPSData].Value)
		if got := values["timestamp"]; got != "2026-11-22T"+want {
			t.Errorf("%v, want %v", got, want)
		}
	}
}

func TestDecimalsAreWrittenWithTheirSignAndAllTheirDigits(t *testing.T) {
	t.Parallel()
	tests := []struct {
		value    int64
		decimals int
		want     string
	}{
		{0, 1, "0.0"},
		{5, 1, "0.5"},
		{-5, 1, "-0.5"},
		{-50, 1, "-5.0"},
		{260, 1, "26.0"},
		{1000, 2, "10.00"},
		{1005, 2, "10.05"},
		{-127_800, 6, "-0.127800"},
		{51_507_400, 6, "51.507400"},
		{-1_809_400, 6, "-1.809400"},
		{1, 6, "0.000001"},
	}
	for _, test := range tests {
		if got := string(appendDecimal(nil, test.value, test.decimals)); got != test.want {
			t.Errorf("%d with %d decimals is %s, want %s", test.value, test.decimals, got, test.want)
		}
	}
	for value, want := range map[int64]string{0: "000000", 7: "000007", 99_999: "099999", 100_000: "100000", 4_294_967_295: "4294967295"} {
		if got := string(appendPadded(nil, value, 6)); got != want {
			t.Errorf("%d is %s, want %s", value, got, want)
		}
	}
}

func TestStepBytesAreEnoughForAnyStep(t *testing.T) {
	t.Parallel()
	longest := 0
	d := Drive{Number: 2, Seed: 11, First: maxNumber - MaxVehicles, Vehicles: 50, Start: noon}
	for i := range d.Vehicles {
		for v := d.Vehicle(i); !v.Arrived(); {
			size := 0
			for _, r := range v.Step(nil) {
				size += len(r.Value)
			}
			longest = max(longest, size)
		}
	}
	if longest > StepBytes-32 {
		t.Errorf("a step has %d bytes: StepBytes = %d is too little", longest, StepBytes)
	}
	t.Logf("longest step: %d bytes", longest)
}

func TestAStepAllocatesNothingButItsBuffer(t *testing.T) {
	buf := make([]byte, 0, StepBytes)
	d := Drive{Number: 1, Seed: 1, Vehicles: 1, Start: noon}
	if n := testing.AllocsPerRun(10, func() {
		for v := d.Vehicle(0); !v.Arrived(); {
			v.Step(buf)
		}
	}); n > 0 {
		t.Errorf("a drive of 100 steps makes %v allocations", n)
	}
}

func TestAVehicleThatHasArrivedIsNotDrivenOn(t *testing.T) {
	t.Parallel()
	v := Drive{Number: 1, Vehicles: 1, Steps: 1, Start: noon}.Vehicle(0)
	v.Skip()
	defer func() {
		if recover() == nil {
			t.Error("it was driven on")
		}
	}()
	v.Skip()
}

func BenchmarkStep(b *testing.B) {
	d := Drive{Number: 1, Seed: 1, Vehicles: 1, Start: noon}
	v := d.Vehicle(0)
	b.ReportAllocs()
	for b.Loop() {
		if v.Arrived() {
			v = d.Vehicle(0)
		}
		v.Step(make([]byte, 0, StepBytes))
	}
	b.ReportMetric(float64(b.N)*Kinds/b.Elapsed().Seconds(), "readings/s")
}
