package redshift

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"citystream/engine/port"
)

// idsAtOnce is how many ids one query asks for; each has up to 1,024 bytes, and they are well below a tenth of that.
const idsAtOnce = 500

// Loaded implements port.Warehouse.
func (w *Warehouse) Loaded(ctx context.Context, table string, ids []string) ([]port.LoadedCommit, error) {
	var found []port.LoadedCommit
	for some := range slices.Chunk(ids, idsAtOnce) {
		texts := make([]string, len(some))
		for i, id := range some {
			texts[i] = literal(id)
		}
		rows, err := w.logged(ctx, table, "commit_id IN ("+strings.Join(texts, ", ")+")")
		if err != nil {
			return nil, err
		}
		found = append(found, rows...)
	}
	return inOrder(found), nil
}

// LoadedOf implements port.Warehouse.
func (w *Warehouse) LoadedOf(ctx context.Context, table string, values []string) ([]port.LoadedCommit, error) {
	condition := "true"
	if values != nil {
		condition = "hive_partition = " + literal(partitionText(values))
	}
	rows, err := w.logged(ctx, table, condition)
	return inOrder(rows), err
}

// LoadedSum implements port.Warehouse.
func (w *Warehouse) LoadedSum(ctx context.Context, table string) (commits, rows int64, err error) {
	sums, err := w.query(ctx, "SELECT count(*), CAST(COALESCE(sum(row_count), 0) AS BIGINT) FROM "+w.name(logTable)+" WHERE table_name = "+literal(table))
	switch {
	case errors.Is(err, errNoTable):
		return 0, 0, nil
	case err == nil && (len(sums) != 1 || len(sums[0]) != 2):
		err = fmt.Errorf("the service answered %d rows where two sums were asked for", len(sums))
	}
	if err == nil {
		if commits, err = strconv.ParseInt(sums[0][0], 10, 64); err == nil {
			rows, err = strconv.ParseInt(sums[0][1], 10, 64)
		}
	}
	if err != nil {
		return 0, 0, fmt.Errorf("redshift: sums of the log of loads of %s: %w", table, err)
	}
	return commits, rows, nil
}

func inOrder(commits []port.LoadedCommit) []port.LoadedCommit {
	slices.SortFunc(commits, func(a, b port.LoadedCommit) int { return strings.Compare(a.ID, b.ID) })
	return slices.CompactFunc(commits, func(a, b port.LoadedCommit) bool { return a.ID == b.ID })
}

// logged returns the rows of the log of loads that a condition holds for. Where there is no log, nothing is loaded.
func (w *Warehouse) logged(ctx context.Context, table, condition string) ([]port.LoadedCommit, error) {
	rows, err := w.query(ctx, "SELECT commit_id, hive_partition, row_count FROM "+w.name(logTable)+
		" WHERE table_name = "+literal(table)+" AND "+condition)
	if errors.Is(err, errNoTable) {
		return nil, nil
	}
	if err == nil {
		var commits []port.LoadedCommit
		if commits, err = commitsOf(rows); err == nil {
			return commits, nil
		}
	}
	return nil, fmt.Errorf("redshift: log of loads of %s: %w", table, err)
}

func commitsOf(rows [][]string) ([]port.LoadedCommit, error) {
	commits := make([]port.LoadedCommit, len(rows))
	for i, r := range rows {
		if len(r) != 3 {
			return nil, fmt.Errorf("a row of %d columns", len(r))
		}
		n, err := strconv.ParseInt(r[2], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("rows of %s: %w", r[0], err)
		}
		values, err := partitionValues(r[1])
		if err != nil {
			return nil, fmt.Errorf("hive partition of %s: %w", r[0], err)
		}
		commits[i] = port.LoadedCommit{ID: r[0], Values: values, Rows: n}
	}
	return commits, nil
}

// partitionText returns the values of a Hive partition as the log of loads has them.
func partitionText(values []string) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = url.PathEscape(v)
	}
	return strings.Join(parts, "/")
}

func partitionValues(text string) ([]string, error) {
	parts := strings.Split(text, "/")
	for i, p := range parts {
		v, err := url.PathUnescape(p)
		if err != nil {
			return nil, err
		}
		parts[i] = v
	}
	return parts, nil
}
