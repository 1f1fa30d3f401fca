package schema

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheYAMLOfATableReadsBackToTheTable(t *testing.T) {
	t.Parallel()
	sixth, err := Parse("", []byte(sensors))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range append(Cities(), sixth...) {
		got, err := Parse("", []byte(want.YAML()))
		if err != nil {
			t.Fatal(err, want.YAML())
		}
		if d := cmp.Diff([]*Table{want}, got); d != "" {
			t.Error(d)
		}
	}
}

func TestWordsThatYAMLTakesForOtherThingsAreQuoted(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"speed": "speed", "a-b_1": "a-b_1", "On": `"On"`, "null": `"null"`, "1e3": `"1e3"`, "a b": `"a b"`, `a"b`: `"a\"b"`, "": `""`, "a\nb": `"a\nb"`,
	} {
		if got := quote(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}
