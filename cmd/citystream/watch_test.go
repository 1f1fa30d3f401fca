//go:build failover || scaleout

package main

import (
	"bufio"
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"citystream/engine/adapter/kafka"
	"citystream/engine/record"
	"citystream/local/lab"
)

// readings follow how far the workers have read each partition, by their own measures: whoever leads, or whether anybody does.
type readings struct {
	mu        sync.Mutex
	workers   map[string]*lab.Process
	positions map[string]float64 // by partition: the greatest that was seen
	advanced  map[string]time.Time
	gaps      map[string]time.Duration // longest time without an advance since reset
}

const (
	lookEvery = 100 * time.Millisecond
	position  = "citystream_read_position{"
)

// followWorkers looks at the workers until the test ends.
func followWorkers(t *testing.T) *readings {
	r := &readings{workers: map[string]*lab.Process{}, positions: map[string]float64{}, advanced: map[string]time.Time{}, gaps: map[string]time.Duration{}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			r.look(ctx)
			select {
			case <-ctx.Done():
			case <-time.After(lookEvery):
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return r
}

func (r *readings) add(p *lab.Process) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.workers[p.Name] = p
}

func (r *readings) look(ctx context.Context) {
	r.mu.Lock()
	var pages []string
	for _, p := range r.workers {
		pages = append(pages, p.Pages)
	}
	r.mu.Unlock()
	var all sync.WaitGroup
	for _, page := range pages {
		all.Go(func() {
			for partition, value := range positionsOf(ctx, page) {
				r.note(partition, value)
			}
		})
	}
	all.Wait()
}

func (r *readings) note(partition string, value float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if before, known := r.positions[partition]; known && value <= before {
		return
	}
	now := time.Now()
	if last, known := r.advanced[partition]; known {
		r.gaps[partition] = max(r.gaps[partition], now.Sub(last))
	}
	r.positions[partition], r.advanced[partition] = value, now
}

// positionsOf asks a worker; one that does not answer at once says nothing.
func positionsOf(ctx context.Context, pages string) map[string]float64 {
	timed, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(timed, http.MethodGet, pages+"/metrics", nil)
	if err != nil {
		return nil
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil
	}
	defer answer.Body.Close()
	found := map[string]float64{}
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if name, value, ok := strings.Cut(strings.TrimPrefix(lines.Text(), position), "} "); ok && strings.HasPrefix(lines.Text(), position) {
			if n, err := strconv.ParseFloat(value, 64); err == nil {
				found[name] = n
			}
		}
	}
	return found
}

// reset begins to count gaps anew.
func (r *readings) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.gaps)
	now := time.Now()
	for p := range r.advanced {
		r.advanced[p] = now
	}
}

// stall returns the longest time that any partition has not been read since reset, that under way included.
func (r *readings) stall() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	longest := time.Duration(0)
	for p, at := range r.advanced {
		longest = max(longest, r.gaps[p], time.Since(at))
	}
	return longest
}

// sum returns how many records have been read, as far as offsets tell.
func (r *readings) sum() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	total := 0.0
	for _, p := range r.positions {
		total += p
	}
	return total
}

// allRead waits until every partition has been read within the last moment.
func (r *readings) allRead(t *testing.T, partitions int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		r.mu.Lock()
		fresh := 0
		for _, at := range r.advanced {
			if time.Since(at) < 2*time.Second {
				fresh++
			}
		}
		r.mu.Unlock()
		if fresh == partitions {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("only %d of %d partitions are read", fresh, partitions)
		}
		<-time.After(lookEvery)
	}
}

// recordsIn returns how many records the topics of the city have.
func recordsIn(t *testing.T, brokers string) int64 {
	t.Helper()
	source, err := kafka.NewSource(kafka.Options{Brokers: []string{brokers}})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	topics, err := source.Topics(t.Context(), []string{"vehicle_data", "gps_data", "traffic_data", "weather_data", "emergency_data"})
	if err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	for _, topic := range topics {
		for p := range topic.Partitions {
			_, end, err := source.Offsets(t.Context(), record.TopicPartition{Topic: topic.Name, Partition: record.Partition(p)})
			if err != nil {
				t.Fatal(err)
			}
			total += int64(end)
		}
	}
	return total
}
