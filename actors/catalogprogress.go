package actors

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"citystream/engine/catalog"
	"citystream/engine/commitlog"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/schema"
)

// prepare makes the database, once.
func (r *registrar) prepare(ctx context.Context) error {
	if r.lost {
		r.lost, r.ready = false, false
		clear(r.known)
	}
	if r.ready {
		return nil
	}
	if err := r.node.Catalog.EnsureDatabase(ctx, r.node.Database); err != nil {
		return fmt.Errorf("database %s: %w", r.node.Database, err)
	}
	r.ready = true
	return nil
}

// missed notes that the catalog lacks what was made: somebody has dropped the database or a table, and all of it is to be made again.
func (r *registrar) missed(err error) error {
	r.lost = r.lost || isNotFound(err)
	return err
}

// prepareTable makes a table, its side table and that of the dead letters, and learns what is known of them.
func (r *registrar) prepareTable(ctx context.Context, table *schema.Table) error {
	tables := []*schema.Table{table, r.node.DeadLetters}
	if side := table.LateTable(); side != nil {
		tables = append(tables, side)
	}
	for _, t := range tables {
		if r.known[t.Name] != nil {
			continue
		}
		if err := r.learn(ctx, t, t == table); err != nil {
			return fmt.Errorf("table %s: %w", t.Name, err)
		}
	}
	return nil
}

// learn makes a table and reads which Hive partitions it has. Of those that are announced what is shown is held against what was
// announced: another catalog may have had its last word late, or none, and somebody may have taken Hive partitions away. Of the others
// nothing is announced, so their folders tell: at the first look, and when there is nothing left.
func (r *registrar) learn(ctx context.Context, t *schema.Table, announces bool) error {
	name := strings.ToLower(t.Name)
	described := catalog.Describe(t, r.node.location(t.Name))
	if !r.node.ProjectFrom.IsZero() {
		described = catalog.Project(described, r.node.ProjectFrom)
	}
	if err := r.node.Catalog.EnsureTable(ctx, r.node.Database, described); err != nil {
		return r.missed(err)
	}
	partitions, err := r.node.Catalog.Partitions(ctx, r.node.Database, name)
	if err != nil {
		return r.missed(err)
	}
	switch {
	case announces:
		partitions, err = r.compare(ctx, t, partitions)
	case len(partitions) == 0 || !r.searched[t.Name]:
		partitions, err = r.search(ctx, t.Name, partitions)
	}
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, p := range partitions {
		known[strings.TrimSuffix(p.Location, "/")+"/"] = true
	}
	r.known[t.Name] = known
	r.board.noteShown(t.Name, len(known))
	return nil
}

// search registers the Hive partitions that a table has folders of and the catalog does not show, and returns all.
func (r *registrar) search(ctx context.Context, table string, shown []port.HivePartition) ([]port.HivePartition, error) {
	there := map[record.Micros]bool{}
	for _, p := range shown {
		if window, ok := catalog.WindowOf(p.Values); ok {
			there[window] = true
		}
	}
	prefix := r.node.RawPrefix + "/" + table + "/"
	var lacking []port.HivePartition
	for after := ""; ; { // one look a folder, however many files it has
		page, err := r.node.Store.List(ctx, prefix, after, 1)
		if err != nil {
			return nil, fmt.Errorf("list folders: %w", err)
		}
		if len(page) == 0 {
			break
		}
		after = page[0].Key
		window, ok := catalog.WindowOfFile(strings.TrimPrefix(after, prefix))
		if !ok {
			continue // not one of ours
		}
		after = path.Dir(after) + "0" // which sorts behind all that the folder has, since it comes next to the slash
		if !there[window] {
			lacking = append(lacking, r.node.place(table, window).Partition(r.node.Bucket))
		}
	}
	r.searched[table] = true
	if len(lacking) == 0 {
		return shown, nil
	}
	err := r.node.Catalog.AddPartitions(ctx, r.node.Database, strings.ToLower(table), lacking)
	shown = append(shown, port.Accepted(lacking, err)...)
	return shown, r.refused(table, r.missed(err))
}

// place returns the Hive partition of a window of a table.
func (n *Node) place(table string, window record.Micros) catalog.Place {
	return catalog.Place{Table: table, Window: window, Folder: n.RawPrefix + "/" + table + "/" + commitlog.HivePath(window) + "/"}
}

// location returns where the files of a table lie.
func (n *Node) location(table string) string {
	return "s3://" + n.Bucket + "/" + n.RawPrefix + "/" + table + "/"
}

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
