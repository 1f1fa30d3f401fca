package strictyaml

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNodesKnowTheirPlace(t *testing.T) {
	t.Parallel()
	var faults Faults
	root := Parse("f.yaml", []byte("# head\na: 1\nb:\n  c: [x, \"2\", true, 1.5]\n  d: |\n    long\n    text\n"), &faults)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	node := func(kind Kind, line, column int, path, scalar string) *Node {
		return &Node{Kind: kind, File: "f.yaml", Line: line, Column: column, Path: path, Scalar: scalar}
	}
	c := node(List, 4, 6, "b.c", "")
	c.Items = []*Node{
		node(String, 4, 7, "b.c[0]", "x"), node(String, 4, 10, "b.c[1]", "2"), node(Bool, 4, 15, "b.c[2]", "true"), node(Float, 4, 21, "b.c[3]", "1.5"),
	}
	b := node(Map, 4, 3, "b", "")
	b.Entries = []Entry{{"c", 4, 3, c}, {"d", 5, 3, node(String, 5, 6, "b.d", "long\ntext\n")}}
	want := node(Map, 2, 1, "", "")
	want.Entries = []Entry{{"a", 2, 1, node(Int, 2, 4, "a", "1")}, {"b", 3, 1, b}}
	if d := cmp.Diff(want, root); d != "" {
		t.Fatal(d)
	}
}

func TestWhatIsNotPlainYAMLIsAFault(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"a syntax error", "a: [1\nb: 2", "f:"},
		{"a key twice", "a: 1\na: 2", "f:2:1: a: written twice; the first is in line 1"},
		{"an anchor and an alias", "a: &x 1\nb: *x", "f:1:4: a: anchors and aliases are not read here: write the value out\nf:2:4: b: anchors"},
		{"a merge key", "a: {b: 1}\n<<: {c: 2}", "f:2:1: <<: a key must be text"},
		{"a number as a key", "1: a", "f:1:1: 1: a key must be text"},
		{"a tag", "a: !!int \"1\"", "f:1:4: a: tags are not read here"},
		{"two documents", "a: 1\n---\na: 2", "f:3:1: a second document"},
		{"a number that is none", "a: .nan", "f:1:4: a: a value of this kind is not read here"},
		{"a document too long", strings.Repeat("#", textMax+1), "f: has 1048577 bytes; at most 1048576 are read"},
		{"a document too deep", strings.Repeat("[", 100) + strings.Repeat("]", 100), "nested more than 64 deep"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var faults Faults
			Parse("f", []byte(c.text), &faults)
			if err := faults.Err(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestASectionTellsOfKeysThatNobodyTook(t *testing.T) {
	t.Parallel()
	var faults Faults
	s := SectionOf(Parse("f", []byte("maxage: 1\nfoo: 2\nempty:\nname: x"), &faults), &faults)
	s.Take("maxAge")
	if s.Take("empty") != nil {
		t.Error("an empty key has a value")
	}
	if n := s.Need("name", "what it is called"); n == nil || n.Scalar != "x" {
		t.Error(n)
	}
	s.Need("type", "int or string")
	s.Done()
	want := []string{
		"f:1:1: type is missing: int or string",
		"f:1:1: maxage: no such key; is maxAge meant?",
		"f:2:1: foo: no such key; known here: maxAge, empty, name, type",
		"f:3:1: empty: has no value: write one, or remove the key",
	}
	var e *Error
	if !errors.As(faults.Err(), &e) {
		t.Fatal("no faults")
	}
	if d := cmp.Diff(want, strings.Split(e.Error(), "\n")); d != "" {
		t.Fatal(d)
	}
}

func TestValuesOfTheWrongKindAreFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, want string
		read       func(*Node, *Faults)
		node       Node
	}{
		{"a number for text", `must be text: write "7" with quotes`, func(n *Node, f *Faults) { Text(n, f) }, Node{Kind: Int, Scalar: "7"}},
		{"a list for text", "must be text, not a list", func(n *Node, f *Faults) { Text(n, f) }, Node{Kind: List}},
		{"text for a truth", "must be true or false, not text", func(n *Node, f *Faults) { True(n, f) }, Node{Kind: String, Scalar: "yes"}},
		{"another word", `must be one of a, b, not "c"`, func(n *Node, f *Faults) { Word(n, f, "a", "b") }, Node{Kind: String, Scalar: "c"}},
		{"a list for a word", "must be one of a, b, not a list", func(n *Node, f *Faults) { Word(n, f, "a", "b") }, Node{Kind: List}},
		{"a list for a section", "must be a section of keys, not a list", func(n *Node, f *Faults) { SectionOf(n, f) }, Node{Kind: List}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var faults Faults
			c.read(&c.node, &faults)
			if err := faults.Err(); err == nil || err.Error() != c.want {
				t.Fatalf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestTheNearestWordIsAtMostOneSlipAway(t *testing.T) {
	t.Parallel()
	words := []string{"maxAge", "maxRows", "name"}
	for word, want := range map[string]string{
		"maxage": "maxAge", "max_age": "maxAge", "max-rows": "maxRows", "maxRow": "maxRows", "nam": "name", "nane": "name", "topic": "", "nmae": "",
	} {
		if got := Nearest(word, words); got != want {
			t.Errorf("%s: %q, want %q", word, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"a: 1", "- [x, {y: z}]", "a: &b c", "? [k]\n: v", "a: |\n  b", "\"\\", "a: !!x", "---\n---\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(_ *testing.T, text string) {
		var faults Faults
		if n := Parse("f", []byte(text), &faults); n != nil {
			SectionOf(n, &faults).Done()
		}
		_ = faults.Err()
	})
}
