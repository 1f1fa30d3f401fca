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
