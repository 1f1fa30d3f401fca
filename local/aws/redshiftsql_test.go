package aws

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Whatever is sent, it is understood or refused, and places in the engine's SQL lead back into the statement.
func TestAnyTextIsUnderstoodOrRefused(t *testing.T) {
	t.Parallel()
	words := strings.Fields(`SELECT INSERT INTO UPDATE DELETE FROM CREATE TEMP TABLE IF NOT EXISTS LIKE t "q" . , ( ) ; 'x' 'it''s' '\\' 5 :: : $ AS CAST INT VARCHAR MAX SUPER
		VARBYTE BINARY VARYING DEFAULT GETDATE SYSDATE NVL DATEADD day ENCODE DISTKEY SORTKEY DISTSTYLE COMPOUND IDENTITY PRIMARY KEY REFERENCES LOCK TRUNCATE COPY
		IAM_ROLE FORMAT PARQUET MANIFEST EXTERNAL SCHEMA DATA CATALOG DATABASE REGION DROP ALTER ADD COLUMN lake ext -- /* */ ü MINUS EXPLAIN ' "`)
	rapid.Check(t, func(t *rapid.T) {
		begin := rapid.SampledFrom([]string{
			"", "SELECT ", "INSERT INTO t SELECT ", "CREATE TABLE t (a ", "CREATE TABLE t (a int) ", "CREATE TABLE t AS SELECT ", "ALTER TABLE t ADD a ", "COPY t FROM 's3://x' ",
			"CREATE EXTERNAL SCHEMA x FROM DATA CATALOG ",
		}).Draw(t, "begin")
		text := begin + strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 0, 14).Draw(t, "words"), rapid.SampledFrom([]string{" ", "", "\n"}).Draw(t, "between"))
		s, err := readRedshift(text, map[string]string{"lake": "memory.lake"}, func(f string) bool { return f == "nvl" })
		if err != nil {
			return
		}
		if s.edits == nil {
			return
		}
		if got := s.edits.apply(text); got != s.sql {
			t.Fatalf("%q is %q and %q", text, got, s.sql)
		}
		last := 0
		for i := range s.sql {
			at := s.edits.original(i)
			if at < last || at > len(text) {
				t.Fatalf("%q: byte %d of %q is byte %d, after %d", text, i, s.sql, at, last)
			}
			last = at
		}
	})
}

func TestStatementsAreRewritten(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		`SELECT NVL(a, 1) FROM t`:                   `SELECT coalesce(a, 1) FROM t`,
		`select dateadd(Day, 1, GETDATE ( ))`:       `select rs_dateadd('day', 1, CAST(now() AT TIME ZONE 'UTC' AS TIMESTAMP))`,
		`SELECT nvl FROM lake.t, x.t`:               `SELECT nvl FROM memory.lake.t, x.t`,
		`SELECT a::super, CAST(b AS VARBYTE(5)) c`:  `SELECT a::JSON, CAST(b AS BLOB) c`,
		`SELECT (SELECT 1) AS super`:                `SELECT (SELECT 1) AS super`,
		`CREATE TABLE s.t (a int DISTKEY, b super)`: `CREATE TABLE "s"."t" ("a" int, "b" JSON)`,
		`CREATE TEMP TABLE t (LIKE s.u)`:            `CREATE TEMP TABLE "t" AS SELECT * FROM "s"."u" LIMIT 0`,
		`ALTER TABLE t ADD x varchar(max) ENCODE q`: `ALTER TABLE t ADD "x" VARCHAR`,
		`TRUNCATE TABLE T`:                          `DELETE FROM "t"`,
		`SELECT '/* -- ; */'`:                       `SELECT '/* -- ; */'`,
	} {
		s, err := readRedshift(sql, map[string]string{"lake": "memory.lake"}, func(string) bool { return false })
		if err != nil || s.sql != want {
			t.Errorf("%s: got %v, %v, want %s", sql, s, err, want)
		}
	}
}

// A text where the engine reads a file is refused, and one anywhere else is not.
func TestTextsAreNoTables(t *testing.T) {
	t.Parallel()
	for sql, taken := range map[string]bool{
		`SELECT 'a', 'b' FROM t WHERE x = 'c' AND y IN ('d', 'e') ORDER BY 1, 'f'`: true,
		`SELECT * FROM t JOIN u ON t.a = 'x' AND u.b IN ('y', 'z'), v`:             true,
		`SELECT * FROM (VALUES ('a', 'b'), ('c', 'd')) v, t`:                       true,
		`SELECT nvl(a, 'x'), 'y' FROM t, nvl('a', 'b') UNION SELECT 'a', 'b'`:      true,
		`SELECT extract(year FROM '2026-01-01'), trim(both 'x' FROM 'y')`:          true,
		`INSERT INTO t VALUES ('a', 'b'), ('c', 'd')`:                              true,
		`INSERT INTO t SELECT 'a', 'b' FROM (SELECT 'c', 'd') u`:                   true,
		`UPDATE t SET a = 'x', b = 'y' WHERE c = 'z'`:                              true,
		"SELECT 'a' -- it's\r\n, 'b' /* it's */":                                   true,
		`SELECT DATE '2026-01-01', INTERVAL '1 day'`:                               true,
		`SELECT * FROM t, 'x'`:                                                     false, `SELECT * FROM t AS u, 'x'`: false, `SELECT * FROM t set, 'x'`: false, `SELECT * FROM main.limit, 'x'`: false,
		`SELECT * FROM t JOIN u ON a = 'y', 'x'`: false, `SELECT * FROM ('x' CROSS JOIN t)`: false, `SELECT * FROM (('x' CROSS JOIN t))`: false,
		`SELECT * FROM (t CROSS JOIN u), LATERAL 'x'`: false, `SELECT * FROM (TABLE 'x')`: false, `SELECT * FROM (SUMMARIZE 'x')`: false, `SELECT * FROM y: 'x'`: false,
		`INSERT INTO trim (SELECT * FROM 'x')`: false, `INSERT INTO 'x' SELECT 1`: false, `SELECT * FROM main.'x'`: false, `DELETE FROM t USING u, 'x'`: false,
		`SELECT E'x'`: false, `SELECT 1e'x'`: false, `SELECT U&'x'`: false, `SELECT 1$$x`: false, "SELECT\u00a01": false, `SELECT /* /* */ 1`: false,
		"SELECT 1 -- \r; ATTACH 'x'": false, `DROP TABLE t 'x'`: false, `ALTER TABLE t RENAME TO u 'x'`: false,
	} {
		_, err := readRedshift(sql, nil, func(string) bool { return false })
		if (err == nil) != taken {
			t.Errorf("%q: %v", sql, err)
		}
	}
}
