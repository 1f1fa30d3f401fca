package aws

import "strings"

// A script is SQL for the engine that was made from what a user wrote: a part of it, with changes. It knows where its bytes come from, so that
// errors are told of the user's text.
type script struct {
	text   string
	whole  string // what the user wrote
	end    int    // of the part of it
	pieces []piece
	hidden bool           // it names a hidden column such as "$path"
	hiding func() *script // returns the same script with stars that leave hidden columns out
}

// A piece says that the script's text from at on comes from the user's text from from on, up to the next piece.
type piece struct{ at, from int }

// An edit puts a text in the place of bytes of the user's text.
type edit struct {
	begin, end int
	text       string
}

// scriptOf returns the bytes of a text from begin to end with edits, which come in order and do not overlap.
func scriptOf(whole string, begin, end int, edits []edit) *script {
	s := &script{whole: whole, end: end}
	var b strings.Builder
	at := begin
	copyTo := func(to int) {
		s.pieces = append(s.pieces, piece{b.Len(), at})
		b.WriteString(whole[at:to])
	}
	for _, e := range edits {
		if e.begin < at || e.end > end {
			continue
		}
		copyTo(e.begin)
		s.pieces = append(s.pieces, piece{b.Len(), e.begin})
		b.WriteString(e.text)
		at = e.end
	}
	copyTo(end)
	s.text = b.String()
	return s
}

// position returns where a byte of the script is in the user's text.
func (s *script) position(at int) string {
	from := 0
	for i, p := range s.pieces {
		if p.at > at {
			break
		}
		from = p.from + at - p.at
		if i+1 < len(s.pieces) {
			from = min(from, s.pieces[i+1].from)
		}
	}
	return position(s.whole, from)
}

// identifier quotes a name for SQL.
func identifier(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// literal quotes a text for SQL.
func literal(text string) string { return `'` + strings.ReplaceAll(text, `'`, `''`) + `'` }

// list returns an SQL list of texts.
func list(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = literal(t)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
