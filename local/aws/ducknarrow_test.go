//go:build cgo

package aws

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"citystream/engine/port"
)

// listedObjects notes which folders are listed.
type listedObjects struct {
	*DiskObjects
	mu      sync.Mutex
	folders []string
}

func (o *listedObjects) List(ctx context.Context, bucket, prefix string) ([]Object, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.folders = append(o.folders, prefix)
	return o.DiskObjects.List(ctx, bucket, prefix)
}

// hours returns the hours of the folders that were listed since it was asked last.
func (o *listedObjects) hours() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []string
	for _, f := range o.folders {
		_, hour, _ := strings.Cut(f, "hour=")
		all = append(all, strings.TrimSuffix(hour, "/"))
	}
	o.folders = nil
	slices.Sort(all)
	return strings.Join(slices.Compact(all), " ")
}

// TestAQueryReadsTheHivePartitionsThatItsWhereNames asks for rows n = 1, 2, 3 of the hours 01, 02, 03 and for one of an hour that is NULL.
func TestAQueryReadsTheHivePartitionsThatItsWhereNames(t *testing.T) {
	t.Parallel()
	type row struct {
		N int64 `parquet:"n,optional"`
	}
	lake := t.TempDir()
	disk, err := NewDiskObjects(lake)
	if err != nil {
		t.Fatal(err)
	}
	objects := &listedObjects{DiskObjects: disk}
	e := open(t, Options{Objects: objects})
	const null = nullPartition
	var partitions []port.HivePartition
	for i, hour := range []string{"01", "02", "03", null} {
		p := hivePartition("few", "date", "2026-01-02", "hour", hour)
		write(t, lake, strings.TrimPrefix(p.Location, "s3://")+"a.parquet", row{int64(i + 1)})
		partitions = append(partitions, p)
	}
	text := []port.CatalogColumn{{Name: "date", Type: "string"}, {Name: "hour", Type: "string"}}
	e.ensure(t, port.CatalogTable{Name: "few", Location: "s3://lake/raw/few/", Columns: []port.CatalogColumn{{Name: "n", Type: "bigint"}}, PartitionKeys: text}, partitions...)
	e.cells(t, "CREATE VIEW first AS SELECT n, hour FROM few WHERE hour = '01'")
	const all = "01 02 03 " + null
	for _, c := range []struct{ from, read, sum string }{
		{"few", all, "10"},
		{"few WHERE hour = '02'", "02", "2"},
		{"few WHERE '02' = HOUR AND n > 0 AND date = '2026-01-02'", "02", "2"},
		{"few WHERE hour = '02' AND date = '2026-01-03'", "", "-"},
		{"few AS x WHERE x.hour = '02'", "02", "2"},
		{"few WHERE few.hour IN ('01', '03')", "01 03", "4"},
		{"few WHERE hour BETWEEN '02' AND '09'", "02 03", "5"},
		{"few WHERE hour >= '02' AND '03' > hour", "02", "2"},
		{"few WHERE hour < '02'", "01", "1"},
		{"few WHERE hour <= '02'", "01 02", "3"},
		{"few WHERE hour > '02'", "03", "3"},
		{"few WHERE hour <> '02'", all, "4"},
		{"few WHERE hour IS NULL", all, "4"},
		{"few WHERE hour = '01' OR n = 2", all, "3"},
		{"few WHERE NOT hour = '01'", all, "5"},
		{"few WHERE hour = substr('x02', 2)", all, "2"},
		{"(SELECT n, hour FROM few) WHERE hour = '02'", all, "2"},
		{"(SELECT n, hour AS date FROM few WHERE date = '2026-01-02') WHERE date = '02'", all, "2"},
		{"few x(n, hour, date) WHERE hour = '2026-01-02'", all, "10"}, // the keys have changed their names
		{"few a JOIN few b USING (n) WHERE a.hour = '01'", all, "1"},
		{"few JOIN (SELECT n AS m, hour AS h FROM few) ON n = m WHERE few.hour = '01' AND h = '01'", all, "1"},
		{"few JOIN (SELECT n AS m FROM few) ON n = m WHERE hour = '01'", all, "1"},
		{"few CROSS JOIN unnest(ARRAY['a', 'b']) u(x) WHERE hour = '02' AND x = 'a'", "02", "2"},
		{"(SELECT a.n FROM few a CROSS JOIN few b WHERE a.hour = '01' AND b.hour = '02')", "01 02", "1"},
		{"(SELECT a.n FROM few a LEFT JOIN few b ON a.n = b.n WHERE b.hour = '02' AND a.hour > '00')", "01 02 03", "2"},
		{"(SELECT b.n FROM (SELECT 4 AS n) a ASOF JOIN few b ON a.n >= b.n WHERE b.hour = '02')", all, "-"}, // the row before 4 has no hour
		{"(SELECT n FROM few WHERE hour = '01' UNION ALL SELECT n FROM few WHERE hour = '03')", "01 03", "4"},
		{"(SELECT n, '01' AS hour FROM few WHERE hour = '01')", "01", "1"}, // WHERE means the column, not the alias
		{"first WHERE hour >= '01'", "01", "1"},
		{"first WHERE n IN (SELECT n FROM few WHERE hour = '03')", "01 03", "-"},
	} {
		objects.hours()
		got := strings.Fields(e.cells(t, "SELECT coalesce(CAST(sum(n) AS varchar), '-') AS s FROM "+c.from))
		if read := objects.hours(); read != c.read || got[len(got)-1] != c.sum {
			t.Errorf("%s: the sum is %s, and not %s; read were %q, and not %q", c.from, got[len(got)-1], c.sum, read, c.read)
		}
	}
	if got := e.cells(t, "WITH few AS (SELECT n, hour FROM few WHERE hour = '01') SELECT n FROM few WHERE n > 0"); got != "n:bigint\n1" {
		t.Errorf("a name of WITH that is a table's, too: %q", got)
	}
}
