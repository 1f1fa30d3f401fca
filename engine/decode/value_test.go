package decode_test

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"citystream/engine/columns"
	"citystream/engine/decode"
	"citystream/engine/schema"
)

// morning is 2026-11-22T06:40:00Z, in microseconds.
const morning = 1795329600 * 1000000

func TestAValueIsReadByItsColumnsType(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		typ  schema.Type
		json string
		want any    // nil for null
		fail string // part of the reason
	}{
		{"text", schema.String, `"a b"`, "a b", ""},
		{"empty text is not null", schema.String, `""`, "", ""},
		{"white space in a text stays", schema.String, `" a "`, " a ", ""},
		{"escapes", schema.String, `"\"\\\/\b\f\n\r\t\u00e9"`, "\"\\/\b\f\n\r\té", ""},
		{"a surrogate pair", schema.String, `"\ud83d\ude00"`, "\U0001F600", ""},
		{"a high surrogate alone", schema.String, `"\ud83dx"`, "\ufffdx", ""},
		{"a high surrogate before another escape", schema.String, `"\ud83d\n"`, "\ufffd\n", ""},
		{"two high surrogates and a low one", schema.String, `"\ud83d\ud83d\ude00"`, "\ufffd\U0001F600", ""},
		{"a low surrogate alone", schema.String, `"\ude00"`, "\ufffd", ""},
		{"each byte that is not UTF-8 is replaced", schema.String, "\"\xff\xfeé\xe2\x82\"", "\ufffd\ufffdé\ufffd\ufffd", ""},
		{"a NUL", schema.String, `"\u0000"`, "\x00", ""},
		{"a number in a text column keeps its text", schema.String, `1.50e+2`, "1.50e+2", ""},
		{"a boolean in a text column keeps its text", schema.String, `false`, "false", ""},
		{"an object in a text column keeps its JSON", schema.String, `{ "a" : [1,2] }`, `{ "a" : [1,2] }`, ""},
		{"an array in a text column keeps its JSON, made UTF-8", schema.String, "[\"\\n\xff\"]", "[\"\\n\ufffd\"]", ""},
		{"null", schema.String, `null`, nil, ""},

		{"Base64", schema.Binary, `"aGk="`, "hi", ""},
		{"Base64 with an escaped slash", schema.Binary, `"\/\/8="`, "\xff\xff", ""},
		{"Base64 without its padding", schema.Binary, `"aGk"`, nil, "not Base64 text"},
		{"a word that looks like Base64", schema.Binary, `true`, nil, "not Base64 text"},

		{"true", schema.Bool, `true`, int64(1), ""},
		{"false in quotes", schema.Bool, `" false "`, int64(0), ""},
		{"one", schema.Bool, `1`, int64(1), ""},
		{"zero in quotes", schema.Bool, `"0"`, int64(0), ""},
		{"two is not a boolean", schema.Bool, `2`, nil, "not true or false"},
		{"True is not a boolean", schema.Bool, `"True"`, nil, "not true or false"},

		{"an integer", schema.Int, `-17`, int64(-17), ""},
		{"an integer in quotes, with spaces", schema.Int, `" 17\t"`, int64(17), ""},
		{"an integer in escapes", schema.Int, `"\u0031\u0037"`, int64(17), ""},
		{"an integer written with a fraction of zero", schema.Int, `5.000`, int64(5), ""},
		{"an integer written with an exponent", schema.Int, `0.5E+1`, int64(5), ""},
		{"an integer written with a negative exponent", schema.Int, `50e-1`, int64(5), ""},
		{"minus zero", schema.Int, `-0.0`, int64(0), ""},
		{"zero with a great exponent", schema.Int, `0e99999999999999999999`, int64(0), ""},
		{"the greatest int", schema.Int, `2147483647`, int64(math.MaxInt32), ""},
		{"one more than the greatest int", schema.Int, `2147483648`, nil, "out of range"},
		{"the least int", schema.Int, `-2147483648`, int64(math.MinInt32), ""},
		{"one less than the least int", schema.Int, `-2147483649`, nil, "out of range"},
		{"a fraction", schema.Int, `5.5`, nil, "not an integer"},
		{"a fraction far behind", schema.Int, `5.00000000000000000000000000001`, nil, "not an integer"},
		{"a boolean is not an integer", schema.Int, `true`, nil, "not a number"},
		{"an object is not an integer", schema.Int, `{"a":1}`, nil, "not a number"},
		{"an array is not an integer", schema.Int, `[1]`, nil, "not a number"},
		{"a word is not an integer", schema.Int, `"seven"`, nil, "not a number"},
		{"an empty text is not an integer", schema.Int, `""`, nil, "not a number"},
		{"a leading plus", schema.Int, `"+5"`, nil, "not a number"},
		{"a leading zero", schema.Int, `"05"`, nil, "not a number"},
		{"null in quotes is not null", schema.Int, `"null"`, nil, "not a number"},

		{"beyond 2 to the 53 exactly", schema.Long, `9007199254740993`, int64(9007199254740993), ""},
		{"the greatest long, with a fraction of zero", schema.Long, `9223372036854775807.0`, int64(math.MaxInt64), ""},
		{"the least long", schema.Long, `-9223372036854775808`, int64(math.MinInt64), ""},
		{"one more than the greatest long", schema.Long, `9223372036854775808`, nil, "out of range"},
		{"2 to the 64", schema.Long, `18446744073709551616`, nil, "out of range"},
		{"ten to the 19 with many zeros", schema.Long, `1000000000000000000000000e-6`, int64(1e18), ""},
		{"a great exponent", schema.Long, `1e999999999999999999999`, nil, "out of range"},

		{"a double", schema.Double, `12.5`, 12.5, ""},
		{"a double in quotes, with spaces", schema.Double, `" 12.5 "`, 12.5, ""},
		{"minus zero keeps its sign", schema.Double, `-0`, math.Copysign(0, -1), ""},
		{"a double of many digits", schema.Double, `0.1000000000000000055511151231257827021181583404541015625`, 0.1, ""},
		{"too great for a double", schema.Double, `1e309`, nil, "out of range"},
		{"too small for a double", schema.Double, `1e-400`, 0.0, ""},
		{"NaN", schema.Double, `"NaN"`, nil, "not a number"},
		{"Infinity", schema.Double, `"Infinity"`, nil, "not a number"},
		{"hexadecimal", schema.Double, `"0x1p-2"`, nil, "not a number"},
		{"an underscore", schema.Double, `"1_000"`, nil, "not a number"},
		{"a boolean is not a double", schema.Double, `false`, nil, "not a number"},

		{"a moment without a zone is UTC", schema.Timestamp, `"2026-11-22T06:40:00.123456"`, int64(morning + 123456), ""},
		{"a moment with a space", schema.Timestamp, `"2026-11-22 06:40:00"`, int64(morning), ""},
		{"a moment without seconds", schema.Timestamp, `"2026-11-22T06:40"`, int64(morning), ""},
		{"a date alone", schema.Timestamp, `"2026-11-22"`, int64(morning - 400*60*1e6), ""},
		{"Z", schema.Timestamp, `"2026-11-22T06:40:00Z"`, int64(morning), ""},
		{"a zone ahead", schema.Timestamp, `"2026-11-22T07:40:00+01:00"`, int64(morning), ""},
		{"a zone behind, without a colon", schema.Timestamp, `"2026-11-22T01:10:00-0530"`, int64(morning), ""},
		{"a zone of hours", schema.Timestamp, `"2026-11-22T07:40:00+01"`, int64(morning), ""},
		{"nanoseconds are dropped", schema.Timestamp, `"2026-11-22T06:40:00.123456999Z"`, int64(morning + 123456), ""},
		{"a fraction of one digit", schema.Timestamp, `"2026-11-22T06:40:00.5"`, int64(morning + 500000), ""},
		{"before 1970 the fraction counts forward", schema.Timestamp, `"1969-12-31T23:59:59.5"`, int64(-500000), ""},
		{"spaces around", schema.Timestamp, `" 2026-11-22T06:40:00 "`, int64(morning), ""},
		{"seconds", schema.Timestamp, `1795329600`, int64(morning), ""},
		{"seconds in quotes, with a fraction", schema.Timestamp, `"1795329600.25"`, int64(morning + 250000), ""},
		{"milliseconds", schema.Timestamp, `1795329600001`, int64(morning + 1000), ""},
		{"milliseconds with an exponent", schema.Timestamp, `1.7953296e12`, int64(morning), ""},
		{"seconds before 1970 are dropped towards the past", schema.Timestamp, `-0.0000001`, int64(-1), ""},
		{"a leap second", schema.Timestamp, `"2016-12-31T23:59:60Z"`, nil, "leap second"},
		{"the 29th of February of a common year", schema.Timestamp, `"2026-02-29"`, nil, "date that does not exist"},
		{"a 13th month", schema.Timestamp, `"2026-13-01"`, nil, "date that does not exist"},
		{"hour 24", schema.Timestamp, `"2026-11-22T24:00:00"`, nil, "time of day that does not exist"},
		{"a name of a zone", schema.Timestamp, `"2026-11-22T06:40:00 UTC"`, nil, "not a timestamp"},
		{"a zone of a day", schema.Timestamp, `"2026-11-22T06:40:00+24:00"`, nil, "zone"},
		{"ten digits of fraction", schema.Timestamp, `"2026-11-22T06:40:00.1234567890"`, nil, "not a timestamp"},
		{"a point without digits", schema.Timestamp, `"2026-11-22T06:40:00."`, nil, "not a timestamp"},
		{"a year of five digits in milliseconds", schema.Timestamp, `253402300800000`, nil, "out of range"},
		{"a boolean is not a timestamp", schema.Timestamp, `true`, nil, "not a timestamp"},
		{"yesterday", schema.Timestamp, `"yesterday"`, nil, "not a timestamp"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := decodeValue(t, c.typ, schema.Auto, c.json)
			switch {
			case c.fail != "" && (err == nil || !strings.Contains(err.Error(), c.fail)):
				t.Fatalf("%s gave %v, error %v; want a reason with %q", c.json, got, err, c.fail)
			case c.fail == "" && err != nil:
				t.Fatalf("%s: %v", c.json, err)
			case c.fail == "" && got != c.want:
				t.Fatalf("%s gave %#v, want %#v", c.json, got, c.want)
			}
			if want, isDouble := c.want.(float64); isDouble && c.fail == "" && !sameDouble(got.(float64), want) {
				t.Fatalf("%s gave %v, want %v: they differ in the sign", c.json, got, want)
			}
		})
	}
}

func TestANumericTimestampIsReadInItsColumnsUnit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		unit schema.TimeUnit
		json string
		want int64
	}{
		{schema.Seconds, `100000000000`, 1e17},
		{schema.Millis, `1000.5`, 1000500},
		{schema.Micros, `1795329600000000`, morning},
		{schema.Micros, `1.9`, 1},
		{schema.Auto, `99999999999.5`, 99999999999500000},
		{schema.Auto, `100000000000`, 1e14},
		{schema.Auto, `-99999999999`, -99999999999e6},
		{schema.Millis, `"2026-11-22T06:40:00"`, morning},
	} {
		got, err := decodeValue(t, schema.Timestamp, c.unit, c.json)
		inYears := c.want > -62135596800e6 && c.want < 253402300800e6
		if inYears && (err != nil || got != c.want) || !inYears && err == nil {
			t.Errorf("%s in unit %d gave %v, %v; want %d", c.json, c.unit, got, err, c.want)
		}
	}
}

// TestATimestampDoesNotDependOnTheOneBefore: the minute that is kept from one record to the next is never taken for another.
func TestATimestampDoesNotDependOnTheOneBefore(t *testing.T) {
	t.Parallel()
	table := one(schema.Timestamp, schema.Auto)
	rapid.Check(t, func(t *rapid.T) {
		d := decode.NewJSON(table)
		b := columns.NewBatch(table.FileColumns())
		at := time.UnixMicro(morning).UTC()
		for range rapid.IntRange(2, 20).Draw(t, "records") {
			at = at.Add(time.Duration(rapid.Int64Range(-1e11, 1e11).Draw(t, "step")) * rapid.SampledFrom([]time.Duration{1, 1e3, 1e5}).Draw(t, "unit"))
			b.Reset()
			text := at.Format("2006-01-02T15:04:05.999999")
			if err := d.Append(b, []byte(`{"v":"`+text+`"}`)); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if got := b.Columns[0].Ints[0]; got != at.UnixMicro() {
				t.Fatalf("%s gave %d, want %d", text, got, at.UnixMicro())
			}
			_ = d.Append(b, []byte(`{"v":"`+text[:15]+`x"}`)) // a bad one is not kept
		}
	})
}

func TestADoubleIsTheOneOfStrconv(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Float64().Filter(func(f float64) bool { return !math.IsInf(f, 0) && !math.IsNaN(f) }).Draw(t, "double")
		text := strconv.FormatFloat(f, rapid.SampledFrom([]byte("efg")).Draw(t, "format"), rapid.IntRange(-1, 25).Draw(t, "digits"), 64)
		want, parseErr := strconv.ParseFloat(text, 64)
		got, err := decodeValue(t, schema.Double, 0, text)
		if (parseErr == nil) != (err == nil) || err == nil && !sameDouble(got.(float64), want) {
			t.Fatalf("%s gave %v, %v; want %v, %v", text, got, err, want, parseErr)
		}
	})
}

func TestAnIntegerIsTheOneOfStrconvHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.Int64().Draw(t, "integer")
		text := strconv.FormatInt(want, 10)
		if zeros := rapid.IntRange(0, 30).Draw(t, "zeros"); zeros > 0 {
			text += strings.Repeat("0", zeros) + "e-" + strconv.Itoa(zeros)
			if want == 0 {
				text = "0e" + strconv.Itoa(zeros)
			}
		}
		if rapid.Bool().Draw(t, "quoted") {
			text = `"` + text + `"`
		}
		if got, err := decodeValue(t, schema.Long, 0, text); err != nil || got != want {
			t.Fatalf("%s gave %v, %v", text, got, err)
		}
	})
}
