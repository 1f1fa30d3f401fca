package aws

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// A keeper keeps Athena's named things - work groups, named queries, prepared statements - in a journal, so that they outlive the process. There
// are few of them, and each is small. Safe for concurrent use.
type keeper struct {
	mu      sync.Mutex
	journal *journal
	items   map[string]json.RawMessage // by sort and name
}

// A placed item is one record of its journal; without a value the item is gone.
type placed struct {
	Key   string
	Value json.RawMessage `json:",omitempty"`
}

// Sorts of items, the beginnings of their keys.
const (
	groupItems    = "group/"
	namedItems    = "named/"
	preparedItems = "prepared/"
)

func openKeeper(path string) (*keeper, error) {
	s := &keeper{items: map[string]json.RawMessage{}}
	j, err := openJournal(path, func(record []byte) error {
		var p placed
		if err := json.Unmarshal(record, &p); err != nil {
			return fmt.Errorf("decode: %w", err)
		}
		s.apply(p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.journal = j
	return s, nil
}

func (s *keeper) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.journal.close()
}

func (s *keeper) apply(p placed) {
	if p.Value == nil {
		delete(s.items, p.Key)
		return
	}
	s.items[p.Key] = p.Value
}

// write puts a change down. The caller holds the lock.
func (s *keeper) write(p placed) error {
	record, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode %s: %w", p.Key, err)
	}
	if err := s.journal.append(record); err != nil {
		return err
	}
	s.apply(p)
	if !s.journal.grown() {
		return nil
	}
	var records [][]byte
	for _, key := range slices.Sorted(maps.Keys(s.items)) {
		record, err := json.Marshal(placed{key, s.items[key]})
		if err != nil {
			return fmt.Errorf("encode %s: %w", key, err)
		}
		records = append(records, record)
	}
	return s.journal.rewrite(records)
}

// kept returns an item of a sort, or nil.
func kept[T any](s *keeper, sort, name string) (*T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return decodeItem[T](s, sort+name)
}

func decodeItem[T any](s *keeper, key string) (*T, error) {
	text, ok := s.items[key]
	if !ok {
		return nil, nil
	}
	item := new(T)
	if err := json.Unmarshal(text, item); err != nil {
		return nil, fmt.Errorf("decode %s: %w", key, err)
	}
	return item, nil
}

// keptAll returns the items of a sort in the order of their names.
func keptAll[T any](s *keeper, sort string) ([]*T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*T
	for _, key := range slices.Sorted(maps.Keys(s.items)) {
		if strings.HasPrefix(key, sort) {
			item, err := decodeItem[T](s, key)
			if err != nil {
				return nil, err
			}
			all = append(all, item)
		}
	}
	return all, nil
}

// keep changes an item: decide gets what is there, or nil, and returns what is to be there, or nil to remove it.
func keep[T any](s *keeper, sort, name string, decide func(old *T) (*T, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, err := decodeItem[T](s, sort+name)
	if err != nil {
		return err
	}
	next, err := decide(old)
	if err != nil {
		return err
	}
	p := placed{Key: sort + name}
	if next != nil {
		if p.Value, err = json.Marshal(next); err != nil {
			return fmt.Errorf("encode %s: %w", p.Key, err)
		}
		if old == nil && len(s.items) >= keptMax {
			return invalid("This local endpoint keeps %d work groups, named queries and prepared statements at most.", keptMax)
		}
	}
	return s.write(p)
}

// keptMax bounds what is kept.
const keptMax = 10_000
