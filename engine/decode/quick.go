package decode

import (
	"math"

	"citystream/engine/columns"
	"citystream/engine/record"
	"citystream/engine/schema"
)

// The functions below scan the value that b begins with and append it, where it has the usual form of its type. They return its length,
// or 0, with nothing appended, where the general way has to look at it.

// quickString takes a text of ASCII without escapes.
func quickString(out *columns.Column, b []byte) int {
	n := 1 + ordinary(b[1:])
	if n == len(b) || b[n] != '"' {
		return 0
	}
	out.AppendBytes(b[1:n])
	return n + 1
}

// quickDigits reads the digits that b begins with, not more than most, and puts them behind those of v.
func quickDigits(v uint64, b []byte, most int) (uint64, int) {
	n := 0
	for n < len(b) && n < most && isDigit(b[n]) {
		v = v*10 + uint64(b[n]-'0')
		n++
	}
	return v, n
}

// digitsMax is how many digits an int64 holds whatever they are.
const digitsMax = 18

// quickNumber reads a number of at most 18 digits without exponent: mant divided by 10 to the fraction.
func quickNumber(b []byte) (mant uint64, fraction int, negative bool, n int) {
	if b[0] == '-' {
		negative, n = true, 1
	}
	mant, whole := quickDigits(0, b[n:], digitsMax)
	if whole == 0 || whole > 1 && b[n] == '0' {
		return 0, 0, false, 0
	}
	n += whole
	if n < len(b) && b[n] == '.' {
		mant, fraction = quickDigits(mant, b[n+1:], digitsMax-whole)
		if fraction == 0 {
			return 0, 0, false, 0
		}
		n += 1 + fraction
	}
	if n < len(b) && (isDigit(b[n]) || b[n] == '.' || b[n]|0x20 == 'e') {
		return 0, 0, false, 0
	}
	return mant, fraction, negative, n
}

// quickDouble takes a number whose digits a double holds without error.
func quickDouble(out *columns.Column, b []byte) int {
	mant, fraction, negative, n := quickNumber(b)
	if n == 0 || mant > exactMax {
		return 0
	}
	f := float64(mant) / powers[fraction] // one operation on exact values, so rounded correctly: see decimal.double
	if negative {
		f = -f
	}
	out.AppendFloat(f)
	return n
}

// quickInteger takes a whole number.
func quickInteger(out *columns.Column, b []byte, typ schema.Type) int {
	mant, fraction, negative, n := quickNumber(b)
	if n == 0 || fraction > 0 {
		return 0
	}
	v := int64(mant)
	if negative {
		v = -v
	}
	if typ == schema.Int && (v < math.MinInt32 || v > math.MaxInt32) {
		return 0
	}
	out.AppendInt(v)
	return n
}

// quickTimestamp takes "yyyy-mm-ddThh:mm:ss.ffffff" with or without the fraction, in the minute of the timestamp before.
func (d *JSON) quickTimestamp(out *columns.Column, col *column, b []byte) int {
	const second, fraction, end = 1 + minuteLen, 1 + minuteLen + len(":05"), 1 + minuteLen + len(":05.000000")
	if len(b) <= fraction || string(b[1:second]) != string(d.minute.text[:]) || b[second] != ':' {
		return 0
	}
	tens, ones := b[second+1]-'0', b[second+2]-'0'
	if tens > 5 || ones > 9 {
		return 0
	}
	at := d.minute.at + record.Micros(tens*10+ones)*1e6
	n := fraction
	if b[n] == '.' {
		micros, digits := quickDigits(0, b[n+1:], 6)
		if digits < 6 || len(b) <= end {
			return 0
		}
		at += record.Micros(micros)
		n = end
	}
	if b[n] != '"' || at < col.from || at >= col.to {
		return 0
	}
	out.AppendInt(int64(at))
	return n + 1
}
