package fleet

import "math/bits"

// draws is a stream of random numbers: SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014).
// The zero value is a stream too; streams of mixed seeds are unrelated.
type draws uint64

const gamma = 0x9e3779b97f4a7c15 // 2^64 over the golden ratio, odd: the step of SplitMix64

// mix is the output function of SplitMix64, a bijection in which every bit of the input reaches every bit of the output.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (d *draws) next() uint64 {
	*d += gamma
	return mix(uint64(*d))
}

// below returns a number in [0, n). Its bias of n/2^64 is far below what any reading shows.
func (d *draws) below(n int64) int64 {
	hi, _ := bits.Mul64(d.next(), uint64(n))
	return int64(hi)
}

// between returns a number in [lo, hi], both included.
func (d *draws) between(lo, hi int64) int64 { return lo + d.below(hi-lo+1) }

// oneOf returns one of some words.
func (d *draws) oneOf(words []string) string { return words[d.below(int64(len(words)))] }
