//go:build unix

package actors

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"citystream/cluster/assign"
	"citystream/cluster/membership"
	"citystream/cluster/remote"
	"citystream/engine/commitlog"
	"citystream/engine/enginetest"
	"citystream/engine/schema"
	"citystream/messages"
)

var (
	large         = flag.Bool("large", false, "TestALargeCluster: 1,000 workers and 100,000 partitions instead of 50 and 2,000, with the limits of the default configuration")
	largePatience = flag.Int("large.patience", 1, "TestALargeCluster with -large: how many times as long silence counts as death; for a machine that is busy with other things")
	largeSteady   = flag.Duration("large.steady", 20*time.Second, "TestALargeCluster with -large: for how long the steady state is measured")
)

// largeCluster is a real master in this process, over a fake source, and its workers in another.
type largeCluster struct {
	*testing.T
	node       *Node
	remote     *remote.Remote
	master     *actor.PID
	workers    int
	partitions int
	begun      time.Time // what await waits for
	commands   io.Writer
	answers    *bufio.Scanner
}

// TestALargeCluster lets a cluster start, lose a tenth of its workers without a word, have them back, and change its leader. With -v it tells
// what that took.
func TestALargeCluster(t *testing.T) {
	c := startLargeCluster(t)
	before := c.order("count")
	c.await("the start", func() bool { return c.order("start").Owned == c.partitions })
	c.tell("start: every partition has an owner after", c.since(0), "s")
	now := c.rest()
	c.tell("start: partitions begun", now.Given-before.Given, "")
	c.steady()

	lost := c.workers / 10
	before = c.order("count")
	c.order(fmt.Sprintf("lose %d", lost))
	c.await("the loss", func() bool { now = c.order("count"); return now.Owned == c.partitions && now.Given > before.Given })
	c.tell("loss: every partition has an owner again after", c.since(0), "s")
	c.tell("loss: of which after the dead time", c.since(c.node.WorkerDead), "s")
	now = c.rest()
	c.tell("loss: partitions lost", now.Lost-before.Lost, "")
	if begun, gone := now.Given-before.Given, now.Lost-before.Lost; begun != gone || gone == 0 {
		t.Errorf("%d partitions were lost, and %d begun anew: nothing else was to move", gone, begun)
	}

	before = now
	share := lost * ((c.partitions + c.workers - 1) / c.workers)
	c.order("start")
	c.await("the return", func() bool { return c.order("count").Owned == c.partitions && c.shared(c.status()) })
	c.tell("return: all have at least half of their share after", c.since(0), "s")
	now = c.rest()
	c.tell("return: partitions moved", now.Given-before.Given, "")
	if moved := now.Given - before.Given; moved > share || moved == 0 {
		t.Errorf("%d partitions moved to workers that are to have %d at most", moved, share)
	}
	c.steady()
	c.balanced()

	before = c.order("count")
	c.changeLeader()
	c.await("the change of the leader", func() bool { return c.shared(c.status()) })
	c.tell("new leader: it knows all workers and what they have after", c.since(0), "s")
	c.steady()
	if now = c.order("count"); now.Given != before.Given || now.Owned != c.partitions {
		t.Errorf("the change of the leader has moved %d partitions, and %d of %d have an owner", now.Given-before.Given, now.Owned, c.partitions)
	}
	if now.Doubled > 0 || now.Abandoned > 0 {
		t.Errorf("%d times a partition had two living owners, and %d were given up", now.Doubled, now.Abandoned)
	}
}

func startLargeCluster(t *testing.T) *largeCluster {
	c := &largeCluster{T: t, workers: 50, partitions: 2000}
	source := enginetest.NewFakeSource()
	c.node = &Node{
		Source: source, Store: enginetest.NewFakeStore(), Metrics: NewMetrics(), Log: slog.New(slog.DiscardHandler),
		Heartbeat: 200 * time.Millisecond, WorkerDead: 4 * time.Second, WorkerSelfStop: 3 * time.Second, Orphaned: 20 * time.Second, Discovery: time.Minute,
	}
	if *large {
		c.workers, c.partitions = 1000, 100_000
		c.node.Heartbeat, c.node.WorkerDead, c.node.WorkerSelfStop, c.node.Orphaned = time.Second, 6*time.Second, 4*time.Second, 30*time.Second
		c.node.WorkerDead, c.node.WorkerSelfStop = c.node.WorkerDead*time.Duration(*largePatience), c.node.WorkerSelfStop*time.Duration(*largePatience)
		c.node.Orphaned *= time.Duration(*largePatience)
	}
	for _, table := range schema.Cities() {
		c.node.Tables = append(c.node.Tables, table.WithTopic(table.Name))
		source.CreateTopic(table.Name, c.partitions/len(schema.Cities()))
	}
	var err error
	if c.remote, err = remote.Start(remote.Options{Listen: "127.0.0.1:0", Log: c.node.Log}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.remote.Stop(context.Background()); err != nil {
			t.Log(err)
		}
	})
	c.reign(1, 0)
	c.startCrowd()
	return c
}

// reign starts a master.
func (c *largeCluster) reign(epoch commitlog.Epoch, settle time.Duration) {
	var err error
	if c.master, err = c.remote.System().Root.SpawnNamed(MasterProps(c.node, MasterOptions{Epoch: epoch, Settle: settle, Name: "large"}), masterName); err != nil {
		c.Fatal(err)
	}
}

func (c *largeCluster) startCrowd() {
	options, err := json.Marshal(crowdOptions{Master: c.remote.Address(), Workers: c.workers, Limits: membership.LinkLimits{
		Heartbeat: c.node.Heartbeat, StopAfter: c.node.WorkerSelfStop, OrphanedAfter: c.node.Orphaned, LookAfter: c.node.Heartbeat + c.node.Heartbeat/2,
	}})
	if err != nil {
		c.Fatal(err)
	}
	crowd := exec.Command(os.Args[0])
	crowd.Env, crowd.Stderr = append(os.Environ(), crowdVariable+"="+string(options)), os.Stderr
	in, err := crowd.StdinPipe()
	if err != nil {
		c.Fatal(err)
	}
	out, err := crowd.StdoutPipe()
	if err != nil {
		c.Fatal(err)
	}
	if err := crowd.Start(); err != nil {
		c.Fatal(err)
	}
	c.commands, c.answers = in, bufio.NewScanner(out)
	c.Cleanup(func() {
		if err := in.Close(); err != nil {
			c.Error(err)
		}
		if err := crowd.Wait(); err != nil {
			c.Errorf("the workers' process: %v", err)
		}
	})
}

// order gives a command to the workers, and returns how they stand.
func (c *largeCluster) order(command string) (now crowdCounts) {
	c.Helper()
	if _, err := fmt.Fprintln(c.commands, command); err != nil {
		c.Fatal(err)
	}
	if !c.answers.Scan() {
		c.Fatalf("%s: no answer: %v", command, c.answers.Err())
	}
	if err := json.Unmarshal(c.answers.Bytes(), &now); err != nil {
		c.Fatal(err)
	}
	return now
}

// await waits for what has just been ordered, or is about to be by reached itself.
func (c *largeCluster) await(what string, reached func() bool) {
	c.Helper()
	c.begun = time.Now()
	for !reached() {
		if time.Since(c.begun) > 2*time.Minute {
			c.Fatalf("%s: not over: %+v", what, c.order("count"))
		}
		<-time.After(c.node.Heartbeat / 10)
	}
}

func (c *largeCluster) since(past time.Duration) string {
	return fmt.Sprintf("%.1f", (time.Since(c.begun) - past).Seconds())
}

func (c *largeCluster) tell(what string, figure any, unit string) {
	c.Logf("%-62s %12v %s", what, figure, unit)
}

func (c *largeCluster) status() *messages.Status {
	c.Helper()
	s, err := ask[*messages.Status](c.Context(), c.remote.System(), c.master, &messages.GetStatus{}, time.Minute)
	if err != nil {
		c.Fatal(err)
	}
	return s
}

// shared says whether every worker is there, and has at least half of an even share.
func (c *largeCluster) shared(s *messages.Status) bool {
	for _, w := range s.Workers {
		if int(w.Assigned) < c.partitions/c.workers/2 || len(w.Partitions) < int(w.Assigned) {
			return false
		}
	}
	return len(s.Workers) == c.workers
}

// rest waits until no partition has been begun for some heartbeats: what was on its way has arrived.
func (c *largeCluster) rest() (now crowdCounts) {
	c.Helper()
	last := time.Now()
	c.await("rest", func() bool {
		before := now
		if now = c.order("count"); now.Given != before.Given || now.Owned != c.partitions {
			last = time.Now()
		}
		return time.Since(last) > 4*c.node.Heartbeat
	})
	return now
}

// balanced checks that every partition is in the master's books once.
func (c *largeCluster) balanced() {
	c.Helper()
	s := c.status()
	seen := map[commitlog.Log]string{}
	for _, w := range s.Workers {
		for _, p := range w.Partitions {
			if other := seen[fromLog(p.Log)]; other != "" {
				c.Errorf("%v is with %s and %s", p.Log, other, w.Worker)
			}
			seen[fromLog(p.Log)] = w.Worker
		}
	}
	if len(s.Unassigned)+len(s.Failed) > 0 || len(seen) != c.partitions {
		c.Errorf("%d unassigned, %d failed, %d with a worker", len(s.Unassigned), len(s.Failed), len(seen))
	}
}

// changeLeader ends the master as a crash does, and lets another begin when every worker has seen that nobody leads: nobody gives anything up for that.
func (c *largeCluster) changeLeader() {
	if err := c.remote.System().Root.StopFuture(c.master).Wait(); err != nil {
		c.Fatal(err)
	}
	looked := c.order("depose").Leaderless
	c.await("the looks at the lease", func() bool { return c.order("count").Leaderless >= looked+c.workers })
	c.reign(2, c.node.Orphaned)
	c.order("elect")
}

// steady measures the master's process while nothing happens, and checks that nothing does.
func (c *largeCluster) steady() {
	if !*large {
		return
	}
	<-time.After(2 * c.node.Heartbeat)
	before, cpu, begun := c.order("count"), processCPU(), time.Now()
	<-time.After(*largeSteady)
	after, seconds := c.order("count"), time.Since(begun).Seconds()
	c.tell("steady: CPU of the master's process", fmt.Sprintf("%.2f", (processCPU()-cpu).Seconds()/seconds), "cores")
	c.tell("steady: messages to the master", int(float64(after.Reports-before.Reports)/seconds), "per second")
	c.tell("steady: bytes of them", int(float64(after.Out-before.Out)/seconds), "per second")
	c.tell("steady: answers", int(float64(after.Answers-before.Answers)/seconds), "per second")
	c.tell("steady: bytes of them", int(float64(after.In-before.In)/seconds), "per second")
	c.tell("steady: partitions begun", after.Given-before.Given, "")
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	c.tell("steady: heap of the master's process in use", m.HeapInuse>>20, "MiB")
	c.tell("steady: taken from the system by its Go runtime", (m.Sys-m.HeapReleased)>>20, "MiB")
}

func processCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkTheMastersSecond is what the master of 1,000 workers with 100,000 partitions does in a second, without the messages' way: a tick, a
// heartbeat of each worker with its answer, and a plan in as many seconds as there are to be heartbeats between plans. cpu-ms is processor time,
// which a busy machine does not lengthen as it does the time by the clock.
func BenchmarkTheMastersSecond(b *testing.B) {
	node := &Node{Metrics: NewMetrics(), Tables: schema.Cities()}
	places, times, gauges := newPlacements(), newTableTimes(node), newPlacementGauges(node.Metrics)
	for _, t := range node.Tables {
		places.grow(t.Name, t.Name, 100_000/len(node.Tables))
	}
	var workers []assign.Worker
	for i := range 1000 {
		workers = append(workers, assign.Worker{Name: fmt.Sprintf("worker-%04d", i)})
	}
	plan := func() {
		places.plan(workers, false, func(commitlog.Log) bool { return true }, assign.Options{DeadBand: loadBand})
	}
	plan()
	reports := make([][]*messages.PartitionStatus, len(workers))
	for i, w := range workers {
		for _, a := range places.answer(w.Name, 1) {
			reports[i] = append(reports[i], &messages.PartitionStatus{Log: a.Log, Version: a.Version, Owned: true, Rate: 100, Watermark: 1})
		}
	}
	cpu := processCPU()
	for n := 0; b.Loop(); n++ {
		for i, w := range workers {
			places.heard(w.Name, 1, reports[i])
			places.answer(w.Name, int64(n+2))
		}
		times.refresh(places)
		gauges.set(places, 0)
		if n%loadTime == 0 {
			plan()
		}
	}
	b.ReportMetric(float64((processCPU()-cpu).Microseconds())/1000/float64(b.N), "cpu-ms/op")
}
