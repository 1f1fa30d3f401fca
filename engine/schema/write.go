package schema

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// YAML returns the table as YAML that Parse reads back to the same table, with every key written out.
func (t *Table) YAML() string {
	var b strings.Builder
	fmt.Fprintf(&b, "name: %s\ntopic: %s\neventTime: %s\n", quote(t.Name), quote(t.Topic), quote(t.Columns[t.EventTime].Name))
	fmt.Fprintf(&b, "lateness: %s\nmaxFuture: %s\nlate: %s\n", t.Lateness, t.MaxFuture, t.Late)
	fmt.Fprintf(&b, "timeFrom: %s\ntimeTo: %s\ncolumns:\n", quote(t.TimeFrom.Format(time.RFC3339Nano)), quote(t.TimeTo.Format(time.RFC3339Nano)))
	for _, c := range t.Columns {
		fmt.Fprintf(&b, "  - {name: %s, type: %s, path: %s", quote(c.Name), c.Type, quote(c.Paths[0].String()))
		if len(c.Paths) > 1 {
			aliases := make([]string, len(c.Paths)-1)
			for i, p := range c.Paths[1:] {
				aliases[i] = quote(p.String())
			}
			fmt.Fprintf(&b, ", aliases: [%s]", strings.Join(aliases, ", "))
		}
		if c.Required {
			b.WriteString(", required: true")
		}
		if c.Type == Timestamp {
			fmt.Fprintf(&b, ", unit: %s", c.Unit)
		}
		if c.Comment != "" {
			fmt.Fprintf(&b, ", comment: %s", quote(c.Comment))
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// quote returns text as a double-quoted scalar of YAML, which a JSON string is too. Words of letters, digits, - and _ that YAML
// cannot take for anything but text, as most names are, stay as they are.
func quote(text string) string {
	outside := func(r rune) bool { return !isLetter(r) && !isDigit(r) && r != '-' && r != '_' }
	if text != "" && isLetter(rune(text[0])) && !strings.ContainsFunc(text, outside) && !notText[strings.ToLower(text)] {
		return text
	}
	quoted, err := json.Marshal(text)
	if err != nil {
		panic("schema: quote: " + err.Error()) // text can always be quoted
	}
	return string(quoted)
}

// notText are the words that one version of YAML or another does not take for text.
var notText = map[string]bool{
	"true": true, "false": true, "yes": true, "no": true, "on": true, "off": true, "null": true, "y": true, "n": true, "inf": true, "nan": true,
}
