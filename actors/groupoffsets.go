package actors

import (
	"context"
	"maps"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"citystream/engine/commitlog"
	"citystream/engine/record"
)

// How often a group's offsets are committed to Kafka, and how long that may take. What has not changed is said again once an hour, since Kafka forgets offsets
// that nobody renews.
const (
	offsetsEvery = 5 * time.Second
	offsetsAgain = time.Hour
	offsetsMax   = 5 * time.Second
)

// groupOffsets commits to Kafka, for each table's group, which record of a partition is to be read next: so the usual tools show how far it
// is behind. Nothing else follows from them: the commit logs say where reading goes on.
//
// note and last are called by the worker's actor; one goroutine commits. A nil groupOffsets does nothing.
type groupOffsets struct {
	node    *Node
	noted   map[commitlog.Log]record.Offset // the actor's
	commits chan map[commitlog.Log]record.Offset
	cancel  context.CancelFunc
	at      time.Time
	ended   bool
}

// offsetsSaid says that the last offsets are committed, or cannot be.
type offsetsSaid struct{}

func newGroupOffsets(node *Node) *groupOffsets {
	if node.GroupOffsets == nil {
		return nil
	}
	return &groupOffsets{node: node, noted: map[commitlog.Log]record.Offset{}, commits: make(chan map[commitlog.Log]record.Offset, 1)}
}

func (g *groupOffsets) start(ctx actor.Context) {
	if g == nil {
		return
	}
	life, cancel := context.WithCancel(context.Background())
	g.cancel = cancel
	self, root := ctx.Self(), ctx.ActorSystem().Root
	go func() {
		g.run(life)
		root.Send(self, offsetsSaid{})
	}()
}

func (g *groupOffsets) close() {
	if g != nil && g.cancel != nil {
		g.cancel()
	}
}

// note remembers where a partition is to be read next, and now and then hands all that is remembered to the goroutine.
func (g *groupOffsets) note(log commitlog.Log, next record.Offset) {
	if g == nil || g.ended {
		return
	}
	g.noted[log] = next
	if time.Since(g.at) < offsetsEvery {
		return
	}
	select {
	case g.commits <- g.noted:
		g.noted, g.at = map[commitlog.Log]record.Offset{}, time.Now()
	default: // the commit before is under way
	}
}

// forget drops what was noted of a partition that another may own by now, and know better.
func (g *groupOffsets) forget(log commitlog.Log) {
	if g != nil {
		delete(g.noted, log)
	}
}

// last hands over what is left, and ends.
func (g *groupOffsets) last() {
	if g == nil || g.ended {
		return
	}
	g.ended = true
	select {
	case waiting := <-g.commits:
		maps.Copy(waiting, g.noted)
		g.noted = waiting
	default:
	}
	g.commits <- g.noted // nobody else sends, so there is room
	close(g.commits)
}

// run commits what it is handed until nothing more comes.
func (g *groupOffsets) run(ctx context.Context) {
	said := map[commitlog.Log]record.Offset{}
	again := time.Now().Add(offsetsAgain)
	failing := false
	for noted := range orDone(ctx, g.commits) {
		if time.Now().After(again) {
			clear(said)
			again = time.Now().Add(offsetsAgain)
		}
		err := g.commit(ctx, noted, said)
		switch {
		case err == nil:
			failing = false
		case ctx.Err() != nil:
			return
		case !failing:
			failing = true
			g.node.Log.Warn("the offsets of the consumer groups cannot be committed; only tools that show lag by them are wrong", "error", err)
		}
	}
}

// commit says what is new, group by group.
func (g *groupOffsets) commit(ctx context.Context, noted, said map[commitlog.Log]record.Offset) error {
	byTable := map[string]map[record.TopicPartition]record.Offset{}
	for log, next := range noted {
		if was, ok := said[log]; ok && was == next {
			continue
		}
		if byTable[log.Table] == nil {
			byTable[log.Table] = map[record.TopicPartition]record.Offset{}
		}
		byTable[log.Table][log.TopicPartition] = next
	}
	for table, next := range byTable {
		timed, cancel := context.WithTimeout(ctx, offsetsMax)
		err := g.node.GroupOffsets.CommitGroup(timed, g.node.Group+"-"+table, next)
		cancel()
		if err != nil {
			g.node.Metrics.Retries.WithLabelValues("commit group offsets").Inc()
			return err
		}
		for tp, n := range next {
			said[commitlog.Log{Table: table, TopicPartition: tp}] = n
		}
	}
	return nil
}

// orDone yields what a channel brings until it is closed or ctx ends.
func orDone[T any](ctx context.Context, in <-chan T) func(func(T) bool) {
	return func(yield func(T) bool) {
		for {
			select {
			case <-ctx.Done():
				return
			case v, ok := <-in:
				if !ok || !yield(v) {
					return
				}
			}
		}
	}
}
