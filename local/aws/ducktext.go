//go:build cgo

package aws

import (
	"fmt"
	"strings"
)

// A fileReader says how the files of a table are read.
type fileReader struct {
	name    string // parquet, text or json
	options string // of read_csv
}

// readerOf returns the reader of a table's SerDe.
func readerOf(t *glueTable) (fileReader, error) {
	serde := ""
	parameters := map[string]string{}
	if d := t.StorageDescriptor; d != nil && d.SerdeInfo != nil {
		if d.SerdeInfo.SerializationLibrary != nil {
			serde = strings.ToLower(*d.SerdeInfo.SerializationLibrary)
		}
		parameters = d.SerdeInfo.Parameters
	}
	get := func(name, standard string) string {
		if v := parameters[name]; v != "" {
			return v
		}
		return standard
	}
	switch {
	case strings.Contains(serde, "parquet"):
		return fileReader{name: "parquet"}, nil
	case strings.HasSuffix(serde, "lazysimpleserde"):
		delimiter := unescaped(get("field.delim", get("serialization.format", "\x01")))
		return fileReader{"text", textOptions(t, delimiter, "", get("escape.delim", ""), get("serialization.null.format", `\N`))}, nil
	case strings.HasSuffix(serde, "opencsvserde"):
		return fileReader{"text", textOptions(t, get("separatorChar", ","), get("quoteChar", `"`), get("escapeChar", `"`), "")}, nil
	case strings.HasSuffix(serde, "jsonserde"):
		return fileReader{name: "json"}, nil
	}
	return fileReader{}, failed("HIVE_UNSUPPORTED_FORMAT", "this local endpoint does not read table %s.%s, whose SerDe is %q: "+
		"it reads ParquetHiveSerDe, LazySimpleSerDe, OpenCSVSerde and JsonSerDe", t.DatabaseName, t.Name, serde)
}

// unescaped reads a delimiter as Hive writes it: \t, \001, 1 for the first control character.
func unescaped(text string) string {
	switch text {
	case `\t`:
		return "\t"
	case `\001`, "1":
		return "\x01"
	}
	return text
}

// textOptions returns what read_csv is to be told of a table's files.
func textOptions(t *glueTable, delimiter, quote, escape, null string) string {
	skip := "0"
	if n := t.Parameters["skip.header.line.count"]; n == "1" {
		skip = n
	}
	return fmt.Sprintf("header = false, auto_detect = false, strict_mode = false, null_padding = true, skip = %s, delim = %s, quote = %s, escape = %s, nullstr = %s",
		skip, literal(delimiter), literal(quote), literal(escape), literal(null))
}

// from returns the reading function over files, with the column of their names.
func (v *layout) from(paths []string) string {
	switch v.reader.name {
	case "text":
		columns := make([]string, len(v.columns))
		for i, c := range v.columns {
			columns[i] = literal(scanned(c.name)) + ": 'VARCHAR'"
		}
		return fmt.Sprintf("read_csv(%s, columns = {%s}, %s, filename = true)", list(paths), strings.Join(columns, ", "), v.reader.options)
	case "json":
		return fmt.Sprintf("read_json_objects(%s, format = 'newline_delimited', filename = true)", list(paths))
	}
	schema := make([]string, len(v.columns))
	for i, c := range v.columns {
		schema[i] = fmt.Sprintf("%s: {name: %s, type: %s, default_value: NULL}", literal(c.name), literal(scanned(c.name)), literal(c.kind))
	}
	return fmt.Sprintf("read_parquet(%s, hive_partitioning = false, filename = true, schema = MAP {%s})", list(paths), strings.Join(schema, ", "))
}

// column returns the expression of a column over what from returns. What a text cannot be is NULL, as Hive reads it.
func (v *layout) column(c typedName) string {
	switch {
	case v.reader.name == "text":
		return fmt.Sprintf("TRY_CAST(%s AS %s)", identifier(scanned(c.name)), c.kind)
	case v.reader.name == "json" && c.kind == "VARCHAR":
		return fmt.Sprintf("json_extract_string(json, %s)", literal(`$."`+c.name+`"`))
	case v.reader.name == "json":
		return fmt.Sprintf("TRY_CAST(json_extract(json, %s) AS %s)", literal(`$."`+c.name+`"`), c.kind)
	}
	return identifier(scanned(c.name))
}
