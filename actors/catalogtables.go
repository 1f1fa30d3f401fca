package actors

import (
	"context"
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
