//go:build cgo

package aws

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"
)

// redshiftTypes are the engine's types in Redshift's words.
var redshiftTypes = map[string]string{
	"VARCHAR": "varchar", "BLOB": "varbyte", "BOOLEAN": "bool", "TINYINT": "int2", "SMALLINT": "int2", "INTEGER": "int4", "BIGINT": "int8",
	"UTINYINT": "int2", "USMALLINT": "int4", "UINTEGER": "int8", "UBIGINT": "int8", "HUGEINT": "int8", "UHUGEINT": "int8",
	"FLOAT": "float4", "DOUBLE": "float8", "DATE": "date", "TIME": "time", "TIMESTAMPTZ": "timestamptz", "TIMESTAMP": "timestamp",
	"TIMESTAMP_S": "timestamp", "TIMESTAMP_MS": "timestamp", "TIMESTAMP_NS": "timestamp", "JSON": "super", "UUID": "varchar",
}

// rsTypeSizes are what Redshift tells of the lengths and precisions of types.
var rsTypeSizes = map[string]int{
	"varchar": 65535, "super": 16777216, "varbyte": 1024000, "bool": 1, "int2": 5, "int4": 10, "int8": 19, "float4": 8, "float8": 17, "date": 13, "timestamp": 29,
	"timestamptz": 35,
}

func redshiftColumn(t *sql.ColumnType) rsColumn {
	c := rsColumn{Name: t.Name(), Label: t.Name(), Nullable: 1, Type: "varchar"}
	name := t.DatabaseTypeName()
	if sizes := decimal.FindStringSubmatch(strings.ToLower(name)); sizes != nil {
		c.Type = "numeric"
		_, _ = fmt.Sscan(sizes[1]+" "+sizes[2], &c.Precision, &c.Scale) // digits: cannot fail
		return c
	}
	if known := redshiftTypes[name]; known != "" {
		c.Type = known
	} else if strings.HasSuffix(name, "]") || strings.HasPrefix(name, "STRUCT") || strings.HasPrefix(name, "MAP") {
		c.Type = "super"
	}
	c.Precision = rsTypeSizes[c.Type]
	c.Signed = strings.HasPrefix(c.Type, "int") || strings.HasPrefix(c.Type, "float")
	if c.Name == "count_star()" {
		c.Name, c.Label = "count", "count"
	} else if i := strings.IndexByte(c.Name, '('); i > 0 {
		c.Name, c.Label = c.Name[:i], c.Name[:i] // sum(x) is sum in Redshift
	}
	return c
}

// redshiftCell returns a value as the Data API has it: nil, bool, int64, float64, []byte or string.
func redshiftCell(value any, kind string) any {
	switch v := value.(type) {
	case nil, bool, int64, float64, string:
		if s, ok := v.(string); ok && kind == "super" {
			if b, err := json.Marshal(s); err == nil {
				return string(b)
			}
		}
		return v
	case int8:
		return int64(v)
	case int16:
		return int64(v)
	case int32:
		return int64(v)
	case uint8:
		return int64(v)
	case uint16:
		return int64(v)
	case uint32:
		return int64(v)
	case uint64:
		if v <= math.MaxInt64 {
			return int64(v)
		}
	case float32:
		return float64(v)
	case *big.Int:
		if v.IsInt64() {
			return v.Int64()
		}
		return v.String()
	case duckdb.Decimal:
		return decimalText(v)
	case []byte:
		return v
	case time.Time:
		return redshiftTime(v, kind)
	case map[string]any, []any:
		if b, err := json.Marshal(v); err == nil {
			return string(b)
		}
	}
	return fmt.Sprint(value)
}

func redshiftTime(t time.Time, kind string) string {
	switch kind {
	case "date":
		return t.Format(time.DateOnly)
	case "time":
		return t.Format("15:04:05.999999")
	case "timestamptz":
		return t.UTC().Format("2006-01-02 15:04:05.999999+00")
	}
	return t.Format("2006-01-02 15:04:05.999999")
}

func rsCellBytes(cell any) int64 {
	switch v := cell.(type) {
	case string:
		return int64(len(v)) + 16
	case []byte:
		return int64(len(v)) + 24
	}
	return 16
}

// Parts of the engine's words that Redshift says otherwise.
var (
	rsNoTable   = regexp.MustCompile(`Table with name "?([^"\s!]+)"? does not exist`)
	rsNoSchema  = regexp.MustCompile(`Schema with name "?([^"\s!]+)"? does not exist`)
	rsNoColumn  = regexp.MustCompile(`Referenced column "([^"]+)" not found|Table "[^"]*" does not have a column named "([^"]+)"|Referenced update column (\S+) not found`)
	rsNoFunc    = regexp.MustCompile(`(?:Scalar|Aggregate|Table|Scalar Macro)? ?Function with name "?([^"\s!]+)"? does not exist`)
	rsAtOrNear  = regexp.MustCompile(`syntax error at (or near "[^"]*"|end of input)`)
	rsIsThere   = regexp.MustCompile(`(Table|View|Schema) with name "?([^"\s!]+)"? already exists`)
	rsColumnTwo = regexp.MustCompile(`Column with name "?([^"\s!]+)"? already exists`)
	rsCaretLine = regexp.MustCompile(`(?s)LINE (\d+): (.*)\n( *)\^`)
)

// redshiftWords says an error of a statement in Redshift's words, with its place where there is one.
func redshiftWords(err error, s *redshiftStatement) error {
	var own *redshiftError
	if errors.As(err, &own) {
		return rsSaid(own.message, own.at, s)
	}
	var e *duckdb.Error
	if !errors.As(err, &e) {
		return err
	}
	message, place := e.Msg, -1
	if s != nil {
		place = rsPlaceOf(e.Msg, s)
	}
	first, _, _ := strings.Cut(message, "\n")
	_, plain, ok := strings.Cut(first, "Error: ")
	if !ok {
		plain = first
	}
	switch m := func(r *regexp.Regexp) []string { return r.FindStringSubmatch(message) }; {
	case e.Type == duckdb.ErrorTypeTransaction || strings.Contains(message, "onflict on tuple") || strings.Contains(message, "write-write conflict"):
		return fmt.Errorf("ERROR: 1023\nDETAIL: Serializable isolation violation on table: %s", plain)
	case m(rsNoTable) != nil:
		return rsSaid(fmt.Sprintf("relation %q does not exist", m(rsNoTable)[1]), place, s)
	case m(rsNoSchema) != nil:
		return rsSaid(fmt.Sprintf("schema %q does not exist", m(rsNoSchema)[1]), place, s)
	case m(rsNoColumn) != nil:
		return rsSaid(fmt.Sprintf("column %q does not exist", strings.Join(m(rsNoColumn)[1:], "")), place, s)
	case m(rsNoFunc) != nil:
		return rsSaid(fmt.Sprintf("function %s does not exist", m(rsNoFunc)[1]), place, s)
	case m(rsIsThere) != nil:
		kind := "Relation"
		if m(rsIsThere)[1] == "Schema" {
			kind = "schema"
		}
		return rsSaid(fmt.Sprintf("%s %q already exists", kind, m(rsIsThere)[2]), -1, s)
	case m(rsColumnTwo) != nil:
		return rsSaid(fmt.Sprintf("column %q of relation already exists", m(rsColumnTwo)[1]), -1, s)
	case m(rsAtOrNear) != nil:
		return rsSaid(m(rsAtOrNear)[0], place, s)
	}
	return rsSaid(plain, place, s)
}

// rsSaid puts a message into the form of Redshift's; at is a byte of the statement.
func rsSaid(message string, at int, s *redshiftStatement) error {
	if at < 0 || s == nil {
		return errors.New("ERROR: " + message)
	}
	return fmt.Errorf("ERROR: %s\n  Position: %d", message, len([]rune(s.source[:min(at, len(s.source))]))+1)
}

// rsPlaceOf returns the byte of the statement that the engine's caret stands under, or -1.
func rsPlaceOf(message string, s *redshiftStatement) int {
	m := rsCaretLine.FindStringSubmatch(message)
	if m == nil {
		return -1
	}
	line := 0
	_, _ = fmt.Sscan(m[1], &line) // digits: cannot fail
	lines := strings.SplitAfter(s.sql, "\n")
	if line < 1 || line > len(lines) {
		return -1
	}
	begin := 0
	for _, l := range lines[:line-1] {
		begin += len(l)
	}
	column := len(m[3]) - len("LINE "+m[1]+": ")
	shown := m[2]
	cut := strings.HasPrefix(shown, "...") // a long line is shown from its middle on
	shown = strings.TrimSuffix(strings.TrimPrefix(shown, "..."), "...")
	if cut {
		column -= 3
		i := strings.Index(lines[line-1], shown)
		if i < 0 {
			return -1
		}
		begin += i
	}
	if runes := []rune(shown); column > 0 {
		begin += len(string(runes[:min(column, len(runes))]))
	}
	return s.edits.original(begin)
}
