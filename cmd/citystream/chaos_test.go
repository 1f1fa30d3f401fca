//go:build chaos

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"citystream/engine/adapter/kafka"
	"citystream/engine/record"
	"citystream/internal/apachekafka"
)

var (
	chaosTime   = flag.Duration("chaos.time", time.Minute, "how long processes are killed and paused")
	chaosApache = flag.Bool("chaos.apache", false, "on Apache Kafka instead of the embedded broker")
	chaosSeed   = flag.Uint64("chaos.seed", uint64(time.Now().UnixNano()), "of what happens when")
)

// unkindProxy passes requests on to an S3 service: now and then one is refused, is cut off after it took effect, or comes late.
type unkindProxy struct {
	*httptest.Server
	refused, cut, late, passed atomic.Int64
	kind                       atomic.Bool // from now on everything is passed on
}

func newUnkindProxy(t *testing.T, target string) *unkindProxy {
	to, err := url.Parse("http://" + target)
	if err != nil {
		t.Fatal(err)
	}
	p := &unkindProxy{}
	forward := &httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(to); r.Out.Host = r.In.Host }, // the signature covers the host
		ErrorLog: log.New(io.Discard, "", 0),
	}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch n := rand.IntN(100); {
		case p.kind.Load() || n >= 12:
			p.passed.Add(1)
			forward.ServeHTTP(w, r)
		case n < 5:
			p.refused.Add(1)
			http.Error(w, "<Error><Code>SlowDown</Code></Error>", []int{500, 503, 429}[rand.IntN(3)])
		case n < 9:
			p.cut.Add(1)
			forward.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler) // the connection is reset, and the answer is lost
		default:
			p.late.Add(1)
			<-time.After(time.Duration(rand.IntN(1500)) * time.Millisecond)
			forward.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

// contender is one up among several on the same topics and the same bucket, each with a master of its own.
type contender struct {
	dir    string
	args   []string
	t      *testing.T
	c      *exec.Cmd
	paused bool
}

func (c *contender) start() {
	c.t.Helper()
	c.c, _ = citystream(c.t, append([]string{"up", "--stay", "--vehicles", "0", "--data", c.dir, "--output", "json"}, c.args...)...)
	if err := c.c.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.paused = false
}

func (c *contender) signal(s syscall.Signal) {
	if err := c.c.Process.Signal(s); err != nil {
		c.t.Logf("%s: signal %s: %v", c.dir, s, err)
	}
}

func (c *contender) kill() {
	c.signal(syscall.SIGKILL)
	_ = c.c.Wait() // it was killed
}

// trouble does something to one contender.
func trouble(random *rand.Rand, all []*contender) string {
	c := all[random.IntN(len(all))]
	name := filepath.Base(c.dir)
	switch n := random.IntN(10); {
	case n < 4:
		c.kill()
		c.start()
		return name + " killed and started"
	case c.paused:
		c.paused = false
		c.signal(syscall.SIGCONT)
		return name + " goes on"
	default:
		c.paused = true
		c.signal(syscall.SIGSTOP)
		return name + " paused"
	}
}

// TestChaos lets two masters with two workers each fight over the same topics, kills and pauses them at random while a fleet produces,
// and proves at the end that each record is in the files once.
func TestChaos(t *testing.T) {
	t.Logf("-chaos.seed %d", *chaosSeed)
	random := rand.New(rand.NewPCG(*chaosSeed, 0))
	t.Setenv("CITYSTREAM_FLUSH_MAX_AGE", "1s")
	shared := t.TempDir()
	broker := ""
	if *chaosApache {
		broker = apachekafka.Start(t).Addr
	} else {
		broker = service(t, "broker", shared)
	}
	proxy := newUnkindProxy(t, service(t, "store", shared))
	d := &dataDir{path: shared}
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", d.awsCredentials())
	t.Setenv("AWS_REGION", usualRegion)
	args := []string{"--kafka", broker, "--s3", proxy.URL}
	contenders := []*contender{{dir: t.TempDir(), args: args, t: t}, {dir: t.TempDir(), args: args, t: t}}
	for _, c := range contenders {
		c.start()
	}

	driving, stop := context.WithCancel(t.Context())
	fleet := exec.CommandContext(driving, contenders[0].c.Path, "simulate", "--kafka", broker, "--vehicles", "40", "--steps", "1000000", "--pace", "5", "--data", t.TempDir())
	fleet.Env = contenders[0].c.Env
	fleet.Cancel = func() error { return fleet.Process.Signal(syscall.SIGINT) }
	if err := fleet.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(*chaosTime); time.Now().Before(end); {
		<-time.After(time.Duration(500+random.IntN(3000)) * time.Millisecond)
		t.Log(trouble(random, contenders))
	}
	stop()
	_ = fleet.Wait() // it was told to end
	for _, c := range contenders {
		if c.paused {
			c.signal(syscall.SIGCONT) // a zombie beside the others at the end, too
		}
	}
	proxy.kind.Store(true)
	last := &contender{dir: t.TempDir(), args: args, t: t}
	contenders[0].kill()
	contenders[1].kill()
	last.start()
	rows := untilCommitted(t, broker, proxy.URL, shared)
	last.signal(syscall.SIGINT)
	if err := last.c.Wait(); err != nil {
		t.Fatalf("the last owner did not end well: %v", err)
	}
	t.Logf("requests refused %d, cut off %d, late %d, passed on %d; %d records", proxy.refused.Load(), proxy.cut.Load(), proxy.late.Load(), proxy.passed.Load(), rows)
	r := runVerification(t, "--data", shared, "--kafka", broker)
	got, entries := int64(0), int64(0)
	for _, l := range r.Logs {
		got, entries = got+l.Rows+l.DeadLetters, entries+l.Entries
	}
	t.Logf("%d rows in %d entries", got, entries)
	if !r.Proved || got != rows || rows == 0 {
		t.Errorf("proved %t, %d rows of %d records: %s", r.Proved, got, rows, strings.Join(texts(r), "\n"))
	}
}

// untilCommitted waits until the logs account for all that is in the topics, and returns how many records that is.
func untilCommitted(t *testing.T, broker, s3URL, shared string) int64 {
	t.Helper()
	source, err := kafka.NewSource(kafka.Options{Brokers: []string{broker}})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	names := []string{"vehicle_data", "gps_data", "traffic_data", "weather_data", "emergency_data"}
	ends := map[string]int64{}
	total := int64(0)
	topics, err := source.Topics(t.Context(), names)
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range topics {
		for p := range topic.Partitions {
			_, end, err := source.Offsets(t.Context(), record.TopicPartition{Topic: topic.Name, Partition: record.Partition(p)})
			if err != nil {
				t.Fatal(err)
			}
			ends[fmt.Sprintf("%s/%d", topic.Name, p)] = int64(end)
			total += int64(end)
		}
	}
	for deadline := time.Now().Add(2 * time.Minute); ; {
		r := runVerification(t, "--s3", s3URL)
		behind := []string{}
		for _, l := range r.Logs {
			key := fmt.Sprintf("%s/%d", l.Topic, l.Partition)
			if int64(l.Resume) < ends[key] {
				behind = append(behind, fmt.Sprintf("%s at %d of %d", key, l.Resume, ends[key]))
			}
		}
		if !r.Proved {
			t.Fatalf("a violation: %s", strings.Join(texts(r), "\n"))
		}
		if len(behind) == 0 && len(r.Logs) == len(ends) {
			return total
		}
		if time.Now().After(deadline) {
			slices.Sort(behind)
			t.Fatalf("not committed: %v", behind)
		}
		<-time.After(time.Second)
	}
}
