//go:build cgo

package aws

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A statement that writes first runs its query into a table of the session's own, whose columns and rows are then known; the files are made from
// that below the session's directory, the only place where the engine may write, and are uploaded when they are whole. The catalog hears of them
// last.

// outputTable holds what a writing statement's query returned.
const outputTable = `temp."$output"`

// partitionsMax is how many Hive partitions one statement writes, as in Athena.
const partitionsMax = 100

// A described column is one of a query's result.
type described struct {
	name    string // in lower case
	own     string // as the engine calls it
	duck    string
	athena  string
	unnamed bool
}

// describe returns the columns of a query without running it.
func (s *session) describe(ctx context.Context, p *plan) ([]described, error) {
	return s.described(ctx, p, p.script.text)
}

// described returns the columns of a text that has those of the plan's query.
func (s *session) described(ctx context.Context, p *plan, text string) ([]described, error) {
	const prefix = "DESCRIBE "
	rows, err := s.conn.QueryContext(ctx, prefix+text)
	if err != nil {
		return nil, reason(err, prefix, p.script)
	}
	defer func() { _ = rows.Close() }() // after a whole reading there is nothing left to fail
	var all []described
	var columns []column
	for rows.Next() {
		var name, duck string
		var null, key, standard, extra any
		if err := rows.Scan(&name, &duck, &null, &key, &standard, &extra); err != nil {
			return nil, fmt.Errorf("columns of the query: %w", err)
		}
		all = append(all, described{name: strings.ToLower(name), own: name, duck: duck, athena: athenaType(duck)})
		columns = append(columns, column{name: name})
	}
	if err := rows.Err(); err != nil {
		return nil, reason(err, prefix, p.script)
	}
	p.rename(columns)
	for i, c := range columns {
		all[i].unnamed = c.name != all[i].own && c.name == fmt.Sprintf("_col%d", i)
		if all[i].unnamed {
			all[i].name = c.name
		}
	}
	return all, nil
}

// fill runs the query of a writing statement into the output table and returns its columns.
func (s *session) fill(ctx context.Context, q *query, p *plan) ([]described, error) {
	const prefix = "CREATE TEMP TABLE \"$output\" AS "
	suffix := ""
	if q.statement.write.noData {
		suffix = "\nWITH NO DATA"
	}
	if _, err := s.conn.ExecContext(ctx, prefix+p.script.text+suffix); err != nil {
		return nil, reason(err, prefix, p.script)
	}
	s.scanned = s.bytesScanned()
	return s.described(ctx, p, outputTable)
}

// writeOut writes the output table to files at the batch's location.
func (s *session) writeOut(ctx context.Context, q *query, b *batch) (_ *result, parts []writtenPartition, err error) {
	out := filepath.Join(s.spill, outputDir)
	if err := os.MkdirAll(out, 0o700); err != nil {
		return nil, nil, fmt.Errorf("make room for the output: %w", err)
	}
	partitions, err := s.partitionValues(ctx, b.keys)
	if err != nil {
		return nil, nil, err
	}
	r := &result{scanned: s.scanned, columns: []column{{name: "rows", kind: "bigint"}}}
	var uploaded []upload
	defer func() {
		if err != nil {
			for _, u := range uploaded {
				err = errors.Join(err, s.definer.writer.remove(ctx, u.bucket, []string{u.key}))
			}
		}
	}()
	for i, values := range partitions {
		name := fmt.Sprintf("%s_%05d%s", q.id, i, b.format.extension)
		path := filepath.Join(out, name)
		n, err := s.copyOut(ctx, b, values, path)
		if err != nil {
			return nil, nil, err
		}
		r.updated += n
		if n == 0 {
			continue
		}
		location := b.location + folders(b.keys, values)
		if b.where != nil {
			location = b.where(values)
		}
		u, err := s.send(ctx, location, name, path)
		if err != nil {
			return nil, nil, err
		}
		uploaded = append(uploaded, u)
		r.written = append(r.written, "s3://"+u.bucket+"/"+u.key)
		parts = append(parts, writtenPartition{values, location})
	}
	return r, parts, nil
}

func (s *session) send(ctx context.Context, location, name, path string) (upload, error) {
	bucket, prefix, err := splitLocation(location)
	if err != nil {
		return upload{}, err
	}
	u := upload{bucket, prefix + name}
	if err := s.definer.writer.upload(ctx, u.bucket, u.key, path); err != nil {
		return u, fmt.Errorf("HIVE_WRITER_CLOSE_ERROR: %w", err)
	}
	if err := os.Remove(path); err != nil {
		return u, fmt.Errorf("clear the output: %w", err)
	}
	return u, nil
}

// partitionValues returns the values of the partition keys in the output table; one row of none where there are no keys.
func (s *session) partitionValues(ctx context.Context, keys []target) ([][]string, error) {
	if len(keys) == 0 {
		return [][]string{nil}, nil
	}
	items := make([]string, len(keys))
	for i, k := range keys {
		items[i] = keyText(k)
	}
	rows, err := s.conn.QueryContext(ctx, fmt.Sprintf("SELECT DISTINCT %s FROM %s ORDER BY ALL LIMIT %d", strings.Join(items, ", "), outputTable, partitionsMax+1))
	if err != nil {
		return nil, fmt.Errorf("partitions of the output: %w", err)
	}
	defer func() { _ = rows.Close() }() // after a whole reading there is nothing left to fail
	var all [][]string
	for rows.Next() {
		values := make([]string, len(keys))
		targets := make([]any, len(keys))
		for i := range values {
			targets[i] = &values[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return nil, fmt.Errorf("partitions of the output: %w", err)
		}
		all = append(all, values)
	}
	if len(all) > partitionsMax {
		return nil, failed("HIVE_TOO_MANY_OPEN_PARTITIONS", "Exceeded limit of %d open writers for partitions/buckets", partitionsMax)
	}
	return all, rows.Err()
}

// keyText is the expression of a partition key's value as it stands in a folder's name, but for what must be escaped there.
func keyText(k target) string {
	return fmt.Sprintf("coalesce(CAST(CAST(%s AS %s) AS VARCHAR), %s)", k.expression, k.duck, literal(nullPartition))
}

// copyOut writes one Hive partition's rows to a file and returns their number.
func (s *session) copyOut(ctx context.Context, b *batch, values []string, path string) (int64, error) {
	items := make([]string, len(b.columns))
	for i, c := range b.columns {
		items[i] = fmt.Sprintf("CAST(%s AS %s) AS %s", c.expression, c.duck, identifier(c.name))
	}
	where := "true"
	for i, k := range b.keys {
		where += " AND " + keyText(k) + " = " + literal(values[i])
	}
	statement := fmt.Sprintf("COPY (SELECT %s FROM %s WHERE %s) TO %s (%s)", strings.Join(items, ", "), outputTable, where, literal(path), b.format.options)
	done, err := s.conn.ExecContext(ctx, statement)
	if err != nil {
		return 0, reason(err, "", &script{})
	}
	n, err := done.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("rows of the output: %w", err)
	}
	return n, nil
}

// create runs CREATE TABLE AS.
func (s *session) create(ctx context.Context, q *query, p *plan) (*result, error) {
	w := q.statement.write
	ref := w.target.in(q.database)
	switch exists, err := s.definer.exists(ref); {
	case err != nil:
		return nil, err
	case exists && w.ifNotExists:
		return &result{columns: []column{{name: "rows", kind: "bigint"}}}, nil
	case exists:
		return nil, failed("TABLE_ALREADY_EXISTS", "line 1:1: Destination table '%s.%s' already exists", strings.ToLower(catalogName), ref)
	}
	n, err := newTable(q, ref)
	if err != nil {
		return nil, err
	}
	if err := s.definer.mustBeEmpty(ctx, n.location, ref.String()); err != nil {
		return nil, err
	}
	columns, err := s.fill(ctx, q, p)
	if err != nil {
		return nil, err
	}
	b, err := n.batch(columns)
	if err != nil {
		return nil, err
	}
	r, parts, err := s.writeOut(ctx, q, b)
	if err != nil {
		return nil, err
	}
	if err := s.definer.register(ref, n, b, parts); err != nil {
		return nil, errors.Join(err, s.takeBack(ctx, r))
	}
	return r, nil
}

// takeBack removes what a statement has written that then failed.
func (s *session) takeBack(ctx context.Context, r *result) error {
	var faults []error
	for _, name := range r.written {
		bucket, key, _ := strings.Cut(strings.TrimPrefix(name, "s3://"), "/")
		faults = append(faults, s.definer.writer.remove(ctx, bucket, []string{key}))
	}
	return errors.Join(faults...)
}

// batch returns what is written of a query's columns: the last of them may be the partition keys.
func (n *newTableOf) batch(columns []described) (*batch, error) {
	b := &batch{format: n.format, location: n.location}
	split := len(columns) - len(n.keys)
	if split < 1 {
		return nil, failed("SYNTAX_ERROR", "line 1:1: a table needs a column that is no partition key")
	}
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
		if c.unnamed {
			return nil, failed("MISSING_COLUMN_NAME", "line 1:1: Column name not specified at position %d", i+1)
		}
		if slices.Contains(names[:i], c.name) {
			return nil, failed("DUPLICATE_COLUMN_NAME", "line 1:1: Column name '%s' specified more than once", c.name)
		}
		to, err := hiveTarget(c)
		if err != nil {
			return nil, err
		}
		if i < split {
			b.columns = append(b.columns, to)
		} else {
			b.keys = append(b.keys, to)
		}
	}
	if !slices.Equal(names[split:], n.keys) {
		return nil, failed("HIVE_COLUMN_ORDER_MISMATCH", "Partition keys must be the last columns in the table and in the same order as the table properties: [%s]",
			strings.Join(n.keys, ", "))
	}
	return b, nil
}

// hiveTarget returns a query's column as one of a Hive table, if Hive has its type.
func hiveTarget(c described) (target, error) {
	glue, duck, err := hiveType(c.duck)
	if err != nil {
		return target{}, failed("NOT_SUPPORTED", "Unsupported Hive type: %s, of column %s", c.athena, c.name)
	}
	return target{identifier(c.own), c.name, duck, glue}, nil
}
