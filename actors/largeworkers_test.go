//go:build unix

package actors

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"citystream/cluster/membership"
	"citystream/cluster/remote"
	"citystream/engine/commitlog"
	"citystream/messages"
)

// The workers of the large cluster run in a process of their own, which is this test's binary started again: what the master costs is then
// what its process costs, and every message goes the way that it goes between machines. The process takes commands as lines of its standard
// input, and answers each by a line.

const crowdVariable = "CITYSTREAM_TEST_CROWD" // crowdOptions as JSON: this process is the workers

func TestMain(m *testing.M) {
	if text := os.Getenv(crowdVariable); text != "" {
		os.Exit(runCrowd(text))
	}
	os.Exit(m.Run())
}

type crowdOptions struct {
	Master  string // address
	Workers int
	Limits  membership.LinkLimits
}

// crowdCounts is what the workers have seen since they began.
type crowdCounts struct {
	Owned      int // partitions that a living worker has now
	Doubled    int // times that a living worker was given what another living one had
	Given      int // times that a partition was begun
	Lost       int // partitions that lost workers had
	Abandoned  int // partitions given up because no master answered
	Leaderless int // looks that have found no leader
	Members    int // workers that are registered
	Reports    int // heartbeats
	Answers    int // acks
	In, Out    int // bytes of the master's messages, and of those to it
}

// crowd are simulated workers, and who of them has what. The counts are safe for concurrent use; the rest is the command loop's.
type crowd struct {
	options crowdOptions
	system  *actor.ActorSystem
	workers []*actor.PID // nil for one that is lost

	mu     sync.Mutex
	counts crowdCounts
	owners map[commitlog.Log]string
	epoch  int64 // of who leads
	vacant bool  // nobody leads
}

func runCrowd(text string) int {
	c := &crowd{owners: map[commitlog.Log]string{}, epoch: 1}
	if err := json.Unmarshal([]byte(text), &c.options); err != nil {
		panic(err)
	}
	r, err := remote.Start(remote.Options{Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	c.system, c.workers = r.System(), make([]*actor.PID, c.options.Workers)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var n int
		switch _, err := fmt.Sscanf(in.Text(), "lose %d", &n); {
		case err == nil:
			c.lose(n)
		case in.Text() == "start":
			c.start()
		case in.Text() == "elect":
			c.count(func(*crowdCounts) { c.epoch, c.vacant = c.epoch+1, false })
		case in.Text() == "depose":
			c.count(func(*crowdCounts) { c.vacant = true })
		}
		c.count(func(now *crowdCounts) {
			now.Owned = len(c.owners)
			line, err := json.Marshal(now)
			if err != nil {
				panic(err)
			}
			fmt.Printf("%s\n", line)
		})
	}
	return 0
}

func (c *crowd) count(note func(*crowdCounts)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	note(&c.counts)
}

// start starts those that do not run.
func (c *crowd) start() {
	for i, pid := range c.workers {
		if pid == nil {
			name, zone := fmt.Sprintf("worker-%04d", i), fmt.Sprint("zone-", i%3)
			c.workers[i] = c.system.Root.Spawn(actor.PropsFromProducer(func() actor.Actor {
				return &simulated{crowd: c, name: name, zone: zone, incarnation: NewIncarnation(), owned: map[commitlog.Log]int64{}}
			}))
		}
	}
}

// lose ends n workers without a word to the master.
func (c *crowd) lose(n int) {
	for i := range n {
		if err := c.system.Root.StopFuture(c.workers[i*len(c.workers)/n]).Wait(); err != nil {
			panic(err)
		}
		c.workers[i*len(c.workers)/n] = nil
	}
}

// simulated is a worker whose partitions are lines in its reports. It keeps to the rules of a real one: the Link, the answers that name all
// that it is to own, the releases that are said until the master has taken note of them.
type simulated struct {
	crowd                   *crowd
	name, zone, incarnation string

	master   *actor.PID
	link     *membership.Link
	epoch    int64
	owned    map[commitlog.Log]int64 // versions
	released []*messages.Released
	ticking  chan struct{}
}

// Receive implements actor.Actor.
func (s *simulated) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		s.master = actor.NewPID(s.crowd.options.Master, masterName)
		s.link = membership.NewLink(s.incarnation, s.crowd.options.Limits, time.Now())
		s.ticking = tickTo(ctx, s.crowd.options.Limits.Heartbeat/5, tick{})
	case *actor.Stopping:
		close(s.ticking)
		s.crowd.count(func(c *crowdCounts) { c.Lost, c.Members = c.Lost+len(s.owned), c.Members-1 })
		s.drop()
	case tick:
		s.onTick(ctx)
	case *messages.Registered:
		s.heard(m)
		answer := membership.Answer{Epoch: m.Epoch, Incarnation: m.Incarnation, Number: m.Beat, Order: m.Order, Refused: m.Refused}
		if s.link.Registered(answer, time.Now()) {
			s.epoch = m.Epoch
			s.crowd.count(func(c *crowdCounts) { c.Members++ })
			s.beat(ctx, 0)
		}
	case *messages.HeartbeatAck:
		s.heard(m)
		answer := membership.Answer{Epoch: m.Epoch, Incarnation: m.Incarnation, Number: m.Beat, Order: m.Order, Known: m.Known, Refused: m.Refused}
		if s.link.Acked(answer, time.Now()) {
			s.epoch = m.Epoch
			s.follow(ctx, m.Assigned)
		}
	}
}

func (s *simulated) onTick(ctx actor.Context) {
	now := time.Now()
	do := s.link.Tick(now)
	if do.Abandon {
		s.crowd.count(func(c *crowdCounts) { c.Abandoned += len(s.owned) })
		s.drop()
	}
	if do.Look {
		var epoch int64
		var vacant bool
		s.crowd.count(func(c *crowdCounts) {
			if epoch, vacant = s.crowd.epoch, s.crowd.vacant; vacant {
				c.Leaderless++
			}
		})
		s.link.Leader(!vacant, epoch, epoch > s.epoch, now)
	}
	switch {
	case do.Register:
		s.send(ctx, &messages.Register{Worker: s.name, Incarnation: s.incarnation, Zone: s.zone, Beat: do.Number, Owned: s.statuses()})
	case do.Beat:
		s.beat(ctx, do.Number)
	}
}

func (s *simulated) beat(ctx actor.Context, number int64) {
	s.send(ctx, &messages.Heartbeat{
		Worker: s.name, Incarnation: s.incarnation, Epoch: s.epoch, Beat: number, Order: s.link.Order(),
		Partitions: s.statuses(), Released: s.released,
	})
}

func (s *simulated) send(ctx actor.Context, m proto.Message) {
	s.crowd.count(func(c *crowdCounts) { c.Reports, c.Out = c.Reports+1, c.Out+proto.Size(m) })
	ctx.Request(s.master, m)
}

func (s *simulated) heard(m proto.Message) {
	s.crowd.count(func(c *crowdCounts) { c.Answers, c.In = c.Answers+1, c.In+proto.Size(m) })
}

// follow brings what it has into line with what is assigned.
func (s *simulated) follow(ctx actor.Context, all []*messages.Assign) {
	assigned := make(map[commitlog.Log]int64, len(all))
	for _, a := range all {
		assigned[fromLog(a.Log)] = a.Version
	}
	var kept []*messages.Released
	ended := map[commitlog.Log]int64{}
	for _, r := range s.released {
		if log := fromLog(r.Log); assigned[log] == r.Version {
			kept, ended[log] = append(kept, r), r.Version
		}
	}
	s.released = kept
	known := len(kept)
	s.crowd.count(func(c *crowdCounts) {
		for log, version := range s.owned {
			if assigned[log] != version {
				delete(s.owned, log)
				delete(s.crowd.owners, log)
				s.released = append(s.released, &messages.Released{Worker: s.name, Incarnation: s.incarnation, Version: version, Log: toLog(log)})
			}
		}
		for log, version := range assigned {
			if s.owned[log] != 0 || ended[log] == version {
				continue
			}
			if s.crowd.owners[log] != "" {
				c.Doubled++
			}
			c.Given++
			s.owned[log], s.crowd.owners[log] = version, s.name
		}
	})
	if len(s.released) > known {
		s.beat(ctx, 0)
	}
}

// drop ends everything it has without a word.
func (s *simulated) drop() {
	s.crowd.count(func(*crowdCounts) {
		for log := range s.owned {
			if s.crowd.owners[log] == s.name {
				delete(s.crowd.owners, log)
			}
		}
	})
	clear(s.owned)
	s.released = nil
}

// statuses are about as long as those of partitions that read: 50 to 150 records a second, each its own, and some noise.
func (s *simulated) statuses() []*messages.PartitionStatus {
	now := time.Now().UnixMicro()
	all := make([]*messages.PartitionStatus, 0, len(s.owned))
	for log, version := range s.owned {
		rate := int64(50 + uint32(log.Partition+1)*2654435761>>16%100)
		position := now / 1e6 % 1e8 * rate
		all = append(all, &messages.PartitionStatus{
			Log: toLog(log), Version: version, Owned: true, Position: position, End: position + now%50, First: 1, Resume: position - 1000, ReadThrough: position,
			Watermark: now - 2e6, CommittedWatermark: now - 30e6, EventMax: now - 1e6, Slot: now / 60e6 % 1e6, Reason: "age", OpenRows: 1000, OpenFiles: 1,
			Counters: &messages.Counters{Rows: position - 1000, DeadLetters: 17, LateRows: 23, Files: now / 60e6 % 1e6, Bytes: position * 41},
			Rate:     float64(rate) * (0.95 + float64(now%100)/1000), Flushed: now - 30e6, FlushReason: "age",
		})
	}
	return all
}
