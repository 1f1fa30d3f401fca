// Package transform describes what is derived from tables by SQL: for each complete Hive partition of a table one statement is run, and
// its rows are that Hive partition of a table of the transformed zone.
//
// A transform is data: the five of the city are YAML and SQL files in this package, and others come from the configuration. The rows
// are written by UNLOAD into a folder of its own for each run, with a cast to each column's type, so that the files fit the table
// whatever the statement's own types are. The package is pure.
package transform

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"citystream/engine/commitlog"
	"citystream/engine/port"
	"citystream/engine/record"
)

// A Transform makes a table of the transformed zone. It is immutable once made.
type Transform struct {
	Name    string   // of the table that it makes
	Table   string   // whose complete Hive partitions it is run for
	With    []string // other tables that it reads, whose windows have to be complete as well
	Version int      // a higher one makes every Hive partition anew
	Comment string
	Columns []port.CatalogColumn // with Glue's types, names in lower case
	SQL     string               // a query; its placeholders are those of Query
}

// engineTypes are the types that columns may have, and how Athena's engine spells them.
var engineTypes = map[string]string{
	"string": "varchar", "int": "integer", "bigint": "bigint", "double": "double", "boolean": "boolean", "timestamp": "timestamp", "date": "date",
}

// typeWords are the types that columns may have, as they are listed to people.
var typeWords = []string{"string", "int", "bigint", "double", "boolean", "timestamp", "date"}

var placeholder = regexp.MustCompile(`\$\{([^}]*)\}`)

// placeholders are the words that a transform's SQL may have between ${ and }.
var placeholders = []string{"database", "date", "hour", "from", "to"}

// Query returns the transform's query for a window of the given end. ${database} is the database's name, ${date} and ${hour} are the
// values of the Hive keys, ${from} and ${to} the bounds of the window as 2026-01-02 03:00:00; none has quotes of its own.
func (t *Transform) Query(database string, window, end record.Micros) string {
	const layout = "2006-01-02 15:04:05"
	v := commitlog.HiveValues(window)
	values := map[string]string{
		"database": strings.ReplaceAll(database, `"`, `""`), "date": v[0], "hour": v[1],
		"from": window.Time().Format(layout), "to": end.Time().Format(layout),
	}
	return placeholder.ReplaceAllStringFunc(t.SQL, func(p string) string { return values[p[2:len(p)-1]] })
}

// Unload returns the statement that writes the rows of a query to a location, which has to be empty.
func (t *Transform) Unload(query, location string) string {
	columns := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		name := `"` + c.Name + `"`
		columns[i] = fmt.Sprintf("CAST(%s AS %s) AS %s", name, engineTypes[c.Type], name)
	}
	return fmt.Sprintf("UNLOAD (\nSELECT %s\nFROM (\n%s\n) AS result\n)\nTO '%s'\nWITH (format = 'PARQUET', compression = 'SNAPPY')",
		strings.Join(columns, ", "), query, strings.ReplaceAll(location, "'", "''"))
}

// Reads returns all tables that the transform reads, the one that it is run for first.
func (t *Transform) Reads() []string { return append([]string{t.Table}, t.With...) }

// unknownPlaceholder returns a placeholder of a text that is none, or "".
func unknownPlaceholder(sql string) string {
	for _, m := range placeholder.FindAllStringSubmatch(sql, -1) {
		if !slices.Contains(placeholders, m[1]) {
			return m[0]
		}
	}
	return ""
}
