package actors

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"citystream/engine/catalog"
	"citystream/engine/commitlog"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/schema"
)

// announceMost is how many windows of a table are announced in a round: each takes a PUT, and what a round has announced it is to show before its time
// is over.
const announceMost = 1000

// complete announces the windows of a table that are due, and takes them out of the progress. A window that cannot be announced stays, and what is more
// than a round may announce. It returns how many were announced.
func (r *registrar) complete(ctx context.Context, of topicOf, table *schema.Table, p catalog.Progress) (int, error) {
	partitions := r.partitions[of.topic]
	var errs []error
	var all []*catalog.Announcement
	for _, window := range p.Due(partitions, table.Window) {
		if r.waits(lateOf{table.Name, window}) {
			continue
		}
		a, err := r.announce(ctx, of, r.node.place(table.Name, window), p, partitions)
		if err != nil {
			errs = append(errs, fmt.Errorf("announce %s: %w", commitlog.HivePath(window), err))
			continue
		}
		if all = append(all, a); len(all) == announceMost {
			r.again = time.Millisecond
			break
		}
	}
	if len(all) == 0 {
		return 0, errors.Join(errs...)
	}
	all, err := r.show(ctx, table, all)
	errs = append(errs, err)
	for _, a := range all {
		r.known[table.Name][a.Location] = true // by another catalog, if not by us
		delete(p.Windows, a.Window)
		delete(r.late, lateOf{table.Name, a.Window})
	}
	r.board.noteShown(table.Name, len(r.known[table.Name]))
	return len(all), errors.Join(errs...)
}

// waits reports whether a window's late files are to be collected for a while before they are announced, since each announcement has
// everything that follows from the window made again.
func (r *registrar) waits(w lateOf) bool {
	if r.node.LateAfter == 0 || r.board.revision(w.table, w.window) == 0 {
		return false
	}
	since, ok := r.late[w]
	if !ok {
		since = time.Now()
		r.late[w] = since
	}
	left := r.node.LateAfter - time.Since(since)
	if left > 0 && (r.again == 0 || left < r.again) {
		r.again = left
	}
	return left > 0
}

// announce returns the announcement of a window that counts all its files, and writes it if there is none yet.
func (r *registrar) announce(ctx context.Context, of topicOf, place catalog.Place, p catalog.Progress, partitions int) (*catalog.Announcement, error) {
	newest := r.board.revision(of.table, place.Window)
	for {
		last, err := r.announcement(ctx, of.table, place.Window, newest)
		if err != nil {
			return nil, err
		}
		if last.Counts(p.Windows[place.Window]) && last != nil {
			r.board.noteAnnounced(last)
			return last, nil
		}
		a := catalog.Announce(last, of.topic, place, r.node.Bucket, p, partitions, time.Now())
		err = r.node.Store.PutIfAbsent(ctx, catalog.AnnouncementKey(a.Table, a.Window, a.Revision), a.Encode())
		if errors.Is(err, port.ErrConflict) { // another catalog, or an own try without an answer
			if newest, err = r.newest(ctx, of.table, place.Window); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		r.board.noteAnnounced(a)
		r.node.Metrics.Completed.WithLabelValues(a.Table).Inc()
		r.node.Log.Info("Hive partition complete", "table", a.Table, "date", a.Date, "hour", a.Hour, "revision", a.Revision)
		return a, nil
	}
}

// announcement reads an announcement; revision 0 is none.
func (r *registrar) announcement(ctx context.Context, table string, window record.Micros, revision catalog.Revision) (*catalog.Announcement, error) {
	if revision == 0 {
		return nil, nil
	}
	body, _, err := r.node.Store.Get(ctx, catalog.AnnouncementKey(table, window, revision))
	if err != nil {
		return nil, fmt.Errorf("read revision %d: %w", revision, err)
	}
	return catalog.DecodeAnnouncement(body)
}

// newest returns the newest revision of a window.
func (r *registrar) newest(ctx context.Context, table string, window record.Micros) (catalog.Revision, error) {
	newest := catalog.Revision(0)
	err := listAll(ctx, r.node.Store, catalog.RevisionsPrefix(table, window), func(o port.Object) {
		if _, revision, ok := catalog.ParseAnnouncementKey(table, o.Key); ok {
			newest = max(newest, revision)
		}
	})
	return newest, err
}

// show has the catalog show announcements, and returns those that it does. Another catalog may have announced a window again meanwhile, and
// shown that before us; then it has written the progress, too, and we find ours refused and compare.
func (r *registrar) show(ctx context.Context, t *schema.Table, all []*catalog.Announcement) ([]*catalog.Announcement, error) {
	partitions := make([]port.HivePartition, len(all))
	for i, a := range all {
		partitions[i] = a.Partition()
	}
	err := r.node.Catalog.SetPartitions(ctx, r.node.Database, strings.ToLower(t.Name), partitions)
	shown := map[string]bool{}
	for _, p := range port.Accepted(partitions, err) {
		shown[p.Location] = true
	}
	return slices.DeleteFunc(all, func(a *catalog.Announcement) bool { return !shown[a.Location] }), r.missed(err)
}

// compare holds what the catalog shows against what was announced, and mends it: what was announced and is not shown is registered again. Windows
// that are registered and were never announced are noted. It returns the Hive partitions that there are now.
func (r *registrar) compare(ctx context.Context, t *schema.Table, shown []port.HivePartition) ([]port.HivePartition, error) {
	state := &catalog.TableState{Length: t.Window, Announced: map[record.Micros]catalog.Revision{}}
	err := listAll(ctx, r.node.Store, catalog.AnnouncementsPrefix(t.Name), func(o port.Object) {
		if window, revision, ok := catalog.ParseAnnouncementKey(t.Name, o.Key); ok {
			state.Announced[window] = max(state.Announced[window], revision)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("list announcements: %w", err)
	}
	revisions := map[record.Micros]catalog.Revision{}
	r.unknown[t.Name] = nil
	for _, p := range shown {
		if window, ok := catalog.WindowOf(p.Values); ok {
			if revisions[window] = catalog.RevisionOf(p); state.Announced[window] == 0 {
				r.unknown[t.Name] = append(r.unknown[t.Name], window)
			}
		}
	}
	var stale []record.Micros
	for window, revision := range state.Announced {
		if revisions[window] != revision {
			stale = append(stale, window)
		}
	}
	slices.Sort(stale)
	for some := range slices.Chunk(stale, staleMax) { // what was mended lasts, should there be too many for one round
		mended, err := r.mend(ctx, t, some, state.Announced)
		if err = r.refused(t.Name, err); err != nil {
			return nil, err
		}
		for _, a := range mended {
			if _, ok := revisions[a.Window]; !ok {
				shown = append(shown, a.Partition())
			}
		}
	}
	r.board.noteTable(t.Name, state)
	return shown, nil
}

// staleMax is how many Hive partitions are mended at once.
const staleMax = 100

// refused warns of Hive partitions that are refused, which hold up only what has files in them, and returns any other error.
func (r *registrar) refused(table string, err error) error {
	var part *port.PartitionsError
	if errors.As(err, &part) {
		r.node.Log.Warn("Hive partitions cannot be made as they were", "table", table, "error", err)
		return nil
	}
	return err
}

// mend shows windows in the revisions in which they were announced, and returns those that it could.
func (r *registrar) mend(ctx context.Context, t *schema.Table, windows []record.Micros, announced map[record.Micros]catalog.Revision) ([]*catalog.Announcement, error) {
	var all []*catalog.Announcement
	for _, w := range windows {
		a, err := r.announcement(ctx, t.Name, w, announced[w])
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return r.show(ctx, t, all)
}

// listAll calls each for all objects below a prefix, in the order of their keys.
func listAll(ctx context.Context, store port.Store, prefix string, each func(port.Object)) error {
	after := ""
	for {
		page, err := store.List(ctx, prefix, after, listPage)
		if err != nil {
			return err
		}
		for _, o := range page {
			each(o)
		}
		if len(page) < listPage {
			return nil
		}
		after = page[len(page)-1].Key
	}
}
