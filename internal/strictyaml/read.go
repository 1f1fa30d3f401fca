package strictyaml

import (
	"fmt"
	"slices"
	"strings"
)

// A Section reads the keys of a Map. Each key that the reader takes is known; Done reports the others.
// Not safe for concurrent use.
type Section struct {
	node   *Node
	faults *Faults
	known  []string
}

// SectionOf returns a reader of n's keys. If n is no Map that is a fault, and the reader finds nothing.
func SectionOf(n *Node, faults *Faults) *Section {
	if n.Kind != Map && n.Kind != Broken {
		faults.At(n, "must be %s, not %s", Map, n.Kind)
	}
	return &Section{node: n, faults: faults}
}

// Take returns the value of a key, or nil where the key is missing. A key without a value is a fault and counts as missing.
func (s *Section) Take(key string) *Node {
	s.known = append(s.known, key)
	for _, e := range s.node.Entries {
		if e.Key != key {
			continue
		}
		if e.Value.Kind == Null {
			s.faults.At(e.Value, "has no value: write one, or remove the key")
			return nil
		}
		if e.Value.Kind == Broken {
			return nil
		}
		return e.Value
	}
	return nil
}

// Has says whether the key is written, with whatever value.
func (s *Section) Has(key string) bool {
	return slices.ContainsFunc(s.node.Entries, func(e Entry) bool { return e.Key == key })
}

// Need is Take for a key that must be there.
func (s *Section) Need(key, what string) *Node {
	n := s.Take(key)
	if n == nil && !s.Has(key) && s.node.Kind == Map {
		s.faults.At(s.node, "%s is missing: %s", key, what)
	}
	return n
}

// Done reports each key that nobody took.
func (s *Section) Done() {
	for _, e := range s.node.Entries {
		if slices.Contains(s.known, e.Key) {
			continue
		}
		at := &Node{File: s.node.File, Line: e.Line, Column: e.Column, Path: Join(s.node.Path, e.Key)}
		if near := Nearest(e.Key, s.known); near != "" {
			s.faults.At(at, "no such key; is %s meant?", near)
			continue
		}
		s.faults.At(at, "no such key; known here: %s", strings.Join(s.known, ", "))
	}
}

// Text returns the value of a String node; anything else is a fault.
func Text(n *Node, faults *Faults) (string, bool) {
	switch n.Kind {
	case String:
		return n.Scalar, true
	case Int, Float, Bool:
		faults.At(n, "must be text: write %q with quotes", n.Scalar)
	case Broken:
	default:
		faults.At(n, "must be text, not %s", n.Kind)
	}
	return "", false
}

// Word returns a value that is one of the given words.
func Word(n *Node, faults *Faults, words ...string) (string, bool) {
	if n.Kind == Broken {
		return "", false
	}
	if n.Kind == String && slices.Contains(words, n.Scalar) {
		return n.Scalar, true
	}
	is := n.Kind.String()
	if n.Scalar != "" {
		is = fmt.Sprintf("%q", n.Scalar)
	}
	faults.At(n, "must be one of %s, not %s", strings.Join(words, ", "), is)
	return "", false
}

// True returns the value of a Bool node; anything else is a fault.
func True(n *Node, faults *Faults) (value, ok bool) {
	switch n.Kind {
	case Bool:
		return n.Scalar == "true", true
	case Broken:
	default:
		faults.At(n, "must be true or false, not %s", n.Kind)
	}
	return false, false
}

// Nearest returns the word that a misspelt one most likely means: the same but for case, _ and -, or one edit away; else nothing.
func Nearest(word string, words []string) string {
	plain := func(s string) string { return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(s)) }
	for _, w := range words {
		if distance(plain(word), plain(w)) <= 1 {
			return w
		}
	}
	return ""
}

// distance is the number of bytes to change, add or remove to turn a into b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
