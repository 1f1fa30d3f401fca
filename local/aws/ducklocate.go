//go:build cgo

package aws

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
)

// reasons are Athena's names for DuckDB's sorts of errors.
var reasons = map[duckdb.ErrorType]string{
	duckdb.ErrorTypeParser: "SYNTAX_ERROR", duckdb.ErrorTypeSyntax: "SYNTAX_ERROR", duckdb.ErrorTypeBinder: "SYNTAX_ERROR",
	duckdb.ErrorTypeCatalog: "FUNCTION_NOT_FOUND", duckdb.ErrorTypeConversion: "INVALID_CAST_ARGUMENT",
	duckdb.ErrorTypeMismatchType: "TYPE_MISMATCH", duckdb.ErrorTypeOutOfRange: "NUMERIC_VALUE_OUT_OF_RANGE",
	duckdb.ErrorTypeDivideByZero: "DIVISION_BY_ZERO", duckdb.ErrorTypePermission: "PERMISSION_DENIED",
	duckdb.ErrorTypeInvalidInput: "INVALID_FUNCTION_ARGUMENT",
	duckdb.ErrorTypeOutOfMemory:  "EXCEEDED_LOCAL_MEMORY_LIMIT", duckdb.ErrorTypeIO: "HIVE_CANNOT_OPEN_SPLIT",
}

// sayings are what Athena says where DuckDB says the first; what stands in parentheses is handed on.
var sayings = []struct {
	duck *regexp.Regexp
	name string
	says string
}{
	{regexp.MustCompile(`^Referenced column "(.*)" (?:not found|was not found)`), "COLUMN_NOT_FOUND", "Column '%s' cannot be resolved"},
	{regexp.MustCompile(`^Table ".*" does not have a column named "(.*)"`), "COLUMN_NOT_FOUND", "Column '%s' cannot be resolved"},
	{regexp.MustCompile(`^(?:Scalar|Aggregate|Table) Function with name "?([^" ]*)"? does not exist`), "FUNCTION_NOT_FOUND", "Function '%s' not registered"},
	{regexp.MustCompile(`^No function matches the given name and argument types '(.*)'\.`), "FUNCTION_NOT_FOUND", "Unexpected parameters for function: %s"},
	{regexp.MustCompile(`^column "?([^" ]*)"? must appear in the GROUP BY`), "EXPRESSION_NOT_AGGREGATE", "'%s' must be an aggregate expression or appear in GROUP BY clause"},
}

// place is the end of DuckDB's words where they show the text: a line with its number, and a mark below.
var place = regexp.MustCompile(`(?s)\n+LINE (\d+): (.*)\n( *)\^\s*$`)

// reason tells of DuckDB's error in Athena's words, with the place in the user's text. Before the script the engine was given
// a prefix of the session's own.
func reason(err error, prefix string, s *script) error {
	var e *duckdb.Error
	if !errors.As(err, &e) {
		return err
	}
	name := reasons[e.Type]
	if name == "" {
		name = "GENERIC_INTERNAL_ERROR"
	}
	words, where := e.Msg, ""
	if m := place.FindStringSubmatchIndex(words); m != nil {
		where = placeOf(words, m, prefix, s)
		words = words[:m[0]]
	}
	if _, rest, ok := strings.Cut(words, " Error: "); ok {
		words = rest
	}
	for _, saying := range sayings {
		if m := saying.duck.FindStringSubmatch(words); m != nil {
			name, words = saying.name, fmt.Sprintf(saying.says, m[1])
			break
		}
	}
	return &locatedError{name + ": " + where + words, err}
}

// A locatedError says in Athena's words what another error says in DuckDB's.
type locatedError struct {
	text  string
	cause error
}

func (e *locatedError) Error() string { return e.text }
func (e *locatedError) Unwrap() error { return e.cause }

// placeOf returns "line x:y: ", or nothing if the place is not in the script.
func placeOf(words string, m []int, prefix string, s *script) string {
	line, err := strconv.Atoi(words[m[2]:m[3]])
	if err != nil {
		return ""
	}
	shown := words[m[4]:m[5]]
	mark := m[7] - m[6] - len("LINE : ") - (m[3] - m[2])
	if cut, ok := strings.CutPrefix(shown, "..."); ok {
		shown, mark = cut, mark-3
	}
	shown = strings.TrimSuffix(shown, "...")
	ran := prefix + s.text
	begin := 0
	for range line - 1 {
		n := strings.IndexByte(ran[begin:], '\n')
		if n < 0 {
			return ""
		}
		begin += n + 1
	}
	text, _, _ := strings.Cut(ran[begin:], "\n")
	i := strings.Index(text, shown)
	at := begin + i + mark - len(prefix)
	if i < 0 || mark < 0 || at < 0 || at > len(s.text) {
		return ""
	}
	return "line " + s.position(at) + ": "
}
