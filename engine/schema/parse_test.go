package schema

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"citystream/internal/strictyaml"
)

// sensors is a table that is none of the city's: nested paths, aliases, a required column, and epoch milliseconds.
const sensors = `
name: engine_sensors
topic: plant-7.engines
eventTime: measured
lateness: 90s
maxFuture: 5m
late: drop
timeFrom: 2020-01-01
timeTo: 2030-06-30T12:00:00+02:00
columns:
  - name: sensorId
    type: string
    path: meta.sensor.id
    aliases: [meta.sensorId, sensor_id]
    required: true
    comment: as printed on the sensor
  - {name: measured, type: timestamp, path: meta.ts, unit: millis}
  - {name: oilTemp, type: double, path: 'engine."oil temp".values[0]'}
  - {name: revs, type: long}
  - {name: ok, type: bool, path: "flags[2]"}
  - {name: gear, type: int}
  - {name: raw, type: binary}
`

func TestATableIsReadFromYAMLAlone(t *testing.T) {
	t.Parallel()
	got, err := Parse("sensors.yaml", []byte(sensors))
	if err != nil {
		t.Fatal(err)
	}
	want := []*Table{{
		Name: "engine_sensors", Topic: "plant-7.engines",
		Columns: []Column{
			{
				Name: "sensorId", Type: String, Required: true, Comment: "as printed on the sensor",
				Paths: []Path{
					{{Field: "meta"}, {Field: "sensor"}, {Field: "id"}},
					{{Field: "meta"}, {Field: "sensorId"}},
					{{Field: "sensor_id"}},
				},
			},
			{Name: "measured", Type: Timestamp, Paths: []Path{{{Field: "meta"}, {Field: "ts"}}}, Required: true, Unit: Millis},
			{Name: "oilTemp", Type: Double, Paths: []Path{{{Field: "engine"}, {Field: "oil temp"}, {Field: "values"}, {Index: 0}}}},
			{Name: "revs", Type: Long, Paths: []Path{{{Field: "revs"}}}},
			{Name: "ok", Type: Bool, Paths: []Path{{{Field: "flags"}, {Index: 2}}}},
			{Name: "gear", Type: Int, Paths: []Path{{{Field: "gear"}}}},
			{Name: "raw", Type: Binary, Paths: []Path{{{Field: "raw"}}}},
		},
		EventTime: 1, Window: time.Hour, Lateness: 90 * time.Second, MaxFuture: 5 * time.Minute, Late: Drop,
		TimeFrom: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), TimeTo: time.Date(2030, 6, 30, 10, 0, 0, 0, time.UTC),
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
}

func TestAShortTableGetsTheDefaults(t *testing.T) {
	t.Parallel()
	got, err := Parse("", []byte("{name: t, topic: t, eventTime: at, columns: [{name: at, type: timestamp}]}"))
	if err != nil {
		t.Fatal(err)
	}
	want := []*Table{{
		Name: "t", Topic: "t", Columns: []Column{{Name: "at", Type: Timestamp, Paths: []Path{{{Field: "at"}}}, Required: true}},
		Window: time.Hour, Lateness: 2 * time.Minute, MaxFuture: time.Hour, TimeFrom: DefaultTimeFrom, TimeTo: DefaultTimeTo,
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
}

func TestEveryFaultIsReportedAtOnceInItsPlace(t *testing.T) {
	t.Parallel()
	const text = `name: 2fast
topic: "a topic"
eventTime: when
lateness: 10
maxFuture: 0s
late: later
timeFrom: yesterday
lateness: 3m
windowLength: 1h
columns:
  - name: Date
    type: string
  - name: id
    type: uuid
    pth: x
  - {name: ID, type: string, unit: millis}
  - {type: int}
  - {name: a, type: int, path: "b..c"}
  - {name: kafka_offset, type: long}
  - text
  - {name: f, type: bool, required: perhaps, comment: 7}
  - {name: g, type: long, path: f, aliases: [f]}
  - {name: h, type: long, aliases: f}
`
	want := `t.yaml:1:7: name: "2fast" is no name: letters, digits and _, not beginning with a digit, at most 128
t.yaml:2:8: topic: "a topic" is no name of a topic: letters, digits, dots, _ and -, at most 249
t.yaml:3:12: eventTime: there is no column when
t.yaml:4:11: lateness: must be a duration with its unit, like 90s, 10m or 1h30m
t.yaml:5:12: maxFuture: 0s lies outside 1µs to 8784h0m0s
t.yaml:6:7: late: must be one of append, drop, side, not "later"
t.yaml:7:11: timeFrom: must be a day like 2000-01-01 or a moment like 2000-01-01T00:00:00Z
t.yaml:8:1: lateness: written twice; the first is in line 4
t.yaml:9:1: windowLength: no such key; known here: name, topic, eventTime, lateness, maxFuture, late, timeFrom, timeTo, columns
t.yaml:11:11: columns[0].name: Date is taken by the system: give the column another name and its place in the record by path
t.yaml:14:11: columns[1].type: must be one of string, binary, bool, int, long, double, timestamp, not "uuid"
t.yaml:15:5: columns[1].pth: no such key; is path meant?
t.yaml:16:12: columns[2].name: there is a column id already: Glue does not tell capital letters from small ones
t.yaml:16:36: columns[2].unit: only a column of type timestamp has a unit
t.yaml:17:6: columns[3]: name is missing: the column's name in SQL
t.yaml:18:32: columns[4].path: path b..c: the name of a field is missing
t.yaml:19:12: columns[5].name: kafka_offset is taken by the system: give the column another name and its place in the record by path
t.yaml:20:5: columns[6]: must be a section of keys, not text
t.yaml:21:37: columns[7].required: must be true or false, not text
t.yaml:21:55: columns[7].comment: must be text: write "7" with quotes
t.yaml:22:46: columns[8].aliases[0]: path f is written twice
t.yaml:23:36: columns[9].aliases: must be a list of paths, not text`
	_, err := Parse("t.yaml", []byte(text))
	if err == nil {
		t.Fatal("no error")
	}
	if d := cmp.Diff(strings.Split(want, "\n"), strings.Split(err.Error(), "\n")); d != "" {
		t.Fatal(d)
	}
}

func TestRulesOfTables(t *testing.T) {
	t.Parallel()
	const rest = "topic: t\neventTime: at\ncolumns:\n- {name: at, type: timestamp}\n"
	for _, c := range []struct{ name, text, want string }{
		{"the dead letters are taken", "name: Dead_Letters\n" + rest, "table of the records that cannot be decoded"},
		{"a leading underscore hides files", "name: _t\n" + rest, "pass over folders"},
		{"an empty range", "name: t\ntimeFrom: 2001-01-01\ntimeTo: 2001-01-01\n" + rest, "range of event times is empty"},
		{"a range that begins after the default end", "name: t\ntimeFrom: 2101-01-01\n" + rest, "range of event times is empty"},
		{"a lateness below zero", "name: t\nlateness: -1s\n" + rest, "lies outside 0s to"},
		{"nothing at all", "# nothing\n", "no table in it"},
		{"an empty list", "[]", "no table in it"},
		{"a key without a value", "name:\n" + rest, "name: has no value"},
		{"two documents", "name: t\n" + rest + "---\nname: u\n", "second document"},
		{"an alias", "name: &x t\n" + rest, "anchors and aliases are not read here"},
		{"a tag", "name: !!str t\n" + rest, "tags are not read here"},
		{"no YAML", "name: [\n" + rest, "not YAML"},
		{
			"an event time of the wrong type", "name: t\ntopic: t\neventTime: at\ncolumns:\n- {name: at, type: long}\n",
			"column at must be of type timestamp",
		},
		{
			"an event time that need not be", "name: t\ntopic: t\neventTime: at\ncolumns:\n- {name: at, type: timestamp, required: false}\n",
			"each record must have it",
		},
		{
			"a second table of the name",
			"- {name: t, topic: t, eventTime: at, columns: [{name: at, type: timestamp}]}\n" +
				"- {name: T, topic: u, eventTime: at, columns: [{name: at, type: timestamp}]}\n",
			"second table of the name T",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse("", []byte(c.text))
			var faults *strictyaml.Error
			if !errors.As(err, &faults) {
				t.Fatalf("%v", err)
			}
			if !strings.Contains(err.Error(), c.want) || len(faults.Faults) != 1 {
				t.Fatalf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestTheFiveTablesOfTheCity(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"vehicle_data": "id string, deviceId string, timestamp timestamp, latitude double, longitude double, speed double, " +
			"direction string, make string, model string, year int, fuelType string",
		"gps_data": "id string, deviceId string, timestamp timestamp, speed double, direction string, vehicle_type string",
		"traffic_data": "id string, deviceId string, cameraId string, latitude double, longitude double, timestamp timestamp, " +
			"snapshot string",
		"weather_data": "id string, deviceId string, latitude double, longitude double, timestamp timestamp, temperature double, " +
			"weatherCondition string, precipitation double, windSpeed double, humidity int, airQualityIndex double",
		"emergency_data": "id string, deviceId string, incidentId string, type string, latitude double, longitude double, " +
			"timestamp timestamp, status string, description string",
	}
	all := Cities()
	if len(all) != len(want) {
		t.Fatalf("%d tables", len(all))
	}
	for i, table := range all {
		if table.Name != cityTables[i] || table.Topic != table.Name || table.Lateness != 10*time.Minute || table.Late != Append {
			t.Errorf("table %+v", table)
		}
		var columns, required []string
		for _, c := range table.Columns {
			columns = append(columns, c.Name+" "+c.Type.Glue())
			if c.Required {
				required = append(required, c.Name)
			}
		}
		if d := cmp.Diff(want[table.Name], strings.Join(columns, ", ")); d != "" {
			t.Errorf("%s: %s", table.Name, d)
		}
		if d := cmp.Diff([]string{"id", "timestamp"}, required); d != "" {
			t.Errorf("%s: %s", table.Name, d)
		}
		if table.Columns[table.EventTime].Name != "timestamp" {
			t.Errorf("%s: event time %d", table.Name, table.EventTime)
		}
	}
	if p := all[1].Columns[5].Paths; len(p) != 2 || p[1].String() != "vehicleType" {
		t.Errorf("vehicle_type is read from %v", p)
	}
	if p := all[0].Columns[3].Paths; p[0].String() != "location[0]" {
		t.Errorf("latitude is read from %v", p)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sensors)
	f.Add("name: t\ncolumns: [{name: a, type: int}]")
	f.Add("a: &x [*x]")
	f.Add("? {a: b}\n: c")
	f.Fuzz(func(t *testing.T, text string) {
		tables, err := Parse("", []byte(text))
		if err != nil {
			return
		}
		for _, table := range tables {
			if _, err := FromCanonical(table.Canonical()); err != nil {
				t.Fatal(err)
			}
		}
	})
}
