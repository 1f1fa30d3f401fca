package decode

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// text scans a text in quotes: s.pos is at its opening quote, and then after its closing one.
func (s *scanner) text() bool {
	if s.at() != '"' {
		return s.unexpected()
	}
	s.plain = true
	i := s.pos + 1
	for {
		i += ordinary(s.buf[i:])
		if i >= len(s.buf) {
			s.pos = i
			return s.unexpected()
		}
		switch c := s.buf[i]; {
		case c == '"':
			s.pos = i + 1
			return true
		case c == '\\':
			s.pos = i
			if !s.escape() {
				return false
			}
			i = s.pos
		case c < ' ':
			s.pos = i
			return s.fail("control character in a text")
		default:
			i++ // not ASCII
		}
		s.plain = false
	}
}

// ordinary returns the number of bytes that b begins with that stand for themselves in a text: ASCII, no quote, no backslash, no
// control character. Eight at a time: a byte's high bit ends up set where the byte is special, and perhaps in bytes after such a one.
func ordinary(b []byte) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		quote := (w ^ ones*'"') - ones
		backslash := (w ^ ones*'\\') - ones
		control := w - ones*' '
		if special := (w | quote | backslash | control) & highs; special != 0 {
			return i + bits.TrailingZeros64(special)/8
		}
	}
	for i < len(b) && b[i] >= ' ' && b[i] < utf8.RuneSelf && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// escape goes over an escape.
func (s *scanner) escape() bool {
	s.pos++
	switch s.at() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos++
		return true
	case 'u':
		s.pos++
		for range 4 {
			if hex[s.at()] == notHex {
				return s.unexpected()
			}
			s.pos++
		}
		return true
	}
	return s.unexpected()
}

const notHex = 0xff

// hex has the value of each hexadecimal digit.
var hex = func() (t [256]byte) {
	for i := range t {
		t[i] = notHex
	}
	for i := range byte(10) {
		t['0'+i] = i
	}
	for i := range byte(6) {
		t['a'+i], t['A'+i] = 10+i, 10+i
	}
	return t
}()

// appendText appends a text with its escapes resolved. The text was scanned, so that its escapes are whole. As in encoding/json, each
// byte that is not UTF-8 and each surrogate without its other half becomes U+FFFD.
func appendText(dst, s []byte) []byte {
	for len(s) > 0 {
		n := ordinary(s)
		dst = append(dst, s[:n]...)
		if s = s[n:]; len(s) == 0 {
			break
		}
		if s[0] == '\\' {
			var r rune
			r, n = unescape(s)
			dst = utf8.AppendRune(dst, r)
		} else {
			dst, n = appendRune(dst, s)
		}
		s = s[n:]
	}
	return dst
}

// appendUTF8 appends b with each byte that is not UTF-8 replaced by U+FFFD.
func appendUTF8(dst, b []byte) []byte {
	if utf8.Valid(b) {
		return append(dst, b...)
	}
	for len(b) > 0 {
		var n int
		dst, n = appendRune(dst, b)
		b = b[n:]
	}
	return dst
}

// appendRune appends the first character of s, as it stands, and returns its length in s.
func appendRune(dst, s []byte) ([]byte, int) {
	r, n := utf8.DecodeRune(s)
	return utf8.AppendRune(dst, r), n
}

// unescape returns the character that the escape at the beginning of s stands for, and the length of the escape.
func unescape(s []byte) (rune, int) {
	switch s[1] {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		r := codeUnit(s)
		if !utf16.IsSurrogate(r) {
			return r, 6
		}
		if len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
			if pair := utf16.DecodeRune(r, codeUnit(s[6:])); pair != utf8.RuneError {
				return pair, 12
			}
		}
		return utf8.RuneError, 6
	}
	return rune(s[1]), 2 // a quote, a backslash or a slash
}

// codeUnit returns the number in an escape \uXXXX.
func codeUnit(s []byte) rune {
	return rune(hex[s[2]])<<12 | rune(hex[s[3]])<<8 | rune(hex[s[4]])<<4 | rune(hex[s[5]])
}
