package actors

import (
	"context"
	"errors"
	"fmt"

	"citystream/engine/catalog"
	"citystream/engine/commitlog"
	"citystream/engine/port"
)

// progressOf returns the progress with a topic's logs, from memory or from the store. If it is not what we wrote, another catalog is at
// work, and what it may have changed of the table is looked at again.
func (r *registrar) progressOf(ctx context.Context, of topicOf) (*kept, error) {
	if k := r.progress[of]; k != nil {
		return k, nil
	}
	k := &kept{progress: catalog.NewProgress()}
	body, etag, err := r.node.Store.Get(ctx, catalog.ProgressKey(of.table, of.topic))
	switch {
	case isNotFound(err):
	case err != nil:
		return nil, fmt.Errorf("read progress: %w", err)
	default:
		if k.progress, err = catalog.DecodeProgress(body); err != nil {
			return nil, err
		}
		k.etag = etag
	}
	if written, ok := r.written[of]; ok && written != string(body) {
		delete(r.known, of.table)
	}
	r.written[of] = string(body)
	r.progress[of] = k
	return k, nil
}

// save writes a progress where nobody else has written one meanwhile. Whatever goes wrong, the next look reads it again.
func (r *registrar) save(ctx context.Context, of topicOf, before *kept, p catalog.Progress) error {
	delete(r.progress, of)
	key, body := catalog.ProgressKey(of.table, of.topic), p.Encode()
	var err error
	if before.etag == "" {
		err = r.node.Store.PutIfAbsent(ctx, key, body)
	} else {
		err = r.node.Store.PutIfMatch(ctx, key, body, before.etag)
	}
	switch {
	case errors.Is(err, port.ErrConflict) || isNotFound(err):
		return fmt.Errorf("another catalog has written the progress; it is read again: %w", err)
	case err != nil:
		return fmt.Errorf("write progress: %w", err)
	}
	r.written[of] = string(body)
	return nil
}

// newsMax is how many entries of a topic one round reads, in all its logs together: long logs that are read from their beginning are registered
// piece by piece, and what was done of them lasts. A round that was broken off before it wrote the progress would begin again for ever.
const newsMax = 2000

// news returns up to limit entries of a log behind a slot whose files may be registered, and whether there may be more.
func (r *registrar) news(ctx context.Context, log commitlog.Log, after commitlog.Slot, limit int) (entries []*commitlog.Entry, more bool, err error) {
	entries, more, err = readEntries(ctx, r.node.Store, log, after, limit)
	if err != nil || len(entries) == 0 {
		return entries, more, err
	}
	seen, err := r.seen(ctx, entries[len(entries)-1])
	if err != nil {
		return nil, false, err
	}
	return entries[:catalog.Usable(entries, seen)], more, nil
}

// readEntries returns up to limit entries of a log behind a slot, and whether there may be more.
func readEntries(ctx context.Context, store port.Store, log commitlog.Log, after commitlog.Slot, limit int) (entries []*commitlog.Entry, more bool, err error) {
	key := ""
	if after >= 0 {
		key = log.Key(after)
	}
	for {
		page, err := store.List(ctx, log.Prefix(), key, min(listPage, limit))
		if err != nil {
			return nil, false, fmt.Errorf("list log %s: %w", log, err)
		}
		for _, o := range page {
			slot, ok := log.SlotOf(o.Key)
			if !ok {
				continue
			}
			e, err := readEntry(ctx, store, log, slot)
			if err != nil {
				return nil, false, err
			}
			entries = append(entries, e)
		}
		if len(page) < min(listPage, limit) {
			return entries, false, nil
		}
		if len(entries) >= limit {
			return entries, true, nil
		}
		key = page[len(page)-1].Key
	}
}

func readEntry(ctx context.Context, store port.Store, log commitlog.Log, slot commitlog.Slot) (*commitlog.Entry, error) {
	body, _, err := store.Get(ctx, log.Key(slot))
	if err != nil {
		return nil, fmt.Errorf("read slot %d of %s: %w", slot, log, err)
	}
	e, err := commitlog.Decode(slot, body)
	if err != nil {
		return nil, fmt.Errorf("log %s: %w", log, err)
	}
	return e, nil
}

// seen reports whether all files of an entry exist.
func (r *registrar) seen(ctx context.Context, e *commitlog.Entry) (bool, error) {
	for _, f := range e.Files {
		_, err := r.node.Store.Head(ctx, f.Key)
		if isNotFound(err) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("look at %s: %w", f.Key, err)
		}
	}
	return true, nil
}
