package actors

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"citystream/engine/catalog"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/messages"
)

func (l *loader) notePending(table string, registered map[record.Partition]catalog.Cursor, p catalog.LoadProgress) {
	pending := int64(0)
	for n, c := range registered {
		pending += max(0, int64(c.Slot-p.After(n)))
	}
	l.board.noteLoad(table, func(s *messages.LoadStatus) { s.Pending, s.Aside, s.Gone = pending, int64(len(p.Aside)), p.Gone })
}

// progressOf returns the progress of a table's loads. At the first look it is held against the log of loads, which is what counts: if the schema was
// dropped, or an older state of it restored, all slots are looked at again.
func (l *loader) progressOf(ctx context.Context, of topicOf) (*loadKept, error) {
	if k := l.progress[of]; k != nil {
		return k, nil
	}
	k, err := l.readProgress(ctx, of)
	if err != nil {
		return nil, err
	}
	if !l.checked[of] {
		ids := slices.Sorted(maps.Values(k.progress.Last))
		loaded, err := l.node.Warehouse.Loaded(ctx, strings.ToLower(of.table), ids)
		if err != nil {
			return nil, err
		}
		if len(loaded) < len(ids) {
			l.node.Log.Warn("the log of loads lacks commits that were loaded: all that the commit logs have is looked at again",
				"table", of.table, "lacks", len(ids)-len(loaded))
			k.progress = k.progress.Anew()
			l.board.noteLoaded(of, k.progress.Slots)
		}
		l.checked[of] = true
	}
	l.progress[of] = k
	return k, nil
}

func (l *loader) readProgress(ctx context.Context, of topicOf) (*loadKept, error) {
	k := &loadKept{progress: catalog.LoadProgress{}.Anew()}
	body, etag, err := l.node.Store.Get(ctx, catalog.LoadProgressKey(l.node.WarehouseName, of.table, of.topic))
	switch {
	case isNotFound(err):
	case err != nil:
		return nil, fmt.Errorf("read the progress of loads: %w", err)
	default:
		if k.progress, err = catalog.DecodeLoadProgress(body); err != nil {
			return nil, err
		}
		k.etag = etag
	}
	return k, nil
}

// save writes the progress where nobody else has written one meanwhile; it is read again in any case.
func (l *loader) save(ctx context.Context, of topicOf, before *loadKept, p catalog.LoadProgress) error {
	delete(l.progress, of)
	key := catalog.LoadProgressKey(l.node.WarehouseName, of.table, of.topic)
	var err error
	if before.etag == "" {
		err = l.node.Store.PutIfAbsent(ctx, key, p.Encode())
	} else {
		err = l.node.Store.PutIfMatch(ctx, key, p.Encode(), before.etag)
	}
	if errors.Is(err, port.ErrConflict) || isNotFound(err) {
		delete(l.checked, of)
		return nil // another catalog loads too; what it has written counts
	}
	if err != nil {
		return fmt.Errorf("write the progress of loads: %w", err)
	}
	return nil
}
