package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"citystream/engine/adapter/s3"
)

// A worker is a citystream that reads the topic: a master, one worker and the catalog in one process, on services outside of it.
type worker struct {
	*process
	metrics string    // URL
	store   *s3.Store // the worker's bucket
}

// startWorker starts it on a bucket, which is made if need be. Settings are flags, or variables of the environment.
func (s *services) startWorker(l *lab, bucket string, settings ...string) *worker {
	env := append([]string{"CITYSTREAM_EMBEDDED_METRICS=127.0.0.1:0", "CITYSTREAM_STORE_BUCKET=" + bucket}, s.keys.env()...)
	args := []string{
		"up", "--stay", "--vehicles", "0", "--workers", "1", "--data", l.TempDir(), "--output", "json",
		"--kafka", s.kafka.addr, "--s3", s.s3, "--aws", s.aws,
	}
	for _, setting := range settings {
		if strings.HasPrefix(setting, "--") {
			args = append(args, setting)
		} else {
			env = append(env, setting)
		}
	}
	w := &worker{store: s.makeBucket(l, bucket)}
	w.process = l.start(env, args...)
	return w
}

// A reading is what the worker says of itself at a moment.
type reading struct {
	at        time.Time
	decoded   int64 // records
	accounted int64 // records that the logs count
	files     int64
	bytes     int64 // of files
	commits   int64
	buffered  int64 // bytes of batches and files
	live      int64 // bytes of the heap in use at the last collection
}

func (w *worker) read() reading {
	if w.metrics == "" {
		w.metrics = w.say("metrics ")
	}
	r := reading{at: time.Now()}
	response, err := http.Get(w.metrics)
	if err != nil {
		w.drain()
		w.lab.Fatalf("%v; the worker's last words:\n%s", err, strings.Join(w.last, "\n"))
	}
	defer response.Body.Close()
	for s := bufio.NewScanner(response.Body); s.Scan(); {
		name, value, ok := strings.Cut(s.Text(), " ")
		v, err := strconv.ParseFloat(value, 64)
		if !ok || err != nil {
			continue
		}
		switch name, _, _ = strings.Cut(name, "{"); name {
		case "citystream_records_decoded_total":
			r.decoded += int64(v)
		case "citystream_accounted_records":
			r.accounted += int64(v)
		case "citystream_files_committed_total":
			r.files += int64(v)
		case "citystream_file_bytes_committed_total":
			r.bytes += int64(v)
		case "citystream_commits_total":
			r.commits += int64(v)
		case "citystream_buffered_bytes":
			r.buffered += int64(v)
		case "go_gc_heap_live_bytes":
			r.live = int64(v)
		}
	}
	_, err = io.Copy(io.Discard, response.Body)
	w.lab.check(err)
	return r
}

// A result is what a run cost.
type result struct {
	records int64
	seconds float64 // from the first record read to the last one committed
	cpu     float64 // seconds, from the start of the process
	peak    int64   // bytes resident
	files   int64
	bytes   int64 // of files
	commits int64
	calls   int64 // of the system, for reading and writing

	buffered, live int64 // the most that a poll saw
}

func (r result) perMillion() float64 { return r.cpu / float64(r.records) * 1e6 }
func (r result) rate() float64       { return float64(r.records) / r.seconds }

// pollEvery is how often a worker is asked how far it is.
const pollEvery = 100 * time.Millisecond

// profile writes what the worker's processors do in the next seconds into a file, and what is on its heap then into another.
func (w *worker) profile(file string, seconds int) {
	if file == "" {
		return
	}
	w.read() // finds the address
	for name, query := range map[string]string{file: fmt.Sprint("profile?seconds=", seconds), file + ".heap": "heap"} {
		go func() {
			if strings.HasSuffix(name, ".heap") {
				<-time.After(time.Duration(seconds) * time.Second / 2)
			}
			out, err := os.Create(name)
			w.lab.check(err)
			defer out.Close()
			response, err := http.Get(strings.TrimSuffix(w.metrics, "/metrics") + "/debug/pprof/" + query)
			w.lab.check(err)
			defer response.Body.Close()
			_, err = io.Copy(out, response.Body)
			w.lab.check(err)
		}()
	}
}

// until waits until the worker has committed n records.
func (w *worker) until(n int64) result {
	begin := time.Now()
	first, buffered, live := time.Time{}, int64(0), int64(0)
	for {
		r := w.read()
		buffered, live = max(buffered, r.buffered), max(live, r.live)
		if first.IsZero() && r.decoded > 0 {
			first = r.at
		}
		if r.accounted >= n {
			result := w.result(r, n, r.at.Sub(first).Seconds())
			result.buffered, result.live = buffered, live
			return result
		}
		if time.Since(begin) > 10*time.Minute {
			w.lab.Fatalf("%d of %d records committed after ten minutes:\n%s", r.accounted, n, strings.Join(w.last, "\n"))
		}
		<-time.After(pollEvery)
	}
}

func (w *worker) result(r reading, n int64, seconds float64) result {
	cpu, err := cpuSeconds(w.cmd.Process.Pid)
	w.lab.check(err)
	peak, err := peakBytes(w.cmd.Process.Pid)
	w.lab.check(err)
	calls, err := ioCalls(w.cmd.Process.Pid)
	w.lab.check(err)
	return result{calls: calls, records: n, seconds: seconds, cpu: cpu, peak: peak, files: r.files, bytes: r.bytes, commits: r.commits}
}
