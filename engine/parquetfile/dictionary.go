package parquetfile

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
)

// Limits of a dictionary. Readers hold it in memory for each column, and beyond them it seldom pays.
const (
	dictionaryValues = 1 << 16
	dictionaryBytes  = 1 << 20
	minSlots         = 1 << 10
)

// A dictionary numbers the distinct values of one column chunk in the order of their first appearance. It is scratch of an
// Encoder and refers to the values where they lie in the column's buffer.
type dictionary struct {
	seed    maphash.Seed
	slots   []slot   // open addressing; a power of two, at least twice the entries
	spare   []slot   // to grow into, and back
	entries []uint32 // where the value begins in the column's buffer, its length in front
	bytes   int      // of the values with their lengths
}

// A slot holds the number of an entry plus one, 0 if free, and its hash, to compare first and to move it without the value.
type slot struct {
	hash, entry uint32
}

func newDictionary() dictionary {
	return dictionary{seed: maphash.MakeSeed(), slots: make([]slot, minSlots)}
}

// build numbers the values of plain, a buffer in PLAIN encoding, and appends the number of each value to indexes. It reports
// false, with the dictionary unfinished, if that passes the limits or would not make the column smaller.
func (d *dictionary) build(plain []byte, indexes []int32) ([]int32, bool) {
	d.reset()
	for at := 0; at < len(plain); {
		end := at + 4 + int(binary.LittleEndian.Uint32(plain[at:]))
		n := d.number(plain, at, end)
		if len(d.entries) > dictionaryValues || d.bytes > dictionaryBytes {
			return indexes, false
		}
		indexes = append(indexes, n)
		at = end
	}
	width := bits.Len(uint(len(d.entries) - 1))
	return indexes, d.bytes+len(indexes)*width/8 < len(plain)
}

// number returns the number of the value at plain[at:end], a new one if need be.
func (d *dictionary) number(plain []byte, at, end int) int32 {
	hash := uint32(maphash.Bytes(d.seed, plain[at+4:end]))
	mask := uint32(len(d.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := d.slots[i]
		if s.entry == 0 {
			d.slots[i] = slot{hash, uint32(len(d.entries) + 1)}
			d.entries = append(d.entries, uint32(at))
			d.bytes += end - at
			if 2*len(d.entries) > len(d.slots) {
				d.growSlots()
			}
			return int32(len(d.entries) - 1)
		}
		if s.hash == hash && bytes.Equal(plain[at:end], d.value(plain, s.entry-1, end-at)) {
			return int32(s.entry - 1)
		}
	}
}

// value returns at most n bytes of an entry with its length in front; the length in them tells values of different lengths apart.
func (d *dictionary) value(plain []byte, entry uint32, n int) []byte {
	start := int(d.entries[entry])
	return plain[start:min(start+n, len(plain))]
}

func (d *dictionary) growSlots() {
	old, n := d.slots, 2*len(d.slots)
	if cap(d.spare) < n {
		d.spare = make([]slot, n)
	}
	d.slots, d.spare = d.spare[:n], old
	clear(d.slots)
	mask := uint32(len(d.slots) - 1)
	for _, s := range old {
		if s.entry == 0 {
			continue
		}
		i := s.hash & mask
		for d.slots[i].entry != 0 {
			i = (i + 1) & mask
		}
		d.slots[i] = s
	}
}

// reset forgets all entries. The slots get a size that fits the last chunk, so that a small chunk after a large one does not
// clear a megabyte.
func (d *dictionary) reset() {
	for len(d.slots) > minSlots && 8*len(d.entries) < len(d.slots) {
		d.slots = d.slots[:len(d.slots)/2]
	}
	clear(d.slots)
	d.entries, d.bytes = d.entries[:0], 0
}

// appendValues appends all values in PLAIN encoding.
func (d *dictionary) appendValues(dst, plain []byte) []byte {
	for _, start := range d.entries {
		dst = append(dst, plain[start:start+4+binary.LittleEndian.Uint32(plain[start:])]...)
	}
	return dst
}
