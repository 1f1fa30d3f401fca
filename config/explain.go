package config

import (
	"fmt"
	"strings"

	"citystream/engine/schema"
)

// YAML returns the whole configuration as YAML that Load reads back to the same, with every key and table written out.
func (c *Config) YAML() string {
	var b strings.Builder
	for _, s := range sections() {
		fmt.Fprintf(&b, "%s:\n", s.name)
		for _, k := range s.keys {
			fmt.Fprintf(&b, "  %s: %s\n", strings.TrimPrefix(k.Path, s.name+"."), show(k.value(c)))
		}
		b.WriteString("\n")
	}
	b.WriteString("tables:\n")
	for _, t := range c.Tables {
		indent := "  - "
		for line := range strings.Lines(t.YAML()) {
			b.WriteString(indent + line)
			indent = "    "
		}
	}
	if len(c.Transforms) == 0 {
		b.WriteString("transforms: []\n")
		return b.String()
	}
	b.WriteString("transforms:\n")
	for _, t := range c.Transforms {
		indent := "  - "
		for line := range strings.Lines(t.YAML()) {
			b.WriteString(indent + line)
			indent = "    "
		}
	}
	return b.String()
}

// Explain returns every key with its type, default, names in the environment and meaning, for a terminal.
func Explain() string {
	var b strings.Builder
	for _, s := range sections() {
		fmt.Fprintf(&b, "%s: %s\n\n", s.name, s.doc)
		for _, k := range s.keys {
			fmt.Fprintf(&b, "  %s = %s\n      %s\n      %s; %s\n", k.Path, k.Default, k.Doc, k.Type, strings.Join(k.Env, ", "))
		}
		b.WriteString("\n")
	}
	b.WriteString("tables: The tables to make. " + tablesDoc + "\n\n")
	for _, k := range tableKeys {
		fmt.Fprintf(&b, "  %s\n      %s\n", k[0], k[1])
	}
	b.WriteString("\ntransforms: What is derived from complete Hive partitions by SQL. " + transformsDoc + "\n\n")
	for _, k := range transformKeys {
		fmt.Fprintf(&b, "  %s\n      %s\n", k[0], k[1])
	}
	return b.String()
}

// Markdown returns docs/configuration.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString(markdownHead)
	for _, s := range sections() {
		fmt.Fprintf(&b, "## %s\n\n%s\n\n| key | default | type | meaning | environment |\n|---|---|---|---|---|\n", s.name, s.doc)
		for _, k := range s.keys {
			fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s | `%s` |\n", k.Path, k.Default, k.Type, k.Doc, strings.Join(k.Env, "`, `"))
		}
		b.WriteString("\n")
	}
	b.WriteString("## tables\n\n" + tablesDoc + "\n\n| key | meaning |\n|---|---|\n")
	for _, k := range tableKeys {
		fmt.Fprintf(&b, "| `%s` | %s |\n", k[0], k[1])
	}
	b.WriteString(markdownTail)
	b.WriteString("\n## transforms\n\n" + transformsDoc + "\n\n| key | meaning |\n|---|---|\n")
	for _, k := range transformKeys {
		fmt.Fprintf(&b, "| `%s` | %s |\n", k[0], k[1])
	}
	return b.String()
}

const markdownHead = `# Configuration

<!-- Written by make generate from the tags of config.Config; do not edit. -->

Everything has a default: without a file, citystream runs the smart-city example. A file is given with ` + "`--config FILE`" + `. What counts is, in
rising order: the default, the file, the environment, a flag. ` + "`citystream config print`" + ` shows what counts in the end,
` + "`citystream config check`" + ` everything that is wrong with a file, and ` + "`citystream config explain`" + ` this page.

Reading is strict: an unknown key, a wrong type or a value out of its limits is an error with file, line and column. Durations are written
with a unit (` + "`500ms`, `90s`, `10m`, `1h30m`" + `), sizes too (` + "`64MiB`" + `). In the environment a list is separated by commas. There
are no secrets in it: AWS credentials come from where the AWS SDKs look for them.

`

const tablesDoc = "A list, of which an item is a whole table, or `file:` with the path of one (relative to the file that it stands in), or the word " +
	"`city` for the five tables of the smart city. Without the key it is those five. A table of the city that has its usual topic follows the section topics."

// tableKeys are the keys of a table, which package schema reads.
var tableKeys = [][2]string{
	{"name", "the table's name in SQL: letters, digits and _"},
	{"topic", "the Kafka topic that it is read from; one topic, one table"},
	{"eventTime", "the timestamp column that says when a record's event was; a record without it is a dead letter"},
	{"lateness", "how far the watermark stays behind the latest event; default " + schema.DefaultLateness.String()},
	{"maxFuture", "an event further ahead of its record's Kafka timestamp does not move the watermark; default " + schema.DefaultMaxFuture.String()},
	{"late", "what becomes of records whose window is closed: append (its own file in the right Hive partition; default), side (a row of the table of that name with _late behind it) or drop (counted)"},
	{"timeFrom, timeTo", "events before the first or not before the second are dead letters; default " +
		schema.DefaultTimeFrom.Format("2006-01-02") + " and " + schema.DefaultTimeTo.Format("2006-01-02")},
	{"columns[].name", "the column's name in SQL; Glue shows it in small letters"},
	{"columns[].type", "string, binary (Base64 text), bool, int (32 bits), long (64 bits), double or timestamp"},
	{"columns[].path", "where the value is found in the JSON, for example location[0], engine.oil.temp or \"odd.name\".x; default the column's name"},
	{"columns[].aliases", "other paths of the value; of several in one record the last counts"},
	{"columns[].required", "a record without the value is a dead letter; default false"},
	{"columns[].unit", "of a number in a timestamp column: auto (default: seconds below 1e11, else milliseconds), seconds, millis or micros"},
	{"columns[].comment", "shown by Glue"},
}

const transformsDoc = "A list, of which an item is a whole transform, or `file:` with the path of one, or the word `city` for those of the smart city; " +
	"`[]` is none. Without the key it is those of the city that have all their tables. docs/catalog.md says how they run."

// transformKeys are the keys of a transform, which package transform reads.
var transformKeys = [][2]string{
	{"name", "the name in SQL of the table that it makes, in the transformed zone: small letters, digits and _"},
	{"table", "the table for whose complete Hive partitions it is run, once for each revision"},
	{"with", "other tables that it reads: it waits until the same hour of theirs is complete too"},
	{"version", "a higher one makes all Hive partitions anew, for example after a change of the SQL; default 1"},
	{"comment", "what it makes; shown by Glue"},
	{"columns[].name", "the column's name, in small letters; the query has to have one of that name"},
	{"columns[].type", "string, int, bigint, double, boolean, timestamp or date, as Glue calls them; the query's values are cast to it"},
	{"columns[].comment", "shown by Glue"},
	{"sql", "a query of Athena's; ${database} is the database, ${date} and ${hour} are the values of the Hive keys, ${from} and ${to} the hour's bounds, all without quotes"},
	{"sqlFile", "instead of sql: the path of a file with it, relative to the file that it stands in"},
}

const markdownTail = `
A table of one's own beside those of the city:

` + "```yaml" + `
tables:
  - city
  - name: engine_sensors
    topic: plant-7.engines
    eventTime: measured
    lateness: 90s
    columns:
      - {name: sensorId, type: string, path: meta.sensor.id, aliases: [sensor_id], required: true}
      - {name: measured, type: timestamp, path: meta.ts, unit: millis}
      - {name: oilTemp, type: double, path: 'engine."oil temp".values[0]'}
` + "```" + `
`
