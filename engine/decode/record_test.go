package decode_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"citystream/engine/columns"
	"citystream/engine/decode"
	"citystream/engine/schema"
	"citystream/engine/verify"
)

// decodeOne decodes one record of a table to a row.
func decodeOne(t *schema.Table, value string) ([]any, error) {
	b := columns.NewBatch(t.FileColumns())
	if err := decode.NewJSON(t).Append(b, []byte(value)); err != nil {
		return nil, err
	}
	return rowOf(b, len(t.Columns), 0), nil
}

func TestTheWinnerAmongRepeatedFieldsAndAliases(t *testing.T) {
	t.Parallel()
	table := &schema.Table{EventTime: -1, Columns: []schema.Column{
		{Name: "lat", Type: schema.Double, Paths: []schema.Path{elem(field("p"), 0), field("lat")}},
		{Name: "lon", Type: schema.Double, Paths: []schema.Path{elem(field("p"), 1)}},
	}}
	for _, c := range []struct {
		name, json string
		want       []any
	}{
		{"one place", `{"p":[1,2]}`, []any{1.0, 2.0}},
		{"an alias alone", `{"lat":3}`, []any{3.0, nil}},
		{"the later alias", `{"p":[1,2],"lat":3}`, []any{3.0, 2.0}},
		{"the later alias, the other way round", `{"lat":3,"p":[1,2]}`, []any{1.0, 2.0}},
		{"a later null alias", `{"p":[1,2],"lat":null}`, []any{nil, 2.0}},
		{"the later of two fields", `{"lat":1,"lat":2}`, []any{2.0, nil}},
		{"a repeated field takes what was below it with it", `{"p":[1,2],"p":[5]}`, []any{5.0, nil}},
		{"a repeated field that is null", `{"p":[1,2],"p":null}`, []any{nil, nil}},
		{"an alias between shows again when its rival goes", `{"lat":3,"p":[1,2],"p":[]}`, []any{3.0, nil}},
		{"a bad value that a later one replaces", `{"lat":"x","lat":4}`, []any{4.0, nil}},
		{"the same name in escapes", `{"lat":1,"\u006cat":2}`, []any{2.0, nil}},
		{"names differ by case", `{"Lat":1}`, []any{nil, nil}},
		{"an object where an array is stepped into", `{"p":{"0":1}}`, []any{nil, nil}},
		{"an empty name where an array is stepped into", `{"p":{"":1}}`, []any{nil, nil}},
		{"a number where an array is stepped into", `{"p":7}`, []any{nil, nil}},
		{"the name at another depth", `{"x":{"lat":1},"y":[{"lat":2}]}`, []any{nil, nil}},
		{"more elements than wanted", `{"p":[1,2,"x",{}]}`, []any{1.0, 2.0}},
		{"no field", `{}`, []any{nil, nil}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := decodeOne(table, c.json)
			if err != nil || !cmp.Equal(got, c.want) {
				t.Fatalf("%s gave %v, %v; want %v", c.json, got, err, c.want)
			}
		})
	}
}

func TestABadRecordGivesItsReason(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return `{"x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + "}" }
	for _, c := range []struct{ name, json, want string }{
		{"empty", "", "empty at byte 0"},
		{"white space", " \n", "empty at byte 2"},
		{"an array", "[]", `not a JSON object at byte 0: "[]"`},
		{"text that is not JSON", "hello", `not a JSON object at byte 0: "hello"`},
		{"cut in a name", `{"id`, "JSON ends too early at byte 4"},
		{"cut in a number", `{"n":1.`, "JSON ends too early at byte 7"},
		{"cut in an escape", `{"x":"\u00`, "JSON ends too early at byte 10"},
		{"cut after a value", `{"n":1`, "JSON ends too early at byte 6"},
		{"two objects", `{}{}`, `more text after the JSON object at byte 2: "{}"`},
		{"a comma at the end", `{"n":1,}`, `not valid JSON at byte 7: "}"`},
		{"a wrong closing", `{"x":[1}`, `not valid JSON at byte 7: "}"`},
		{"a wrong closing of a wanted array", `{"p":[1}`, `not valid JSON at byte 7: "}"`},
		{"a control character", "{\"x\":\"a\nb\"}", `control character in a text at byte 7: "\nb\"}"`},
		{"an unknown escape", `{"x":"\q"}`, `not valid JSON at byte 7: "q\"}"`},
		{"a bad value in a field that nobody asks for", `{"x":{"y":[nul]}}`, `not valid JSON at byte 14: "]}}"`},
		{"nested too deep", deep(10000), `nested too deep at byte 10004: "[]]]]]]]"`},
		{"a required column missing", `{"at":1}`, "column id: required, but missing or null"},
		{"a required column null", `{"at":1,"id":null}`, `column id: required, but missing or null at byte 13: "null"`},
		{"the event time missing", `{"id":"a"}`, "column at: required, but missing or null"},
		{"a wrong kind", `{"id":"a","at":"2026-01-01","n":{}}`, `column n: not a number at byte 32: "{}"`},
		{
			"the event time early", `{"id":"a","at":"1999-12-31T23:59:59.999999"}`,
			"column at: event time outside of the table's range at byte 15: \"\\\"1999-12-31T23:59:59.999999\\\"\"",
		},
		{
			"the event time at the end of the range", `{"id":"a","at":"2100-01-01"}`,
			"column at: event time outside of the table's range at byte 15: \"\\\"2100-01-01\\\"\"",
		},
		{
			"a long value is quoted in part", `{"id":"a","at":"` + strings.Repeat("é", 50) + `"}`,
			`column at: not a timestamp at byte 15: "\"` + strings.Repeat(`\u00e9`, 15) + `\xc3"...`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for range 2 { // the same record, the same text
				_, err := decodeOne(wide(), c.json)
				var reason *decode.Reason
				if !errors.As(err, &reason) || err.Error() != c.want {
					t.Fatalf("got %v, want %s", err, c.want)
				}
			}
		})
	}
	if _, err := decodeOne(one(schema.Int, 0), deep(9999)); err != nil {
		t.Errorf("nested 10,000 deep: %v", err)
	}
}

func TestEveryByteAtEveryPlaceOfATextIsReadAsEncodingJSONReadsIt(t *testing.T) {
	t.Parallel()
	table := one(schema.String, 0)
	for c := range 256 {
		for place := range 20 {
			text := []byte(`{"v":"abcdefghijklmnopqrstuvwxy"}`)
			text[6+place] = byte(c)
			want, ok := verify.Reference(table, text)
			got, err := decodeOne(table, string(text))
			if (err == nil) != ok || !cmp.Equal(got, want) {
				t.Errorf("%q gave %v, %v; want %v, %v", text, got, err, want, ok)
			}
		}
	}
}

func TestTheEventTimeIsRequiredWhateverItsColumnSays(t *testing.T) {
	t.Parallel()
	table := wide()
	table.Columns[table.EventTime].Required = false
	if row, err := decodeOne(table, `{"id":"a"}`); err == nil {
		t.Errorf("got %v", row)
	}
}

func TestABadRecordBetweenGoodOnesLeavesNothing(t *testing.T) {
	t.Parallel()
	table := wide()
	want, got := columns.NewBatch(table.FileColumns()), columns.NewBatch(table.FileColumns())
	d := decode.NewJSON(table)
	for range 2 {
		for _, b := range []*columns.Batch{want, got} {
			if err := d.Append(b, []byte(good)); err != nil {
				t.Fatal(err)
			}
		}
		// Each fails in another column, so that any number of columns has to be undone.
		for _, bad := range []string{`"id":null`, `"at":0`, `"lon":[]`, `"n":""`, `"f":9`, `"b":1`, `"s":{}`, `"p":[null,null,"x"]`} {
			if err := d.Append(got, []byte(good[:len(good)-1]+","+bad+"}")); err == nil {
				t.Fatalf("%s was taken", bad)
			}
		}
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatal(diff)
	}
}

// TestTheSameRecordInAnyDress: order of fields, white space and escapes make no difference.
func TestTheSameRecordInAnyDress(t *testing.T) {
	t.Parallel()
	table := wide()
	rapid.Check(t, func(t *rapid.T) {
		fields := []member{
			{"id", rapid.String().Draw(t, "id")},
			{"at", "2026-11-22T06:40:00"},
			{"p", []any{rapid.Float64Range(-90, 90).Draw(t, "lat"), "x", rapid.Float64Range(-180, 180).Draw(t, "lon")}},
			{"m", rapid.Int64().Draw(t, "m")},
			{"f", rapid.Bool().Draw(t, "f")},
			{"unknown", map[string]any{"id": 1.0, "deep": []any{nil, map[string]any{}}}},
		}
		var plain bytes.Buffer
		writeDressed(&plain, fields, nil)
		want, err := decodeOne(table, plain.String())
		if err != nil {
			t.Fatalf("%s: %v", plain.String(), err)
		}
		var dressed bytes.Buffer
		writeDressed(&dressed, rapid.Permutation(fields).Draw(t, "order"), t)
		got, err := decodeOne(table, dressed.String())
		if err != nil {
			t.Fatalf("%s: %v", dressed.String(), err)
		}
		for i, c := range table.Columns {
			if c.Name == "place" {
				want[i], got[i] = nil, nil // its JSON as it stands, white space included
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s\n%s\n%s", plain.String(), dressed.String(), diff)
		}
	})
}

type member struct {
	name  string
	value any
}

// writeDressed writes an object, with white space and escapes that t draws, or none.
func writeDressed(w *bytes.Buffer, fields []member, t *rapid.T) {
	gap := func() {
		if t != nil {
			w.WriteString(rapid.SampledFrom([]string{"", "", " ", "\n\t", "\r\n  "}).Draw(t, "gap"))
		}
	}
	var write func(v any)
	write = func(v any) {
		gap()
		switch v := v.(type) {
		case string:
			w.WriteString(dressText(v, t))
		case []any:
			w.WriteString("[")
			for i, e := range v {
				if i > 0 {
					w.WriteString(",")
				}
				write(e)
			}
			w.WriteString("]")
		default:
			text, _ := json.Marshal(v)
			w.Write(text)
		}
		gap()
	}
	gap()
	w.WriteString("{")
	for i, f := range fields {
		if i > 0 {
			w.WriteString(",")
		}
		write(f.name)
		w.WriteString(":")
		write(f.value)
	}
	w.WriteString("}")
	gap()
}

// dressText quotes a text, some of its characters as escapes.
func dressText(s string, t *rapid.T) string {
	if t == nil {
		text, _ := json.Marshal(s)
		return string(text)
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch how := rapid.IntRange(0, 2).Draw(t, "how"); {
		case how == 0 && r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		case how == 0:
			fmt.Fprintf(&b, `\u%04X\u%04x`, 0xd800+(r-0x10000)>>10, 0xdc00+(r-0x10000)&0x3ff)
		default:
			text, _ := json.Marshal(string(r))
			b.Write(text[1 : len(text)-1])
		}
	}
	b.WriteByte('"')
	return b.String()
}

func TestTheRangeOfEventTimesHoldsItsFirstMoment(t *testing.T) {
	t.Parallel()
	if _, err := decodeOne(wide(), `{"id":"a","at":"2000-01-01"}`); err != nil {
		t.Error(err)
	}
}

func TestTheRangeOfEventTimesIsOpenWhereItIsZero(t *testing.T) {
	t.Parallel()
	table := wide()
	table.TimeFrom, table.TimeTo = time.Time{}, time.Time{}
	for _, at := range []string{"0001-01-01", "9999-12-31T23:59:59.999999"} {
		if _, err := decodeOne(table, `{"id":"a","at":"`+at+`"}`); err != nil {
			t.Errorf("%s: %v", at, err)
		}
	}
}
