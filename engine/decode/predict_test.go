package decode_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"citystream/engine/columns"
	"citystream/engine/decode"
	"citystream/engine/schema"
)

// stepped is the table wide without the columns whose value is stepped into as well, and with an end in the middle of a minute.
func stepped() *schema.Table {
	t := wide()
	t.TimeTo = time.Date(2026, 11, 22, 6, 1, 30, 0, time.UTC)
	t.Columns = slices.DeleteFunc(t.Columns, func(c schema.Column) bool { return c.Name == "place" || c.Name == "q" })
	return t
}

// TestWhatIsPredictedIsWhatIsScanned gives records of few shapes, and now and then of a broken one, to a decoder that has seen all
// those before and to one that has seen nothing.
func TestWhatIsPredictedIsWhatIsScanned(t *testing.T) {
	t.Parallel()
	for i, table := range []*schema.Table{stepped(), wide(), schema.Cities()[0]} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(100) {
				comparePredicted(t, table, rand.New(rand.NewPCG(seed, 0)))
			}
		})
	}
}

func comparePredicted(t *testing.T, table *schema.Table, random *rand.Rand) {
	t.Helper()
	var shapes []func() string
	for range 1 + random.IntN(4) {
		shapes = append(shapes, shape(random, table))
	}
	used, got, want := decode.NewJSON(table), columns.NewBatch(table.FileColumns()), columns.NewBatch(table.FileColumns())
	own := len(table.Columns)
	for range 60 {
		text := []byte(shapes[random.IntN(len(shapes))]())
		if random.IntN(8) == 0 && len(text) > 0 {
			text[random.IntN(len(text))] = `{}[],:" 0az\`[random.IntN(12)]
		}
		fresh := decode.NewJSON(table)
		wantErr, gotErr := fresh.Append(want, text), used.Append(got, text)
		if fmt.Sprint(wantErr) != fmt.Sprint(gotErr) {
			t.Fatalf("%s\nnew decoder: %v\nused one: %v", text, wantErr, gotErr)
		}
		rows := want.Rows()
		for i := range own {
			if got.Columns[i].Len() != rows || got.Columns[i].Nulls != want.Columns[i].Nulls {
				t.Fatalf("%s\ncolumn %d: %d rows, %d of them null, want %d, %d", text, i,
					got.Columns[i].Len(), got.Columns[i].Nulls, rows, want.Columns[i].Nulls)
			}
		}
		if wantErr == nil {
			if diff := cmp.Diff(rowOf(want, own, rows-1), rowOf(got, own, rows-1), cmp.Comparer(sameDouble)); diff != "" {
				t.Fatalf("%s\n-new +used\n%s", text, diff)
			}
		}
	}
}

func TestARepeatedFieldIsTheLastOneWhetherTheShapeIsKnownOrNot(t *testing.T) {
	t.Parallel()
	for _, more := range []string{
		`"p":[1,2,3],"p":[]`, `"p":[1,2,3],"p":[4]`, `"p":[1,2,3],"p":null`, `"p":[1,2,3],"p":{}`, `"q":{"u":1,"w":2},"q":{}`, `"n":1,"n":null`,
		`"q":{"u":1},"q":{"zz":1}`, `"p":[1],"lat":2`, `"lat":2,"p":[1]`, `"lat":2,"p":[]`, `"q":{"u":1,"v":[0,2]}`, `"q":5,"q":{"u":1},"q":5`,
	} {
		table := stepped()
		d, b := decode.NewJSON(table), columns.NewBatch(table.FileColumns())
		for i := range 3 {
			if err := d.Append(b, []byte(`{"id":"a","at":"2026-11-22",`+more+`}`)); err != nil {
				t.Fatalf("%s: %v", more, err)
			}
			if diff := cmp.Diff(rowOf(b, len(table.Columns), 0), rowOf(b, len(table.Columns), i)); diff != "" {
				t.Errorf("%s: -first +later\n%s", more, diff)
			}
		}
	}
}

func TestARecordIsNestedAsDeepAsItMayBeWhetherItsShapeIsKnownOrNot(t *testing.T) {
	t.Parallel()
	d, b := decode.NewJSON(stepped()), columns.NewBatch(stepped().FileColumns())
	nested := func(depth int) []byte {
		return []byte(`{"id":"a","at":"2026-11-22","x":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + `}`)
	}
	for range 3 {
		if err := d.Append(b, nested(9_999)); err != nil {
			t.Fatal(err)
		}
		if err := d.Append(b, nested(10_000)); err == nil {
			t.Fatal("10,001 objects and arrays within each other were accepted")
		}
	}
}

// shape returns a maker of records that have the same fields, and values of the same kinds.
func shape(random *rand.Rand, table *schema.Table) func() string {
	blank := []string{"", "", " ", "\n\t"}[random.IntN(4)]
	type member struct {
		name  string
		value func() string
	}
	var members []member
	names := []string{"p", "q", "location", "n", "m", "f", "b", "s", "lat", "lon", "x", "y", "speed", "year", "deviceId"}
	names = names[random.IntN(3):][:1+random.IntN(12)]
	for range random.IntN(8) {
		often, seldom := valueShape(random, blank, 2), valueShape(random, blank, 2)
		members = append(members, member{names[random.IntN(len(names))], func() string {
			if random.IntN(4) == 0 {
				return seldom()
			}
			return often()
		}})
	}
	for _, c := range table.Columns {
		if c.Required || c.Name == "timestamp" {
			name := c.Paths[0][0].Field
			value := func() string { return fmt.Sprintf(`"v%d"`, random.IntN(1000)) }
			if c.Type == schema.Timestamp {
				value = func() string {
					return fmt.Sprintf(`"2026-11-22T06:%02d:%02d%s"`, random.IntN(3), random.IntN(61), []string{"", ".123456", ".1", "Z"}[random.IntN(4)])
				}
			}
			members = append(members, member{name, value})
		}
	}
	random.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	return func() string {
		var parts []string
		for _, m := range members {
			if random.IntN(20) > 0 {
				parts = append(parts, `"`+m.name+`":`+blank+m.value())
			}
		}
		return "{" + strings.Join(parts, ","+blank) + "}" + blank
	}
}

// valueShape returns a maker of values of one kind.
func valueShape(random *rand.Rand, blank string, depth int) func() string {
	pick := func(of ...string) func() string { return func() string { return of[random.IntN(len(of))] } }
	switch n := random.IntN(8); {
	case n == 0 && depth > 0:
		var of []func() string
		for range random.IntN(4) {
			of = append(of, valueShape(random, blank, depth-1))
		}
		return func() string {
			var parts []string
			for _, f := range of {
				parts = append(parts, f())
			}
			return "[" + strings.Join(parts, ","+blank) + "]"
		}
	case n == 1 && depth > 0:
		var of []func() string
		names := []string{"u", "v", "w", "lon", "z"}
		for range random.IntN(4) {
			name, value := names[random.IntN(len(names))], valueShape(random, blank, depth-1)
			of = append(of, func() string { return `"` + name + `":` + value() })
		}
		return func() string {
			var parts []string
			for _, f := range of {
				parts = append(parts, f())
			}
			return "{" + strings.Join(parts, ",") + "}"
		}
	case n == 2:
		return func() string {
			return fmt.Sprintf("%d.%d", random.Uint64N(1<<random.IntN(34)), random.Uint64N(1<<random.IntN(44)))
		}
	case n < 4:
		return pick("1", "0", "-7", "12.5", "0.1", "01", "1.", "2147483648", "-2147483648", "9007199254740993", "999999999999999999",
			"9999999999999999999", "1e3", "0.30000000000000004", "-0", "-0.0", "123456789012345678.9", "-", "1.5e-3")
	case n < 6:
		return pick(`"a"`, `""`, `"North-East"`, `"\u00e9"`, `"é"`, `"1"`, `" 2.5"`, `"aGk="`, `"2026-11-22T06:00:00"`, `"tab	"`, `"true"`, `"\"q\""`)
	default:
		return pick("null", "true", "false", "null", "{}", "[]", "nul")
	}
}
