package schema

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// genTable draws a table of any columns, without comments.
func genTable() *rapid.Generator[*Table] {
	return rapid.Custom(func(t *rapid.T) *Table {
		duration := rapid.Custom(func(t *rapid.T) time.Duration {
			return time.Duration(rapid.Int64Range(0, 1e12).Draw(t, "micros")) * time.Microsecond
		})
		moment := rapid.Custom(func(t *rapid.T) time.Time {
			return time.UnixMicro(rapid.Int64Range(-6e16, 2e17).Draw(t, "moment")).UTC()
		})
		table := &Table{
			Name: rapid.StringMatching(`[a-z_][a-zA-Z0-9_]{0,9}`).Draw(t, "name"), Topic: rapid.StringMatching(`[a-z.-]{1,9}`).Draw(t, "topic"),
			Window: time.Hour, Lateness: duration.Draw(t, "lateness"), MaxFuture: duration.Draw(t, "maxFuture"),
			Late:     rapid.SampledFrom([]LatePolicy{Append, Drop, Side}).Draw(t, "late"),
			TimeFrom: moment.Draw(t, "from"), TimeTo: moment.Draw(t, "to"),
		}
		for i := range rapid.IntRange(1, 6).Draw(t, "columns") {
			c := Column{
				Name: fmt.Sprintf("c%d", i), Type: rapid.SampledFrom([]Type{String, Binary, Bool, Int, Long, Double, Timestamp}).Draw(t, "type"),
				Paths: rapid.SliceOfN(genPath(), 1, 3).Draw(t, "paths"), Required: rapid.Bool().Draw(t, "required"),
			}
			if c.Type == Timestamp {
				c.Unit = rapid.SampledFrom([]TimeUnit{Auto, Seconds, Millis, Micros}).Draw(t, "unit")
			}
			table.Columns = append(table.Columns, c)
		}
		table.EventTime = rapid.IntRange(-1, len(table.Columns)-1).Draw(t, "eventTime")
		return table
	})
}

func TestAnyTableReadsBackFromItsCanonicalText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := genTable().Draw(t, "table")
		got, err := FromCanonical(want.Canonical())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatal(d)
		}
		if got.Fingerprint() != want.Fingerprint() {
			t.Fatal("another fingerprint")
		}
	})
}

func TestDeadLettersHaveACanonicalText(t *testing.T) {
	t.Parallel()
	if _, err := FromCanonical(DeadLetters().Canonical()); err != nil {
		t.Fatal(err)
	}
}

// A fingerprint that changes without a change of the table would make every log start anew under a schema it has.
func TestFingerprintsStayTheSameFromOneReleaseToTheNext(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"vehicle_data":   "39149c3bf5c32b7cfc45baba8d3f9069",
		"gps_data":       "6924a49cf4b49bf2fabe013c4cba4393",
		"traffic_data":   "7fc186f2ed8f26a67662f32839772c78",
		"weather_data":   "8fcba114f837505fe4da5c048f46eea1",
		"emergency_data": "1acf35e77ccc4e1f2654ed3d700b41e8",
	}
	for _, table := range Cities() {
		if got := table.Fingerprint(); got != want[table.Name] {
			t.Errorf("%s: %s, was %s; text %s", table.Name, got, want[table.Name], table.Canonical())
		}
	}
}

func TestWhatDecidesARecordsFateIsInTheFingerprint(t *testing.T) {
	t.Parallel()
	base := func() *Table { return Cities()[3] }
	for name, change := range map[string]func(*Table){
		"name":        func(t *Table) { t.Name = "x" },
		"topic":       func(t *Table) { t.Topic = "x" },
		"event time":  func(t *Table) { t.EventTime = 0 },
		"window":      func(t *Table) { t.Window++ },
		"lateness":    func(t *Table) { t.Lateness++ },
		"max future":  func(t *Table) { t.MaxFuture++ },
		"late policy": func(t *Table) { t.Late = Drop },
		"time from":   func(t *Table) { t.TimeFrom = t.TimeFrom.Add(1) },
		"time to":     func(t *Table) { t.TimeTo = t.TimeTo.Add(1) },
		"order":       func(t *Table) { t.Columns[0], t.Columns[1] = t.Columns[1], t.Columns[0] },
		"column name": func(t *Table) { t.Columns[0].Name = "x" },
		"type":        func(t *Table) { t.Columns[0].Type = Binary },
		"path":        func(t *Table) { t.Columns[0].Paths[0][0].Field = "x" },
		"alias":       func(t *Table) { t.Columns[0].Paths = append(t.Columns[0].Paths, Path{{Field: "x"}}) },
		"required":    func(t *Table) { t.Columns[0].Required = false },
		"unit":        func(t *Table) { t.Columns[t.EventTime].Unit = Millis },
	} {
		changed := base()
		change(changed)
		if changed.Fingerprint() == base().Fingerprint() {
			t.Errorf("%s is not in the fingerprint", name)
		}
	}
	commented := base()
	commented.Columns[0].Comment = "a better comment"
	if commented.Fingerprint() != base().Fingerprint() {
		t.Error("a comment changes the fingerprint")
	}
}

func TestTextsOfNewerProgramsAreRefused(t *testing.T) {
	t.Parallel()
	text := string(Cities()[0].Canonical())
	for _, newer := range []string{
		strings.Replace(text, `"format":1`, `"format":2,"new":[]`, 1),
		strings.Replace(text, `"decoder":1`, `"decoder":2`, 1),
	} {
		if _, err := FromCanonical([]byte(newer)); !errors.Is(err, ErrNewer) {
			t.Errorf("%v", err)
		}
	}
	for name, broken := range map[string]string{
		"a field that is not known":   strings.Replace(text, `"late":`, `"later":"","late":`, 1),
		"a type that is not known":    strings.Replace(text, `"double"`, `"decimal"`, 1),
		"a policy that is not known":  strings.Replace(text, `"append"`, `"later"`, 1),
		"an event time that is not":   strings.Replace(text, `"eventTime":"timestamp"`, `"eventTime":"when"`, 1),
		"a second text after it":      text + text,
		"a text that ends in between": text[:len(text)/2],
	} {
		if _, err := FromCanonical([]byte(broken)); err == nil || errors.Is(err, ErrNewer) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
