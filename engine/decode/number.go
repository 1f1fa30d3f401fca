package decode

import (
	"math"
	"math/bits"
	"strconv"
)

// A decimal is a number as it was written: mant times 10 to the exp, and, where more is set, a little above that in magnitude, by less
// than 10 to the exp. more implies a mant of 19 digits.
type decimal struct {
	mant uint64
	exp  int
	neg  bool
	more bool
}

const (
	mantMax = 1e18 // a mant below it takes one more digit
	expMax  = 1e12 // beyond what digits before or after the point can make up for
)

func (d *decimal) push(digit byte) {
	switch {
	case d.mant < mantMax:
		d.mant = d.mant*10 + uint64(digit-'0')
	default:
		d.exp++
		d.more = d.more || digit != '0'
	}
}

// parseDecimal reads a number in the grammar of JSON, all of s.
func parseDecimal(s []byte) (d decimal, ok bool) {
	if len(s) > 0 && s[0] == '-' {
		d.neg = true
		s = s[1:]
	}
	n := d.pushDigits(s)
	if n == 0 || s[0] == '0' && n > 1 {
		return d, false
	}
	s = s[n:]
	if len(s) > 0 && s[0] == '.' {
		n = d.pushDigits(s[1:])
		if n == 0 {
			return d, false
		}
		d.exp -= n
		s = s[1+n:]
	}
	if len(s) > 0 {
		exp, ok := parseExponent(s)
		if !ok {
			return d, false
		}
		d.exp += exp
	}
	return d, true
}

// pushDigits takes the digits that s begins with, and returns how many there are.
func (d *decimal) pushDigits(s []byte) int {
	for i, c := range s {
		if !isDigit(c) {
			return i
		}
		d.push(c)
	}
	return len(s)
}

func parseExponent(s []byte) (exp int, ok bool) {
	if s[0] != 'e' && s[0] != 'E' {
		return 0, false
	}
	s = s[1:]
	neg := len(s) > 0 && s[0] == '-'
	if neg || len(s) > 0 && s[0] == '+' {
		s = s[1:]
	}
	for _, c := range s {
		if !isDigit(c) {
			return 0, false
		}
		exp = min(exp*10+int(c-'0'), expMax)
	}
	if neg {
		exp = -exp
	}
	return exp, len(s) > 0
}

// floor returns the greatest integer that is not above the number times 10 to the shift, whether it is equal to that, and false where
// it does not fit.
func (d decimal) floor(shift int) (v int64, exact, ok bool) {
	m, exp, exact := d.mant, d.exp+shift, !d.more
	for ; exp < 0 && m != 0; exp++ {
		exact = exact && m%10 == 0
		m /= 10
	}
	for ; exp > 0 && m != 0; exp-- {
		hi, lo := bits.Mul64(m, 10)
		if hi != 0 {
			return 0, false, false
		}
		m = lo
	}
	if !d.neg {
		return int64(m), exact, m <= math.MaxInt64
	}
	if !exact {
		m++
	}
	return int64(-m), exact, m <= 1<<63
}

// below reports whether the number's magnitude is less than 10 to the n.
func (d decimal) below(n int) bool {
	digits := 0
	for m := d.mant; m != 0; m /= 10 {
		digits++
	}
	return digits == 0 || digits+d.exp <= n
}

// exactMax is the greatest of the whole numbers that a double holds without error, all of them.
const exactMax = 1 << 53

// double returns the nearest double; s is the number's text. It is false where the number is too great.
func (d decimal) double(s []byte) (float64, bool) {
	const powerMax = 22
	if d.mant <= exactMax && d.exp >= -powerMax && d.exp <= powerMax {
		// Both are doubles without error, so one operation rounds correctly. (W. D. Clinger, How to read floating point numbers
		// accurately, 1990.)
		f := float64(d.mant)
		if d.neg {
			f = -f
		}
		if d.exp < 0 {
			return f / powers[-d.exp], true
		}
		return f * powers[d.exp], true
	}
	f, err := strconv.ParseFloat(string(s), 64)
	return f, err == nil
}

// powers are the powers of ten that a double holds without error.
var powers = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}
