package enginetest_test

import (
	"slices"
	"testing"

	"citystream/engine/enginetest"
	"citystream/engine/port"
)

func TestTheFakeQueryServiceIsAQueryService(t *testing.T) {
	t.Parallel()
	columns := []port.CatalogColumn{}
	athena := map[string]string{"string": "varchar", "int": "integer", "binary": "varbinary"}
	for _, c := range slices.Concat(enginetest.KnownTable.Columns, enginetest.KnownTable.PartitionKeys) {
		if kind := athena[c.Type]; kind != "" {
			c.Type = kind
		}
		columns = append(columns, c)
	}
	var rows [][]*string
	for _, r := range enginetest.KnownRows() {
		rows = append(rows, r.Cells())
	}
	slices.Reverse(rows)
	enginetest.QuerySuite(t, func(*testing.T) enginetest.QueryHarness {
		q := enginetest.NewFakeQuery()
		q.SetTable(enginetest.KnownDatabase, enginetest.KnownTable.Name, columns, rows)
		return enginetest.QueryHarness{Query: q, Endless: enginetest.Forever, Running: func(*testing.T) int { return q.Running() }}
	})
}
