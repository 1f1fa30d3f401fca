// Package drivestate remembers a fleet's drive over restarts, so that each of its records gets into the topics exactly once.
//
// A process may end at any moment of a drive, by Ctrl-C or by kill -9, and which records had arrived by then is known to the topics
// alone. Before a drive begins, its numbers and the present end of each topic partition are written to a small file. A later start
// that finds the drive unfinished reads the topics from those ends on: ids tell which records of the drive are there. The drive is then
// driven again from its beginning, to the same bytes, and only what is missing is sent.
//
// Guarantees: the file is replaced atomically, before the first record of a drive is sent and after its last is acknowledged; drives of
// one file never share a number, so they never share an id while the seed and the vehicles' numbers stay; a drive lies after the one
// before it in event time, as far as fleet.Drive.StartingAt can bring it about. Not guaranteed: that nobody else drives on from the same
// file meanwhile (the caller locks the directory), and that a request of the dead process that still waits inside an outside
// broker when the topics are read does not take effect afterwards.
package drivestate

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/fleet"
)

// A File keeps the state of the present or last drive. One goroutine uses it.
type File struct{ path string }

// In returns the file of a data directory: DIR/fleet/drive.json.
func In(dir string) *File { return &File{path: filepath.Join(dir, "fleet", "drive.json")} }

// Wanted is what a drive is to be, if a new one begins.
type Wanted struct {
	Seed     uint64
	First    int64 // number of the first vehicle
	Vehicles int
	Steps    int // 0 = until arrival
}

// Begun is the drive to go on with.
type Begun struct {
	Drive   fleet.Drive
	Sent    *fleet.Sent // what is in the topics already; nil for a new drive
	Resumed bool        // the drive was begun by an earlier process
	Notes   []string    // what the user should know: sentences without a full stop
}

// Begin goes on with the unfinished drive if there is one, with its own numbers whatever is wanted, and otherwise begins the next.
// Before it returns, the file says what it returns.
func (f *File) Begin(ctx context.Context, source port.Source, topics fleet.Topics, wanted Wanted, now record.Micros) (*Begun, error) {
	last, err := f.read()
	if err != nil {
		return nil, err
	}
	if last == nil {
		return f.next(ctx, source, topics, wanted, fleet.Drive{}, now)
	}
	if last.Finished {
		return f.next(ctx, source, topics, wanted, last.Drive, now)
	}
	sent := fleet.NewSent(last.Drive)
	err = collect(ctx, source, topics, last.Before, sent)
	if errors.Is(err, errGone) {
		begun, nextErr := f.next(ctx, source, topics, wanted, last.Drive, now)
		if nextErr != nil {
			return nil, nextErr
		}
		begun.Notes = append(begun.Notes,
			fmt.Sprintf("drive %d stays unfinished, since what it has sent cannot be told any more: %v", last.Drive.Number, err))
		return begun, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find what drive %d has sent: %w", last.Drive.Number, err)
	}
	return &Begun{Drive: last.Drive, Sent: sent, Resumed: true, Notes: differences(last.Drive, wanted)}, nil
}

// Finish notes that all records of the drive are acknowledged: the next Begin begins the next drive.
func (f *File) Finish(d fleet.Drive) error {
	last, err := f.read()
	if err != nil {
		return err
	}
	if last == nil || last.Drive != d {
		return fmt.Errorf("finish drive %d: %s tells of another", d.Number, f.path)
	}
	return f.write(&state{Drive: d, Finished: true})
}

// next begins the drive after the last one, which is the zero Drive if there was none.
func (f *File) next(
	ctx context.Context, source port.Source, topics fleet.Topics, wanted Wanted, last fleet.Drive, now record.Micros,
) (*Begun, error) {
	d := fleet.Drive{Number: last.Number + 1, Seed: wanted.Seed, First: wanted.First, Vehicles: wanted.Vehicles, Steps: wanted.Steps}
	var after record.Micros
	if last.Number > 0 {
		after = last.End()
	}
	d = d.StartingAt(now, after)
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("begin drive %d: %w", d.Number, err)
	}
	before, err := ends(ctx, source, topics)
	if err != nil {
		return nil, fmt.Errorf("begin drive %d: %w", d.Number, err)
	}
	if err := f.write(&state{Drive: d, Before: before}); err != nil {
		return nil, err
	}
	return &Begun{Drive: d}, nil
}

// differences tells in which of its numbers an unfinished drive is other than wanted.
func differences(d fleet.Drive, wanted Wanted) []string {
	var notes []string
	note := func(what string, has, wants any) {
		if has != wants {
			notes = append(notes, fmt.Sprintf("drive %d is unfinished and goes on with %s %v instead of %v", d.Number, what, has, wants))
		}
	}
	note("seed", d.Seed, wanted.Seed)
	note("first vehicle", d.First, wanted.First)
	note("vehicles", d.Vehicles, wanted.Vehicles)
	note("steps", d.Steps, wanted.Steps)
	return notes
}
