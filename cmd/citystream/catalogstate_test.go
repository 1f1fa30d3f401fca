package main

import (
	"strings"
	"testing"

	"citystream/messages"
)

func TestStatusTellsOfTransformsAndLoads(t *testing.T) {
	t.Parallel()
	s := stateOf(&messages.ClusterStatus{Status: &messages.Status{}, Catalog: &messages.CatalogStatus{
		Error:      "load: away",
		Tables:     []*messages.CatalogTable{{Table: "gps_data", HivePartitions: 5, Complete: 4, Revisions: 6, Open: 1}},
		Transforms: []*messages.TransformStatus{{Table: "speeds", QueryId: "q-1", ScannedBytes: 12_300_000, Dollars: 0.00005, Error: "no column"}},
		Loads:      []*messages.LoadStatus{{Table: "gps_data", Loaded: 7, Rows: 70, Failures: 2, Aside: 31, Gone: 47}},
	}})
	if s.Catalog.Tables[0].Late != 2 {
		t.Errorf("%+v", s.Catalog.Tables)
	}
	var b strings.Builder
	statusReport(&b, s)
	for _, part := range []string{"q-1", "12.3 MB", "0.000050", "transform speeds: no column", "catalog: load: away", "70", "31", "47"} {
		if !strings.Contains(b.String(), part) {
			t.Errorf("%s is not in\n%s", part, b.String())
		}
	}
	if s := stateOf(&messages.ClusterStatus{}); s.Catalog != nil {
		t.Error("without a catalog there is one")
	}
}
