package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"citystream/engine/adapter/kafka"
	"citystream/engine/port"
)

// ordersYAML is a table that nobody has foreseen: nested paths, an alias, epoch milliseconds.
const ordersYAML = `
flush: {maxAge: 500ms}
tables:
  - city
  - name: orders
    topic: shop.orders
    eventTime: placed
    columns:
      - {name: number, type: string, path: head.id, required: true}
      - {name: placed, type: timestamp, path: head.placedAt, unit: millis, required: true}
      - {name: total, type: double, path: "amounts[0]", aliases: [amount]}
`

func TestWhatOthersSendIsInSQLSoonAndBadRecordsAreDeadLetters(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "citystream.yaml")
	if err := os.WriteFile(file, []byte(ordersYAML), 0o644); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	address, end := stayUp(t, data, file)
	produce(t, address,
		`{"head":{"id":"a1","placedAt":1767323045123},"amounts":[12.5,1]}`,
		`{"amount":"7", "head":{"placedAt":1767323045124,"id":"a2"}, "new":{"x":[1]}}`,
		`{"head":{"placedAt":1767323045124}}`,
		`not JSON`)
	until(t, data, "SELECT number, total, date, hour FROM orders ORDER BY number", "a1,12.5,2026-01-02,03\na2,7.0,2026-01-02,03")
	until(t, data, "SELECT count(*), count(DISTINCT error) FROM dead_letters WHERE topic = 'shop.orders'", "2,2")
	end()
}

// produce sends records to shop.orders and waits until all are acknowledged.
func produce(t *testing.T, address string, values ...string) {
	t.Helper()
	failed := make(chan error, len(values))
	p, err := kafka.NewProducer(kafka.ProducerOptions{Brokers: []string{address}}, func(_ string, err error) { failed <- err })
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		if _, err := p.Produce(t.Context(), []port.Message{{Topic: "shop.orders", Value: []byte(v)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	for range values {
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
	}
}

// until asks a question until the answer, without its header, is the wanted one.
func until(t *testing.T, data, sql, want string) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		c, out := citystream(t, "query", "--data", data, "--output", "csv", sql)
		err := c.Run()
		_, got, _ := strings.Cut(strings.TrimSpace(out.String()), "\n")
		if err == nil && got == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: got %q, %v, want %q", sql, got, err, want)
		}
		<-time.After(200 * time.Millisecond)
	}
}
