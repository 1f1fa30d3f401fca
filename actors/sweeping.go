package actors

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"citystream/engine/catalog"
	"citystream/engine/port"
	"citystream/engine/record"
)

// sweeper takes away the rows of results that nobody is led to any more, a day after they were superseded: queries that were planned before
// still read them until then. Rows of runs that were broken off go the same way. One goroutine uses it at a time.
type sweeper struct {
	node *Node
	last time.Time
}

// round sweeps the tables of all transforms, if it is time again.
func (s *sweeper) round(ctx context.Context) outcome {
	if s.node.Housekeeping == 0 || time.Since(s.last) < s.node.Housekeeping {
		return outcome{}
	}
	now, err := storeTime(ctx, s.node.Store)
	if err != nil {
		return outcome{err: err}
	}
	var o outcome
	for _, x := range s.node.Transforms {
		if err := s.sweep(ctx, x.Name, now); err != nil {
			o.err = errors.Join(o.err, fmt.Errorf("sweep %s: %w", x.Name, err))
			continue
		}
		o.part = true
	}
	if o.err == nil {
		s.last = time.Now()
	}
	return o
}

// sweep deletes the objects of one table's superseded folders. What the catalog leads readers to stays whatever the results say, and so does
// what the newest result of each window leads to.
func (s *sweeper) sweep(ctx context.Context, table string, now time.Time) error {
	newest := map[record.Micros]port.Object{}
	err := listAll(ctx, s.node.Store, catalog.ResultsPrefix(table), func(o port.Object) {
		if window, _, ok := catalog.ParseResultKey(table, o.Key); ok {
			newest[window] = o // keys sort as editions do
		}
	})
	if err != nil {
		return err
	}
	shown, err := s.node.Catalog.Partitions(ctx, s.node.Database, table)
	if isNotFound(err) {
		return nil // not made yet
	}
	if err != nil {
		return err
	}
	used := map[string]bool{}
	for _, p := range shown {
		used[strings.TrimPrefix(p.Location, "s3://"+s.node.Bucket+"/")] = true
	}
	folders, objects, err := s.folders(ctx, table)
	if err != nil {
		return err
	}
	maps.DeleteFunc(folders, func(_ record.Micros, all map[string]time.Time) bool { // nothing but what readers are led to
		return !slices.ContainsFunc(slices.Collect(maps.Keys(all)), func(folder string) bool { return !used[folder] })
	})
	for window, all := range folders {
		current, since := "", time.Time{}
		if o, ok := newest[window]; ok {
			body, _, err := s.node.Store.Get(ctx, o.Key)
			if err != nil {
				return err
			}
			r, err := catalog.DecodeResult(body)
			if err != nil {
				return err
			}
			current, since = strings.TrimPrefix(r.Location, "s3://"+s.node.Bucket+"/"), time.UnixMicro(o.Modified)
		}
		for _, folder := range catalog.Sweep(all, current, since, now) {
			if used[folder] {
				continue
			}
			for _, key := range objects[folder] {
				if err := s.node.Store.Delete(ctx, key); err != nil {
					return err
				}
			}
			s.node.Log.Info("deleted the rows of an older result", "folder", folder, "objects", len(objects[folder]))
		}
	}
	return nil
}

// folders returns the folders of each window of a table, with the time of the youngest object in each, and the keys of the objects by folder.
func (s *sweeper) folders(ctx context.Context, table string) (map[record.Micros]map[string]time.Time, map[string][]string, error) {
	folders, objects := map[record.Micros]map[string]time.Time{}, map[string][]string{}
	err := listAll(ctx, s.node.Store, s.node.TransformedPrefix+"/"+table+"/", func(o port.Object) {
		folder := o.Key[:strings.LastIndexByte(o.Key, '/')+1]
		window, ok := catalog.WindowOfFolder(s.node.TransformedPrefix, table, folder)
		if !ok {
			return // not one of ours
		}
		if folders[window] == nil {
			folders[window] = map[string]time.Time{}
		}
		if at := time.UnixMicro(o.Modified); at.After(folders[window][folder]) {
			folders[window][folder] = at
		}
		objects[folder] = append(objects[folder], o.Key)
	})
	return folders, objects, err
}
