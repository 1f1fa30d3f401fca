package actors

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"citystream/engine/commitlog"
)

func TestWhatFailsOfAChoreWaitsLongerEachTimeAndTheRestDoesNot(t *testing.T) {
	t.Parallel()
	c := &chore{name: "x", node: &Node{Metrics: NewMetrics(), Log: slog.New(slog.DiscardHandler)}}
	var rest time.Duration
	for range 20 {
		rest = c.failed(outcome{err: errors.New("odd"), part: true})
	}
	if rest != partWait || c.wait != waitMax {
		t.Errorf("the rest waits %s, what failed %s", rest, c.wait)
	}
	if all := c.failed(outcome{err: errors.New("odd")}); all != waitMax {
		t.Errorf("all of it waits %s", all)
	}
}

// sleepers counts the goroutines that wait for a chore.
func sleepers() int {
	stacks := make([]byte, 1<<24)
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "(*chore).later.func1()")
}

func TestAChoreHasOneTimerHoweverManyLooksAreWishedFor(t *testing.T) {
	system := NewSystem(slog.New(slog.DiscardHandler))
	defer system.Shutdown()
	c := &chore{name: "x", node: &Node{Metrics: NewMetrics(), Log: slog.New(slog.DiscardHandler)}}
	before := sleepers()
	looked := make(chan bool, 1)
	pid := system.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case string:
			for i := range 50 {
				c.lookIn(ctx, t.Context(), &c.look, time.Hour+time.Duration(i)*time.Second)
				c.lookIn(ctx, t.Context(), &c.look, time.Hour-time.Duration(i)*time.Second)
			}
			ctx.Respond(true)
		case time.Duration:
			c.lookIn(ctx, t.Context(), &c.look, m)
		case choreDue:
			m.of.stop()
			looked <- true
		}
	}))
	if _, err := system.Root.RequestFuture(pid, "many", time.Minute).Result(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); sleepers() > before+1; { // some of before may end meanwhile
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines wait", sleepers()-before)
		}
		<-time.After(time.Millisecond)
	}
	system.Root.Send(pid, time.Millisecond) // earlier than what is due
	select {
	case <-looked:
	case <-time.After(10 * time.Second):
		t.Error("there was no look")
	}
}

func TestALogThatFailsIsNotLookedAtUntilSomethingElseIsOrItsTimeHasCome(t *testing.T) {
	t.Parallel()
	system := NewSystem(slog.New(slog.DiscardHandler))
	defer system.Shutdown()
	node := &Node{Metrics: NewMetrics(), Log: slog.New(slog.DiscardHandler)}
	life, end := context.WithCancel(t.Context())
	defer end()
	c := &catalogActor{node: node, board: newBoard(), dirty: map[commitlog.Log]bool{}, failed: map[commitlog.Log]bool{}, ctx: life}
	c.registers = &chore{name: "register", node: node, busy: true, running: true, begin: c.beginRound}
	bad, long := commitlog.Log{Table: "bad"}, commitlog.Log{Table: "long"}
	pid := system.Root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		if more, ok := ctx.Message().(map[commitlog.Log]bool); ok {
			c.onDone(ctx, choreDone{c.registers, outcome{err: errors.New("odd"), part: true, logs: map[commitlog.Log]bool{bad: true}, more: more}})
			ctx.Respond(c.registers.kicked)
		}
	}))
	for _, more := range []map[commitlog.Log]bool{{}, {long: true}} {
		kicked, err := system.Root.RequestFuture(pid, more, time.Minute).Result()
		if err != nil || kicked != (len(more) > 0) || c.registers.retry.cancel == nil || !c.failed[bad] || c.dirty[bad] {
			t.Errorf("%v: another round is wanted at once: %v, %v; failed are %v", more, kicked, err, c.failed)
		}
	}
}
