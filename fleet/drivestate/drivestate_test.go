package drivestate_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"citystream/actors"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/fleet"
	"citystream/fleet/drivestate"
)

var (
	now    = record.MicrosOf(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC))
	wanted = drivestate.Wanted{Seed: 42, Vehicles: 6, Steps: 20}
	names  = fleet.DefaultTopics()
	system = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
)

func begin(t testing.TB, dir string, c *cluster, w drivestate.Wanted, at record.Micros) *drivestate.Begun {
	t.Helper()
	b, err := drivestate.In(dir).Begin(t.Context(), c, names, w, at)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// life runs one process: it begins or goes on with a drive until it ends or until the producer has taken so many messages. It
// returns whether the drive was finished.
func life(t testing.TB, dir string, c *cluster, w drivestate.Wanted, lives int) (fleet.Drive, bool) {
	t.Helper()
	b := begin(t, dir, c, w, now)
	killed, kill := context.WithCancel(t.Context())
	defer kill()
	f, err := actors.StartFleet(system, actors.FleetOptions{Drive: b.Drive, Sent: b.Sent, InFlight: 16, Producer: c.producer(lives, kill)})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-f.Done():
	case <-killed.Done():
		_ = f.Stop(killed) // at once
	}
	limited, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p, err := f.Wait(limited)
	if limited.Err() != nil {
		t.Fatal("the fleet does not end")
	}
	if !p.Complete() {
		return b.Drive, false
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := drivestate.In(dir).Finish(b.Drive); err != nil {
		t.Fatal(err)
	}
	return b.Drive, true
}

func TestADriveBrokenOffAtAnyMessageEndsWithEachRecordOnce(t *testing.T) {
	t.Parallel()
	w := drivestate.Wanted{Seed: 7, Vehicles: 2, Steps: 4}
	const records = 2 * 4 * fleet.Kinds
	for lives := range records + 6 {
		dir, c := t.TempDir(), newCluster(2)
		d, finished := life(t, dir, c, w, lives)
		if finished != (lives >= records+4) { // the last four are never acknowledged
			t.Fatalf("a process that lives for %d messages finishes the drive: %v", lives, finished)
		}
		drives := []fleet.Drive{d}
		next, ended := life(t, dir, c, w, 1<<30)
		if !ended || (next == d) == finished {
			t.Fatalf("after %d messages %+v goes on as %+v, finished: %v", lives, d, next, ended)
		}
		if next != d {
			drives = append(drives, next)
		}
		c.checkExactlyOnce(t, drives...)
	}
}

func TestManyLivesOfManyDrivesEndWithEachRecordOnce(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	dir, c := t.TempDir(), newCluster(3)
	var drives []fleet.Drive
	for range 40 {
		w := wanted
		w.Vehicles = 1 + random.IntN(8) // told, and not followed by an unfinished drive
		d, finished := life(t, dir, c, w, random.IntN(900))
		if finished {
			drives = append(drives, d)
		}
	}
	d, finished := life(t, dir, c, wanted, 1<<30)
	if !finished || len(drives) == 0 {
		t.Fatalf("%d drives were finished, the last: %v", len(drives), finished)
	}
	c.checkExactlyOnce(t, append(drives, d)...)
	for i, d := range drives {
		if d.Number != int64(i+1) {
			t.Errorf("drive %d has the number %d", i+1, d.Number)
		}
	}
}

func TestAnUnfinishedDriveKeepsItsNumbersWhateverIsWanted(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newCluster(1)
	first := begin(t, dir, c, wanted, now)
	if first.Resumed || first.Sent != nil || len(first.Notes) != 0 || first.Drive.Number != 1 || first.Drive.End() != now {
		t.Fatalf("the first drive is %+v", first)
	}
	same := begin(t, dir, c, wanted, now.Add(time.Hour))
	if !same.Resumed || same.Drive != first.Drive || len(same.Notes) != 0 || same.Sent.Count() != 0 {
		t.Errorf("it goes on as %+v", same)
	}
	other := begin(t, dir, c, drivestate.Wanted{Seed: 1, First: 100, Vehicles: 7, Steps: 9}, now)
	want := []string{
		"drive 1 is unfinished and goes on with seed 42 instead of 1", "drive 1 is unfinished and goes on with first vehicle 0 instead of 100",
		"drive 1 is unfinished and goes on with vehicles 6 instead of 7", "drive 1 is unfinished and goes on with steps 20 instead of 9",
	}
	if other.Drive != first.Drive || !slices.Equal(other.Notes, want) {
		t.Errorf("it goes on as %+v", other)
	}
}

func TestTheNextDriveHasNewNumbersAndLaterTimes(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newCluster(1)
	first := begin(t, dir, c, wanted, now)
	if err := drivestate.In(dir).Finish(first.Drive); err != nil {
		t.Fatal(err)
	}
	later := now.Add(time.Minute)
	next := begin(t, dir, c, drivestate.Wanted{Seed: 5, Vehicles: 2}, later)
	want := fleet.Drive{Number: 2, Seed: 5, Vehicles: 2, Start: first.Drive.End()}
	if next.Resumed || next.Sent != nil || next.Drive != want {
		t.Errorf("%+v follows %+v", next, first)
	}
	if err := drivestate.In(dir).Finish(next.Drive); err != nil {
		t.Fatal(err)
	}
	if third := begin(t, dir, c, wanted, later); third.Drive.Number != 3 || third.Drive.Start != later {
		t.Errorf("%+v follows a drive that ends ahead of now", third)
	}
}

// send appends the first steps of each vehicle to the topics, as a process does that is killed then.
func send(c *cluster, d fleet.Drive, steps int) int64 {
	n := int64(0)
	for i := range d.Vehicles {
		v := d.Vehicle(i)
		for range steps {
			for kind, r := range v.Step(nil) {
				c.append(names.Names()[kind], r.Key)
				n++
			}
		}
	}
	return n
}

func sendGPS(c *cluster, d fleet.Drive, steps int) {
	for i := range d.Vehicles {
		v := d.Vehicle(i)
		for range steps {
			c.append(names.GPS, v.Step(nil)[fleet.GPSData].Key)
		}
	}
}

// manyRecords appends more records to a topic than a drive will.
func manyRecords(c *cluster) {
	for i := range 200 {
		c.append(names.GPS, []byte{byte(i)})
	}
}

func TestWhatADriveHasSentIsFoundInTheTopics(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		before func(c *cluster)                // the drive begins
		after  func(c *cluster, d fleet.Drive) // it has sent five steps
		found  func(sent int64) int64
		next   bool // the drive cannot go on
	}{
		{name: "among records of other programs", after: func(c *cluster, _ fleet.Drive) {
			c.append(names.GPS, []byte("00000000-0000-4000-8000-000000000000"))
			c.append(names.GPS, nil)
			c.append(names.GPS, []byte("a key"))
		}},
		{name: "in topics that the drive made", before: func(c *cluster) { clear(c.topics) }},
		{name: "where retention removed only what was there before", before: manyRecords, after: func(c *cluster, _ fleet.Drive) {
			p := &c.topics[names.GPS].partitions[0]
			p.start, p.keys = p.start+2, p.keys[2:]
		}},
		{name: "in a topic made anew, from its beginning", before: manyRecords, after: func(c *cluster, d fleet.Drive) {
			c.make(names.GPS, 2)
			sendGPS(c, d, 5)
			manyRecords(c)
			manyRecords(c)
		}},
		{name: "in a partition that lost its end, from its beginning", before: manyRecords, after: func(c *cluster, d fleet.Drive) {
			for p := range c.topics[names.GPS].partitions {
				c.topics[names.GPS].partitions[p].keys = nil
			}
			sendGPS(c, d, 5)
		}},
		{name: "in partitions that came later", after: func(c *cluster, d fleet.Drive) {
			t := c.topics[names.GPS]
			t.partitions = append(t.partitions, partition{})
			v := d.Vehicle(0)
			for range 5 {
				v.Skip()
			}
			t.partitions[len(t.partitions)-1].keys = append(t.partitions[len(t.partitions)-1].keys, v.Step(nil)[fleet.GPSData].Key)
		}, found: func(sent int64) int64 { return sent + 1 }},
		{name: "but not before the drive began", before: func(c *cluster) {
			send(c, fleet.Drive{Number: 9, Seed: 42, Vehicles: 6, Steps: 20}, 20)
		}},
		{
			name: "unless a topic was made anew", after: func(c *cluster, _ fleet.Drive) { c.make(names.GPS, 2) },
			found: func(sent int64) int64 { return sent * 4 / 5 },
		},
		{
			name: "unless a topic is gone", after: func(c *cluster, _ fleet.Drive) { delete(c.topics, names.GPS) },
			found: func(sent int64) int64 { return sent * 4 / 5 },
		},
		{name: "unless retention removed some: then the next drive begins", after: func(c *cluster, _ fleet.Drive) {
			p := &c.topics[names.GPS].partitions[0]
			p.start, p.keys = p.start+1, p.keys[1:]
		}, next: true},
		{name: "unless retention removed all: then the next drive begins", after: func(c *cluster, _ fleet.Drive) {
			p := &c.topics[names.GPS].partitions[0]
			p.start, p.keys = p.end(), nil
		}, next: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir, c := t.TempDir(), newCluster(2)
			if test.before != nil {
				test.before(c)
			}
			d := begin(t, dir, c, wanted, now).Drive
			sent := send(c, d, 5)
			if test.after != nil {
				test.after(c, d)
			}
			if test.found != nil {
				sent = test.found(sent)
			}
			got := begin(t, dir, c, wanted, now)
			if test.next {
				if got.Resumed || got.Drive.Number != 2 || len(got.Notes) != 1 || !strings.Contains(got.Notes[0], "drive 1 stays unfinished") {
					t.Fatalf("%+v", got)
				}
				return
			}
			if !got.Resumed || got.Drive != d || got.Sent.Count() != sent {
				t.Errorf("%d records found of %d: %+v", got.Sent.Count(), sent, got)
			}
		})
	}
}

func TestAPassingErrorOfTheSourceIsWaitedOut(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newCluster(2)
	d := begin(t, dir, c, wanted, now).Drive
	sent := send(c, d, 2)
	failed := map[string]bool{}
	c.fault = func(call string) error {
		if failed[call] {
			return nil
		}
		failed[call] = true
		return errors.New("leader not available")
	}
	if got := begin(t, dir, c, wanted, now); got.Sent.Count() != sent || len(failed) != 3 {
		t.Errorf("%d records found of %d, failing %v", got.Sent.Count(), sent, failed)
	}
}

func TestAnErrorThatStaysLeavesTheStateAsItIs(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"topics", "offsets", "fetch"} {
		dir, c := t.TempDir(), newCluster(2)
		file := filepath.Join(dir, "fleet", "drive.json")
		c.fault = func(of string) error {
			if of == call {
				return port.ErrNoTopic
			}
			return nil
		}
		if call != "fetch" {
			if _, err := drivestate.In(dir).Begin(t.Context(), c, names, wanted, now); !errors.Is(err, port.ErrNoTopic) {
				t.Errorf("beginning with %s failing: %v", call, err)
			}
			if _, err := os.Stat(file); err == nil {
				t.Errorf("a drive began with %s failing", call)
			}
		}
		fault := c.fault
		c.fault = nil
		send(c, begin(t, dir, c, wanted, now).Drive, 1)
		was, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c.fault = fault
		if _, err := drivestate.In(dir).Begin(t.Context(), c, names, wanted, now); !errors.Is(err, port.ErrNoTopic) {
			t.Errorf("going on with %s failing: %v", call, err)
		}
		if is, err := os.ReadFile(file); err != nil || !reflect.DeepEqual(is, was) {
			t.Errorf("the file changed: %s, %v", is, err)
		}
	}
}

func TestBeginEndsWithItsContext(t *testing.T) {
	t.Parallel()
	c := newCluster(1)
	c.fault = func(string) error { return errors.New("no broker answers") }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := drivestate.In(t.TempDir()).Begin(ctx, c, names, wanted, now)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "no broker answers") {
		t.Errorf("%v", err)
	}
}

func TestAFileThatCannotBeUnderstoodIsAnError(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newCluster(1)
	begin(t, dir, c, wanted, now)
	file := filepath.Join(dir, "fleet", "drive.json")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"cut off":            string(good[:len(good)/2]),
		"empty":              "",
		"of another version": strings.Replace(string(good), `"version": 1`, `"version": 2`, 1),
		"without vehicles":   strings.Replace(string(good), `"vehicles": 6`, `"vehicles": 0`, 1),
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if b, err := drivestate.In(dir).Begin(t.Context(), c, names, wanted, now); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("a file that is %s: %+v, %v", name, b, err)
		}
	}
}

func TestTheFileIsReplacedWholeAndNothingIsLeftBeside(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newCluster(1)
	b := begin(t, dir, c, wanted, now)
	if err := drivestate.In(dir).Finish(b.Drive); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(filepath.Join(dir, "fleet"))
	if err != nil || len(files) != 1 || files[0].Name() != "drive.json" {
		t.Errorf("%v, %v", files, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := drivestate.In(filepath.Join(dir, "file")).Begin(t.Context(), c, names, wanted, now); err == nil {
		t.Error("a directory that cannot be made is no error")
	}
}

func TestOnlyTheDriveUnderWayIsFinished(t *testing.T) {
	t.Parallel()
	dir, c := t.TempDir(), newCluster(1)
	if err := drivestate.In(dir).Finish(fleet.Drive{Number: 1, Vehicles: 1}); err == nil {
		t.Error("a drive that never began is finished")
	}
	d := begin(t, dir, c, wanted, now).Drive
	d.Number++
	if err := drivestate.In(dir).Finish(d); err == nil {
		t.Error("another drive is finished")
	}
}
