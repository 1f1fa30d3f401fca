package aws

import (
	"fmt"
	"strings"
)

// A typeTree is a column's type, whoever has written it: Hive as array<int>, Trino as array(integer), the engine as INTEGER[].
type typeTree struct {
	name  string // in lower case: a plain type with its parameters, or array, map, row
	inner []typeTree
	names []string // of a row's fields
}

// languages are the words for a plain type in Hive, Trino and the engine, for each name that any of them has.
type languages struct{ hive, trino, duck string }

var (
	tText      = languages{"string", "varchar", "VARCHAR"}
	tBytes     = languages{"binary", "varbinary", "BLOB"}
	tBool      = languages{"boolean", "boolean", "BOOLEAN"}
	tTiny      = languages{"tinyint", "tinyint", "TINYINT"}
	tSmall     = languages{"smallint", "smallint", "SMALLINT"}
	tInt       = languages{"int", "integer", "INTEGER"}
	tBig       = languages{"bigint", "bigint", "BIGINT"}
	tFloat     = languages{"float", "real", "FLOAT"}
	tDouble    = languages{"double", "double", "DOUBLE"}
	tTimestamp = languages{"timestamp", "timestamp(3)", "TIMESTAMP"}
	tDate      = languages{"date", "date", "DATE"}
	// Hive has no such types, so no table can have them.
	tTime     = languages{"", "time(3)", "TIME"}
	tZoned    = languages{"", "timestamp(3) with time zone", "TIMESTAMP WITH TIME ZONE"}
	tInterval = languages{"", "interval day to second", "INTERVAL"}
	tJSON     = languages{"", "json", "JSON"}
)

var plain = map[string]languages{
	"string": tText, "varchar": tText, "char": tText, "uuid": tText, "binary": tBytes, "varbinary": tBytes, "blob": tBytes, "boolean": tBool,
	"tinyint": tTiny, "smallint": tSmall, "utinyint": tSmall, "int": tInt, "integer": tInt, "usmallint": tInt, "bigint": tBig, "uinteger": tBig,
	"ubigint": tBig, "hugeint": tBig, "uhugeint": tBig, "float": tFloat, "real": tFloat, "double": tDouble, "date": tDate,
	"timestamp": tTimestamp, "timestamp_s": tTimestamp, "timestamp_ms": tTimestamp, "timestamp_ns": tTimestamp, "time": tTime,
	"timestamp with time zone": tZoned, "timestamptz": tZoned, "interval": tInterval, "json": tJSON, `"null"`: tText,
}

// readType reads a type in any of the three languages.
func readType(text string) (typeTree, error) {
	t := strings.TrimSpace(text)
	if strings.HasSuffix(t, "]") {
		element, err := readType(t[:strings.LastIndex(t, "[")])
		return typeTree{name: "array", inner: []typeTree{element}}, err
	}
	head, body, nested := cutBrackets(t)
	head = strings.ToLower(strings.TrimSpace(head))
	switch {
	case !nested:
		return typeTree{name: head}, known(head, text)
	case head == "decimal", head == "varchar", head == "char", head == "timestamp", head == "time":
		return typeTree{name: strings.ToLower(strings.ReplaceAll(t, " ", ""))}, nil
	case head == "array", head == "map":
		parts := cutTop(body)
		if len(parts) != map[string]int{"array": 1, "map": 2}[head] {
			return typeTree{}, failed("NOT_SUPPORTED", "the type %s is not understood", text)
		}
		return withInner(typeTree{name: head}, parts)
	case head == "struct", head == "row":
		tree := typeTree{name: "row"}
		var parts []string
		for _, field := range cutTop(body) {
			name, of := cutField(field)
			tree.names, parts = append(tree.names, name), append(parts, of)
		}
		return withInner(tree, parts)
	}
	return typeTree{}, failed("NOT_SUPPORTED", "the local SQL engine does not read the type %s", text)
}

func known(name, text string) error {
	if _, ok := plain[name]; ok {
		return nil
	}
	return failed("NOT_SUPPORTED", "the local SQL engine does not read the type %s", text)
}

func withInner(t typeTree, parts []string) (typeTree, error) {
	for _, p := range parts {
		inner, err := readType(p)
		if err != nil {
			return t, err
		}
		t.inner = append(t.inner, inner)
	}
	return t, nil
}

// cutBrackets cuts head(body) or head<body>.
func cutBrackets(t string) (head, body string, ok bool) {
	i := strings.IndexAny(t, "(<")
	if i < 0 || !strings.HasSuffix(t, ")") && !strings.HasSuffix(t, ">") {
		return t, "", false
	}
	return t[:i], t[i+1 : len(t)-1], true
}

// cutTop cuts at commas outside of brackets and quotes.
func cutTop(text string) []string {
	depth, begin, inQuotes := 0, 0, false
	var parts []string
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"':
			inQuotes = !inQuotes
		case inQuotes:
		case c == '(' || c == '<':
			depth++
		case c == ')' || c == '>':
			depth--
		case c == ',' && depth == 0:
			parts, begin = append(parts, text[begin:i]), i+1
		}
	}
	return append(parts, text[begin:])
}

// cutField cuts name:type of Hive, or name type of the others.
func cutField(field string) (name, of string) {
	field = strings.TrimSpace(field)
	if rest, ok := strings.CutPrefix(field, `"`); ok {
		if i := strings.Index(rest, `"`); i >= 0 {
			return rest[:i], strings.TrimLeft(rest[i+1:], ": ")
		}
	}
	i := strings.IndexByte(field, ':')
	if i < 0 || strings.ContainsAny(field[:i], "(<") {
		i = strings.IndexByte(field, ' ')
	}
	if i < 0 {
		return "", field
	}
	return field[:i], field[i+1:]
}

// A language writes types down.
type language struct {
	plain func(languages) string
	array string // with a place for the element's type
	mapOf string
	row   string
	field string
	name  func(string) string
}

var (
	inHive = language{
		func(l languages) string { return l.hive }, "array<%s>", "map<%s,%s>", "struct<%s>", "%s:%s", func(s string) string { return s },
	}
	inTrino = language{
		func(l languages) string { return l.trino }, "array(%s)", "map(%s, %s)", "row(%s)", "%s %s", func(s string) string { return s },
	}
	inDuck = language{
		func(l languages) string { return l.duck }, "%s[]", "MAP(%s, %s)", "STRUCT(%s)", "%s %s", identifier,
	}
)

// in writes a type in a language; nothing if the language has not that type.
func (t typeTree) in(l language) string {
	inner := make([]any, len(t.inner))
	for i, x := range t.inner {
		text := x.in(l)
		if text == "" {
			return ""
		}
		inner[i] = text
	}
	switch t.name {
	case "array":
		return fmt.Sprintf(l.array, inner...)
	case "map":
		return fmt.Sprintf(l.mapOf, inner...)
	case "row":
		fields := make([]string, len(inner))
		for i := range inner {
			fields[i] = fmt.Sprintf(l.field, l.name(t.names[i]), inner[i])
		}
		return fmt.Sprintf(l.row, strings.Join(fields, map[bool]string{true: ",", false: ", "}[l.array == inHive.array]))
	}
	head, _, sized := strings.Cut(t.name, "(")
	switch {
	case sized && head == "decimal":
		return t.name
	case sized && (head == "varchar" || head == "char"):
		if l.array == inDuck.array {
			return "VARCHAR"
		}
		return t.name
	case sized && strings.HasSuffix(t.name, "withtimezone"):
		return l.plain(tZoned)
	}
	return l.plain(plain[head])
}

// duckType returns the type of a Glue column in the engine's words.
func duckType(glue string) (string, error) {
	t, err := readType(glue)
	return t.in(inDuck), err
}

// hiveType returns the type of an engine's column in Hive's words, and as what the engine is to write it.
func hiveType(duck string) (hive, as string, err error) {
	t, err := readType(duck)
	if err != nil {
		return "", "", err
	}
	hive = t.in(inHive)
	if hive == "" {
		return "", "", failed("NOT_SUPPORTED", "Hive has no type %s", duck)
	}
	written, err := readType(hive)
	return hive, written.in(inDuck), err
}

// athenaType returns the type of an engine's column in Trino's words.
func athenaType(duck string) string {
	t, err := readType(duck)
	if err != nil {
		return "varchar"
	}
	return t.in(inTrino)
}

// glueOfTrino returns a view's column type in Glue's words; types that Hive has not are texts to it.
func glueOfTrino(trino string) string {
	t, err := readType(trino)
	if hive := t.in(inHive); err == nil && hive != "" {
		return hive
	}
	return "string"
}
