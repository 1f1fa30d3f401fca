package window

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"citystream/engine/commitlog"
	"citystream/engine/record"
)

const (
	second = record.Micros(1_000_000)
	minute = 60 * second
	hour   = 60 * minute
)

func TestARecordsWindowHoldsItsTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := record.Micros(rapid.Int64Range(-1<<50, 1<<50).Draw(t, "at"))
		start := Start(at, time.Hour)
		if start > at || at >= start+hour || start%hour != 0 {
			t.Fatalf("%d is not in the hour from %d", at, start)
		}
	})
}

func TestWatermark(t *testing.T) {
	const now = 100 * hour
	type seen struct{ event, kafka, now record.Micros }
	for name, c := range map[string]struct {
		from   record.Micros
		seen   []seen
		want   record.Micros
		future int
	}{
		"stays behind the greatest event time by the lateness":     {0, []seen{{10 * hour, now, now}}, 10*hour - 2*minute, 0},
		"does not go back for an older record":                     {0, []seen{{10 * hour, now, now}, {9 * hour, now, now}}, 10*hour - 2*minute, 0},
		"does not go back below where it was taken over":           {20 * hour, []seen{{10 * hour, now, now}}, 20 * hour, 0},
		"stands at zero before the first record":                   {0, nil, 0, 0},
		"follows a record just as far ahead as allowed":            {0, []seen{{now + hour, now, now}}, now + hour - 2*minute, 0},
		"is not moved by a record too far ahead of its Kafka time": {5, []seen{{now + hour + 1, now, now + hour}}, 5, 1},
		"is not moved when event and Kafka time share a bad clock": {5, []seen{{now + 3*hour, now + 3*hour, now}}, 5, 1},
		"goes on after a record from the future":                   {0, []seen{{now + 3*hour, now, now}, {now, now, now}}, now - 2*minute, 1},
	} {
		w := NewWatermark(c.from, 2*time.Minute, time.Hour)
		future := 0
		for _, s := range c.seen {
			if w.Observe(s.event, s.kafka, s.now) {
				future++
			}
		}
		if w.At() != c.want || future != c.future {
			t.Errorf("%s: at %d with %d from the future, want %d with %d", name, w.At(), future, c.want, c.future)
		}
	}
}

func TestWatermarkNeverGoesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := NewWatermark(record.Micros(rapid.Int64Range(0, 1<<40).Draw(t, "from")), time.Minute, time.Minute)
		for range rapid.IntRange(1, 30).Draw(t, "records") {
			before := w.At()
			v := rapid.Int64Range(0, 1<<41)
			w.Observe(record.Micros(v.Draw(t, "event")), record.Micros(v.Draw(t, "kafka")), record.Micros(v.Draw(t, "now")))
			if w.At() < before {
				t.Fatalf("went from %d back to %d", before, w.At())
			}
		}
	})
}

func TestFlush(t *testing.T) {
	limits := Limits{Rows: 100, Bytes: 1000, Age: 10 * time.Second, OpenWindows: 3}
	type want struct {
		reason commitlog.Reason
		chosen []int
	}
	fresh := func(end record.Micros) Open { return Open{End: end, Opened: 50 * second, Rows: 1, Bytes: 10} }
	for name, c := range map[string]struct {
		open              []Open
		watermark, judged record.Micros
		now               record.Micros
		want              want
	}{
		"nothing is due while everything is small and young": {[]Open{fresh(hour)}, 5, 5, 51 * second, want{"", nil}},
		"nothing is due where nothing is open":               {nil, 5, 5, 51 * second, want{"", nil}},
		"the watermark closes the windows that it passed and no other": {
			[]Open{fresh(hour), fresh(2 * hour), fresh(3 * hour)},
			2*hour + 1, 5, 51 * second,
			want{commitlog.ReasonWatermark, []int{0, 1}},
		},
		"a window is closed when the watermark stands at its very end": {
			[]Open{fresh(hour)}, hour, hour - 1, 51 * second, want{commitlog.ReasonWatermark, []int{0}},
		},
		"the watermark is logged also where the window has no rows": {nil, hour + 1, 5, 51 * second, want{commitlog.ReasonWatermark, nil}},
		"the watermark closes a window that it had passed before its first row came": {
			[]Open{fresh(hour)}, hour + 5, hour + 4, 51 * second, want{commitlog.ReasonWatermark, []int{0}},
		},
		"late rows alone do not count as a window to close": {
			[]Open{{End: hour, Opened: 50 * second, Late: true}}, hour + 5, hour + 4, 51 * second, want{"", nil},
		},
		"the watermark takes late rows of closed windows along": {
			[]Open{{End: hour, Opened: 50 * second, Late: true}, fresh(3 * hour)},
			2 * hour, hour, 51 * second,
			want{commitlog.ReasonWatermark, []int{0}},
		},
		"the watermark leaves dead letters to the other reasons": {[]Open{{Opened: 50 * second}}, hour, 5, 51 * second, want{commitlog.ReasonWatermark, nil}},
		"age flushes all that is open": {
			[]Open{fresh(2 * hour), {End: 3 * hour, Opened: 40 * second}}, 5, 5, 50 * second, want{commitlog.ReasonAge, []int{0, 1}},
		},
		"age counts for dead letters": {[]Open{{Opened: 40 * second}}, 5, 5, 50 * second, want{commitlog.ReasonAge, []int{0}}},
		"age is called late where only late rows wait": {
			[]Open{{End: hour, Opened: 40 * second, Late: true}}, 2 * hour, 2 * hour, 50 * second, want{commitlog.ReasonLate, []int{0}},
		},
		"rows flush the file that has them": {
			[]Open{fresh(hour), {End: 2 * hour, Opened: 50 * second, Rows: 100}}, 5, 5, 51 * second, want{commitlog.ReasonRows, []int{1}},
		},
		"bytes flush the file that has them": {
			[]Open{fresh(hour), {End: 2 * hour, Opened: 50 * second, Bytes: 1000}}, 5, 5, 51 * second, want{commitlog.ReasonBytes, []int{1}},
		},
		"too many windows flush the largest": {
			[]Open{fresh(hour), fresh(2 * hour), {End: 3 * hour, Opened: 50 * second, Bytes: 11}, fresh(4 * hour)},
			5, 5, 51 * second,
			want{commitlog.ReasonMemory, []int{2}},
		},
	} {
		reason, chosen := Due(c.open, c.watermark, c.judged, c.now, time.Hour, limits)
		if d := cmp.Diff(c.want, want{reason, chosen}, cmp.AllowUnexported(want{})); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}
