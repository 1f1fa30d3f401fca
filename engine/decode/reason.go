package decode

import "strconv"

// A Reason says why a record could not be decoded. Its text depends on the record's bytes and the schema alone and quotes at most
// nearMax bytes of the record.
type Reason struct {
	Column  string // name of the column at fault; empty where the JSON itself is
	Offset  int    // of the byte in the record's value where the fault lies; -1 where something is missing
	Problem string // what is wrong: one of a fixed set of texts

	near [nearMax]byte // the beginning of what was found there
	len  int
	more bool // what was found is longer than near
}

// nearMax bounds the quotation: enough to see what is meant, too little to carry somebody's data into logs. It is also what Go
// converts to a string without allocating.
const nearMax = 32

// Error returns the reason as text, in printable ASCII but for the column's name.
func (r *Reason) Error() string { return string(r.AppendTo(nil)) }

// AppendTo appends the text of the reason to b. It allocates nothing beyond what b needs to grow.
func (r *Reason) AppendTo(b []byte) []byte {
	if r.Column != "" {
		b = append(b, "column "...)
		b = append(b, r.Column...)
		b = append(b, ": "...)
	}
	b = append(b, r.Problem...)
	if r.Offset >= 0 {
		b = append(b, " at byte "...)
		b = strconv.AppendInt(b, int64(r.Offset), 10)
	}
	if r.len > 0 {
		b = append(b, ": "...)
		b = strconv.AppendQuoteToASCII(b, string(r.near[:r.len]))
	}
	if r.more {
		b = append(b, "..."...)
	}
	return b
}

func (r *Reason) set(column string, offset int, problem string, near []byte) {
	r.Column, r.Offset, r.Problem = column, offset, problem
	r.len = copy(r.near[:], near)
	r.more = len(near) > nearMax
}
