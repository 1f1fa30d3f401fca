package fleet

import "encoding/hex"

// A place names a record: the kind of the record that a vehicle sends with its n-th step on a drive.
type place struct {
	drive  uint32
	number uint32 // of the vehicle
	step   uint16
	kind   Kind
}

// incident is the kind of the id of an emergency's incident, which is no record of its own.
const incident Kind = Kinds

// An id is a place enciphered into the 122 bits that are free in a UUID of version 4, by a Feistel network of six rounds on two halves
// of 61 bits. Being a bijection, it gives each place of a seed an id of its own; being invertible, it tells for any UUID whether it
// is one of a drive: a stranger's passes for one with a chance of (records of the drive) / 2^122. It hides nothing: the cipher is there
// for the looks.
type id struct{ hi, lo uint64 }

const (
	idRounds = 6
	halfBits = 61
	halfMask = 1<<halfBits - 1
)

// scramble is the round function. Its argument has three bits free for the round's number.
func scramble(key, round, half uint64) uint64 { return mix(key+(round<<halfBits|half)) & halfMask }

// encipher returns the id of a place.
func (p place) encipher(key uint64) id {
	left := uint64(p.drive) << (halfBits - 32) // the zeros below are the check of decipher
	right := uint64(p.number)<<20 | uint64(p.step)<<4 | uint64(p.kind)
	for round := range uint64(idRounds) {
		left, right = right, left^scramble(key, round, right)
	}
	return id{
		hi: left>>13<<16 | 4<<12 | left>>1&0xfff, // 48 bits, version 4, 12 bits
		lo: 0b10<<62 | left&1<<61 | right,        // variant, 62 bits
	}
}

// decipher returns the place that an id stands for, if it is one of this key.
func (i id) decipher(key uint64) (place, bool) {
	if i.hi>>12&0xf != 4 || i.lo>>62 != 0b10 {
		return place{}, false
	}
	left := (i.hi>>16<<12|i.hi&0xfff)<<1 | i.lo>>61&1
	right := i.lo & halfMask
	for round := uint64(idRounds); round > 0; round-- {
		left, right = right^scramble(key, round-1, left), left
	}
	p := place{
		drive:  uint32(left >> (halfBits - 32)),
		number: uint32(right >> 20),
		step:   uint16(right >> 4),
		kind:   Kind(right & 0xf),
	}
	return p, left&(1<<(halfBits-32)-1) == 0 && right>>52 == 0
}

const idLen = 36 // of a UUID as text

// appendText writes the id as 8-4-4-4-12 hexadecimal digits.
func (i id) appendText(b []byte) []byte {
	const digits = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		if shift == 28 || shift == 12 {
			b = append(b, '-')
		}
		b = append(b, digits[i.hi>>shift&0xf])
	}
	b = append(b, '-')
	for shift := 60; shift >= 0; shift -= 4 {
		if shift == 44 {
			b = append(b, '-')
		}
		b = append(b, digits[i.lo>>shift&0xf])
	}
	return b
}

// parseID reads what appendText writes.
func parseID(text []byte) (i id, ok bool) {
	if len(text) != idLen {
		return id{}, false
	}
	var packed [idLen - 4]byte
	n := 0
	for at, c := range text {
		if at == 8 || at == 13 || at == 18 || at == 23 {
			if c != '-' {
				return id{}, false
			}
			continue
		}
		packed[n] = c
		n++
	}
	var raw [16]byte
	if _, err := hex.Decode(raw[:], packed[:]); err != nil {
		return id{}, false
	}
	for at := range 8 {
		i.hi = i.hi<<8 | uint64(raw[at])
		i.lo = i.lo<<8 | uint64(raw[8+at])
	}
	return i, true
}
