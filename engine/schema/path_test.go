package schema

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestPathsAreReadStepByStep(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		want       Path
	}{
		{"a field", "speed", Path{{Field: "speed"}}},
		{"an element of an array", "location[1]", Path{{Field: "location"}, {Index: 1}}},
		{"a field of a field of a field", "engine.oil.temp", Path{{Field: "engine"}, {Field: "oil"}, {Field: "temp"}}},
		{"an array in an array, and on", "a[0][12].b", Path{{Field: "a"}, {Index: 0}, {Index: 12}, {Field: "b"}}},
		{"quotes around odd names", `"odd.name"."with \" and \\"[3]`, Path{{Field: "odd.name"}, {Field: `with " and \`}, {Index: 3}}},
		{"letters of any script", "größe.高さ", Path{{Field: "größe"}, {Field: "高さ"}}},
		{"signs that need no quotes", "$ref.@id.a-b", Path{{Field: "$ref"}, {Field: "@id"}, {Field: "a-b"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParsePath(c.text)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Fatal(d)
			}
			if got.String() != c.text {
				t.Fatalf("spelled %s", got)
			}
		})
	}
}

func TestWrongPathsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                               "empty",
		"[0]":                            "begin with the name of a field",
		"a.":                             "name of a field is missing",
		".a":                             "name of a field is missing",
		"a..b":                           "name of a field is missing",
		"a[x]":                           "whole number in brackets",
		"a[-1]":                          "whole number in brackets",
		"a[01]":                          "whole number in brackets",
		"a[0":                            "whole number in brackets",
		"a[65536]":                       "greater than 65535",
		"a[0]b":                          "dot is missing before b",
		`"a`:                             "closing quote is missing",
		`""`:                             "empty name",
		`"\n"`:                           `stands before " or \ only`,
		"oil temp":                       "needs double quotes",
		"a]":                             "needs double quotes",
		"a\xff":                          "not UTF-8",
		"a" + strings.Repeat(".a", 16):   "has 17 steps",
		strings.Repeat("a.", 15) + "a]x": "needs double quotes",
	} {
		_, err := ParsePath(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// genPath draws a path of any fields and indices.
func genPath() *rapid.Generator[Path] {
	field := rapid.Custom(func(t *rapid.T) Step {
		return Step{Field: rapid.OneOf(rapid.StringMatching(`[a-z]{1,4}`), rapid.StringN(1, 6, -1)).Draw(t, "field")}
	})
	index := rapid.Custom(func(t *rapid.T) Step { return Step{Index: rapid.IntRange(0, PathIndexMax).Draw(t, "index")} })
	return rapid.Custom(func(t *rapid.T) Path {
		p := Path{field.Draw(t, "first")}
		return append(p, rapid.SliceOfN(rapid.OneOf(field, index), 0, PathStepsMax-1).Draw(t, "rest")...)
	})
}

func TestAnyPathReadsBackAsSpelled(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := genPath().Draw(t, "path")
		got, err := ParsePath(want.String())
		if err != nil || !cmp.Equal(want, got) {
			t.Fatalf("%v spelled %s read %v, %v", want, want, got, err)
		}
	})
}

func FuzzParsePath(f *testing.F) {
	for _, seed := range []string{"a", "a.b[0]", `"x y".z`, "[", `"\`, "a[99999999999]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePath(text)
		if err != nil {
			return
		}
		again, err := ParsePath(p.String())
		if err != nil || !cmp.Equal(p, again) {
			t.Fatalf("%q read %v, spelled %s, read %v, %v", text, p, p, again, err)
		}
	})
}
