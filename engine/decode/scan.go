package decode

// depthMax bounds the nesting of a record, as in encoding/json.
const depthMax = 10_000

// A span is where in a record a value lies: [start, end). The zero span is of no value.
type span struct {
	start, end int
	plain      bool // a text of ASCII without escapes, which stands for itself
}

// A scanner walks over the bytes of one record and checks that they are JSON. Its methods return false at a fault, which then is
// problem, at pos.
type scanner struct {
	buf     []byte
	pos     int
	plain   bool // of the last text scanned: ASCII without escapes
	depth   int  // open objects and arrays
	problem string

	// objects has a bit for each open object or array that skip is in, 1 for an object: so values that nobody asked for are skipped
	// without recursion, however deep they are.
	objects [depthMax/64 + 1]uint64
}

func (s *scanner) start(value []byte) {
	s.buf, s.pos, s.depth = value, 0, 0
}

func (s *scanner) fail(problem string) bool {
	s.problem = problem
	return false
}

func (s *scanner) unexpected() bool {
	if s.pos >= len(s.buf) {
		return s.fail("JSON ends too early")
	}
	return s.fail("not valid JSON")
}

// at returns the byte at hand, or 0, which is nowhere valid, at the end.
func (s *scanner) at() byte {
	if s.pos < len(s.buf) {
		return s.buf[s.pos]
	}
	return 0
}

// space goes over white space, of which there usually is none, or one blank.
func (s *scanner) space() {
	if s.at() == ' ' {
		s.pos++
	}
	if s.pos < len(s.buf) && s.buf[s.pos] <= ' ' {
		s.spaces()
	}
}

func (s *scanner) spaces() {
	i := s.pos
	for i < len(s.buf) && isSpace(s.buf[i]) {
		i++
	}
	s.pos = i
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// open goes into the object or array at hand.
func (s *scanner) open() bool {
	if s.depth == depthMax {
		return s.fail("nested too deep")
	}
	s.depth++
	s.pos++
	return true
}

// close goes out of the object or array that ends at hand.
func (s *scanner) close() {
	s.depth--
	s.pos++
}

// colon goes from the end of a field's name to its value.
func (s *scanner) colon() bool {
	s.space()
	if s.at() != ':' {
		return s.unexpected()
	}
	s.pos++
	s.space()
	return true
}

// skip scans a value of any kind. It does not recurse.
func (s *scanner) skip() bool {
	floor := s.depth
	for {
		switch c := s.at(); c {
		case '{', '[':
			if !s.open() {
				return false
			}
			s.setObject(c == '{')
			s.space()
			if s.at() == c+2 { // '}' and ']' lie two after their openings
				s.close()
			} else if c == '{' && !(s.text() && s.colon()) {
				return false
			} else {
				continue
			}
		default:
			if !s.scalar() {
				return false
			}
		}
		if done, ok := s.next(floor); done || !ok {
			return ok
		}
	}
}

// next goes from the end of a value to the beginning of the next one, out of all that ends in between; done is true where skip is
// back at the depth at which it began.
func (s *scanner) next(floor int) (done, ok bool) {
	for s.depth > floor {
		s.space()
		object := s.inObject()
		switch c := s.at(); {
		case c == ',':
			s.pos++
			s.space()
			return false, !object || s.text() && s.colon()
		case c == '}' && object, c == ']' && !object:
			s.close()
		default:
			return false, s.unexpected()
		}
	}
	return true, true
}

func (s *scanner) setObject(object bool) {
	word, bit := &s.objects[s.depth/64], uint64(1)<<(s.depth%64)
	*word &^= bit
	if object {
		*word |= bit
	}
}

func (s *scanner) inObject() bool { return s.objects[s.depth/64]&(1<<(s.depth%64)) != 0 }

// scalar scans a text, a number, true, false or null.
func (s *scanner) scalar() bool {
	switch c := s.at(); {
	case c == '"':
		return s.text()
	case c == '-' || isDigit(c):
		return s.number()
	case c == 't':
		return s.word("true")
	case c == 'f':
		return s.word("false")
	case c == 'n':
		return s.word("null")
	}
	return s.unexpected()
}

func (s *scanner) word(w string) bool {
	for i := range len(w) {
		if s.at() != w[i] {
			return s.unexpected()
		}
		s.pos++
	}
	return true
}

func isDigit(c byte) bool { return c-'0' < 10 }

// digits goes over one or more digits.
func (s *scanner) digits() bool {
	i := s.pos
	for i < len(s.buf) && isDigit(s.buf[i]) {
		i++
	}
	some := i > s.pos
	s.pos = i
	return some || s.unexpected()
}

func (s *scanner) number() bool {
	if s.at() == '-' {
		s.pos++
	}
	if s.at() == '0' {
		s.pos++ // no digit may follow
	} else if !s.digits() {
		return false
	}
	if s.at() == '.' {
		s.pos++
		if !s.digits() {
			return false
		}
	}
	if c := s.at(); c == 'e' || c == 'E' {
		s.pos++
		if c := s.at(); c == '+' || c == '-' {
			s.pos++
		}
		return s.digits()
	}
	return true
}
