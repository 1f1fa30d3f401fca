package decode_test

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"citystream/engine/columns"
	"citystream/engine/decode"
	"citystream/engine/schema"
	"citystream/engine/verify"
)

const good = `{"id":"a","at":"2026-11-22T06:40:00.123456","p":[51.5,null,-0.12],"n":5,"f":true,"b":"aGk=","s":1.5,"q":{"u":7,"w":"x"}}`

func seeds() []string {
	list := []string{
		good, "", " ", "{}", "null", "[]", "{", `{"id":"a"`, good + " ", good + "x", "\ufeff" + good, good[:len(good)-1],
	}
	for _, more := range []string{
		`"id":"b"`, `"\u0069d":"c"`, `"id":null`, `"id":"\ud83d\ude00\ud83d\ud83dx\udc00\/\b\u00e9"`, "\"id\":\"\xff\xc3\xa9\xe2\x28\"", `"id":7`,
		`"id":{"a" : [1, "x"]}`, `"at":1700000000`, `"at":"1700000000123"`, `"at":"2026-02-29"`, `"at":"2026-11-22 06:40+0100"`, `"at":99`,
		`"at":"2026-11-22T23:59:60Z"`, `"at":"2101-01-01"`, `"p":[]`, `"p":{"0":1}`, `"p":{"":1}`, `"p":[1,2,3,4],"lat":" 9.5\t","p":[7]`,
		`"lat":1,"p":null`,
		`"lon":1,"q":{"lon":2},"q":3`, `"n":5.0`, `"n":"5e0"`, `"n":2147483648`, `"m":9223372036854775807`, `"m":-9223372036854775808`,
		`"m":9223372036854775808`, `"n":1e400`, `"n":1.5`, `"n":"0x1"`, `"n":true`, `"n":01`, `"f":"false"`, `"f":1`, `"f":0.0`, `"f":2`, `"f":[]`,
		`"b":"a"`, `"b":12`, `"b":"aGk\u003d"`, `"s":-0.0000001`, `"s":1e30`, `"q":{"v":[1,2]}`, `"q":{"w":1},"q":{"lon":"NaN"}`, `"lat":1e309`,
		`"x":[{"a":{}},[[]],true,{"b":[null]}]`, `"x":[1,]`, `"x":{"a"}`, `"x":"\x"`, "\"x\":\"\t\"", `"x":tru`, `"x":-`, `"x":1.`, `"x":1e`, `"lat":-0`,
		`"lat":123456789012345678901234567890.5`, `"lat":"4.9406564584124654e-324"`, `"n":100000000000000000000000e-23`,
	} {
		list = append(list, good[:len(good)-1]+","+more+"}", "{"+more+","+good[1:])
	}
	return list
}

// FuzzDecode compares with the reference: the same records are accepted, and the rows are equal in every column.
func FuzzDecode(f *testing.F) {
	for _, s := range seeds() {
		f.Add([]byte(s))
	}
	table := wide()
	d := decode.NewJSON(table)
	b := columns.NewBatch(table.FileColumns())
	f.Fuzz(func(t *testing.T, value []byte) {
		b.Reset()
		if err := d.Append(b, []byte(good)); err != nil {
			t.Fatal(err)
		}
		first, size := rowOf(b, len(table.Columns), 0), b.SizeBytes()
		want, ok := verify.Reference(table, value)
		err := d.Append(b, value)
		if (err == nil) != ok {
			t.Fatalf("%q: reference accepts: %v; got %v", value, ok, err)
		}
		if ok {
			got := rowOf(b, len(table.Columns), 1)
			if diff := cmp.Diff(want, got, cmp.Comparer(sameDouble)); diff != "" {
				t.Fatalf("%q: -want +got\n%s", value, diff)
			}
			for i := range table.Columns {
				b.Columns[i].Truncate(1)
			}
		} else if text := err.Error(); len(text) > 256 {
			t.Fatalf("reason too long: %s", text)
		}
		if b.SizeBytes() != size || !cmp.Equal(first, rowOf(b, len(table.Columns), 0)) {
			t.Fatalf("%q: the row before has changed, or a refused row has left something", value)
		}
	})
}

func sameDouble(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }

// FuzzTimestamp compares texts and numbers in each unit with time.Parse and exact arithmetic.
func FuzzTimestamp(f *testing.F) {
	for _, s := range []string{
		"2026-11-22T06:40:00.123456", "2026-11-22 06:40:00.123456789Z", "2026-11-22t06:40z", "2026-11-22", "2024-02-29T23:59:59,5-01:30",
		"2026-11-22T06:40:00+0530", "2026-11-22T06:40:00+05", "2026-11-22T24:00:00", "2026-11-22T06:40:60", "2026-13-01", "2026-04-31",
		"0000-01-01", "0001-01-01T00:00:00+00:01", "0000-12-31T23:59-00:01", "9999-12-31T23:59:59.999999999", "9999-12-31T23:59-00:01",
		"0001-01-01", "2026-11-22T06:40:00+24:00", "2026-11-22T06:40:00.", "2026-11-22T06:40:00.1234567890", "2026-11-22T06", "2026-11-22T6:40",
		"1700000000", "1700000000.1234567", "1700000000123", "99999999999", "100000000000", "-1.0000001", "-0.5", "1e9", "253402300800", "1e400",
		"123e-00001", "0.00000000000000000000000000001", "-62135596800", "", "-", "now",
	} {
		f.Add(s)
	}
	var decoders []*decode.JSON
	var batches []*columns.Batch
	units := []schema.TimeUnit{schema.Auto, schema.Seconds, schema.Millis, schema.Micros}
	for _, u := range units {
		table := one(schema.Timestamp, u)
		decoders, batches = append(decoders, decode.NewJSON(table)), append(batches, columns.NewBatch(table.FileColumns()))
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsAny(text, "\"\\") || strings.Trim(text, " \t\r\n") != text {
			return
		}
		for i := range text {
			if text[i] < ' ' || text[i] > '~' {
				return
			}
		}
		for i, u := range units {
			batches[i].Reset()
			want, ok := verify.ReferenceTimestamp(text, u)
			err := decoders[i].Append(batches[i], []byte(`{"v":"`+text+`"}`))
			if (err == nil) != ok {
				t.Fatalf("%q in unit %d: reference accepts: %v; got %v", text, u, ok, err)
			}
			if ok && batches[i].Columns[0].Ints[0] != want {
				t.Fatalf("%q in unit %d: %d, want %d", text, u, batches[i].Columns[0].Ints[0], want)
			}
		}
	})
}
