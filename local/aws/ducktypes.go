//go:build cgo

package aws

import (
	"database/sql"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"
)

var decimal = regexp.MustCompile(`^decimal\((\d+),\s*(\d+)\)$`)

// athenaTypes are DuckDB's types in Athena's words; sums are bigint in Athena and wider in DuckDB.
var athenaTypes = map[string]string{
	"VARCHAR": "varchar", "BLOB": "varbinary", "BOOLEAN": "boolean",
	"TINYINT": "tinyint", "SMALLINT": "smallint", "INTEGER": "integer", "BIGINT": "bigint",
	"UTINYINT": "smallint", "USMALLINT": "integer", "UINTEGER": "bigint", "UBIGINT": "bigint", "HUGEINT": "bigint", "UHUGEINT": "bigint",
	"FLOAT": "float", "DOUBLE": "double", "DATE": "date", "TIME": "time", "TIMESTAMPTZ": "timestamp with time zone",
	"TIMESTAMP": "timestamp", "TIMESTAMP_S": "timestamp", "TIMESTAMP_MS": "timestamp", "TIMESTAMP_NS": "timestamp",
	"UUID": "varchar", "JSON": "json", `"NULL"`: "unknown", "SQLNULL": "unknown", "INTERVAL": "interval day to second",
}

// columnOf returns a column of DuckDB's in Athena's words.
func columnOf(t *sql.ColumnType) column {
	c := column{name: t.Name()}
	name := t.DatabaseTypeName()
	switch sizes := decimal.FindStringSubmatch(strings.ToLower(name)); {
	case athenaTypes[name] != "":
		c.kind = athenaTypes[name]
	case sizes != nil:
		c.kind = "decimal"
		_, _ = fmt.Sscan(sizes[1]+" "+sizes[2], &c.precision, &c.scale) // digits: cannot fail
	case strings.HasSuffix(name, "]"):
		c.kind = "array"
	case strings.HasPrefix(name, "MAP"):
		c.kind = "map"
	case strings.HasPrefix(name, "STRUCT"):
		c.kind = "row"
	default:
		c.kind = "varchar"
	}
	return c
}

// render returns a value as Athena prints it, or nil for NULL.
func render(value any, kind string) *string {
	if value == nil {
		return nil
	}
	s := text(value, kind)
	return &s
}

func text(value any, kind string) string {
	switch v := value.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return javaDouble(v, 64)
	case float32:
		return javaDouble(float64(v), 32)
	case *big.Int:
		return v.String()
	case duckdb.Decimal:
		return decimalText(v)
	case []byte:
		if kind == "varchar" && len(v) == 16 { // a UUID
			return fmt.Sprintf("%x-%x-%x-%x-%x", v[:4], v[4:6], v[6:8], v[8:10], v[10:])
		}
		return strings.TrimSpace(fmt.Sprintf("% x", v))
	case time.Time:
		return timeText(v, kind)
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = text(e, "")
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case nil:
		return "null"
	}
	return fmt.Sprint(value)
}

// timeText prints a time. Timestamps have milliseconds, rounded half up, as Trino reads the microseconds of Parquet.
func timeText(t time.Time, kind string) string {
	switch kind {
	case "date":
		return t.Format(time.DateOnly)
	case "time":
		return t.Round(time.Millisecond).Format("15:04:05.000")
	case "timestamp with time zone":
		return t.UTC().Round(time.Millisecond).Format("2006-01-02 15:04:05.000 UTC")
	}
	return t.Round(time.Millisecond).Format("2006-01-02 15:04:05.000")
}

// javaDouble prints a number as Java does, and so Athena: with a decimal point always, with an exponent below 1e-3 and from 1e7 on.
func javaDouble(f float64, bits int) string {
	switch a := math.Abs(f); {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 0):
		return strings.Replace(strings.TrimPrefix(fmt.Sprint(f), "+"), "Inf", "Infinity", 1)
	case a != 0 && (a < 1e-3 || a >= 1e7):
		mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, bits), "e")
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		n, err := strconv.Atoi(exponent)
		if err != nil {
			panic("aws: strconv prints no such exponent: " + exponent) // cannot happen
		}
		return mantissa + "E" + strconv.Itoa(n)
	}
	s := strconv.FormatFloat(f, 'f', -1, bits)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// decimalText prints a decimal with all digits of its scale.
func decimalText(d duckdb.Decimal) string {
	sign, digits := "", d.Value.String()
	if d.Value.Sign() < 0 {
		sign, digits = "-", digits[1:]
	}
	scale := int(d.Scale)
	if scale == 0 {
		return sign + digits
	}
	if missing := scale + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	return sign + digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
}
