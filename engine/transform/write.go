package transform

import (
	"encoding/json"
	"fmt"
	"strings"
)

// YAML returns the transform as YAML that Read reads back to the same transform, with every key written out.
func (t *Transform) YAML() string {
	var b strings.Builder
	fmt.Fprintf(&b, "name: %s\ntable: %s\n", quote(t.Name), quote(t.Table))
	if len(t.With) > 0 {
		with := make([]string, len(t.With))
		for i, w := range t.With {
			with[i] = quote(w)
		}
		fmt.Fprintf(&b, "with: [%s]\n", strings.Join(with, ", "))
	}
	fmt.Fprintf(&b, "version: %d\n", t.Version)
	if t.Comment != "" {
		fmt.Fprintf(&b, "comment: %s\n", quote(t.Comment))
	}
	b.WriteString("columns:\n")
	for _, c := range t.Columns {
		fmt.Fprintf(&b, "  - {name: %s, type: %s", quote(c.Name), c.Type)
		if c.Comment != "" {
			fmt.Fprintf(&b, ", comment: %s", quote(c.Comment))
		}
		b.WriteString("}\n")
	}
	if !isBlock(t.SQL) {
		fmt.Fprintf(&b, "sql: %s\n", quote(t.SQL))
		return b.String()
	}
	b.WriteString("sql: |\n")
	for line := range strings.Lines(t.SQL) {
		b.WriteString("  " + strings.TrimSuffix(line, "\n") + "\n")
	}
	return b.String()
}

// isBlock tells whether a text comes back as it is from a literal block of YAML, line by line.
func isBlock(text string) bool {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.TrimRight(line, " ") != line {
			return false
		}
	}
	return text != "" && text[0] != ' ' && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' || r > '~' })
}

// quote returns text as a double-quoted scalar of YAML, which a JSON string is too.
func quote(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic("transform: quote: " + err.Error()) // text can always be quoted
	}
	return string(quoted)
}
