package enginetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"citystream/engine/port"
)

// CatalogSuite is what every port.Catalog must do. open makes an empty catalog and cleans up by t.
func CatalogSuite(t *testing.T, open func(t *testing.T) port.Catalog) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, port.Catalog)
	}{
		{"a database can be ensured again and again", catalogDatabase},
		{"a table comes back as it was made", catalogTable},
		{"a table or database that is not there is ErrNotFound", catalogMissing},
		{"columns that are lacking are added at the end, parameters are set, and nothing else changes", catalogGrows},
		{"a differing type is an error and changes nothing", catalogTypes},
		{"differing partition keys are an error", catalogKeys},
		{"several makers of one table all succeed, and all their columns are there", catalogRace},
		{"partitions are registered once and come back in the order of their values", catalogPartitions},
		{"a registered partition keeps its location", catalogKeeps},
		{"hundreds of partitions pass in one call, some of them known", catalogMany},
		{"no partitions are nothing to do", catalogNone},
		{"values are kept as text", catalogText},
		{"setting partitions registers those that are missing and changes the others", catalogSet},
		{"setting partitions leaves what is not given", catalogSetKeeps},
		{"hundreds of partitions are set in one call", catalogSetMany},
		{"several who set one partition all succeed, and all their parameters may be there", catalogSetRace},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, open(t))
		})
	}
}

const catalogDB = "smart-city"

// table returns a table with some columns.
func table(name string, columns ...string) port.CatalogTable {
	t := port.CatalogTable{
		Name: name, Location: "s3://lake/raw/" + name + "/", Parameters: map[string]string{"classification": "parquet", "EXTERNAL": "TRUE"},
		PartitionKeys: []port.CatalogColumn{{Name: "date", Type: "string", Comment: "day"}, {Name: "hour", Type: "string"}},
	}
	for _, c := range columns {
		t.Columns = append(t.Columns, port.CatalogColumn{Name: c, Type: "string", Comment: "the " + c})
	}
	return t
}

// hours returns partitions of the given hours of one day.
func hours(location string, hours ...int) []port.HivePartition {
	var partitions []port.HivePartition
	for _, h := range hours {
		day, hour := fmt.Sprintf("2026-11-%02d", 1+h/24), fmt.Sprintf("%02d", h%24)
		partitions = append(partitions, port.HivePartition{
			Values: []string{day, hour}, Location: fmt.Sprintf("%sdate=%s/hour=%s/", location, day, hour),
		})
	}
	return partitions
}

func ensure(t *testing.T, c port.Catalog, tables ...port.CatalogTable) {
	t.Helper()
	if err := c.EnsureDatabase(t.Context(), catalogDB); err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		if err := c.EnsureTable(t.Context(), catalogDB, table); err != nil {
			t.Fatal(err)
		}
	}
}

func wantTable(t *testing.T, c port.Catalog, want port.CatalogTable) {
	t.Helper()
	got, err := c.Table(t.Context(), catalogDB, want.Name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("table differs (-want +got):\n%s", diff)
	}
}

func wantPartitions(t *testing.T, c port.Catalog, table string, want []port.HivePartition) {
	t.Helper()
	got, err := c.Partitions(t.Context(), catalogDB, table)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("partitions differ (-want +got):\n%s", diff)
	}
}

func catalogDatabase(t *testing.T, c port.Catalog) {
	ensure(t, c)
	ensure(t, c)
}

func catalogTable(t *testing.T, c port.Catalog) {
	want := table("vehicle_data", "id", "deviceid")
	want.Columns = append(want.Columns,
		port.CatalogColumn{Name: "year", Type: "int"}, port.CatalogColumn{Name: "kafka_offset", Type: "bigint"},
		port.CatalogColumn{Name: "speed", Type: "double"}, port.CatalogColumn{Name: "active", Type: "boolean"},
		port.CatalogColumn{Name: "timestamp", Type: "timestamp"}, port.CatalogColumn{Name: "value", Type: "binary"})
	ensure(t, c, want)
	wantTable(t, c, want)
	ensure(t, c, want)
	wantTable(t, c, want)
}

func catalogMissing(t *testing.T, c port.Catalog) {
	wantMissing := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, port.ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNotFound", what, err)
		}
	}
	_, err := c.Table(t.Context(), catalogDB, "nothing")
	wantMissing("table of no database", err)
	ensure(t, c)
	_, err = c.Table(t.Context(), catalogDB, "nothing")
	wantMissing("table", err)
	_, err = c.Partitions(t.Context(), catalogDB, "nothing")
	wantMissing("partitions of no table", err)
	wantMissing("adding to no table", c.AddPartitions(t.Context(), catalogDB, "nothing", hours("s3://lake/x/", 1)))
	wantMissing("table in no database", c.EnsureTable(t.Context(), "elsewhere", table("a", "id")))
}

func catalogGrows(t *testing.T, c port.Catalog) {
	ensure(t, c, table("a", "id", "old"))
	if err := c.AddPartitions(t.Context(), catalogDB, "a", hours("s3://lake/raw/a/", 1)); err != nil {
		t.Fatal(err)
	}
	wider := table("a", "new", "id", "newer")
	wider.Parameters = map[string]string{"classification": "other", "projection.enabled": "true"}
	wider.Location = "s3://elsewhere/"
	ensure(t, c, wider)
	want := table("a", "id", "old", "new", "newer")
	want.Parameters["classification"], want.Parameters["projection.enabled"] = "other", "true"
	wantTable(t, c, want)
	ensure(t, c, table("a", "id"))
	want.Parameters["classification"] = "parquet"
	wantTable(t, c, want)
	wantPartitions(t, c, "a", hours("s3://lake/raw/a/", 1))
}

func catalogTypes(t *testing.T, c port.Catalog) {
	ensure(t, c, table("a", "id", "speed"))
	differing := table("a", "id", "speed", "new")
	differing.Columns[1].Type = "double"
	if err := c.EnsureTable(t.Context(), catalogDB, differing); err == nil {
		t.Error("a string column became a double without an error")
	}
	wantTable(t, c, table("a", "id", "speed"))
}

func catalogKeys(t *testing.T, c port.Catalog) {
	ensure(t, c, table("a", "id"))
	differing := table("a", "id")
	differing.PartitionKeys = differing.PartitionKeys[:1]
	if err := c.EnsureTable(t.Context(), catalogDB, differing); err == nil {
		t.Error("a partition key went without an error")
	}
	if err := c.EnsureTable(t.Context(), catalogDB, table("a", "id", "date")); err == nil {
		t.Error("a column was added that is a partition key")
	}
	wantTable(t, c, table("a", "id"))
}

func catalogRace(t *testing.T, c port.Catalog) {
	ensure(t, c)
	var makers sync.WaitGroup
	for i := range 4 {
		makers.Go(func() {
			if err := c.EnsureTable(t.Context(), catalogDB, table("a", "id", fmt.Sprintf("c%d", i))); err != nil {
				t.Errorf("maker %d: %v", i, err)
			}
		})
	}
	makers.Wait()
	got, err := c.Table(t.Context(), catalogDB, "a")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, col := range got.Columns {
		names = append(names, col.Name)
	}
	slices.Sort(names)
	if want := []string{"c0", "c1", "c2", "c3", "id"}; !slices.Equal(names, want) {
		t.Errorf("columns are %v, want %v", names, want)
	}
}

func catalogPartitions(t *testing.T, c port.Catalog) {
	ensure(t, c, table("a", "id"), table("b", "id"))
	const location = "s3://lake/raw/a/"
	for _, add := range [][]int{{30, 2, 11}, {2, 5}, {2, 5}, {7, 7}} {
		if err := c.AddPartitions(t.Context(), catalogDB, "a", hours(location, add...)); err != nil {
			t.Fatal(err)
		}
	}
	wantPartitions(t, c, "a", hours(location, 2, 5, 7, 11, 30))
	wantPartitions(t, c, "b", nil)
}

func catalogKeeps(t *testing.T, c port.Catalog) {
	ensure(t, c, table("a", "id"))
	for _, location := range []string{"s3://lake/raw/a/", "s3://elsewhere/"} {
		if err := c.AddPartitions(t.Context(), catalogDB, "a", hours(location, 3)); err != nil {
			t.Fatal(err)
		}
	}
	wantPartitions(t, c, "a", hours("s3://lake/raw/a/", 3))
}

func catalogMany(t *testing.T, c port.Catalog) {
	ensure(t, c, table("a", "id"))
	const location = "s3://lake/raw/a/"
	all := make([]int, 251)
	for i := range all {
		all[i] = i
	}
	if err := c.AddPartitions(t.Context(), catalogDB, "a", hours(location, 0, 99, 100, 250)); err != nil {
		t.Fatal(err)
	}
	if err := c.AddPartitions(t.Context(), catalogDB, "a", hours(location, all...)); err != nil {
		t.Fatal(err)
	}
	wantPartitions(t, c, "a", hours(location, all...))
}

func catalogNone(t *testing.T, c port.Catalog) {
	ensure(t, c, table("a", "id"))
	if err := c.AddPartitions(t.Context(), catalogDB, "a", nil); err != nil {
		t.Error(err)
	}
	wantPartitions(t, c, "a", nil)
}

func catalogText(t *testing.T, c port.Catalog) {
	ensure(t, c, table("a", "id"))
	want := []port.HivePartition{
		{Values: []string{"2026", "05"}, Location: "s3://lake/raw/a/date=2026/hour=05/"},
		{Values: []string{"2026", "5"}, Location: "s3://lake/raw/a/date=2026/hour=5/"},
		{Values: []string{"ü a/b", "'"}, Location: "s3://lake/raw/a/date=x/hour=y/"},
	}
	if err := c.AddPartitions(t.Context(), catalogDB, "a", want); err != nil {
		t.Fatal(err)
	}
	wantPartitions(t, c, "a", want)
}
