package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestKeysOfTheWarehouseAreGivenByTable(t *testing.T) {
	t.Parallel()
	c, err := Load(Sources{Text: []byte("redshift:\n  mode: load\n  workgroup: wg\n  distKeys: [gps_data.deviceId, vehicle_data.deviceId]\n" +
		"  sortKeys: [vehicle_data.date, vehicle_data.timestamp, gps_data.kafka_offset]\n")})
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]string{}
	for _, table := range c.Tables {
		dist, sort := c.Redshift.Keys(table)
		keys[table.Name] = dist + " " + strings.Join(sort, ",")
	}
	want := map[string]string{
		"vehicle_data": "deviceId date,timestamp", "gps_data": "deviceId kafka_offset", "traffic_data": " ", "weather_data": " ", "emergency_data": " ",
	}
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Errorf("keys differ (-want +got):\n%s", diff)
	}
}

func TestAWarehouseIsAWorkgroupOrACluster(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{mode: load}": "1:18: redshift.mode: load needs either redshift.workgroup or redshift.cluster, and not both",
		"{mode: external, workgroup: w, cluster: c}":                     "1:18: redshift.mode: external needs either",
		"{sortKeys: [vehicle_data.never]}":                               "vehicle_data.never: there is no such column of a table",
		"{sortKeys: [vehicle_data]}":                                     `"vehicle_data" is no column of a table`,
		"{distKeys: [vehicle_data.deviceId, vehicle_data.timestamp]}":    "the table has another distribution key already",
		"{mode: none, workgroup: w, cluster: c}":                         "",
		"{mode: load, cluster: c, dbUser: u, sortKeys: [gps_data.hour]}": "",
	} {
		_, err := Load(Sources{File: "c", Text: []byte("redshift: " + text + "\n")})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}
