// Package replay reads the dead letters of a log again, in the order of their offsets, so that they can be sent once more.
//
// It reads what is committed and complete, beside whoever writes: up to the read-through offset of the newest entry whose files are
// known to be there. It never writes to the store.
package replay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"

	"citystream/engine/commitlog"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/schema"
)

// A Letter is a record that could not be decoded.
type Letter struct {
	Offset record.Offset
	Key    []byte // nil for none
	Value  []byte
	Error  string // why it could not
}

// listPage is how many objects are listed at a time.
const listPage = 1000

// Through returns the offset below which all dead letters of a log are in files that are there: 0 for an empty log.
func Through(ctx context.Context, store port.Store, log commitlog.Log) (record.Offset, error) {
	last, after := commitlog.None, ""
	for {
		objects, err := store.List(ctx, log.Prefix(), after, listPage)
		if err != nil {
			return 0, fmt.Errorf("list log %s: %w", log, err)
		}
		for _, o := range objects {
			if slot, ok := log.SlotOf(o.Key); ok {
				last = max(last, slot)
			}
		}
		if len(objects) < listPage {
			break
		}
		after = objects[len(objects)-1].Key
	}
	for slot := last; slot >= 0; slot-- { // the entry before one with files is complete (I2)
		body, _, err := store.Get(ctx, log.Key(slot))
		if errors.Is(err, port.ErrNotFound) { // deleted by retention
			return 0, nil
		}
		if err != nil {
			return 0, fmt.Errorf("read slot %d of %s: %w", slot, log, err)
		}
		e, err := commitlog.Decode(slot, body)
		if err != nil {
			return 0, fmt.Errorf("log %s: %w", log, err)
		}
		complete, err := exist(ctx, store, e)
		if complete || err != nil || slot < last {
			return e.ReadThrough, err
		}
	}
	return 0, nil
}

// exist reports whether all files of an entry have appeared.
func exist(ctx context.Context, store port.Store, e *commitlog.Entry) (bool, error) {
	for _, f := range e.Files {
		_, err := store.Head(ctx, f.Key)
		if errors.Is(err, port.ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("look at %s: %w", f.Key, err)
		}
	}
	return true, nil
}

// Read calls each with the dead letters of a log with offsets in [from, to), in order. It holds the files whose offsets overlap in memory.
func Read(ctx context.Context, store port.Store, rawPrefix string, log commitlog.Log, from, to record.Offset, each func(Letter) error) error {
	keys, err := files(ctx, store, rawPrefix, log)
	if err != nil {
		return err
	}
	var open []*letters
	for {
		for len(keys) > 0 && (len(open) == 0 || firstOffset(keys[0]) <= open[0].next().Offset) {
			l, err := openFile(ctx, store, keys[0])
			if err != nil {
				return err
			}
			if keys = keys[1:]; l.next() != nil {
				open = append(open, l)
			}
			sortByNext(open)
		}
		if len(open) == 0 {
			return nil
		}
		letter := *open[0].next()
		if letter.Offset >= to {
			return nil
		}
		if letter.Offset >= from {
			if err := each(letter); err != nil {
				return err
			}
		}
		if err := open[0].advance(); err != nil {
			return err
		}
		open = slices.DeleteFunc(open, func(l *letters) bool { return l.next() == nil })
		sortByNext(open)
	}
}

func sortByNext(open []*letters) {
	slices.SortFunc(open, func(a, b *letters) int { return int(a.next().Offset - b.next().Offset) })
}

// files returns the keys of a log's files of dead letters, by their first offset.
func files(ctx context.Context, store port.Store, rawPrefix string, log commitlog.Log) ([]string, error) {
	prefix, after := rawPrefix+"/"+schema.DeadLetterTable+"/", ""
	var keys []string
	for {
		objects, err := store.List(ctx, prefix, after, listPage)
		if err != nil {
			return nil, fmt.Errorf("list the dead letters: %w", err)
		}
		for _, o := range objects {
			if _, ok := log.ClaimOf(o.Key); ok {
				keys = append(keys, o.Key)
			}
		}
		if len(objects) < listPage {
			break
		}
		after = objects[len(objects)-1].Key
	}
	slices.SortFunc(keys, func(a, b string) int { return int(firstOffset(a) - firstOffset(b)) })
	return keys, nil
}

// firstOffset is the end of a file's name.
func firstOffset(key string) record.Offset {
	name := strings.TrimSuffix(path.Base(key), ".parquet")
	n, _ := strconv.ParseInt(name[strings.LastIndexByte(name, 'o')+1:], 10, 64) // ClaimOf has seen that it is a number
	return record.Offset(n)
}

// row is what is read of a dead letter.
type row struct {
	Key    []byte `parquet:"key,optional"`
	Value  []byte `parquet:"value,optional"`
	Error  string `parquet:"error,optional"`
	Offset int64  `parquet:"kafka_offset,optional"`
}

// letters goes through one file.
type letters struct {
	key    string
	reader *parquet.GenericReader[row]
	rows   []row
	left   []row
}

func openFile(ctx context.Context, store port.Store, key string) (*letters, error) {
	body, _, err := store.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	l := &letters{key: key, reader: parquet.NewGenericReader[row](bytes.NewReader(body)), rows: make([]row, 64)}
	return l, l.fill()
}

// next returns the letter that is to come, nil at the end.
func (l *letters) next() *Letter {
	if len(l.left) == 0 {
		return nil
	}
	r := l.left[0]
	return &Letter{Offset: record.Offset(r.Offset), Key: r.Key, Value: r.Value, Error: r.Error}
}

func (l *letters) advance() error {
	l.left = l.left[1:]
	return l.fill()
}

func (l *letters) fill() error {
	if len(l.left) > 0 {
		return nil
	}
	clear(l.rows)
	n, err := l.reader.Read(l.rows)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read %s: %w", l.key, err)
	}
	l.left = l.rows[:n]
	return nil
}
