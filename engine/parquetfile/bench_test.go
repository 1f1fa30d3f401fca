package parquetfile

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"citystream/engine/columns"
	"citystream/engine/schema"
)

// vehicleTable returns rows like those of the city's vehicles: five texts of few values, three doubles, five integers and an id.
func vehicleTable(rows int) *table {
	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func(s ...string) func(int) value {
		return func(int) value { return s[rnd.IntN(len(s))] }
	}
	tb := &table{}
	add := func(name string, typ schema.Type, at func(int) value) {
		tb.layout = append(tb.layout, schema.Column{Name: name, Type: typ})
		tb.cells = append(tb.cells, cellsOf(rows, at, nullsOf[0].null))
	}
	add("id", schema.String, func(int) value { return uuid(rnd.Uint64(), rnd.Uint64()) })
	add("deviceId", schema.String, func(int) value { return fmt.Sprintf("vehicle-%05d", rnd.IntN(2000)) })
	add("timestamp", schema.Timestamp, func(r int) value { return 1_700_000_000_000_000 + int64(r)*1000 + rnd.Int64N(60_000_000) })
	add("latitude", schema.Double, func(int) value { return 51.5074 + float64(rnd.IntN(1_000_000))/1e6 })
	add("longitude", schema.Double, func(int) value { return -0.1278 - float64(rnd.IntN(1_700_000))/1e6 })
	add("speed", schema.Double, func(int) value { return 10 + float64(rnd.IntN(3000))/100 })
	add("direction", schema.String, pick("North", "North-East", "East", "South-West", "West"))
	add("make", schema.String, pick("BMW", "Ford", "Tesla", "Toyota", "Vauxhall"))
	add("model", schema.String, pick("C500", "Focus", "Model 3", "Corolla", "Astra", "Yaris"))
	add("year", schema.Int, func(int) value { return 2010 + rnd.Int64N(15) })
	add("fuelType", schema.String, pick("Hybrid", "Petrol", "Diesel", "Electric"))
	add(schema.KafkaPartition, schema.Int, func(int) value { return int64(3) })
	add(schema.KafkaOffset, schema.Long, func(r int) value { return int64(r) })
	add(schema.KafkaTimestamp, schema.Timestamp, func(r int) value { return 1_700_000_000_000_000 + int64(r/10)*1000 })
	return tb
}

func uuid(a, b uint64) string {
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", uint32(a), uint16(a>>32), a>>52, uint16(b)&0x3fff|0x8000, b>>16)
}

// BenchmarkWrite writes files of vehicle-like rows: one large file, and many small ones as they come of a short flush age.
func BenchmarkWrite(b *testing.B) {
	const rows = 64 << 10
	tb := vehicleTable(rows)
	var batches []*columns.Batch
	for lo := 0; lo < rows; lo += 512 {
		batches = append(batches, tb.batch(lo, lo+512))
	}
	layout := tb.layout
	tb = nil // its cells are pointers by the million, which the collector would look at
	for _, fileRows := range []int{512, 8 << 10, 1 << 20} {
		b.Run(fmt.Sprint("rows=", fileRows), func(b *testing.B) { benchmarkFiles(b, layout, batches, fileRows) })
	}
}

func benchmarkFiles(b *testing.B, layout []schema.Column, batches []*columns.Batch, fileRows int) {
	opt := Options{Encoders: NewEncoders(1)}
	emit := func([]byte) error { return nil }
	rows, bytes, inFile := 0, int64(0), 0
	var w *Writer
	finish := func() {
		s, err := w.Close(nil)
		if err != nil {
			b.Fatal(err)
		}
		bytes += s.Bytes
		w, inFile = nil, 0
	}
	b.ReportAllocs()
	for b.Loop() {
		if w == nil {
			w = NewWriter(layout, opt, emit)
		}
		batch := batches[rows/512%len(batches)]
		if err := w.Append(batch, nil); err != nil {
			b.Fatal(err)
		}
		rows, inFile = rows+batch.Rows(), inFile+batch.Rows()
		if inFile >= fileRows {
			finish()
		}
	}
	if w != nil {
		finish()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rows), "ns/row")
	b.ReportMetric(float64(bytes)/float64(rows), "B/row")
}
