package aws

import (
	"math/big"
	"strings"
	"time"
	"unicode"
)

// A filterKey is a partition key in an expression.
type filterKey struct {
	at  int // among the table's keys
	typ keyType
}

// A filterValue is a literal, or the value of a partition: a number where its type has an order of its own, else text.
type filterValue struct {
	text   string
	number *big.Rat
}

func (v filterValue) compare(w filterValue) int {
	if v.number != nil && w.number != nil {
		return v.number.Cmp(w.number)
	}
	return strings.Compare(v.text, w.text)
}

// keyTypeOf returns how keys of a Glue type compare. Glue filters by these types only.
func keyTypeOf(name string) (keyType, error) {
	base, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(name)), "(")
	switch base {
	case "string", "char", "varchar":
		return keyType{name: base}, nil
	case "tinyint", "smallint", "int", "integer", "bigint", "long":
		return keyType{base, wholeNumber}, nil
	case "decimal":
		return keyType{base, exactNumber}, nil
	case "date":
		return keyType{base, moment(time.DateOnly)}, nil
	case "timestamp":
		return keyType{base, moment("2006-01-02 15:04:05.999999999")}, nil
	}
	return keyType{}, fault(invalidInput, "Unknown type : '%s'", name)
}

func wholeNumber(text string) (*big.Rat, bool) {
	i, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return nil, false
	}
	return new(big.Rat).SetInt(i), true
}

// decimalMax is the length of a decimal number, far above its 38 digits. Without it a short text such as 1e999999999 is a large number.
const decimalMax = 100

func exactNumber(text string) (*big.Rat, bool) {
	if len(text) > decimalMax || strings.Trim(text, "+-.0123456789") != "" {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}

// moment reads times of one layout.
func moment(layout string) func(string) (*big.Rat, bool) {
	return func(text string) (*big.Rat, bool) {
		t, err := time.Parse(layout, text)
		if err != nil {
			return nil, false
		}
		n := new(big.Rat).SetInt64(t.Unix())
		return n.Add(n, big.NewRat(int64(t.Nanosecond()), int64(time.Second))), true
	}
}

// value reads a text as a value of the type.
func (t keyType) value(text string) (filterValue, bool) {
	if t.number == nil {
		return filterValue{text: text}, true
	}
	n, ok := t.number(text)
	return filterValue{text, n}, ok
}

// null is the condition that the key has no value.
func (k filterKey) null() condition {
	return func(values []string) (truth, error) { return truthOf(values[k.at] == hiveNull), nil }
}

// tested is the condition that the key's value passes a test.
func (k filterKey) tested(test func(filterValue) bool) condition {
	return func(values []string) (truth, error) {
		text := values[k.at]
		if text == hiveNull {
			return isUnknown, nil
		}
		v, ok := k.typ.value(text)
		if !ok {
			return isUnknown, fault(invalidState, "The partition value %q is not of its key's type %s.", text, k.typ.name)
		}
		return truthOf(test(v)), nil
	}
}

// compared is the condition that comparing the key's value with another has one of the given signs.
func (k filterKey) compared(with filterValue, signs []int) condition {
	return k.tested(func(v filterValue) bool {
		got := v.compare(with)
		for _, sign := range signs {
			if got == sign {
				return true
			}
		}
		return false
	})
}

type wordKind int8

const (
	wordName wordKind = iota
	wordString
	wordNumber
	wordSymbol
)

// A filterWord is a word of an expression.
type filterWord struct {
	kind   wordKind
	text   string
	quoted bool // a name in quotes is no keyword
	at     int
}

// is tells whether the word is a keyword or symbol.
func (w filterWord) is(text string) bool {
	return w.kind == wordSymbol && w.text == text || w.kind == wordName && !w.quoted && strings.EqualFold(w.text, text)
}

// filterWords cuts an expression into words.
func filterWords(expression string) ([]filterWord, error) {
	var words []filterWord
	for i := 0; i < len(expression); {
		if strings.ContainsRune(" \t\r\n", rune(expression[i])) {
			i++
			continue
		}
		w, length := filterWordAt(expression[i:])
		if length == 0 {
			return nil, badFilter("what begins at position %d cannot be read", i+1)
		}
		w.at = i
		words = append(words, w)
		i += length
	}
	return words, nil
}

// filterWordAt returns the word that a text begins with and its length, which is 0 if there is none.
func filterWordAt(text string) (filterWord, int) {
	first := rune(text[0])
	switch {
	case first == '\'':
		content, length := quotedText(text)
		return filterWord{kind: wordString, text: content}, length
	case first == '"' || first == '`':
		content, length := quotedText(text)
		return filterWord{kind: wordName, text: content, quoted: true}, length
	case unicode.IsDigit(first) || strings.ContainsRune("+-.", first):
		length := span(text, "+-.0123456789")
		return filterWord{kind: wordNumber, text: text[:length]}, length
	case strings.ContainsRune("<>=!", first):
		length := span(text, "<>=!")
		return filterWord{kind: wordSymbol, text: text[:length]}, length
	case strings.ContainsRune("(),", first):
		return filterWord{kind: wordSymbol, text: text[:1]}, 1
	}
	length := strings.IndexFunc(text, func(r rune) bool { return r != '_' && r != '$' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if length < 0 {
		length = len(text)
	}
	return filterWord{kind: wordName, text: text[:length]}, length
}

// span returns how much of a text's beginning is made of the given characters.
func span(text, of string) int { return len(text) - len(strings.TrimLeft(text, of)) }

// quotedText returns what stands in the quotes that a text begins with, and the length with them, or 0 if they do not end. A quote
// inside is written twice.
func quotedText(text string) (string, int) {
	quote := text[:1]
	for i := 1; i < len(text); i++ {
		if text[i] != quote[0] {
			continue
		}
		if i+1 < len(text) && text[i+1] == quote[0] {
			i++
			continue
		}
		return strings.ReplaceAll(text[1:i], quote+quote, quote), i + 1
	}
	return "", 0
}
