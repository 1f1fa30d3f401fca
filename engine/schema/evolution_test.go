package schema

import (
	"strings"
	"testing"
)

func TestCompatibleTakesWhatQueryEnginesRead(t *testing.T) {
	t.Parallel()
	column := func(name string, typ Type) Column { return Column{Name: name, Type: typ} }
	table := func(columns ...Column) *Table { return &Table{Name: "t", Columns: columns} }
	old := table(column("id", String), column("speed", Int), column("fuelType", String))
	for _, c := range []struct {
		name string
		new  *Table
		want []string
	}{
		{"the same table", old, nil},
		{"a column added at the end", table(append(old.Columns[:3:3], column("x", Long))...), nil},
		{"a column added in the middle, others moved", table(column("fuelType", String), column("x", Long), column("id", String), column("speed", Int)), nil},
		{"a column left out", table(column("id", String)), nil},
		{"other capitals", table(column("ID", String), column("Speed", Int), column("fueltype", String)), nil},
		{"a column renamed is one left out and one added", table(column("id", String), column("velocity", Double)), nil},
		{
			"types changed, even to wider ones", table(column("id", Binary), column("SPEED", Long), column("fueltype", Binary)),
			[]string{"column id is string", "column fueltype is string", "column SPEED is int in the files that exist and cannot become long: add a column of another name"},
		},
		{"another table", &Table{Name: "u"}, []string{"another name is another table"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := Compatible(old, c.new)
			if (err != nil) != (c.want != nil) {
				t.Fatal(err)
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%v lacks %q", err, w)
				}
			}
		})
	}
}
