package parquetfile

import (
	"bytes"
	"encoding/binary"
	"math"

	"citystream/engine/schema"
)

// maxBoundBytes is the longest text that is kept as a bound. A shortened bound would do for skipping, but not every reader knows
// that it is not a value of the column, and takes it for an answer to min(...).
const maxBoundBytes = 256

// bounds are the least and greatest value of a column chunk in PLAIN encoding, text without its length. Both are exact; known is
// false where they are left out: without values, for bytes, for text with a long bound, and for doubles with a NaN.
//
// NaN has no place that all readers agree on: some sort it above all numbers, so that bounds of the numbers alone would make them
// skip rows that they look for. A zero bound takes the sign that includes the other zero.
type bounds struct {
	known    bool
	min, max []byte
}

// bounds returns the bounds of the open row group.
func (e *encoder) bounds(c *column) bounds {
	if c.values() == 0 {
		return bounds{}
	}
	switch c.typ {
	case schema.Bool:
		least, greatest := extremes(c.bits)
		return bounds{true, []byte{least}, []byte{greatest}}
	case schema.Int:
		least, greatest := extremes(c.int32s)
		return bounds{
			true, binary.LittleEndian.AppendUint32(nil, uint32(least)), binary.LittleEndian.AppendUint32(nil, uint32(greatest)),
		}
	case schema.Double:
		if c.dictionary != nil {
			return doubleBounds(e.numberedDoubles(c.dictionary))
		}
		return doubleBounds(c.doubles)
	case schema.String:
		if c.dictionary != nil { // it has every value, and no other
			return textBounds(c.dictionary.values, len(c.dictionary.ends), func(n int) int { return len(c.dictionary.value(uint32(n))) })
		}
		return textBounds(c.bytes, len(c.int32s), func(n int) int { return int(c.int32s[n]) })
	case schema.Binary:
		return bounds{}
	default:
		least, greatest := extremes(c.int64s)
		return bounds{
			true, binary.LittleEndian.AppendUint64(nil, uint64(least)), binary.LittleEndian.AppendUint64(nil, uint64(greatest)),
		}
	}
}

func extremes[T byte | int32 | int64](values []T) (least, greatest T) {
	least, greatest = values[0], values[0]
	for _, v := range values[1:] {
		least, greatest = min(least, v), max(greatest, v)
	}
	return least, greatest
}

func doubleBounds(values []float64) bounds {
	least, greatest := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if v != v {
			return bounds{}
		}
		if v < least {
			least = v
		}
		if v > greatest {
			greatest = v
		}
	}
	if least == 0 {
		least = math.Copysign(0, -1)
	}
	if greatest == 0 {
		greatest = 0
	}
	return bounds{true, appendDoubles(nil, []float64{least}), appendDoubles(nil, []float64{greatest})}
}

// numberedDoubles returns the values of a dictionary.
func (e *encoder) numberedDoubles(d *dictionary) []float64 {
	e.doubles = e.doubles[:0]
	for at := 0; at < len(d.values); at += 8 {
		e.doubles = append(e.doubles, math.Float64frombits(binary.LittleEndian.Uint64(d.values[at:])))
	}
	return e.doubles
}

// textBounds returns the bounds of n texts that lie one after another, by the order of their bytes.
func textBounds(text []byte, n int, length func(int) int) bounds {
	var least, greatest []byte
	for i := range n {
		v := text[:length(i)]
		text = text[len(v):]
		if i == 0 || bytes.Compare(v, least) < 0 {
			least = v
		}
		if i == 0 || bytes.Compare(v, greatest) > 0 {
			greatest = v
		}
	}
	if len(least) > maxBoundBytes || len(greatest) > maxBoundBytes {
		return bounds{}
	}
	return bounds{true, bytes.Clone(least), bytes.Clone(greatest)}
}
