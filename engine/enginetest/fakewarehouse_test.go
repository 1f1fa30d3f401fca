package enginetest_test

import (
	"context"
	"strconv"
	"testing"

	"citystream/engine/enginetest"
	"citystream/engine/port"
)

func TestTheFakeWarehouseIsAWarehouse(t *testing.T) {
	t.Parallel()
	enginetest.WarehouseSuite(t, func(*testing.T) enginetest.WarehouseHarness {
		w := enginetest.NewFakeWarehouse()
		life := enginetest.NewFaults().Life()
		return enginetest.WarehouseHarness{
			Open: func(*testing.T) port.Warehouse { return life.Warehouse(w) },
			Write: func(_ *testing.T, key string, noted bool, rows []enginetest.LoadRow) port.LoadFile {
				columns, cells := []string{"id", "speed", "timestamp", "kafka_offset"}, make([][]string, len(rows))
				if noted {
					columns = []string{"id", "speed", "timestamp", "note", "kafka_offset"}
				}
				for i, r := range rows {
					speed := ""
					if r.Speed != nil {
						speed = strconv.FormatFloat(*r.Speed, 'g', -1, 64)
					}
					cells[i] = []string{r.ID, speed, r.At.String(), strconv.FormatInt(r.Offset, 10)}
					if noted {
						cells[i] = []string{r.ID, speed, r.At.String(), *r.Noted().Note, strconv.FormatInt(r.Offset, 10)}
					}
				}
				w.SetFile(key, columns, cells)
				return port.LoadFile{Key: key, SizeBytes: 1, Rows: int64(len(rows))}
			},
			Contents: func(_ *testing.T, table string, columns ...string) []string { return w.Contents(table, columns...) },
			LoseAnswers: func(*testing.T) {
				life = enginetest.NewFaults(enginetest.Fault{On: "Load", Call: 1, After: true}).Life()
			},
		}
	})
}

func TestAnExternalSchemaShowsTables(t *testing.T) {
	t.Parallel()
	w := enginetest.NewFakeWarehouse()
	w.SetExternalRows("vehicles", 7)
	external := port.ExternalSchema{Database: "smart-city"}
	for range 2 {
		if err := w.EnsureExternalSchema(context.Background(), external); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := w.Rows(t.Context(), "vehicles"); err != nil || n != 7 {
		t.Errorf("%d rows, %v", n, err)
	}
	if err := w.EnsureTable(t.Context(), enginetest.LoadTable); err == nil {
		t.Error("a table was made in an external schema")
	}
}
