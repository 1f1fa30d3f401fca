package actors

import (
	"testing"

	"citystream/cluster/assign"
	"citystream/engine/commitlog"
	"citystream/messages"
)

// ofOwner returns how many logs a worker may own, those that it is to give back included.
func (s *placements) ofOwner(worker string) int { return len(s.byWorker[worker]) }

func placed(partitions int) *placements {
	s := newPlacements()
	s.grow("t", "topic", partitions)
	return s
}

func anyLog(commitlog.Log) bool { return true }
func noLog(commitlog.Log) bool  { return false }

func workersNamed(names ...string) []assign.Worker {
	var all []assign.Worker
	for _, n := range names {
		all = append(all, assign.Worker{Name: n})
	}
	return all
}

// statusesOf is what a worker reports that runs all that it is given.
func statusesOf(answer []*messages.Assign) []*messages.PartitionStatus {
	var all []*messages.PartitionStatus
	for _, a := range answer {
		all = append(all, &messages.PartitionStatus{Log: a.Log, Version: a.Version, Owned: true})
	}
	return all
}

func TestAPartitionMovesOnlyWhenItsWorkerHasReleasedIt(t *testing.T) {
	t.Parallel()
	s := placed(4)
	if changed := s.plan(workersNamed("a"), false, anyLog, assign.Options{}); !changed["a"] || s.ofOwner("a") != 4 {
		t.Fatalf("changed %v, %d with a", changed, s.ofOwner("a"))
	}
	running := statusesOf(s.answer("a", 1))
	s.heard("a", 1, running)
	s.plan(workersNamed("a", "b"), false, anyLog, assign.Options{})
	if s.ofOwner("b") != 0 {
		t.Fatal("b was given what a has not released")
	}
	kept := s.answer("a", 2)
	if len(kept) != 2 {
		t.Fatalf("a is told to keep %d of 4", len(kept))
	}
	if s.heard("a", 1, statusesOf(kept)) { // it may only not have begun yet
		t.Error("something became free before a knew that it is to give it back")
	}
	if s.heard("a", 2, running) {
		t.Error("something became free that still runs")
	}
	if !s.heard("a", 2, statusesOf(kept)) {
		t.Error("what a does not run any more, and knows that it shall not, is not free")
	}
	s.plan(workersNamed("a", "b"), false, anyLog, assign.Options{})
	if s.ofOwner("a") != 2 || s.ofOwner("b") != 2 || s.moves != 2 {
		t.Errorf("%d and %d, %d moves", s.ofOwner("a"), s.ofOwner("b"), s.moves)
	}
}

func TestAReleaseOfAnOlderAssignmentIsNoNews(t *testing.T) {
	t.Parallel()
	s := placed(1)
	s.plan(workersNamed("a"), false, anyLog, assign.Options{})
	given := s.answer("a", 1)[0]
	release := &messages.Released{Worker: "a", Version: given.Version, Log: given.Log}
	if _, news := s.released(release); !news {
		t.Fatal("a release was not taken note of")
	}
	s.plan(workersNamed("a"), false, anyLog, assign.Options{})
	if _, news := s.released(release); news || s.ofOwner("a") != 1 {
		t.Error("a release that was said twice took the next assignment away")
	}
	failed := &messages.Released{Worker: "a", Version: s.answer("a", 2)[0].Version, Log: given.Log, Cause: messages.Released_FAILED, Error: "broken"}
	s.released(failed)
	s.plan(workersNamed("a"), false, anyLog, assign.Options{})
	if s.ofOwner("a") != 0 {
		t.Error("a partition that stopped with an error was given away again")
	}
	s.bury("a")
	s.plan(workersNamed("a"), false, anyLog, assign.Options{})
	if s.ofOwner("a") != 1 {
		t.Error("a partition was not given away again after the worker that had stopped it was started anew")
	}
}

func TestANewMasterTakesOverWhatWorkersBring(t *testing.T) {
	t.Parallel()
	old := placed(4)
	old.plan(workersNamed("a", "b"), false, anyLog, assign.Options{})
	ofA, ofB := statusesOf(old.answer("a", 1)), statusesOf(old.answer("b", 1))
	s := placed(4)
	s.adopt("a", "", ofA)
	s.plan(workersNamed("a"), true, noLog, assign.Options{})
	if s.ofOwner("a") != 2 || s.moves != 0 {
		t.Fatalf("while it waits for b, a has %d", s.ofOwner("a"))
	}
	s.adopt("b", "", ofB)
	if changed := s.plan(workersNamed("a", "b"), false, anyLog, assign.Options{}); len(changed) > 0 || s.moves != 0 {
		t.Errorf("all is as it was, but %v changed", changed)
	}
	s.bury("b")
	s.plan(workersNamed("a"), false, anyLog, assign.Options{})
	versions := map[int64]bool{}
	for _, a := range s.answer("a", 1) {
		versions[a.Version] = true
	}
	if len(versions) != 4 {
		t.Errorf("versions are used twice: %v", versions)
	}
}

func TestOfTwoThatBringTheSameTheNewerOwnerIsRight(t *testing.T) {
	t.Parallel()
	s := placed(1)
	log := &messages.Log{Table: "t", Topic: "topic"}
	s.adopt("zombie", "", []*messages.PartitionStatus{{Log: log, Version: 3, Slot: 7}})
	s.adopt("owner", "", []*messages.PartitionStatus{{Log: log, Version: 5, Slot: 9}})
	s.adopt("zombie", "", []*messages.PartitionStatus{{Log: log, Version: 3, Slot: 7}})
	if s.ofOwner("owner") != 1 || s.ofOwner("zombie") != 0 {
		t.Errorf("owner %d, zombie %d", s.ofOwner("owner"), s.ofOwner("zombie"))
	}
}
