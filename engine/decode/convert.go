package decode

import (
	"encoding/base64"
	"math"

	"citystream/engine/columns"
	"citystream/engine/schema"
)

// Problems of values.
const (
	missing       = "required, but missing or null"
	notBase64     = "not Base64 text"
	notBool       = "not true or false"
	notNumber     = "not a number"
	notInteger    = "not an integer"
	outOfRange    = "number out of range"
	eventTimeEdge = "event time outside of the table's range"
)

// store converts the values noted for the record at hand and appends them to dst, or leaves dst as it was and sets the reason.
func (d *JSON) store(dst *columns.Batch) bool {
	for i := range d.columns {
		col := &d.columns[i]
		v := d.last(col.places)
		if problem := d.convert(&dst.Columns[i], col, v); problem != "" {
			d.refuse(col, v, problem)
			for j := range dst.Columns[:i] {
				dst.Columns[j].Truncate(dst.Columns[j].Len() - 1)
			}
			return false
		}
	}
	return true
}

// convert appends one value, or nothing where there is a problem with it.
func (d *JSON) convert(out *columns.Column, col *column, v span) (problem string) {
	switch {
	case v.end != 0 && d.buf[v.start] != 'n':
		return d.append(out, col, v)
	case col.required:
		return missing
	}
	out.AppendNull()
	return ""
}

// last returns the value among the places of a column that is last in the text, the zero span if the record has none.
func (d *JSON) last(places []int) span {
	var v span
	for _, p := range places {
		if s := d.places[p]; s.end > v.end { // of two that nest, the outer is the one that ends last
			v = s
		}
	}
	return v
}

func (d *JSON) refuse(col *column, v span, problem string) {
	if v.end == 0 {
		d.reason.set(col.name, -1, problem, nil)
		return
	}
	d.reason.set(col.name, v.start, problem, d.buf[v.start:v.end])
}

// literal returns what a value says apart from its quotes and the white space within them.
func (d *JSON) literal(v span) []byte {
	s := d.buf[v.start:v.end]
	if s[0] != '"' {
		return s
	}
	s = s[1 : len(s)-1]
	if !v.plain {
		d.scratch = appendText(d.scratch[:0], s)
		s = d.scratch
	}
	for len(s) > 0 && isSpace(s[0]) {
		s = s[1:]
	}
	for len(s) > 0 && isSpace(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

// append appends a value that is not null, or nothing where there is a problem with it.
func (d *JSON) append(out *columns.Column, col *column, v span) (problem string) {
	switch col.typ {
	case schema.String:
		d.appendString(out, v)
		return ""
	case schema.Binary:
		return d.appendBinary(out, v)
	case schema.Double:
		return appendDouble(out, d.literal(v))
	case schema.Timestamp:
		return d.appendTimestamp(out, col, d.literal(v))
	case schema.Bool:
		return appendBool(out, d.literal(v))
	case schema.Int:
		return appendInteger(out, d.literal(v), math.MinInt32, math.MaxInt32)
	default:
		return appendInteger(out, d.literal(v), math.MinInt64, math.MaxInt64)
	}
}

func (d *JSON) appendString(out *columns.Column, v span) {
	s := d.buf[v.start:v.end]
	switch {
	case s[0] != '"':
		out.Data = appendUTF8(out.Data, s) // a number, true or false; an object or array may hold what is not UTF-8
	case v.plain:
		out.Data = append(out.Data, s[1:len(s)-1]...)
	default:
		out.Data = appendText(out.Data, s[1:len(s)-1])
	}
	out.EndBytes()
}

func (d *JSON) appendBinary(out *columns.Column, v span) (problem string) {
	if d.buf[v.start] != '"' {
		return notBase64 // true is text in Base64, too
	}
	data, err := base64.StdEncoding.AppendDecode(out.Data, d.literal(v))
	if err != nil {
		return notBase64
	}
	out.Data = data
	out.EndBytes()
	return ""
}

func appendDouble(out *columns.Column, s []byte) (problem string) {
	n, ok := parseDecimal(s)
	if !ok {
		return notNumber
	}
	f, ok := n.double(s)
	if !ok {
		return outOfRange
	}
	out.AppendFloat(f)
	return ""
}

func appendInteger(out *columns.Column, s []byte, low, high int64) (problem string) {
	n, ok := parseDecimal(s)
	if !ok {
		return notNumber
	}
	v, exact, ok := n.floor(0)
	switch {
	case !ok || v < low || v > high:
		return outOfRange
	case !exact:
		return notInteger
	}
	out.AppendInt(v)
	return ""
}

func appendBool(out *columns.Column, s []byte) (problem string) {
	switch string(s) {
	case "true":
		out.AppendInt(1)
		return ""
	case "false":
		out.AppendInt(0)
		return ""
	}
	if appendInteger(out, s, 0, 1) != "" {
		return notBool
	}
	return ""
}

func (d *JSON) appendTimestamp(out *columns.Column, col *column, s []byte) (problem string) {
	at, problem := d.minute.timestamp(s, col.unit)
	if problem != "" {
		return problem
	}
	if at < col.from || at >= col.to {
		return eventTimeEdge
	}
	out.AppendInt(int64(at))
	return ""
}
