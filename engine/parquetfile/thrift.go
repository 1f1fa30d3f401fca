package parquetfile

import "encoding/binary"

// Types of the compact protocol.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftI32    = 5
	thriftI64    = 6
	thriftBinary = 8
	thriftList   = 9
	thriftStruct = 12
)

// A thriftWriter appends structs in Thrift's compact protocol: page headers and the footer. It exists because a page header is
// written for each page, where the reflection of a general encoder allocates, and because a bound that is the empty text has to
// be told from a missing one. Fields are written in the order of their numbers.
type thriftWriter struct {
	buf   []byte
	last  int    // number of the field before, in the open struct
	outer [8]int // last, of the structs around it
	depth int
}

// begin opens a struct: the top one, an element of a list, or the value of the field just written.
func (t *thriftWriter) begin() {
	t.outer[t.depth] = t.last
	t.depth++
	t.last = 0
}

func (t *thriftWriter) end() {
	t.buf = append(t.buf, 0)
	t.depth--
	t.last = t.outer[t.depth]
}

// field starts the field of the given number.
func (t *thriftWriter) field(number int, typ byte) {
	if step := number - t.last; step >= 1 && step <= 15 {
		t.buf = append(t.buf, byte(step)<<4|typ)
	} else {
		t.buf = binary.AppendVarint(append(t.buf, typ), int64(number))
	}
	t.last = number
}

func (t *thriftWriter) int32(number int, v int64) {
	t.field(number, thriftI32)
	t.buf = binary.AppendVarint(t.buf, v)
}

func (t *thriftWriter) int64(number int, v int64) {
	t.field(number, thriftI64)
	t.buf = binary.AppendVarint(t.buf, v)
}

func (t *thriftWriter) bool(number int, v bool) {
	if v {
		t.field(number, thriftTrue)
	} else {
		t.field(number, thriftFalse)
	}
}

func (t *thriftWriter) bytes(number int, v []byte) {
	t.field(number, thriftBinary)
	t.buf = append(binary.AppendUvarint(t.buf, uint64(len(v))), v...)
}

func (t *thriftWriter) string(number int, v string) {
	t.field(number, thriftBinary)
	t.stringElement(v)
}

func (t *thriftWriter) structure(number int) {
	t.field(number, thriftStruct)
	t.begin()
}

// empty writes a field whose value is a struct without fields: a member of a union.
func (t *thriftWriter) empty(number int) {
	t.structure(number)
	t.end()
}

// list starts a list of n elements, which follow by begin and end, int32Element or stringElement.
func (t *thriftWriter) list(number int, element byte, n int) {
	t.field(number, thriftList)
	if n < 15 {
		t.buf = append(t.buf, byte(n)<<4|element)
		return
	}
	t.buf = binary.AppendUvarint(append(t.buf, 0xF0|element), uint64(n))
}

func (t *thriftWriter) int32Element(v int64) { t.buf = binary.AppendVarint(t.buf, v) }

func (t *thriftWriter) stringElement(v string) {
	t.buf = append(binary.AppendUvarint(t.buf, uint64(len(v))), v...)
}
