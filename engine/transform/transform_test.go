package transform

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/schema"
	"citystream/internal/strictyaml"
)

func parse(text string) ([]*Transform, error) {
	var faults strictyaml.Faults
	all := Read(strictyaml.Parse("t.yaml", []byte(text), &faults), func(string) ([]byte, error) { return nil, errors.New("no such file") }, &faults)
	return all, faults.Err()
}

func TestTheTransformsOfTheCityReadItsTables(t *testing.T) {
	t.Parallel()
	tables := map[string]bool{}
	for _, table := range schema.Cities() {
		tables[table.Name] = true
	}
	for _, x := range City() {
		if x.Comment == "" || tables[x.Name] {
			t.Errorf("%s has no comment, or the name of a table", x.Name)
		}
		for _, name := range x.Reads() {
			if !tables[name] || !strings.Contains(x.SQL, `"${database}"."`+name+`"`) {
				t.Errorf("%s says that it reads %s", x.Name, name)
			}
		}
		if d := strings.Count(x.SQL, "FROM \"${database}\""); d != len(x.Reads()) || strings.Count(x.SQL, "date = '${date}' AND hour = '${hour}'") != d {
			t.Errorf("%s reads %d tables, not each by one Hive partition", x.Name, d)
		}
		for _, c := range x.Columns {
			if !strings.Contains(x.SQL, c.Name) {
				t.Errorf("%s: no column %s in the SQL", x.Name, c.Name)
			}
		}
	}
}

func TestAnyTransformReadsBackAsWritten(t *testing.T) {
	t.Parallel()
	odd := *City()[0]
	odd.SQL = " SELECT '\t${date}'\n\n  , \"ü\" || '${hour}'"
	for _, want := range append(City(), &odd) {
		got, err := parse(want.YAML())
		if err != nil || len(got) != 1 {
			t.Fatal(err, want.YAML())
		}
		if d := cmp.Diff(want, got[0]); d != "" {
			t.Error(d)
		}
	}
}

func TestPlaceholdersAreTheWindows(t *testing.T) {
	t.Parallel()
	x := &Transform{
		Columns: []port.CatalogColumn{{Name: "a", Type: "bigint"}, {Name: "b", Type: "string"}},
		SQL:     `SELECT a, b FROM "${database}".t WHERE date = '${date}' AND hour = '${hour}' AND at >= timestamp '${from}' AND at < timestamp '${to}'`,
	}
	window := record.MicrosOf(time.Date(2026, 1, 2, 23, 0, 0, 0, time.UTC))
	query := x.Query("smart-city", window, window.Add(time.Hour))
	want := `SELECT a, b FROM "smart-city".t WHERE date = '2026-01-02' AND hour = '23' AND at >= timestamp '2026-01-02 23:00:00' AND at < timestamp '2026-01-03 00:00:00'`
	if query != want {
		t.Error(query)
	}
	got := x.Unload("Q", "s3://b/it's/")
	want = "UNLOAD (\nSELECT CAST(\"a\" AS bigint) AS \"a\", CAST(\"b\" AS varchar) AS \"b\"\nFROM (\nQ\n) AS result\n)\nTO 's3://b/it''s/'\nWITH (format = 'PARQUET', compression = 'SNAPPY')"
	if got != want {
		t.Error(got)
	}
}

func TestEveryFaultOfATransformHasItsPlace(t *testing.T) {
	t.Parallel()
	const columns, sql = "columns: [{name: a, type: int}]\n", "sql: SELECT a, '${date}', '${hour}'\n"
	for name, c := range map[string]struct{ text, want string }{
		"nothing":             {"[]", "1:1: no transform in it"},
		"no name":             {"table: t\n" + columns + sql, "1:1: name is missing"},
		"a large name":        {"name: A\ntable: t\n" + columns + sql, `1:7: name: "A" is no name`},
		"no SQL":              {"name: a\ntable: t\n" + columns, "1:1: needs either sql"},
		"both":                {"name: a\ntable: t\nsqlFile: x\n" + columns + sql, "needs either sql"},
		"a missing file":      {"name: a\ntable: t\nsqlFile: x\n" + columns, "3:10: sqlFile: no such file"},
		"a wrong placeholder": {"name: a\ntable: t\n" + columns + "sql: SELECT '${date}${hour}${day}'\n", "4:6: sql: ${day} is no placeholder"},
		"the whole table":     {"name: a\ntable: t\n" + columns + "sql: SELECT 1\n", "does not use ${date} and ${hour}"},
		"a wrong type":        {"name: a\ntable: t\ncolumns: [{name: a, type: long}]\n" + sql, "3:27: columns[0].type: must be one of string"},
		"a Hive key":          {"name: a\ntable: t\ncolumns: [{name: hour, type: int}]\n" + sql, "3:18: columns[0].name: hour is a key"},
		"a column twice":      {"name: a\ntable: t\ncolumns: [{name: a, type: int}, {name: a, type: int}]\n" + sql, "there is a column a already"},
		"a table twice":       {"name: a\ntable: t\nwith: [u, t]\n" + columns + sql, "3:11: with[1]: table t is named twice"},
		"version 0":           {"name: a\ntable: t\nversion: 0\n" + columns + sql, "3:10: version: must be a whole number"},
		"an unknown key":      {"name: a\ntable: t\ncoment: x\n" + columns + sql, "3:1: coment: no such key; is comment meant?"},
	} {
		all, err := parse(c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) || len(all) > 0 {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}
