package decode_test

import (
	"fmt"
	"testing"

	"citystream/engine/decode"
	"citystream/engine/record"
	"citystream/engine/schema"
)

// BenchmarkVehicle decodes the vehicle record of the example, in batches of 1000, and reports the time of one record.
func BenchmarkVehicle(b *testing.B) {
	column := func(name string, typ schema.Type) schema.Column {
		return schema.Column{Name: name, Type: typ, Paths: []schema.Path{field(name)}}
	}
	table := &schema.Table{Topic: "vehicle_data", EventTime: 2, Columns: []schema.Column{
		column("id", schema.String), column("deviceId", schema.String), column("timestamp", schema.Timestamp),
		{Name: "latitude", Type: schema.Double, Paths: []schema.Path{elem(field("location"), 0)}},
		{Name: "longitude", Type: schema.Double, Paths: []schema.Path{elem(field("location"), 1)}},
		column("speed", schema.Double), column("direction", schema.String), column("make", schema.String), column("model", schema.String),
		column("year", schema.Int), column("fuelType", schema.String),
	}}
	var records []record.Record
	for i := range 1000 {
		records = append(records, record.Record{Offset: record.Offset(i), Value: []byte(fmt.Sprintf(
			`{"id": "6f1c%04d-8d5e-4b7e-9a66-0c1d2e3f4a5b", "deviceId": "vehicle-%05d", "timestamp": "2026-11-22T06:%02d:%02d.%06d", `+
				`"location": [%.14f, %.15f], "speed": %.2f, "direction": "North-East", "make": "BMW", "model": "C500", "year": 2024, "fuelType": "Hybrid"}`,
			i, i%200, i/60%60, i%60, i*997, 51.5+float64(i)/999, -0.1278-float64(i)/777, 10+float64(i%3000)/100))})
	}
	batch := decode.NewBatch(table)
	d := decode.NewDecoder(table, record.TopicPartition{Topic: "vehicle_data"})
	d.Decode(batch, records)
	if batch.Good.Rows() != len(records) {
		b.Fatal(string(batch.Dead.Columns[3].Bytes(0)))
	}
	b.SetBytes(int64(len(records[0].Value)))
	b.ReportAllocs()
	for n := 0; n < b.N; n += len(records) {
		batch.Reset()
		d.Decode(batch, records)
	}
}
