package strictyaml

import (
	"fmt"
	"slices"
	"strings"
)

// A Fault is one thing wrong with a document, at the place where it is to be mended.
type Fault struct {
	File    string // as the user named it; empty if the document has no name
	Line    int    // from 1; 0 if the fault lies in no line, such as a key that is missing from an empty document
	Column  int    // from 1
	Key     string // path of the key, for example tables[2].columns[0].type; empty for the whole document
	Message string // what is wrong and what to do
}

// String returns the fault in the form file:line:column: key: message, which editors understand.
func (f Fault) String() string {
	var b strings.Builder
	if f.File != "" {
		b.WriteString(f.File + ":")
	}
	if f.Line > 0 {
		fmt.Fprintf(&b, "%d:%d:", f.Line, f.Column)
	}
	if b.Len() > 0 {
		b.WriteString(" ")
	}
	if f.Key != "" {
		b.WriteString(f.Key + ": ")
	}
	b.WriteString(f.Message)
	return b.String()
}

// Faults gathers all faults of a reading, so that the user mends them in one go. The zero value is ready for use.
// Not safe for concurrent use.
type Faults struct {
	all []Fault
}

// Add notes a fault.
func (fs *Faults) Add(f Fault) { fs.all = append(fs.all, f) }

// At notes a fault at a node.
func (fs *Faults) At(n *Node, format string, args ...any) {
	fs.Add(Fault{File: n.File, Line: n.Line, Column: n.Column, Key: n.Path, Message: fmt.Sprintf(format, args...)})
}

// Len returns the number of faults so far; a reader that asks before and after knows whether its part went well.
func (fs *Faults) Len() int { return len(fs.all) }

// Err returns nil if there are no faults, else an *Error of all of them, file by file in the order of their places.
func (fs *Faults) Err() error {
	if len(fs.all) == 0 {
		return nil
	}
	sorted := slices.Clone(fs.all)
	slices.SortStableFunc(sorted, func(a, b Fault) int {
		if a.File != b.File {
			return strings.Compare(a.File, b.File)
		}
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return &Error{Faults: sorted}
}

// An Error is all that is wrong, one fault a line.
type Error struct {
	Faults []Fault // at least one, in the order of their places
}

// Error returns the faults, one a line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}
