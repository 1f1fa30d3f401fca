package verify

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"citystream/engine/record"
	"citystream/engine/schema"
)

// A seen is a JSON value as encoding/json reads it, with its raw text and where that ends.
type seen struct {
	value  any // nil, bool, json.Number, string, map[string]*seen, []*seen
	raw    string
	offset int64
}

// Reference says slowly, over encoding/json, what a record must be in its table: the value of each of the table's own columns (nil for
// null; text and bytes as string, numbers, booleans and timestamps as int64, doubles as float64), and false for a record that must be
// refused. It shares no code with package decode, whose tests hold that against it.
func Reference(t *schema.Table, value []byte) (row []any, ok bool) {
	if !json.Valid(value) {
		return nil, false
	}
	dec := json.NewDecoder(bytes.NewReader(value))
	dec.UseNumber()
	root := readSeen(dec, value)
	if _, err := dec.Token(); err != io.EOF {
		panic("valid JSON with something after it")
	}
	if _, isObject := root.value.(map[string]*seen); !isObject {
		return nil, false
	}
	for i, c := range t.Columns {
		v, ok := referenceValue(c, lastSeen(root, c.Paths))
		if !ok || v == nil && (c.Required || i == t.EventTime) {
			return nil, false
		}
		if i == t.EventTime && !inRange(t, v.(int64)) {
			return nil, false
		}
		row = append(row, v)
	}
	return row, true
}

func inRange(t *schema.Table, micros int64) bool {
	at := record.Micros(micros).Time()
	return (t.TimeFrom.IsZero() || !at.Before(t.TimeFrom)) && (t.TimeTo.IsZero() || at.Before(t.TimeTo))
}

func readSeen(dec *json.Decoder, text []byte) *seen {
	token, err := dec.Token()
	if err != nil {
		panic(err)
	}
	end := dec.InputOffset()
	v := &seen{value: token}
	switch token := token.(type) {
	case json.Delim:
		start := end - 1
		if token == '{' {
			fields := map[string]*seen{}
			for dec.More() {
				name, _ := dec.Token()
				fields[name.(string)] = readSeen(dec, text)
			}
			v.value = fields
		} else {
			elems := []*seen{}
			for dec.More() {
				elems = append(elems, readSeen(dec, text))
			}
			v.value = elems
		}
		_, _ = dec.Token()
		end = dec.InputOffset()
		v.raw = string(text[start:end])
	case json.Number:
		v.raw = token.String()
	case bool:
		v.raw = strconv.FormatBool(token)
	}
	v.offset = end
	return v
}

func lastSeen(root *seen, paths []schema.Path) *seen {
	var last *seen
	for _, p := range paths {
		v := root
		for _, step := range p {
			switch in := v.value.(type) {
			case map[string]*seen:
				if v = in[step.Field]; step.Field == "" {
					v = nil // a step into an array, though a field may have the empty name
				}
			case []*seen:
				if step.Field == "" && step.Index < len(in) {
					v = in[step.Index]
				} else {
					v = nil
				}
			default:
				v = nil
			}
			if v == nil {
				break
			}
		}
		if v != nil && (last == nil || v.offset > last.offset) {
			last = v
		}
	}
	return last
}

func referenceValue(c schema.Column, v *seen) (any, bool) {
	if v == nil || v.value == nil {
		return nil, true
	}
	text, isText := v.value.(string)
	literal := v.raw
	if isText {
		literal = strings.Trim(text, " \t\r\n")
	}
	switch c.Type {
	case schema.String:
		if isText {
			return text, true
		}
		return string([]rune(v.raw)), true
	case schema.Binary:
		b, err := base64.StdEncoding.DecodeString(literal)
		return string(b), isText && err == nil
	case schema.Bool:
		if b, err := strconv.ParseBool(literal); err == nil && (literal == "true" || literal == "false") {
			return int64(map[bool]int{true: 1}[b]), true
		}
		return referenceInteger(literal, 0, 1)
	case schema.Int:
		return referenceInteger(literal, math.MinInt32, math.MaxInt32)
	case schema.Long:
		return referenceInteger(literal, math.MinInt64, math.MaxInt64)
	case schema.Double:
		if !isNumber(literal) {
			return nil, false
		}
		f, err := strconv.ParseFloat(literal, 64)
		return f, err == nil
	default:
		return ReferenceTimestamp(literal, c.Unit)
	}
}

func isNumber(s string) bool {
	var n json.Number
	return s != "" && (s[0] == '-' || s[0] >= '0' && s[0] <= '9') && s == strings.TrimSpace(s) && json.Unmarshal([]byte(s), &n) == nil
}

// rational returns a number exactly, exponents beyond 5000 taken as 5000: far beyond all ranges, and below all resolutions.
func rational(s string) (*big.Rat, bool) {
	if !isNumber(s) {
		return nil, false
	}
	mantissa, exponent, _ := strings.Cut(strings.ToLower(s), "e")
	if exponent != "" {
		e, ok := new(big.Int).SetString(exponent, 10)
		if !ok {
			return nil, false
		}
		if limit := big.NewInt(5000); e.CmpAbs(limit) > 0 {
			e = limit.Mul(limit, big.NewInt(int64(e.Sign())))
		}
		mantissa += "e" + e.String()
	}
	return new(big.Rat).SetString(mantissa)
}

func referenceInteger(s string, low, high int64) (any, bool) {
	r, ok := rational(s)
	if !ok || !r.IsInt() || !r.Num().IsInt64() {
		return nil, false
	}
	v := r.Num().Int64()
	return v, v >= low && v <= high
}

// ReferenceTimestamp reads a timestamp in any of the forms that a column of that unit takes, as microseconds since 1970 UTC.
func ReferenceTimestamp(s string, unit schema.TimeUnit) (any, bool) {
	micros, ok := referenceEpoch(s, unit)
	if !ok {
		micros, ok = referenceISO(s)
	}
	first, end := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro(), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	return micros, ok && micros >= first && micros < end
}

func referenceEpoch(s string, unit schema.TimeUnit) (int64, bool) {
	r, ok := rational(s)
	if !ok {
		return 0, false
	}
	if unit == schema.Auto {
		unit = schema.Millis
		if new(big.Rat).Abs(r).Cmp(big.NewRat(1e11, 1)) < 0 {
			unit = schema.Seconds
		}
	}
	r.Mul(r, big.NewRat(map[schema.TimeUnit]int64{schema.Seconds: 1e6, schema.Millis: 1e3, schema.Micros: 1}[unit], 1))
	floor := new(big.Int).Div(r.Num(), r.Denom()) // Euclidean, and the denominator is positive
	return floor.Int64(), floor.IsInt64()
}

// isoLayouts are the layouts that a timestamp may have, a fraction apart, which time.Parse takes after any seconds.
var isoLayouts = func() (layouts []string) {
	for _, clock := range []string{"15:04", "15:04:05"} {
		for _, zone := range []string{"", "Z07:00", "Z0700", "Z07"} {
			layouts = append(layouts, "2006-01-02T"+clock+zone)
		}
	}
	return append(layouts, "2006-01-02")
}()

// zoneOfMinute60 is what time.Parse takes as well, as it does a zone of 24 hours.
var zoneOfMinute60 = regexp.MustCompile(`[+-]\d\d:?60$`)

func referenceISO(s string) (int64, bool) {
	if i := strings.LastIndexAny(s, ".,"); i >= 0 {
		digits := len(s[i+1:]) - len(strings.TrimLeft(s[i+1:], "0123456789"))
		if digits > 9 || i != len("2006-01-02T15:04:05") {
			return 0, false
		}
	}
	if len(s) > 10 && (s[10] == ' ' || s[10] == 't') {
		s = s[:10] + "T" + s[11:]
	}
	if strings.HasSuffix(s, "z") {
		s = s[:len(s)-1] + "Z"
	}
	if len(s) > 13 && s[13] != ':' { // time.Parse takes an hour of one digit
		return 0, false
	}
	for _, layout := range isoLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			_, offset := t.Zone()
			if offset <= -24*3600 || offset >= 24*3600 || zoneOfMinute60.MatchString(s) {
				return 0, false
			}
			return t.UnixMicro(), true
		}
	}
	return 0, false
}
