package verify

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// State is a file that keeps how far each log was proved, so that a run over much data can be interrupted, and a later one reads only
// the files that are new. Nil keeps nothing.
type State struct {
	path  string
	saved time.Time
	Logs  map[string]point `json:"logs"`
}

// point is a slot up to which a log was proved.
type point struct {
	Slot  int64  `json:"slot"`
	ID    string `json:"id"`
	Kafka bool   `json:"kafka"` // its records were compared too
}

// saveEvery is how much work an interruption costs at most.
const saveEvery = 5 * time.Second

// OpenState reads the file, if it is there.
func OpenState(path string) (*State, error) {
	s := &State{path: path, Logs: map[string]point{}, saved: time.Now()}
	body, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the state: %w", err)
	}
	if err := json.Unmarshal(body, s); err != nil {
		return nil, fmt.Errorf("the state in %s: %w: delete the file to begin anew", path, err)
	}
	return s, nil
}

// of returns the slot up to which a log's files were proved, their records too if that is asked for.
func (s *State) of(l *logName, kafka bool) int64 {
	if s == nil {
		return -1
	}
	if p, ok := s.Logs[l.String()]; ok && (p.Kafka || !kafka) {
		return p.Slot
	}
	return -1
}

// note keeps that a log is proved up to a slot. That it cannot be kept costs time only, and is said by Save at the end.
func (s *State) note(l *logName, slot int64, id string, kafka bool) {
	if s == nil || s.of(l, kafka) >= slot {
		return
	}
	s.Logs[l.String()] = point{slot, id, kafka}
	if time.Since(s.saved) > saveEvery {
		s.saved = time.Now()
		_ = s.Save()
	}
}

// Save writes the file.
func (s *State) Save() error {
	if s == nil {
		return nil
	}
	body, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("keep the state: %w", err)
	}
	if err := os.WriteFile(s.path+".new", body, 0o644); err != nil {
		return fmt.Errorf("keep the state: %w", err)
	}
	return os.Rename(s.path+".new", s.path)
}
