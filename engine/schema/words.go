package schema

import "slices"

// The words of the YAML and of the canonical text for the values of the enumerations, in the order of their numbers.
var (
	typeWords = []string{"string", "binary", "bool", "int", "long", "double", "timestamp"} // from String, which is 1
	unitWords = []string{"auto", "seconds", "millis", "micros"}
	lateWords = []string{"append", "drop", "side"}
)

// String returns the type as the YAML spells it.
func (t Type) String() string {
	if t < String || t > Timestamp {
		return "unknown"
	}
	return typeWords[t-String]
}

// Glue returns the type as Glue and Athena spell it.
func (t Type) Glue() string {
	switch t {
	case Bool:
		return "boolean"
	case Long:
		return "bigint"
	default:
		return t.String()
	}
}

// Redshift returns the type of a column that values of this type are copied into. Texts and bytes have the longest that there are: a longer
// value makes COPY fail.
func (t Type) Redshift() string {
	switch t {
	case String:
		return "varchar(65535)"
	case Binary:
		return "varbyte(1024000)"
	case Bool:
		return "boolean"
	case Int:
		return "integer"
	case Long:
		return "bigint"
	case Double:
		return "double precision"
	default:
		return t.String()
	}
}

// String returns the unit as the YAML spells it.
func (u TimeUnit) String() string { return unitWords[u] }

// String returns the policy as the YAML spells it.
func (p LatePolicy) String() string { return lateWords[p] }

// typeOf, unitOf and latePolicyOf are the ways back; ok is false for a word that is none.
func typeOf(word string) (t Type, ok bool) {
	i := slices.Index(typeWords, word)
	return String + Type(i), i >= 0
}

func unitOf(word string) (u TimeUnit, ok bool) {
	i := slices.Index(unitWords, word)
	return TimeUnit(i), i >= 0
}

func latePolicyOf(word string) (p LatePolicy, ok bool) {
	i := slices.Index(lateWords, word)
	return LatePolicy(i), i >= 0
}
