package decode

import (
	"time"

	"citystream/engine/record"
	"citystream/engine/schema"
)

// A minute is a text yyyy-mm-ddThh:mm and the moment it names, in UTC. Records of one time come together, so most timestamps share
// theirs with the one before.
type minute struct {
	text [minuteLen]byte
	at   record.Micros
}

const (
	dateLen   = len("2006-01-02")
	minuteLen = len("2006-01-02T15:04")
)

var epochMinute = minute{text: [minuteLen]byte([]byte("1970-01-01T00:00"))}

// Problems of timestamps.
const (
	notTimestamp   = "not a timestamp"
	noSuchDate     = "timestamp with a date that does not exist"
	noSuchTime     = "timestamp with a time of day that does not exist"
	leapSecond     = "timestamp with a leap second"
	noSuchZone     = "timestamp with a zone that is not Z, +hh:mm, +hhmm or +hh"
	timeOutOfRange = "timestamp out of range"
)

// timestamp reads a moment: ISO 8601 text, or a number in the given unit. The problem is empty where there is none.
func (m *minute) timestamp(s []byte, unit schema.TimeUnit) (at record.Micros, problem string) {
	if len(s) >= dateLen && s[4] == '-' && isDigit(s[3]) { // 123e-00001 is a number
		at, problem = m.iso(s)
	} else {
		at, problem = epoch(s, unit)
	}
	if problem == "" && (at < yearOne || at >= yearEnd) {
		problem = timeOutOfRange
	}
	return at, problem
}

// epoch reads a number of units since 1970.
func epoch(s []byte, unit schema.TimeUnit) (record.Micros, string) {
	d, ok := parseDecimal(s)
	if !ok {
		return 0, notTimestamp
	}
	if unit == schema.Auto {
		unit = schema.Millis
		if d.below(11) {
			unit = schema.Seconds
		}
	}
	shift := 0
	switch unit {
	case schema.Seconds:
		shift = 6
	case schema.Millis:
		shift = 3
	}
	at, _, ok := d.floor(shift)
	if !ok {
		return 0, timeOutOfRange
	}
	return record.Micros(at), ""
}

// iso reads ISO 8601 text that has at least a date's length.
func (m *minute) iso(s []byte) (at record.Micros, problem string) {
	if len(s) < minuteLen || m.text != [minuteLen]byte(s) {
		date, problem := parseDate(s)
		if problem != "" || len(s) == dateLen {
			return date, problem
		}
		clock, problem := parseClock(s[dateLen:])
		if problem != "" {
			return 0, problem
		}
		*m = minute{[minuteLen]byte(s), date + clock}
	}
	second, s, problem := parseSecond(s[minuteLen:])
	if problem != "" {
		return 0, problem
	}
	offset, problem := parseZone(s)
	return m.at + second - offset, problem
}

// parseDate reads the yyyy-mm-dd that s begins with.
func parseDate(s []byte) (record.Micros, string) {
	y1, ok1 := twoDigits(s)
	y2, ok2 := twoDigits(s[2:])
	month, ok3 := twoDigits(s[5:])
	day, ok4 := twoDigits(s[8:])
	if !(ok1 && ok2 && ok3 && ok4) || s[4] != '-' || s[7] != '-' {
		return 0, notTimestamp
	}
	date := time.Date(y1*100+y2, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if _, m, d := date.Date(); m != time.Month(month) || d != day { // time.Date lets a 32nd January be a 1st February
		return 0, noSuchDate
	}
	return record.MicrosOf(date), ""
}

// parseClock reads the Thh:mm that s begins with.
func parseClock(s []byte) (record.Micros, string) {
	if len(s) < len("T15:04") || s[0] != 'T' && s[0] != ' ' && s[0] != 't' || s[3] != ':' {
		return 0, notTimestamp
	}
	hour, ok1 := twoDigits(s[1:])
	min, ok2 := twoDigits(s[4:])
	switch {
	case !ok1 || !ok2:
		return 0, notTimestamp
	case hour > 23 || min > 59:
		return 0, noSuchTime
	}
	return record.Micros(hour*60+min) * 60e6, ""
}

// parseSecond reads the :ss.ffffff that s begins with, if there is one, and returns what follows.
func parseSecond(s []byte) (at record.Micros, rest []byte, problem string) {
	if len(s) == 0 || s[0] != ':' {
		return 0, s, ""
	}
	second, ok := twoDigits(s[1:])
	switch {
	case !ok:
		return 0, s, notTimestamp
	case second == 60:
		return 0, s, leapSecond
	case second > 60:
		return 0, s, noSuchTime
	}
	at = record.Micros(second) * 1e6
	s = s[3:]
	if len(s) == 0 || s[0] != '.' && s[0] != ',' {
		return at, s, ""
	}
	digits := 0
	for unit := record.Micros(1e5); digits+1 < len(s) && isDigit(s[digits+1]); unit /= 10 {
		at += record.Micros(s[digits+1]-'0') * unit // unit is 0 from the seventh digit on
		digits++
	}
	if digits == 0 || digits > 9 {
		return 0, s, notTimestamp
	}
	return at, s[1+digits:], ""
}

// parseZone reads the zone, all of s, as the time that its clocks are ahead of UTC.
func parseZone(s []byte) (record.Micros, string) {
	switch {
	case len(s) == 0, len(s) == 1 && (s[0] == 'Z' || s[0] == 'z'):
		return 0, ""
	case s[0] != '+' && s[0] != '-':
		return 0, notTimestamp
	}
	hour, ok := twoDigits(s[1:])
	min := 0
	switch {
	case !ok || hour > 23:
		return 0, noSuchZone
	case len(s) == len("+hhmm"):
		min, ok = twoDigits(s[3:])
	case len(s) == len("+hh:mm") && s[3] == ':':
		min, ok = twoDigits(s[4:])
	case len(s) != len("+hh"):
		return 0, noSuchZone
	}
	if !ok || min > 59 {
		return 0, noSuchZone
	}
	offset := record.Micros(hour*60+min) * 60e6
	if s[0] == '-' {
		offset = -offset
	}
	return offset, ""
}

// twoDigits reads the two digits that s begins with.
func twoDigits(s []byte) (int, bool) {
	if len(s) < 2 || !isDigit(s[0]) || !isDigit(s[1]) {
		return 0, false
	}
	return int(s[0]-'0')*10 + int(s[1]-'0'), true
}
