package decode

import (
	"citystream/engine/columns"
	"citystream/engine/schema"
)

// A JSON decodes records of one table. It keeps the state of the record at hand, so it is not safe for concurrent use.
type JSON struct {
	root    *node
	columns []column
	places  []span // where in the record each place's value lies; the zero span where it has none
	minute  minute // of the last timestamp read
	scratch []byte // text with its escapes resolved
	reason  Reason
	scanner

	row       uint64 // number of the record at hand
	filled    int    // columns that the prediction has filled from it
	beginning state
	sights    []sight // of the record at hand, where it is scanned
	odd       bool    // it is not to be learned from
}

// NewJSON compiles a table's columns and paths. A column without a path is always null.
func NewJSON(t *schema.Table) *JSON {
	d := &JSON{minute: epochMinute}
	var places int
	d.root, d.columns, places = compile(t)
	d.places = make([]span, places)
	return d
}

// Append decodes one record and appends it as a row to the table's own columns, the first len(t.Columns) of dst; the system columns
// are left to the caller. A record that cannot be decoded leaves dst as it was and returns a *Reason, which is valid until the next
// call. The value is not kept.
func (d *JSON) Append(dst *columns.Batch, value []byte) error {
	if d.predicted(dst, value) {
		d.start(nil)
		return nil
	}
	d.sights, d.odd = d.sights[:0], false
	d.start(value)
	defer d.start(nil)
	if !d.record() {
		d.reason.set("", d.pos, d.problem, near(value, d.pos))
		return &d.reason
	}
	if !d.store(dst) {
		return &d.reason
	}
	d.learn()
	return nil
}

// near returns what is quoted of a record that is not valid JSON: the byte at fault and a little after it.
func near(value []byte, at int) []byte { return value[at:min(at+8, len(value))] }

// record scans the whole value: one object and white space around it.
func (d *JSON) record() bool {
	d.space()
	if d.at() != '{' {
		if d.pos < len(d.buf) {
			return d.fail("not a JSON object")
		}
		return d.fail("empty")
	}
	if !d.value(d.root) {
		return false
	}
	d.space()
	if d.pos < len(d.buf) {
		return d.fail("more text after the JSON object")
	}
	return true
}

// value scans a value that the plan asks for, or that leads to one, and notes where it lies.
func (d *JSON) value(n *node) bool {
	clear(d.places[n.lo:n.hi]) // of an earlier field with the same name: the last wins
	start, c := d.pos, d.at()
	var ok bool
	switch {
	case c == '"':
		ok = d.text()
	case !n.steps(c):
		ok = d.skip()
	case c == '{':
		d.see(sight{node: n})
		ok = d.object(n)
	default:
		d.see(sight{node: n})
		ok = d.array(n)
	}
	if !n.steps(c) {
		d.see(sight{to: n.state, start: start, end: d.pos})
	} else if len(n.own) > 0 { // one value both for a column and to step into
		d.odd = true
	}
	for i := range n.own {
		d.places[n.lo+i] = span{start: start, end: d.pos, plain: d.plain}
	}
	return ok
}

// object scans an object that the plan steps into. It recurses with value and array, at most as deep as the table's longest path.
func (d *JSON) object(n *node) bool {
	if !d.open() {
		return false
	}
	if d.space(); d.at() == '}' {
		d.close()
		return true
	}
	for {
		start := d.pos
		if !d.text() {
			return false
		}
		child := n.find(d.name(start))
		if !d.colon() {
			return false
		}
		if child == nil {
			if !d.pass(n.besideField()) {
				return false
			}
		} else if !d.value(child) {
			return false
		}
		d.space()
		switch d.at() {
		case ',':
			d.pos++
			d.space()
		case '}':
			d.close()
			return true
		default:
			return d.unexpected()
		}
	}
}

// array scans an array that the plan steps into.
func (d *JSON) array(n *node) bool {
	if !d.open() {
		return false
	}
	if d.space(); d.at() == ']' {
		d.close()
		return true
	}
	wanted := n.elems
	for index := 0; ; index++ {
		if len(wanted) > 0 && wanted[0].index == index {
			if !d.value(wanted[0].node) {
				return false
			}
			wanted = wanted[1:]
		} else if !d.pass(n.besideElement(index)) {
			return false
		}
		d.space()
		switch d.at() {
		case ',':
			d.pos++
			d.space()
		case ']':
			d.close()
			return true
		default:
			return d.unexpected()
		}
	}
}

// pass scans a value that no column asks for.
func (d *JSON) pass(s *state) bool {
	start := d.pos
	if !d.skip() {
		return false
	}
	d.see(sight{to: s, start: start, end: d.pos})
	d.odd = d.odd || s == nil
	return true
}

// name returns the name of the field whose text was just scanned.
func (d *JSON) name(start int) []byte {
	quoted := d.buf[start:d.pos]
	if d.plain {
		return quoted[1 : len(quoted)-1]
	}
	d.scratch = appendText(d.scratch[:0], quoted[1:len(quoted)-1])
	return d.scratch
}
