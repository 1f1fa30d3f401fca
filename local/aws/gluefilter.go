package aws

import (
	"math/big"
	"regexp"
	"slices"
	"strings"
)

// A truth is what SQL's three-valued logic knows: AND takes the least of two, OR the greatest, NOT turns them round.
type truth int8

const (
	isFalse truth = iota
	isUnknown
	isTrue
)

func truthOf(b bool) truth {
	if b {
		return isTrue
	}
	return isFalse
}

// A condition decides about the partition of the given values. Its error is a value that is not of its key's type.
type condition func(values []string) (truth, error)

// A keyType is a type of partition keys, as expressions tell them apart: what they compare by, and whether LIKE is for them.
type keyType struct {
	name   string
	number func(text string) (*big.Rat, bool) // nil: compared as text
}

// hiveNull is the value of a partition whose key was NULL when it was written.
const hiveNull = "__HIVE_DEFAULT_PARTITION__"

// filterMax is the size of an expression in bytes. It bounds the depth of the parser, too.
const filterMax = 2048

// badFilter is Glue's answer to an expression that it cannot read.
func badFilter(format string, args ...any) *apiError {
	return fault(invalidInput, "Unsupported expression: "+format, args...)
}

// parseFilter reads the Expression of GetPartitions over the given partition keys: comparisons, IN, BETWEEN, LIKE and IS NULL of a
// key with literals, and AND, OR, NOT and parentheses over them. Literals are read as the key's type says.
func parseFilter(expression string, keys []glueColumn) (condition, error) {
	if len(expression) > filterMax {
		return nil, fault(invalidInput, "1 validation error detected: Value at 'expression' failed to satisfy constraint: "+
			"Member must have length less than or equal to %d", filterMax)
	}
	words, err := filterWords(expression)
	if err != nil {
		return nil, err
	}
	p := &filterParser{words: words, keys: keys}
	c, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.next < len(p.words) {
		return nil, badFilter("%q is not expected at position %d", p.words[p.next].text, p.words[p.next].at+1)
	}
	return c, nil
}

// A filterParser reads by recursive descent, a method a level of precedence.
type filterParser struct {
	words []filterWord
	next  int
	keys  []glueColumn
}

// take goes past a keyword or symbol if it is the next word.
func (p *filterParser) take(text string) bool {
	if p.next < len(p.words) && p.words[p.next].is(text) {
		p.next++
		return true
	}
	return false
}

func (p *filterParser) expect(text string) error {
	if p.take(text) {
		return nil
	}
	return p.unexpected(text)
}

func (p *filterParser) unexpected(wanted string) error {
	if p.next == len(p.words) {
		return badFilter("it ends where %s is expected", wanted)
	}
	w := p.words[p.next]
	return badFilter("%q at position %d, where %s is expected", w.text, w.at+1, wanted)
}

func (p *filterParser) or() (condition, error) {
	return p.chain("OR", p.and, isTrue, func(a, b truth) truth { return max(a, b) })
}

func (p *filterParser) and() (condition, error) {
	return p.chain("AND", p.not, isFalse, func(a, b truth) truth { return min(a, b) })
}

// chain reads operands of one operator. Once one of them has the value that decides, the others are not looked at.
func (p *filterParser) chain(
	operator string, operand func() (condition, error), decides truth, join func(a, b truth) truth,
) (condition, error) {
	all, err := operand()
	if err != nil {
		return nil, err
	}
	for p.take(operator) {
		before := all
		c, err := operand()
		if err != nil {
			return nil, err
		}
		all = func(values []string) (truth, error) {
			a, err := before(values)
			if err != nil || a == decides {
				return a, err
			}
			b, err := c(values)
			return join(a, b), err
		}
	}
	return all, nil
}

func (p *filterParser) not() (condition, error) {
	if p.take("NOT") {
		c, err := p.not()
		return negated(c), err
	}
	if p.take("(") {
		c, err := p.or()
		if err != nil {
			return nil, err
		}
		return c, p.expect(")")
	}
	return p.test()
}

func negated(c condition) condition {
	return func(values []string) (truth, error) {
		t, err := c(values)
		return isTrue - t, err
	}
}

// test reads what is said about one key.
func (p *filterParser) test() (condition, error) {
	if p.next < len(p.words) && p.words[p.next].kind != wordName { // the literal comes first
		return p.flipped()
	}
	key, err := p.key()
	if err != nil {
		return nil, err
	}
	if p.take("IS") {
		not := p.take("NOT")
		return turned(key.null(), not), p.expect("NULL")
	}
	not := p.take("NOT")
	var c condition
	switch {
	case p.take("IN"):
		c, err = p.in(key)
	case p.take("BETWEEN"):
		c, err = p.between(key)
	case p.take("LIKE"):
		c, err = p.like(key)
	case not:
		return nil, p.unexpected("IN, BETWEEN or LIKE")
	default:
		c, err = p.comparison(key)
	}
	return turned(c, not), err
}

func turned(c condition, not bool) condition {
	if not {
		return negated(c)
	}
	return c
}

// comparisons hold, by operator, what the comparison of a key with a literal must come to.
var comparisons = map[string][]int{"=": {0}, "<>": {-1, 1}, "!=": {-1, 1}, "<": {-1}, "<=": {-1, 0}, ">": {1}, ">=": {0, 1}}

func (p *filterParser) operator() ([]int, error) {
	if p.next < len(p.words) {
		if signs := comparisons[p.words[p.next].text]; signs != nil && p.words[p.next].kind == wordSymbol {
			p.next++
			return signs, nil
		}
	}
	return nil, p.unexpected("a comparison")
}

func (p *filterParser) comparison(key filterKey) (condition, error) {
	signs, err := p.operator()
	if err != nil {
		return nil, err
	}
	v, err := p.literal(key.typ)
	return key.compared(v, signs), err
}

// flipped reads a comparison whose literal stands before its key.
func (p *filterParser) flipped() (condition, error) {
	at := p.next
	p.next++
	signs, err := p.operator()
	if err != nil {
		return nil, err
	}
	key, err := p.key()
	if err != nil {
		return nil, err
	}
	after := p.next
	p.next = at
	v, err := p.literal(key.typ)
	p.next = after
	mirrored := make([]int, len(signs))
	for i, s := range signs {
		mirrored[i] = -s
	}
	return key.compared(v, mirrored), err
}

func (p *filterParser) between(key filterKey) (condition, error) {
	low, err := p.literal(key.typ)
	if err != nil {
		return nil, err
	}
	if err := p.expect("AND"); err != nil {
		return nil, err
	}
	high, err := p.literal(key.typ)
	from, to := key.compared(low, []int{0, 1}), key.compared(high, []int{-1, 0})
	return func(values []string) (truth, error) {
		a, err := from(values)
		if err != nil {
			return a, err
		}
		b, err := to(values)
		return min(a, b), err
	}, err
}

func (p *filterParser) in(key filterKey) (condition, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	var wanted []filterValue
	for {
		v, err := p.literal(key.typ)
		if err != nil {
			return nil, err
		}
		wanted = append(wanted, v)
		if !p.take(",") {
			break
		}
	}
	return key.tested(func(v filterValue) bool {
		return slices.ContainsFunc(wanted, func(w filterValue) bool { return v.compare(w) == 0 })
	}), p.expect(")")
}

func (p *filterParser) like(key filterKey) (condition, error) {
	if key.typ.number != nil {
		return nil, fault(invalidInput, "%s data type doesn't support operation 'LIKE'", key.typ.name)
	}
	v, err := p.literal(key.typ)
	if err != nil {
		return nil, err
	}
	quoted := strings.NewReplacer("%", ".*", "_", ".").Replace(regexp.QuoteMeta(v.text))
	pattern, err := regexp.Compile("(?s)^" + quoted + "$")
	if err != nil {
		return nil, badFilter("the pattern %q cannot be read", v.text)
	}
	return key.tested(func(v filterValue) bool { return pattern.MatchString(v.text) }), nil
}

// key reads the name of a partition key.
func (p *filterParser) key() (filterKey, error) {
	if p.next == len(p.words) || p.words[p.next].kind != wordName {
		return filterKey{}, p.unexpected("a partition key")
	}
	name := p.words[p.next].text
	i := slices.IndexFunc(p.keys, func(c glueColumn) bool { return strings.EqualFold(c.Name, name) })
	if i < 0 {
		return filterKey{}, fault(invalidInput, "Invalid partition expression! %q is not a partition key.", name)
	}
	p.next++
	typ, err := keyTypeOf(p.keys[i].Type)
	return filterKey{at: i, typ: typ}, err
}

// literal reads a string or number as a value of a type. The words DATE and TIMESTAMP may stand before it.
func (p *filterParser) literal(typ keyType) (filterValue, error) {
	if p.next+1 < len(p.words) && p.words[p.next+1].kind == wordString && (p.words[p.next].is("DATE") || p.words[p.next].is("TIMESTAMP")) {
		p.next++
	}
	if p.next == len(p.words) || p.words[p.next].kind != wordString && p.words[p.next].kind != wordNumber {
		return filterValue{}, p.unexpected("a literal")
	}
	text := p.words[p.next].text
	v, ok := typ.value(text)
	if !ok {
		return v, fault(invalidInput, "%q is not of the type %s.", text, typ.name)
	}
	p.next++
	return v, nil
}
