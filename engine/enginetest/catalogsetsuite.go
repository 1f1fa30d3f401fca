package enginetest

import (
	"fmt"
	"maps"
	"sync"
	"testing"

	"citystream/engine/port"
)

// withParameters returns partitions with the same parameters each.
func withParameters(partitions []port.HivePartition, parameters map[string]string) []port.HivePartition {
	for i := range partitions {
		partitions[i].Parameters = maps.Clone(parameters)
	}
	return partitions
}

func set(t *testing.T, c port.Catalog, partitions ...port.HivePartition) {
	t.Helper()
	if err := c.SetPartitions(t.Context(), catalogDB, "a", partitions); err != nil {
		t.Fatal(err)
	}
}

func catalogSet(t *testing.T, c port.Catalog) {
	ensure(t, c, table("a", "id"))
	const before, after = "s3://lake/raw/a/", "s3://lake/other/a/"
	if err := c.AddPartitions(t.Context(), catalogDB, "a", hours(before, 1, 2)); err != nil {
		t.Fatal(err)
	}
	first := map[string]string{"revision": "1", "complete_at": "2026-11-02T00:00:00Z"}
	set(t, c, withParameters(hours(after, 2, 3), first)...)
	wantPartitions(t, c, "a", append(hours(before, 1), withParameters(hours(after, 2, 3), first)...))
	set(t, c, withParameters(hours(after, 2, 3), first)...)
	set(t, c, withParameters(hours(after, 3), map[string]string{"revision": "2"})...)
	want := append(hours(before, 1), withParameters(hours(after, 2, 3), first)...)
	want[2].Parameters["revision"] = "2"
	wantPartitions(t, c, "a", want)
	if err := c.SetPartitions(t.Context(), catalogDB, "nothing", hours(after, 1)); err == nil {
		t.Error("partitions of no table were set")
	}
}

func catalogSetKeeps(t *testing.T, c port.Catalog) {
	ensure(t, c, table("a", "id"))
	const location = "s3://lake/raw/a/"
	if err := c.AddPartitions(t.Context(), catalogDB, "a", withParameters(hours(location, 1), map[string]string{"theirs": "x"})); err != nil {
		t.Fatal(err)
	}
	p := hours("", 1)[0]
	p.Location, p.Parameters = "", map[string]string{"ours": "y"}
	set(t, c, p)
	wantPartitions(t, c, "a", withParameters(hours(location, 1), map[string]string{"theirs": "x", "ours": "y"}))
	set(t, c)
	set(t, c, hours("s3://lake/moved/", 1)...)
	wantPartitions(t, c, "a", withParameters(hours("s3://lake/moved/", 1), map[string]string{"theirs": "x", "ours": "y"}))
}

func catalogSetMany(t *testing.T, c port.Catalog) {
	ensure(t, c, table("a", "id"))
	all := make([]int, 251)
	for i := range all {
		all[i] = i
	}
	if err := c.AddPartitions(t.Context(), catalogDB, "a", hours("s3://lake/raw/a/", all[:120]...)); err != nil {
		t.Fatal(err)
	}
	want := withParameters(hours("s3://lake/raw/a/", all...), map[string]string{"revision": "1"})
	set(t, c, want...)
	wantPartitions(t, c, "a", want)
}

func catalogSetRace(t *testing.T, c port.Catalog) {
	ensure(t, c, table("a", "id"))
	var setters sync.WaitGroup
	for i := range 4 {
		setters.Go(func() {
			p := withParameters(hours("s3://lake/raw/a/", 1), map[string]string{fmt.Sprintf("p%d", i): "set"})
			if err := c.SetPartitions(t.Context(), catalogDB, "a", p); err != nil {
				t.Errorf("setter %d: %v", i, err)
			}
		})
	}
	setters.Wait()
	got, err := c.Partitions(t.Context(), catalogDB, "a")
	if err != nil || len(got) != 1 || got[0].Location != hours("s3://lake/raw/a/", 1)[0].Location || len(got[0].Parameters) == 0 {
		t.Errorf("%v, %v", got, err)
	}
}
