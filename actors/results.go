package actors

import (
	"context"
	"fmt"

	"citystream/engine/catalog"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/messages"
)

// prepare makes the table of a transform, and learns which results it has. What readers are led to is held against the results, and mended:
// another catalog may have had its last word late, or none.
func (t *transformer) prepare(ctx context.Context, x *target) error {
	if x.ready {
		return nil
	}
	name, db := x.transform.Name, t.node.Database
	location := "s3://" + t.node.Bucket + "/" + t.node.TransformedPrefix + "/" + name + "/"
	if err := t.node.Catalog.EnsureDatabase(ctx, db); err != nil {
		return err
	}
	if err := t.node.Catalog.EnsureTable(ctx, db, catalog.DescribeResult(x.transform, location)); err != nil {
		return err
	}
	done := map[record.Micros]catalog.Edition{}
	var last port.Object
	err := listAll(ctx, t.node.Store, catalog.ResultsPrefix(name), func(o port.Object) {
		window, e, ok := catalog.ParseResultKey(name, o.Key)
		if ok && !e.Before(done[window]) {
			done[window] = e
		}
		if ok && o.Modified >= last.Modified {
			last = o
		}
	})
	if err != nil {
		return fmt.Errorf("list results: %w", err)
	}
	if err := t.recall(ctx, x, last.Key); err != nil {
		return err
	}
	partitions, err := t.node.Catalog.Partitions(ctx, db, name)
	if err != nil {
		return err
	}
	shown := map[record.Micros]catalog.Edition{}
	for _, p := range partitions {
		if window, ok := catalog.WindowOf(p.Values); ok {
			shown[window] = catalog.EditionOf(p)
		}
	}
	for window, e := range done {
		if shown[window] == e {
			continue
		}
		r, err := t.result(ctx, name, window, e)
		if err != nil {
			return err
		}
		if _, err := t.show(ctx, name, r); err != nil {
			return err
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.done, x.ready = done, true
	return nil
}

// recall has the board show the last result of a table, by whichever catalog, and makes sure that the transform goes on from it.
func (t *transformer) recall(ctx context.Context, x *target, key string) error {
	if key == "" {
		return nil
	}
	body, _, err := t.node.Store.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("read the last result: %w", err)
	}
	r, err := catalog.DecodeResult(body)
	if err != nil {
		return err
	}
	t.board.noteResult(x.transform.Name, func(s *messages.TransformStatus) {
		if s.QueryId == "" {
			noteRun(s, r)
		}
	})
	return r.Fits(x.transform)
}

// result reads a result.
func (t *transformer) result(ctx context.Context, table string, window record.Micros, e catalog.Edition) (*catalog.Result, error) {
	body, _, err := t.node.Store.Get(ctx, catalog.ResultKey(table, window, e))
	if err != nil {
		return nil, fmt.Errorf("read a result: %w", err)
	}
	return catalog.DecodeResult(body)
}

// newest returns the newest edition of the results for a window.
func (t *transformer) newest(ctx context.Context, table string, window record.Micros) (catalog.Edition, error) {
	var newest catalog.Edition
	err := listAll(ctx, t.node.Store, catalog.EditionsPrefix(table, window), func(o port.Object) {
		if _, e, ok := catalog.ParseResultKey(table, o.Key); ok && newest.Before(e) {
			newest = e
		}
	})
	if err != nil {
		return newest, fmt.Errorf("list the results for a window: %w", err)
	}
	return newest, nil
}

// show leads readers to the newest result for a window, of which r is one, and returns it. It looks again afterwards, for another catalog
// may have made a newer one and led readers to that before us.
func (t *transformer) show(ctx context.Context, table string, r *catalog.Result) (*catalog.Result, error) {
	for shown := false; ; shown = true {
		newest, err := t.newest(ctx, table, r.Window)
		if err != nil {
			return nil, err
		}
		switch {
		case newest != r.Edition:
			if r, err = t.result(ctx, table, r.Window, newest); err != nil {
				return nil, err
			}
		case shown:
			return r, nil
		}
		if err := t.node.Catalog.SetPartitions(ctx, t.node.Database, table, []port.HivePartition{r.Partition()}); err != nil {
			return nil, fmt.Errorf("lead readers to the result: %w", err)
		}
	}
}
