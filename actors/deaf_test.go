package actors

import (
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"citystream/messages"
)

// deafWorker reports like a worker, but never follows a word of its master: nothing reaches it.
func deafWorker(master *actor.PID) *actor.Props {
	beat := int64(1)
	incarnation := NewIncarnation()
	var ticking chan struct{}
	return actor.PropsFromFunc(func(ctx actor.Context) {
		switch ctx.Message().(type) {
		case *actor.Started:
			ctx.Request(master, &messages.Register{Worker: "deaf", Incarnation: incarnation, Beat: beat})
			ticking = tickTo(ctx, 20*time.Millisecond, tick{})
		case *actor.Stopping:
			close(ticking)
		case tick:
			beat++
			ctx.Request(master, &messages.Heartbeat{Worker: "deaf", Incarnation: incarnation, Epoch: 1, Beat: beat})
		}
	})
}

func TestAWorkerThatSpeaksButDoesNotHearIsGivenNothingAndItsMasterSaysThatItIsAlone(t *testing.T) {
	t.Parallel()
	c := newCity(t)
	c.node.WorkerDead = 300 * time.Millisecond
	system := NewSystem(c.node.Log)
	defer system.Shutdown()
	alone := make(chan struct{}, 1)
	cluster := &Cluster{node: c.node, system: system}
	var err error
	cluster.master, err = system.Root.SpawnNamed(MasterProps(c.node, MasterOptions{Epoch: 1, Lonely: func() { alone <- struct{}{} }}), masterName)
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Stop()
	deaf := system.Root.Spawn(deafWorker(cluster.master))
	defer system.Root.Stop(deaf)
	c.until(cluster, "it is given nothing any more", func(_ int64, s *messages.Status) bool {
		return len(s.Workers) == 1 && s.Workers[0].Deaf && s.Workers[0].Assigned == 0 && len(s.Unassigned) == 2
	})
	select {
	case <-alone:
	case <-time.After(10 * time.Second):
		t.Fatal("a master whose only worker hears nothing holds itself for reachable")
	}
}
