package drivestate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"citystream/engine/record"
	"citystream/fleet"
)

// version is the version of the file's format.
const version = 1

// state is what the file holds.
type state struct {
	Version  int                 `json:"version"`
	Drive    fleet.Drive         `json:"drive"`
	Finished bool                `json:"finished"`
	Before   map[string]topicEnd `json:"before,omitempty"` // by topic, the ends before the unfinished drive began
}

// topicEnd is where the partitions of a topic ended.
type topicEnd struct {
	ID   string          `json:"id"` // a topic made anew has another, and its offsets begin again
	Ends []record.Offset `json:"ends"`
}

// read returns the state, or nil if there is none.
func (f *File) read() (*state, error) {
	text, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the state of the fleet: %w", err)
	}
	var s state
	if err = json.Unmarshal(text, &s); err == nil && s.Version != version {
		err = fmt.Errorf("it has version %d, and this program knows %d", s.Version, version)
	}
	if err == nil {
		err = s.Drive.Validate()
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w (without the file, the fleet begins with drive 1 again: use another seed then)", f.path, err)
	}
	return &s, nil
}

// write replaces the file atomically: whatever happens, either the old or the new state is there, whole.
func (f *File) write(s *state) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("write the state of the fleet: %w", err)
		}
	}()
	s.Version = version
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	dir := filepath.Dir(f.path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	next, err := os.CreateTemp(dir, "drive-*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(next.Name()) // gone already if all went well
	_, err = next.Write(append(text, '\n'))
	if err == nil {
		err = next.Sync()
	}
	if err = errors.Join(err, next.Close()); err != nil {
		return err
	}
	if err := os.Rename(next.Name(), f.path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes a rename within a directory last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
