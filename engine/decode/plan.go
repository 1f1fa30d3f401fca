package decode

import (
	"sort"

	"citystream/engine/record"
	"citystream/engine/schema"
)

// A node is a place in a record's JSON that a column asks for, or that leads to one.
//
// The places of columns are numbered so that those of a node and of all below it are a range [lo, hi), its own first: then to meet
// a field again is to forget one range.
type node struct {
	fields []field   // to step into, where the value is an object
	elems  []element // to step into, where it is an array; by rising index
	own    []int     // columns that take the value itself: their places are lo, lo+1, ...
	lo, hi int
	guess  int // index in fields of the one likely to come next
	depth  int // objects and arrays around its value

	// What is learned; see predict.go.
	state   *state
	skipped *state   // behind a field that no column asks for
	passed  []*state // behind such an element, by index
	seen    uint64   // record that it was seen in
}

// steps reports whether a value that begins with c is stepped into.
func (n *node) steps(c byte) bool {
	return c == '{' && len(n.fields) > 0 || c == '[' && len(n.elems) > 0
}

type field struct {
	name string
	node *node
}

type element struct {
	index int
	node  *node
}

// A column is what the decoder knows of one column of the table.
type column struct {
	name     string
	typ      schema.Type
	unit     schema.TimeUnit
	required bool
	places   []int  // the numbers of its places
	row      uint64 // record that the prediction has filled it from
	from, to record.Micros
}

// compile makes the plan of a table. It returns the root, the columns, and the number of places.
func compile(t *schema.Table) (*node, []column, int) {
	root := &node{}
	cols := make([]column, len(t.Columns))
	for i, c := range t.Columns {
		cols[i] = column{name: c.Name, typ: c.Type, unit: c.Unit, required: c.Required, from: yearOne, to: yearEnd}
		for _, p := range c.Paths {
			root.at(p).claim(i)
		}
	}
	if t.EventTime >= 0 {
		c := &cols[t.EventTime]
		c.required = true
		if !t.TimeFrom.IsZero() {
			c.from = max(c.from, record.MicrosOf(t.TimeFrom))
		}
		if !t.TimeTo.IsZero() {
			c.to = min(c.to, record.MicrosOf(t.TimeTo))
		}
	}
	return root, cols, root.number(0, cols)
}

// at returns the node that a path leads to, making it where needed.
func (n *node) at(p schema.Path) *node {
	for _, step := range p {
		if step.Field == "" {
			n = n.element(step.Index)
		} else {
			n = n.field(step.Field)
		}
	}
	return n
}

func (n *node) field(name string) *node {
	for _, f := range n.fields {
		if f.name == name {
			return f.node
		}
	}
	child := n.child()
	n.fields = append(n.fields, field{name, child})
	return child
}

func (n *node) child() *node {
	child := &node{depth: n.depth + 1}
	child.state = &state{node: child, depth: child.depth}
	return child
}

func (n *node) element(index int) *node {
	i := sort.Search(len(n.elems), func(i int) bool { return n.elems[i].index >= index })
	if i < len(n.elems) && n.elems[i].index == index {
		return n.elems[i].node
	}
	child := n.child()
	n.elems = append(n.elems, element{})
	copy(n.elems[i+1:], n.elems[i:])
	n.elems[i] = element{index, child}
	return child
}

// claim makes the node a place of a column, once also where two of the column's paths are the same.
func (n *node) claim(col int) {
	for _, c := range n.own {
		if c == col {
			return
		}
	}
	n.own = append(n.own, col)
}

// number gives the places of the node and of all below it their numbers, from lo on, and returns the next free one.
func (n *node) number(lo int, cols []column) int {
	n.lo = lo
	for _, c := range n.own {
		cols[c].places = append(cols[c].places, lo)
		lo++
	}
	for _, f := range n.fields {
		lo = f.node.number(lo, cols)
	}
	for _, e := range n.elems {
		lo = e.node.number(lo, cols)
	}
	n.hi = lo
	return lo
}

// find returns the node of a field, or nil. The search begins with the field after the one found last and goes round.
func (n *node) find(name []byte) *node {
	i := n.guess
	for range n.fields {
		if i >= len(n.fields) {
			i = 0
		}
		if n.fields[i].name == string(name) {
			n.guess = i + 1
			return n.fields[i].node
		}
		i++
	}
	return nil
}

// The moments that calendars of readers agree on: [0001-01-01, 10000-01-01) UTC.
const (
	yearOne record.Micros = -62135596800 * 1e6
	yearEnd record.Micros = 253402300800 * 1e6
)
