package aws

import (
	"fmt"
	"strings"
)

// nullPartition is the value of a Hive partition whose key is NULL.
const nullPartition = "__HIVE_DEFAULT_PARTITION__"

// codecs are the engine's names for compressions of Parquet.
var codecs = map[string]string{"": "gzip", "gzip": "gzip", "snappy": "snappy", "zstd": "zstd", "lz4": "lz4_raw", "none": "uncompressed", "uncompressed": "uncompressed"}

// parquetFormat writes Parquet files; without a word on compression they are compressed as Athena's are.
func parquetFormat(compression string) outputFormat {
	codec, ok := codecs[strings.ToLower(compression)]
	if !ok {
		codec = "gzip"
	}
	return outputFormat{"FORMAT parquet, COMPRESSION " + codec, ".parquet"}
}

// unloadFormat reads the properties of an UNLOAD, and of a CREATE TABLE AS in the same words.
func unloadFormat(options properties) (outputFormat, error) {
	format, compression := strings.ToUpper(options.text("format")), strings.ToLower(options.text("compression"))
	switch format {
	case "PARQUET":
		if _, ok := codecs[compression]; !ok {
			return outputFormat{}, failed("INVALID_TABLE_PROPERTY", "compression %s is not one of Parquet's here: GZIP, SNAPPY, ZSTD, LZ4 or NONE", compression)
		}
		return parquetFormat(compression), nil
	case "JSON", "TEXTFILE", "CSV":
	case "":
		return outputFormat{}, failed("INVALID_TABLE_PROPERTY", "UNLOAD needs WITH (format = ...)")
	default:
		return outputFormat{}, failed("NOT_SUPPORTED", "this local endpoint does not write %s: it writes PARQUET, JSON, TEXTFILE and CSV", format)
	}
	packing, extension := "gzip", ".gz"
	switch compression {
	case "", "gzip":
	case "zstd":
		packing, extension = "zstd", ".zst"
	case "none":
		packing, extension = "none", ""
	default:
		return outputFormat{}, failed("INVALID_TABLE_PROPERTY", "compression %s is not one of texts here: GZIP, ZSTD or NONE", compression)
	}
	if format == "JSON" {
		return outputFormat{"FORMAT json, COMPRESSION " + packing, ".json" + extension}, nil
	}
	delimiter := options.text("field_delimiter")
	if delimiter == "" {
		delimiter = map[string]string{"CSV": ",", "TEXTFILE": "\x01"}[format]
	}
	if len(delimiter) != 1 {
		return outputFormat{}, failed("INVALID_TABLE_PROPERTY", "field_delimiter must be one character")
	}
	quoting := "QUOTE '\"'"
	if format == "TEXTFILE" {
		quoting = "QUOTE '', ESCAPE '', NULLSTR '\\N'"
	}
	return outputFormat{fmt.Sprintf("FORMAT csv, HEADER false, DELIMITER %s, %s, COMPRESSION %s", literal(delimiter), quoting, packing), ".csv" + extension}, nil
}

// folders returns the folders of a Hive partition: key=value/ for each key.
func folders(keys []target, values []string) string {
	var b strings.Builder
	for i, k := range keys {
		b.WriteString(escaped(k.name) + "=" + escaped(values[i]) + "/")
	}
	return b.String()
}

// escaped writes a name or value of a Hive partition as a folder's name, as Hive does.
func escaped(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == 0x7f || strings.IndexByte("\"#%'*/:=?\\{[]^", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func lower(texts []string) []string {
	all := make([]string, len(texts))
	for i, t := range texts {
		all[i] = strings.ToLower(t)
	}
	return all
}
