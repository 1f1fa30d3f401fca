package parquetfile

import (
	"encoding/binary"
	"slices"
)

// deltaBlock is the number of differences in a block of the codec's DELTA_BINARY_PACKED.
const deltaBlock = 128

// The codec fills the last block of a page with zero values. The step down to zero is a difference too, for timestamps one of 51
// bits, and widens all of the block. So the page is filled here, with the least difference of its last block, which then takes no
// bits at all, and the number of values in the header is set right afterwards.

func (e *encoder) deltaInt64(values []int64) ([]byte, error) {
	e.int64s = padDeltas(append(e.int64s[:0], values...))
	var err error
	e.body, err = e.deltaCodec.EncodeInt64(e.body, e.int64s)
	return setDeltaCount(e.body, len(values)), err
}

func (e *encoder) deltaInt32(values []int32) ([]byte, error) {
	e.int32s = padDeltas(append(e.int32s[:0], values...))
	var err error
	e.body, err = e.deltaCodec.EncodeInt32(e.body, e.int32s)
	return setDeltaCount(e.body, len(values)), err
}

// padDeltas fills up the last block of differences. Differences wrap around, as the encoding wants it.
func padDeltas[T int32 | int64](values []T) []T {
	tail := (len(values) - 1) % deltaBlock
	if tail <= 0 {
		return values
	}
	last := values[len(values)-tail-1:]
	least := last[1] - last[0]
	for i := 2; i < len(last); i++ {
		least = min(least, last[i]-last[i-1])
	}
	values = slices.Grow(values, deltaBlock-tail)
	for range deltaBlock - tail {
		values = append(values, values[len(values)-1]+least)
	}
	return values
}

// setDeltaCount replaces the number of values in the header of encoded, which is: block size, miniblocks, number of values, first
// value. The true number is not the larger one, so that the new header fits in front of what follows it.
func setDeltaCount(encoded []byte, count int) []byte {
	_, a := binary.Uvarint(encoded)
	_, b := binary.Uvarint(encoded[a:])
	_, c := binary.Uvarint(encoded[a+b:])
	var header [3 * binary.MaxVarintLen64]byte
	h := append(header[:0], encoded[:a+b]...)
	h = binary.AppendUvarint(h, uint64(count))
	start := a + b + c - len(h)
	copy(encoded[start:], h)
	return encoded[start:]
}
