package decode

import (
	"bytes"
	"encoding/binary"

	"citystream/engine/columns"
	"citystream/engine/schema"
)

// Producers write the same fields in the same order with the same blanks, again and again. So what stands between two values is learned
// from the records that were scanned, and of the next record it is only compared: no names, colons and brackets are looked at one by
// one, and values go straight into their columns. Whatever is not as predicted undoes the row, and the record is scanned from its
// beginning: prediction decides nothing but the speed.
//
// A state is behind a value, at one place of a record's structure: its node fixes which objects and arrays are open there. So the text
// that led from one state to another in one record means the same in every record.

// A state is the point behind a value, or the beginning of a record.
type state struct {
	node  *node  // whose value it is; nil where no column asks for it
	depth int    // of the value: objects and arrays that are open around it
	moves []move // the one taken last is the first
}

// A move is the text from a state to the next value.
type move struct {
	text   []byte
	enters []*node // of the plan whose objects and arrays begin in the text
	to     *state  // nil at the end of the record
	either bool    // the value may be one to step into, and then this is not the move
}

// Limits of what is learned: shapes without end must not take memory without end.
const (
	movesMax     = 8   // of one state
	moveBytesMax = 512 // of one text
	elementsMax  = 64  // of one array
	sightsMax    = 512 // of one record
)

// A sight is a value, or the beginning of an object or array of the plan, that a scan came by.
type sight struct {
	to         *state // nil for a beginning
	node       *node  // what begins
	start, end int    // of the value
}

// see notes a sight. A record with too many of them is not learned from.
func (d *JSON) see(at sight) {
	if len(d.sights) == sightsMax {
		d.odd = true
		return
	}
	d.sights = append(d.sights, at)
}

// next returns the move that the record goes on with, or nil.
func (s *state) next(rest []byte) *move {
	if len(s.moves) > 0 && s.moves[0].leads(rest) {
		return &s.moves[0]
	}
	for i := 1; i < len(s.moves); i++ {
		if s.moves[i].leads(rest) {
			s.moves[0], s.moves[i] = s.moves[i], s.moves[0]
			return &s.moves[0]
		}
	}
	return nil
}

// leads reports whether a record that goes on with rest takes this move: its text does, and the value is not one to step into.
func (m *move) leads(rest []byte) bool {
	if !hasPrefix(rest, m.text) {
		return false
	}
	if !m.either {
		return true
	}
	rest = rest[len(m.text):]
	return len(rest) > 0 && !m.to.node.steps(rest[0])
}

// hasPrefix is bytes.HasPrefix for the short texts between values, which a call takes longer than to compare.
func hasPrefix(b, prefix []byte) bool {
	n := len(prefix)
	if len(b) < n {
		return false
	}
	if n < 8 {
		for i, c := range prefix {
			if b[i] != c {
				return false
			}
		}
		return true
	}
	for i := 0; i+8 < n; i += 8 {
		if binary.LittleEndian.Uint64(b[i:]) != binary.LittleEndian.Uint64(prefix[i:]) {
			return false
		}
	}
	return binary.LittleEndian.Uint64(b[n-8:]) == binary.LittleEndian.Uint64(prefix[n-8:])
}

// predicted decodes the record as a row if it has a shape that is known, and otherwise leaves dst as it was.
func (d *JSON) predicted(dst *columns.Batch, value []byte) bool {
	d.row++
	d.filled = 0
	if !d.follow(dst, value) || !d.rest(dst) {
		d.undo(dst)
		return false
	}
	return true
}

// follow goes from move to move and takes the values between them.
func (d *JSON) follow(dst *columns.Batch, value []byte) bool {
	d.start(value)
	for s := &d.beginning; ; {
		m := s.next(value[d.pos:])
		if m == nil {
			return false
		}
		for _, n := range m.enters {
			if n.seen == d.row {
				return false // a repeated field: the last wins
			}
			n.seen = d.row
		}
		d.pos += len(m.text)
		if m.to == nil {
			return d.pos == len(value)
		}
		s = m.to
		d.depth = s.depth
		if s.node == nil {
			if !d.skip() {
				return false
			}
		} else if s.node.seen == d.row || !d.take(dst, s.node) {
			return false
		}
	}
}

// rest appends null to the columns that the record has no value for.
func (d *JSON) rest(dst *columns.Batch) bool {
	if d.filled == len(d.columns) {
		return true
	}
	for i := range d.columns {
		if col := &d.columns[i]; col.row != d.row {
			if col.required {
				return false
			}
			col.row = d.row
			dst.Columns[i].AppendNull()
		}
	}
	return true
}

// undo removes what the record has put into the columns.
func (d *JSON) undo(dst *columns.Batch) {
	for i := range d.columns {
		if c := &dst.Columns[i]; d.columns[i].row == d.row {
			c.Truncate(c.Len() - 1)
			d.columns[i].row--
		}
	}
}

// take scans a value and appends it to the columns that ask for it.
func (d *JSON) take(dst *columns.Batch, n *node) bool {
	n.seen = d.row
	if len(n.own) == 1 {
		i := n.own[0]
		if d.columns[i].row == d.row {
			return false // another place of the column: the last wins
		}
		if d.quick(&dst.Columns[i], &d.columns[i]) {
			d.columns[i].row = d.row
			d.filled++
			return true
		}
	}
	start := d.pos
	if d.plain = false; !d.skip() {
		return false
	}
	v := span{start: start, end: d.pos, plain: d.plain}
	for _, i := range n.own {
		if d.columns[i].row == d.row || d.convert(&dst.Columns[i], &d.columns[i], v) != "" {
			return false
		}
		d.columns[i].row = d.row
		d.filled++
	}
	return true
}

// quick scans and appends a value in one go where it has the usual form of its column's type; otherwise it does nothing.
func (d *JSON) quick(out *columns.Column, col *column) bool {
	b := d.buf[d.pos:]
	if len(b) < 2 {
		return false
	}
	n := 0
	switch col.typ {
	case schema.String:
		if b[0] == '"' {
			n = quickString(out, b)
		}
	case schema.Double:
		n = quickDouble(out, b)
	case schema.Int, schema.Long:
		n = quickInteger(out, b, col.typ)
	case schema.Timestamp:
		if b[0] == '"' {
			n = d.quickTimestamp(out, col, b)
		}
	}
	d.pos += n
	return n > 0
}

// learn keeps how the record that was just scanned goes from value to value.
func (d *JSON) learn() {
	if d.odd {
		return
	}
	s, from := &d.beginning, 0
	var enters []*node
	for _, at := range d.sights {
		if at.to == nil {
			enters = append(enters, at.node)
			continue
		}
		if !s.learn(d.buf[from:at.start], enters, at.to) {
			return
		}
		s, from, enters = at.to, at.end, nil
	}
	s.learn(d.buf[from:], enters, nil)
}

// learn reports whether the state has the move, of old or from now on.
func (s *state) learn(text []byte, enters []*node, to *state) bool {
	for i := range s.moves {
		if m := &s.moves[i]; bytes.Equal(m.text, text) {
			return m.to == to
		}
	}
	if len(text) > moveBytesMax {
		return false
	}
	m := move{text: bytes.Clone(text), enters: enters, to: to}
	m.either = to != nil && to.node != nil && len(to.node.fields)+len(to.node.elems) > 0
	if len(s.moves) == movesMax {
		s.moves[movesMax-1] = m // which was not taken last
	} else {
		s.moves = append(s.moves, m)
	}
	return true
}

// besideField returns the state of a field of an object that no column asks for; all of them share it.
func (n *node) besideField() *state {
	if n.skipped == nil {
		n.skipped = &state{depth: n.depth + 1}
	}
	return n.skipped
}

// besideElement returns the state of an element of an array that no column asks for, nil for one far behind.
func (n *node) besideElement(index int) *state {
	if index >= elementsMax {
		return nil
	}
	for len(n.passed) <= index {
		n.passed = append(n.passed, &state{depth: n.depth + 1})
	}
	return n.passed[index]
}
