package decode_test

import (
	"fmt"
	"testing"

	"citystream/engine/decode"
	"citystream/engine/record"
	"citystream/engine/schema"
)

// BenchmarkVehicle decodes vehicle records as the Python producer writes them, in batches of 1000; an operation is one record.
func BenchmarkVehicle(b *testing.B) {
	table := schema.Cities()[0]
	var records []record.Record
	for i := range 1000 {
		records = append(records, record.Record{Offset: record.Offset(i), Value: []byte(fmt.Sprintf(
			`{"id": "6f1c%04d-8d5e-4b7e-9a66-0c1d2e3f4a5b", "deviceId": "vehicle-%05d", "timestamp": "2026-11-22T06:%02d:%02d.%06d", `+
				`"location": [%.14f, %.15f], "speed": %.2f, "direction": "North-East", "make": "BMW", "model": "C500", "year": 2024, "fuelType": "Hybrid"}`,
			i, i%200, i/60%60, i%60, i*997, 51.5+float64(i)/999, -0.1278-float64(i)/777, 10+float64(i%3000)/100))})
	}
	batch := decode.NewBatch(table)
	d := decode.NewDecoder(table, record.TopicPartition{Topic: table.Topic})
	d.Decode(batch, records)
	if batch.Good.Rows() != len(records) {
		b.Fatal(string(batch.Dead.Columns[3].Bytes(0)))
	}
	b.SetBytes(int64(len(records[0].Value)))
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += len(records) {
		batch.Reset()
		d.Decode(batch, records)
	}
}
