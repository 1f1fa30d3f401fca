//go:build cgo

package aws

import (
	"strings"
	"testing"
)

// What Trino documents of the functions and forms that the engine has not of itself. All are asked at once, a row a case: a query costs more than
// a function.
var trinoCases = []struct{ expression, want string }{
	{"date_trunc('hour', TIMESTAMP '2001-08-22 03:04:05.321')", "2001-08-22 03:00:00.000"},
	{"date_trunc('month', DATE '2001-08-22')", "2001-08-01"},
	{"date_trunc('day', TIMESTAMP '2001-08-22 03:04:05.321 UTC')", "2001-08-22 00:00:00.000 UTC"},
	{"date_add('second', 86, TIMESTAMP '2020-03-01 00:00:00')", "2020-03-01 00:01:26.000"},
	{"date_add('hour', 9, TIMESTAMP '2020-03-01 00:00:00')", "2020-03-01 09:00:00.000"},
	{"date_add('day', -1, TIMESTAMP '2020-03-01 00:00:00 UTC')", "2020-02-29 00:00:00.000 UTC"},
	{"date_add('month', 1, DATE '2020-01-31')", "2020-02-29"},
	{"date_diff('second', TIMESTAMP '2020-03-01 00:00:00', TIMESTAMP '2020-03-02 00:00:00')", "86400"},
	{"date_diff('hour', TIMESTAMP '2020-03-01 00:00:00 UTC', TIMESTAMP '2020-03-02 00:00:00 UTC')", "24"},
	{"date_diff('day', DATE '2020-03-01', DATE '2020-03-02')", "1"},
	{"date_diff('second', TIMESTAMP '2020-06-01 12:30:45.9', TIMESTAMP '2020-06-01 12:30:46.1')", "0"},
	{"date_diff('millisecond', TIMESTAMP '2020-06-01 12:30:45', TIMESTAMP '2020-06-02 12:30:45.123')", "86400123"},
	{"from_iso8601_timestamp('2020-05-11T11:15:05+00:00')", "2020-05-11 11:15:05.000 UTC"},
	{"from_iso8601_timestamp('2020-05-11T11:15:05.055Z')", "2020-05-11 11:15:05.055 UTC"},
	{"from_iso8601_timestamp('2020-05-11T11:15:05.055+01:00')", "2020-05-11 10:15:05.055 UTC"},
	{"from_iso8601_date('2020-05-11')", "2020-05-11"},
	{"TIMESTAMP '2012-10-31 01:00 UTC' AT TIME ZONE 'UTC'", "2012-10-31 01:00:00.000 UTC"},
	{"TIMESTAMP '2021-11-01 09:08:07' AT TIME ZONE 'UTC'", "2021-11-01 09:08:07.000 UTC"},
	{"with_timezone(TIMESTAMP '2021-11-01 09:08:07.321', 'UTC')", "2021-11-01 09:08:07.321 UTC"},
	{"with_timezone(TIMESTAMP '2021-11-01 09:08:07.321', 'Europe/Berlin')", "2021-11-01 08:08:07.321 UTC"},
	{"CAST(TIMESTAMP '2021-11-01 09:08:07 UTC' AS timestamp)", "2021-11-01 09:08:07.000"},
	{"from_unixtime(1.5)", "1970-01-01 00:00:01.500 UTC"},
	{"from_unixtime(1763791200)", "2025-11-22 06:00:00.000 UTC"},
	{"to_unixtime(TIMESTAMP '2025-11-22 06:00:00.5 UTC')", "1.7637912005E9"},
	{"to_iso8601(TIMESTAMP '2025-11-22 06:00:00.5 UTC')", "2025-11-22T06:00:00.500Z"},
	{"format_datetime(TIMESTAMP '2020-06-10 15:55:23.383', 'yyyy-MM-dd HH:mm:ss.SSS')", "2020-06-10 15:55:23.383"},
	{"format_datetime(TIMESTAMP '2020-06-10 15:55:23', 'yyyy-MM-dd''T''HH')", "2020-06-10T15"},
	{"parse_datetime('2020-06-10 15:55:23', 'yyyy-MM-dd HH:mm:ss')", "2020-06-10 15:55:23.000 UTC"},
	{"date_format(TIMESTAMP '2022-10-20 05:10:07', '%Y-%m-%d %H:%i:%s %M')", "2022-10-20 05:10:07 October"},
	{"date_parse('2022/10/20/05', '%Y/%m/%d/%H')", "2022-10-20 05:00:00.000"},
	{"date_parse('2022-10-20 05:06:07', '%Y-%m-%d %H:%i:%s')", "2022-10-20 05:06:07.000"},
	{"day_of_week(DATE '2020-06-14')", "7"},
	{"day_of_year(DATE '2020-02-01')", "32"},
	{"week(DATE '2020-01-01')", "1"},
	{"hour(TIMESTAMP '2020-06-10 15:55:23') * 100 + minute(TIMESTAMP '2020-06-10 15:55:23')", "1555"},
	{"extract(year FROM DATE '2020-06-10')", "2020"},
	{"date(TIMESTAMP '2020-06-10 15:55:23')", "2020-06-10"},
	{"TIMESTAMP '2012-08-08 01:00' + INTERVAL '29' HOUR", "2012-08-09 06:00:00.000"},
	{"DATE '2012-08-08' > DATE '2012-08-07'", "true"},

	{"element_at(ARRAY['a', 'b'], -1)", "b"},
	{"element_at(ARRAY['a', 'b'], 3)", "NULL"},
	{"element_at(MAP(ARRAY['a', 'b'], ARRAY[1, 2]), 'b')", "2"},
	{"element_at(MAP(ARRAY['a', 'b'], ARRAY[1, 2]), 'c')", "NULL"},
	{"cardinality(ARRAY[1, 2, 3])", "3"},
	{"cardinality(MAP(ARRAY['a', 'b'], ARRAY[1, 2]))", "2"},
	{"contains(ARRAY[1, 2], 2)", "true"},
	{"array_join(ARRAY['a', NULL, 'b'], ',', '-')", "a,-,b"},
	{"array_join(ARRAY[1, 2], '-')", "1-2"},
	{"transform(ARRAY[5, 6], x -> x + 1)", "[6, 7]"},
	{"filter(ARRAY[5, -6, 7], x -> x > 0)", "[5, 7]"},
	{"sequence(1, 3)", "[1, 2, 3]"},
	{"sequence(3, 1)", "[3, 2, 1]"},
	{"sequence(0, 8, 4)", "[0, 4, 8]"},
	{"slice(ARRAY[1, 2, 3, 4], 2, 2)", "[2, 3]"},
	{"array_max(ARRAY[3, 1])", "3"},
	{"CAST(ROW(1, 'x') AS ROW(a integer, b varchar)).b", "x"},

	{"try_cast('x' AS integer)", "NULL"},
	{"try(CAST('x' AS integer))", "NULL"},
	{"try(1 / 0)", "NULL"},
	{"coalesce(try(CAST('x' AS integer)), 7)", "7"},
	{"CAST(12 AS varchar)", "12"},
	{"CAST(true AS varchar)", "true"},
	{"CAST(1.10 AS varchar)", "1.10"},
	{"CAST(DATE '2020-06-10' AS varchar)", "2020-06-10"},
	{"if(1 > 2, 'a', 'b')", "b"},
	{"5 / 2", "2"},
	{"-5 / 2", "-2"},
	{"greatest(1, NULL)", "NULL"},
	{"least(3, 2)", "2"},
	{"concat('a', NULL)", "NULL"},
	{"concat('a', 'b', 'c')", "abc"},
	{"regexp_like('1a 2b 14m', '\\d+b')", "true"},
	{"regexp_extract('1a 2b 14m', '\\d+')", "1"},
	{"regexp_extract('1a 2b 14m', '(\\d+)([a-z]+)', 2)", "a"},
	{"regexp_extract('x', '\\d+')", "NULL"},
	{"regexp_replace('1a 2b 14m', '\\d+[ab] ')", "14m"},
	{"regexp_replace('1a 2b 14m', '(\\d+)([ab]) ', '3c$2 ')", "3ca 3cb 14m"},
	{"split('a,b', ',')", "[a, b]"},
	{"split_part('a,b', ',', 2)", "b"},
	{"strpos('abc', 'c')", "3"},
	{"json_extract_scalar('{\"a\": [1, \"x\"]}', '$.a[1]')", "x"},
	{"json_format(json_parse('{\"a\":1}'))", "{\"a\":1}"},
	{"to_hex(to_utf8('ab'))", "6162"},
	{"round(2.5)", "3"},
	{"truncate(-2.7e0)", "-2.0"},
	{"is_nan(nan())", "true"},
	{"width_bucket(5, 0, 10, 5)", "3"},
	{"round(2 * 6371.0088e0 * asin(sqrt(power(sin(radians(52.52e0 - 51.5074e0) / 2), 2) + cos(radians(51.5074e0)) * cos(radians(52.52e0)) * " +
		"power(sin(radians(13.405e0 + 0.1278e0) / 2), 2))), 1)", "931.6"},
}

func TestTrinosFunctionsDoWhatTrinoDocuments(t *testing.T) {
	t.Parallel()
	e := openWriting(t, Options{})
	var items []string
	for _, c := range trinoCases {
		items = append(items, c.expression)
	}
	got := e.cells(t, "SELECT "+strings.Join(items, ",\n"))
	_, row, _ := strings.Cut(got, "\n")
	cells := strings.Split(row, "|")
	if len(cells) != len(trinoCases) {
		t.Fatalf("%d cells", len(cells))
	}
	alone := e.cells(t, "SELECT "+trinoCases[3].expression+" a, format_datetime(DATE '2020-01-02', 'yy') b") // with what these two call only
	if want := "a:timestamp|b:varchar\n" + trinoCases[3].want + "|20"; alone != want {
		t.Errorf("got %s, want %s", alone, want)
	}
	for i, c := range trinoCases {
		if cells[i] != c.want {
			t.Errorf("%s is %s, want %s", c.expression, cells[i], c.want)
		}
	}
}

func TestASequenceIsBoundedAsTrinosIs(t *testing.T) {
	t.Parallel()
	e := openWriting(t, Options{})
	if got := e.why(t, "SELECT sequence(1, 10001)"); !strings.Contains(got, "must not have more than 10000 entries") {
		t.Errorf("got %s", got)
	}
	if got := e.cells(t, "SELECT cardinality(sequence(1, 10000))"); got != "_col0:bigint\n10000" {
		t.Errorf("got %s", got)
	}
}

func TestTrinosAggregatesAndForms(t *testing.T) {
	t.Parallel()
	e := openWriting(t, Options{})
	e.runs(t, "CREATE TABLE n WITH (external_location = 's3://lake/n/') AS SELECT x AS x, x % 3 AS k FROM unnest(sequence(1, 100)) t(x)")
	for sql, want := range map[string]string{
		"SELECT approx_distinct(k) a, approx_percentile(x, 0.5) BETWEEN 49 AND 52 b, max_by(k, x) c, min_by(x, x) d, count_if(x > 99) e, arbitrary(1) f FROM n":                                "a:bigint|b:boolean|c:bigint|d:bigint|e:bigint|f:integer\n3|true|1|1|1|1",
		"SELECT x, lag(x) OVER (ORDER BY x) p, row_number() OVER (PARTITION BY k ORDER BY x) r, sum(x) OVER (ORDER BY x ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) s FROM n ORDER BY x LIMIT 2": "x:bigint|p:bigint|r:bigint|s:bigint\n1|NULL|1|1\n2|1|1|3",
		"SELECT k, u, o FROM n CROSS JOIN UNNEST(ARRAY['a', 'b']) WITH ORDINALITY AS t(u, o) WHERE x = 1 ORDER BY o":                                                                           "k:bigint|u:varchar|o:bigint\n1|a|1\n1|b|2",
		"SELECT map_agg(x, k)[2] FROM n WHERE x < 3":                                                         "_col0:bigint\n2",
		"SELECT every(x > 0) FROM n":                                                                         "_col0:boolean\ntrue",
		"SELECT k, count(*) c FROM n GROUP BY 1 HAVING count(*) > 33 ORDER BY 1":                             "k:bigint|c:bigint\n1|34",
		"SELECT x FROM n ORDER BY x OFFSET 2 LIMIT 1":                                                        "x:bigint\n3",
		"SELECT x FROM n ORDER BY x FETCH FIRST 1 ROWS ONLY":                                                 "x:bigint\n1",
		"WITH a AS (SELECT 1 AS b) SELECT b FROM a WHERE b IN (SELECT x FROM n) AND EXISTS (SELECT 1)":       "b:integer\n1",
		"SELECT x FROM n WHERE x = 5 AND 1 = (SELECT min(x) FROM n) UNION SELECT 0 ORDER BY 1":               "x:bigint\n0\n5",
		"SELECT date_trunc('hour', TIMESTAMP '2020-01-01 10:20:00' AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' a": "a:timestamp with time zone\n2020-01-01 10:00:00.000 UTC",
	} {
		if got := e.cells(t, sql); got != want {
			t.Errorf("%s\ngot\n%s\nwant\n%s", sql, got, want)
		}
	}
}
