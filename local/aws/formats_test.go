package aws

import "testing"

func TestFoldersAreWrittenAsHiveWritesThem(t *testing.T) {
	t.Parallel()
	keys := []target{{name: "a"}, {name: "b=c"}}
	if got, want := folders(keys, []string{"2026-11-22 05:00", "ü/%\t*"}), "a=2026-11-22 05%3A00/b%3Dc=ü%2F%25%09%2A/"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTypesAreWrittenInThreeLanguages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ duck, hive, trino string }{
		{"VARCHAR", "string", "varchar"},
		{"DECIMAL(10,2)", "decimal(10,2)", "decimal(10,2)"},
		{"HUGEINT", "bigint", "bigint"},
		{"FLOAT", "float", "real"},
		{"INTEGER[][]", "array<array<int>>", "array(array(integer))"},
		{`STRUCT(x INTEGER, "y z" MAP(VARCHAR, TIMESTAMP)[])`, "struct<x:int,y z:array<map<string,timestamp>>>", "row(x integer, y z array(map(varchar, timestamp(3))))"},
		{"TIMESTAMP WITH TIME ZONE", "", "timestamp(3) with time zone"},
		{"STRUCT(t TIME)", "", "row(t time(3))"},
	} {
		hive, _, err := hiveType(c.duck)
		if hive != c.hive || (err == nil) != (c.hive != "") || athenaType(c.duck) != c.trino {
			t.Errorf("%s is %q, %v in Hive, %q in Trino", c.duck, hive, err, athenaType(c.duck))
		}
	}
	for hive, duck := range map[string]string{
		"struct<a:int,b:array<string>>": `STRUCT("a" INTEGER, "b" VARCHAR[])`, "map<string,decimal(5,1)>": "MAP(VARCHAR, decimal(5,1))",
		"varchar(10)": "VARCHAR", "char(3)": "VARCHAR", "binary": "BLOB",
	} {
		if got, err := duckType(hive); got != duck || err != nil {
			t.Errorf("%s is %s, %v", hive, got, err)
		}
	}
	for _, text := range []string{"nonsense", "array<nonsense>", "map<int>", "uniontype<int,string>"} {
		if got, err := duckType(text); err == nil {
			t.Errorf("%s is %s", text, got)
		}
	}
}
