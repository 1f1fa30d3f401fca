package parquetfile

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
)

// Limits of a dictionary. Readers hold it in memory for each column, and beyond them it seldom pays.
const (
	dictionaryValues = 1 << 16
	dictionaryBytes  = 1 << 20
	minSlots         = 1 << 8
)

// distinctCheck is the number of values after which a dictionary is given up where nearly all of them differ.
const distinctCheck = 1 << 12

// A dictionary numbers the distinct values of one column chunk in the order of their first appearance.
type dictionary struct {
	seed   uint64
	slots  []slot // open addressing; a power of two, at least twice the values
	spare  []slot // to grow into, and back
	values []byte // one after another
	ends   []uint32
}

// A slot holds the number of a value plus one, 0 if free, and its hash, to compare first and to move it without the value.
type slot struct {
	hash, entry uint32
}

func newDictionary() *dictionary {
	return &dictionary{seed: rand.Uint64() | 1, slots: make([]slot, minSlots)}
}

// number returns the number of a value, a new one if need be.
func (d *dictionary) number(v []byte) int32 {
	hash := d.hash(v)
	mask := uint32(len(d.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := d.slots[i]
		if s.entry == 0 {
			d.slots[i] = slot{hash, uint32(len(d.ends) + 1)}
			return d.add(v)
		}
		if s.hash == hash && bytes.Equal(v, d.value(s.entry-1)) {
			return int32(s.entry - 1)
		}
	}
}

// hash mixes eight bytes at a time by a multiplication of 128 bits, whose halves are folded: the step of wyhash (Wang Yi, 2019). The seed
// keeps those who write the values from choosing ones that collide.
func (d *dictionary) hash(v []byte) uint32 {
	h := d.seed ^ uint64(len(v))
	for len(v) > 8 {
		h = mix(h^binary.LittleEndian.Uint64(v), d.seed)
		v = v[8:]
	}
	var last uint64
	switch {
	case len(v) == 8:
		last = binary.LittleEndian.Uint64(v)
	case len(v) >= 4:
		last = uint64(binary.LittleEndian.Uint32(v)) | uint64(binary.LittleEndian.Uint32(v[len(v)-4:]))<<32
	default:
		for _, c := range v {
			last = last<<8 | uint64(c)
		}
	}
	return uint32(mix(h^last, d.seed))
}

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0x9e3779b97f4a7c15, b)
	return hi ^ lo
}

func (d *dictionary) add(v []byte) int32 {
	d.values = append(d.values, v...)
	d.ends = append(d.ends, uint32(len(d.values)))
	if 2*len(d.ends) > len(d.slots) {
		d.growSlots()
	}
	return int32(len(d.ends) - 1)
}

// value returns the value of a number.
func (d *dictionary) value(n uint32) []byte {
	start := uint32(0)
	if n > 0 {
		start = d.ends[n-1]
	}
	return d.values[start:d.ends[n]]
}

// hopeless reports, after so many values, whether the dictionary has passed its limits or will.
func (d *dictionary) hopeless(values int) bool {
	n := len(d.ends)
	return n > dictionaryValues || len(d.values)+4*n > dictionaryBytes || values >= distinctCheck && n > values/10*9
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

// reset forgets all values. The slots get a size that fits the last chunk, so that a small chunk after a large one does not
// clear a megabyte.
func (d *dictionary) reset() {
	for len(d.slots) > minSlots && 8*len(d.ends) < len(d.slots) {
		d.slots = d.slots[:len(d.slots)/2]
	}
	clear(d.slots)
	d.values, d.ends = d.values[:0], d.ends[:0]
}

// memoryBytes returns the memory held.
func (d *dictionary) memoryBytes() int {
	return sizeBytes(d.slots) + sizeBytes(d.spare) + cap(d.values) + sizeBytes(d.ends)
}

// appendPlain appends all values of text in PLAIN encoding: each behind its length.
func (d *dictionary) appendPlain(dst []byte) []byte {
	for n := range d.ends {
		v := d.value(uint32(n))
		dst = append(binary.LittleEndian.AppendUint32(dst, uint32(len(v))), v...)
	}
	return dst
}
