package redshift

import (
	"context"
	"errors"
	"fmt"

	"citystream/engine/port"
)

// Bounds of what one transaction loads.
const (
	commitsMax  = 200
	groupsMax   = 11     // of files that are copied together: three statements each, beside those of every transaction
	entriesMax  = 90_000 // bytes of the commits' entries, which are one statement
	failuresMax = 16     // transactions of one call that may fail while a bad commit is looked for
)

// Load implements port.Warehouse. A transaction that cannot run is tried again in halves, so that one bad commit holds up no other.
func (w *Warehouse) Load(ctx context.Context, table port.WarehouseTable, commits []port.LoadCommit) ([]port.LoadedCommit, error) {
	l := &loading{Warehouse: w, table: table}
	found, err := l.load(ctx, commits)
	if err != nil {
		return nil, fmt.Errorf("redshift: load %d commits into %s: %w", len(commits), table.Name, err)
	}
	return found, nil
}

// A loading is one call of Load.
type loading struct {
	*Warehouse
	table    port.WarehouseTable
	failures int
}

// load looks at the log, adds what is missing, and looks again: a transaction in which somebody else was faster adds nothing.
func (l *loading) load(ctx context.Context, commits []port.LoadCommit) ([]port.LoadedCommit, error) {
	if err := valid(l.table, commits); err != nil {
		return nil, err
	}
	ids := make([]string, len(commits))
	for i, c := range commits {
		ids[i] = c.ID
	}
	logged := map[string]port.LoadedCommit{}
	rows, err := l.Loaded(ctx, l.table.Name, ids)
	if err != nil {
		return nil, err
	}
	for round := 0; ; round++ {
		for _, r := range rows {
			logged[r.ID] = r
		}
		missing := without(commits, logged)
		if len(missing) == 0 {
			return pick(commits, logged), nil
		}
		if round == tries {
			return nil, fmt.Errorf("%w: others load the same commits", port.ErrTransient)
		}
		if rows, err = l.some(ctx, missing); err != nil {
			return nil, err
		}
		if len(rows) == 0 { // somebody else has loaded a part of it
			if rows, err = l.Loaded(ctx, l.table.Name, ids); err != nil {
				return nil, err
			}
		}
	}
}

func without(commits []port.LoadCommit, logged map[string]port.LoadedCommit) []port.LoadCommit {
	var missing []port.LoadCommit
	seen := map[string]bool{}
	for _, c := range commits {
		if _, ok := logged[c.ID]; !ok && !seen[c.ID] {
			missing = append(missing, c)
			seen[c.ID] = true
		}
	}
	return missing
}

func pick(commits []port.LoadCommit, logged map[string]port.LoadedCommit) []port.LoadedCommit {
	found := make([]port.LoadedCommit, len(commits))
	for i, c := range commits {
		found[i] = logged[c.ID]
	}
	return found
}

// some loads commits, as many transactions as that takes, and returns what the log has of them then.
func (l *loading) some(ctx context.Context, commits []port.LoadCommit) ([]port.LoadedCommit, error) {
	var found []port.LoadedCommit
	var faults []error
	for len(commits) > 0 {
		n := fitting(commits)
		rows, err := l.halves(ctx, commits[:n])
		found = append(found, rows...)
		if err != nil {
			faults = append(faults, err)
			if !errors.Is(err, port.ErrQueryFailed) || l.failures > failuresMax {
				break
			}
		}
		commits = commits[n:]
	}
	return found, errors.Join(faults...)
}

// halves loads the commits in one transaction, or in two halves if that cannot run.
func (l *loading) halves(ctx context.Context, commits []port.LoadCommit) ([]port.LoadedCommit, error) {
	rows, err := l.together(ctx, commits)
	if err == nil || !errors.Is(err, port.ErrQueryFailed) || errors.Is(err, port.ErrNotFound) {
		return rows, err
	}
	if l.failures++; len(commits) == 1 {
		return nil, &port.RejectedError{ID: commits[0].ID, Err: err}
	}
	if l.failures > failuresMax {
		return nil, err
	}
	half := len(commits) / 2
	first, err := l.halves(ctx, commits[:half])
	second, err2 := l.halves(ctx, commits[half:])
	return append(first, second...), errors.Join(err, err2)
}

// together loads the commits in one transaction, if none of them is loaded, and returns what the log has of them then. An outcome that is
// not known is looked up.
func (l *loading) together(ctx context.Context, commits []port.LoadCommit) ([]port.LoadedCommit, error) {
	s, err := l.stage(ctx, l.table, commits)
	if err != nil {
		return nil, err
	}
	rows, err := l.transaction(ctx, s.load()...)
	s.clear(ctx, err)
	if err == nil {
		return commitsOf(rows)
	}
	if ctx.Err() == nil && errors.Is(err, port.ErrTransient) {
		ids := make([]string, len(commits))
		for i, c := range commits {
			ids[i] = c.ID
		}
		if done, lookErr := l.Loaded(ctx, l.table.Name, ids); lookErr == nil && len(done) == len(commits) {
			return done, nil
		}
	}
	return nil, err
}

// Reload implements port.Warehouse.
func (w *Warehouse) Reload(ctx context.Context, table port.WarehouseTable, r port.Reload) (int64, error) {
	rows, err := w.reload(ctx, table, r)
	if err != nil {
		return 0, fmt.Errorf("redshift: reload %s of %s: %w", partitionText(r.Values), table.Name, err)
	}
	return rows, nil
}

func (w *Warehouse) reload(ctx context.Context, table port.WarehouseTable, r port.Reload) (int64, error) {
	if err := valid(table, r.Commits); err != nil {
		return 0, err
	}
	if len(without(r.Commits, nil)) < len(r.Commits) {
		return 0, fmt.Errorf("%w: a commit is given twice", port.ErrQueryFailed)
	}
	for _, c := range r.Commits {
		if partitionText(c.Values) != partitionText(r.Values) {
			return 0, fmt.Errorf("%w: commit %s is of the Hive partition %s", port.ErrQueryFailed, c.ID, partitionText(c.Values))
		}
	}
	if len(r.Values) != len(table.PartitionKeys) || len(r.Values) == 0 {
		return 0, fmt.Errorf("%w: %d values for %d partition keys", port.ErrQueryFailed, len(r.Values), len(table.PartitionKeys))
	}
	s, err := w.stage(ctx, table, r.Commits)
	if err != nil {
		return 0, err
	}
	rows, err := w.transaction(ctx, s.reload(r)...)
	s.clear(ctx, err)
	if err != nil {
		return 0, err
	}
	return numberOf(rows)
}

// valid refuses what would fail only after files were copied, or load something else than was meant.
func valid(table port.WarehouseTable, commits []port.LoadCommit) error {
	types := columnTypes(table)
	for _, c := range commits {
		switch {
		case c.ID == "" || len(c.ID) > 1024:
			return fmt.Errorf("%w: %q is no id of a commit", port.ErrQueryFailed, c.ID)
		case len(c.Values) != len(table.PartitionKeys):
			return fmt.Errorf("%w: commit %s has %d values for %d partition keys", port.ErrQueryFailed, c.ID, len(c.Values), len(table.PartitionKeys))
		}
		for _, name := range c.Columns {
			if types[name] == "" {
				return fmt.Errorf("%w: commit %s has files with a column %s that the table has not: keep it in the table until they are loaded",
					port.ErrQueryFailed, c.ID, name)
			}
		}
	}
	return nil
}

// fitting returns how many of the commits, from the first on, one transaction takes: one at least.
func fitting(commits []port.LoadCommit) int {
	groups, bytes := map[string]bool{}, 0
	for i, c := range commits {
		groups[groupOf(c)] = true
		bytes += len(entry(c)) + 2
		if i > 0 && (i == commitsMax || len(groups) > groupsMax || bytes > entriesMax) {
			return i
		}
	}
	return len(commits)
}
