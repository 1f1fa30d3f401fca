// Package strictyaml reads YAML that people write by hand, and tells them everything that is wrong with it at once.
//
// Decoders that fill structs stop at the first fault, pass over keys that they do not know, or take "8080" for a number where text
// is meant. Here a document becomes a tree of nodes that remember their place; readers ask the nodes for what they need and
// note each fault with file, line, column and key. What nobody asked for is a fault too.
//
// Anchors, aliases, merge keys and tags are refused: a reader of a configuration should not have to resolve it in his head. The
// package is pure.
package strictyaml

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Kind says what a node is.
type Kind uint8

// The kinds of nodes.
const (
	Null Kind = iota // nothing after the colon, or null
	String
	Int
	Float
	Bool
	List
	Map
	Broken // a fault has been noted; readers pass over it in silence
)

// String returns the kind as faults name it.
func (k Kind) String() string {
	switch k {
	case Null:
		return "nothing"
	case String:
		return "text"
	case Int:
		return "a whole number"
	case Float:
		return "a number"
	case Bool:
		return "true or false"
	case List:
		return "a list"
	case Map:
		return "a section of keys"
	default:
		return "something broken"
	}
}

// A Node is a value of a document with its place.
type Node struct {
	Kind   Kind
	File   string
	Line   int
	Column int
	Path   string // of keys, from the root

	Scalar  string // of String, Int, Float and Bool: as written, without quotes
	Items   []*Node
	Entries []Entry
}

// An Entry is one key of a Map with its value.
type Entry struct {
	Key          string
	Line, Column int // of the key
	Value        *Node
}

// textMax bounds a document: a slip such as naming a data file is told at once.
const textMax = 1 << 20

// depthMax bounds the nesting of a document, and so the recursion over it.
const depthMax = 64

// Parse reads a document. file is its name in faults. The result is nil if the text is not YAML at all, and a Null node if there is
// nothing in it but comments.
func Parse(file string, text []byte, faults *Faults) *Node {
	if len(text) > textMax {
		faults.Add(Fault{File: file, Message: fmt.Sprintf("has %d bytes; at most %d are read", len(text), textMax)})
		return nil
	}
	f, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		faults.Add(syntaxFault(file, err))
		return nil
	}
	c := converter{file: file, faults: faults}
	root := &Node{File: file, Line: 1, Column: 1}
	seen := false
	for _, doc := range f.Docs {
		if doc.Body == nil {
			continue
		}
		n := c.node(doc.Body, "", 0)
		if seen {
			faults.At(n, "a second document: put everything into one, without a line of ---")
			break
		}
		root, seen = n, true
	}
	return root
}

// syntaxFault turns the parser's error, which is laid out over several lines, into a fault.
func syntaxFault(file string, err error) Fault {
	f := Fault{File: file, Message: "not YAML: " + strings.TrimSpace(err.Error())}
	var e yaml.Error
	if errors.As(err, &e) {
		f.Message = "not YAML: " + strings.TrimSpace(e.GetMessage())
		if t := e.GetToken(); t != nil && t.Position != nil {
			f.Line, f.Column = t.Position.Line, t.Position.Column
		}
	}
	return f
}

// A converter turns the parser's tree into nodes.
type converter struct {
	file   string
	faults *Faults
}

func (c *converter) node(a ast.Node, path string, depth int) *Node {
	n := &Node{File: c.file, Line: 1, Column: 1, Path: path}
	if t := a.GetToken(); t != nil && t.Position != nil {
		n.Line, n.Column = t.Position.Line, t.Position.Column
	}
	if depth > depthMax {
		return c.broken(n, "nested more than %d deep", depthMax)
	}
	switch a := a.(type) {
	case *ast.NullNode:
		n.Kind = Null
	case *ast.StringNode:
		n.Kind, n.Scalar = String, a.Value
	case *ast.LiteralNode:
		n.Kind, n.Scalar = String, a.Value.Value
	case *ast.IntegerNode:
		n.Kind, n.Scalar = Int, fmt.Sprint(a.Value)
	case *ast.FloatNode:
		n.Kind, n.Scalar = Float, a.Token.Value
		if math.IsInf(a.Value, 0) {
			return c.broken(n, "%s is too large a number", a.Token.Value)
		}
	case *ast.BoolNode:
		n.Kind, n.Scalar = Bool, strconv.FormatBool(a.Value)
	case *ast.SequenceNode:
		n.Kind = List
		for i, v := range a.Values {
			n.Items = append(n.Items, c.node(v, fmt.Sprintf("%s[%d]", path, i), depth+1))
		}
	case *ast.MappingNode:
		c.mapping(n, a.Values, depth)
	case *ast.MappingValueNode:
		c.mapping(n, []*ast.MappingValueNode{a}, depth)
	case *ast.AnchorNode, *ast.AliasNode:
		return c.broken(n, "anchors and aliases are not read here: write the value out")
	case *ast.TagNode:
		return c.broken(n, "tags are not read here: write the value without %s", a.GetToken().Value)
	default:
		return c.broken(n, "a value of this kind is not read here")
	}
	return n
}

func (c *converter) mapping(n *Node, values []*ast.MappingValueNode, depth int) {
	n.Kind = Map
	lines := make(map[string]int, len(values))
	for i, v := range values {
		t := v.Key.GetToken()
		e := Entry{Key: t.Value, Line: t.Position.Line, Column: t.Position.Column}
		if i == 0 {
			n.Line, n.Column = e.Line, e.Column // the parser's own place is that of the first colon
		}
		path := Join(n.Path, e.Key)
		at := &Node{File: c.file, Line: e.Line, Column: e.Column, Path: path}
		if _, ok := v.Key.(*ast.StringNode); !ok {
			c.faults.At(at, "a key must be text")
			continue
		}
		if line, ok := lines[e.Key]; ok {
			c.faults.At(at, "written twice; the first is in line %d", line)
			continue
		}
		lines[e.Key] = e.Line
		e.Value = c.node(v.Value, path, depth+1)
		if e.Value.Kind == Null {
			e.Value.Line, e.Value.Column = e.Line, e.Column
		}
		n.Entries = append(n.Entries, e)
	}
}

func (c *converter) broken(n *Node, format string, args ...any) *Node {
	c.faults.At(n, format, args...)
	n.Kind = Broken
	return n
}

// Join returns the path of a key under a path.
func Join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
