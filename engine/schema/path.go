package schema

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of a path.
const (
	PathStepsMax = 16    // steps of a path
	PathIndexMax = 65535 // index into an array
)

// String returns the path as the YAML spells it; ParsePath reads it back.
func (p Path) String() string {
	var b strings.Builder
	for i, s := range p {
		if s.Field == "" {
			b.WriteString("[" + strconv.Itoa(s.Index) + "]")
			continue
		}
		if i > 0 {
			b.WriteByte('.')
		}
		if strings.ContainsAny(s.Field, special) {
			b.WriteString(`"` + quoter.Replace(s.Field) + `"`)
			continue
		}
		b.WriteString(s.Field)
	}
	return b.String()
}

// special are the characters that a field's name has only in quotes, where " and \ are written with a \ before them.
const special = ".[]\"\\ \t\r\n"

var quoter = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// ParsePath reads a path: fields joined by dots, elements of arrays as [0], names with special characters in double quotes, for
// example readings[2]."oil temp".value.
func ParsePath(text string) (Path, error) {
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("path %q is not UTF-8", text)
	}
	var p Path
	for rest := text; rest != ""; {
		step, after, err := nextStep(rest, len(p) == 0)
		if err != nil {
			return nil, fmt.Errorf("path %s: %w", text, err)
		}
		p, rest = append(p, step), after
	}
	switch {
	case len(p) == 0:
		return nil, fmt.Errorf("a path is empty")
	case len(p) > PathStepsMax:
		return nil, fmt.Errorf("path %s has %d steps; at most %d are read", text, len(p), PathStepsMax)
	}
	return p, nil
}

// nextStep cuts one step off the front of a path.
func nextStep(text string, first bool) (Step, string, error) {
	if text[0] == '[' {
		if first {
			return Step{}, "", fmt.Errorf("a record is an object: begin with the name of a field")
		}
		return indexStep(text)
	}
	if !first {
		if text[0] != '.' {
			return Step{}, "", fmt.Errorf("a dot is missing before %s", text)
		}
		text = text[1:]
	}
	if strings.HasPrefix(text, `"`) {
		return quotedStep(text)
	}
	end := strings.IndexAny(text, special)
	if end < 0 {
		end = len(text)
	}
	if end == 0 {
		return Step{}, "", fmt.Errorf("the name of a field is missing")
	}
	if end < len(text) && text[end] != '.' && text[end] != '[' {
		return Step{}, "", fmt.Errorf("a name with the character %q needs double quotes around it", text[end])
	}
	return Step{Field: text[:end]}, text[end:], nil
}

func indexStep(text string) (Step, string, error) {
	digits, after, ok := strings.Cut(text[1:], "]")
	index, err := strconv.ParseUint(digits, 10, 32)
	if !ok || err != nil || digits != strconv.FormatUint(index, 10) {
		return Step{}, "", fmt.Errorf("an element of an array is written as a whole number in brackets, like [0]")
	}
	if index > PathIndexMax {
		return Step{}, "", fmt.Errorf("index %d is greater than %d", index, PathIndexMax)
	}
	return Step{Index: int(index)}, after, nil
}

func quotedStep(text string) (Step, string, error) {
	var name strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			if name.Len() == 0 {
				return Step{}, "", fmt.Errorf("a field with an empty name cannot be read")
			}
			return Step{Field: name.String()}, text[i+1:], nil
		case '\\':
			i++
			if i == len(text) || (text[i] != '"' && text[i] != '\\') {
				return Step{}, "", fmt.Errorf(`in quotes a \ stands before " or \ only`)
			}
			name.WriteByte(text[i])
		default:
			name.WriteByte(c)
		}
	}
	return Step{}, "", fmt.Errorf("the closing quote is missing")
}
