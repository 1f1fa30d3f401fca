package aws

import (
	"context"
	"net/url"
	"slices"
	"strings"
)

// repairTable is MSCK REPAIR TABLE: it registers the Hive partitions whose folders lie below a table's location, key=value for each key.
type repairTable struct{ ref tableRef }

func (*repairTable) sub() string { return "MSCK_REPAIR_TABLE" }

func (x *repairTable) run(ctx context.Context, d *definer, q *query) (*result, error) {
	ref := x.ref.in(q.database)
	t, err := d.catalog.table(ref.database, ref.table)
	switch {
	case missing(err):
		return nil, failed("FAILED", "SemanticException Table not found %s", ref)
	case err != nil:
		return nil, err
	case len(t.PartitionKeys) == 0 || t.StorageDescriptor == nil:
		return nil, failed("FAILED", "SemanticException Table is not a partitioned table: %s", ref)
	}
	found, err := d.foldersOf(ctx, t)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(p writtenPartition) bool {
		_, err := d.catalog.partition(ref.database, ref.table, p.values)
		return err == nil
	})
	if err := d.addPartitions(ref, t, found, true); err != nil {
		return nil, err
	}
	r := &result{columns: []column{{name: "result", kind: "string"}}}
	for _, p := range found {
		line := "Repair: Added partition to metastore " + ref.table + ":" + strings.Join(named(t, p.values), "/")
		r.rows = append(r.rows, []*string{&line})
		r.bytes += int64(len(line))
	}
	return r, nil
}

// named returns the values of a Hive partition with their keys.
func named(t *glueTable, values []string) []string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = t.PartitionKeys[i].Name + "=" + v
	}
	return parts
}

// foldersOf returns the Hive partitions below a table's location that have a file, in the order of their folders.
func (d *definer) foldersOf(ctx context.Context, t *glueTable) ([]writtenPartition, error) {
	bucket, prefix, err := splitLocation(t.StorageDescriptor.Location)
	if err != nil {
		return nil, failed("FAILED", "SemanticException %v", err)
	}
	objects, err := d.objects.List(ctx, bucket, prefix)
	if err != nil {
		return nil, err
	}
	var found []writtenPartition
	seen := map[string]bool{}
	for _, o := range objects {
		folder, values, ok := spelled(t, strings.TrimPrefix(o.Key, prefix))
		if ok && !seen[folder] {
			seen[folder] = true
			found = append(found, writtenPartition{values, "s3://" + bucket + "/" + prefix + folder})
		}
	}
	return found, nil
}

// spelled returns the folder and the values of the Hive partition that a file's name below its table's location begins with.
func spelled(t *glueTable, name string) (folder string, values []string, ok bool) {
	rest := name
	for _, k := range t.PartitionKeys {
		part, after, found := strings.Cut(rest, "/")
		key, value, is := strings.Cut(part, "=")
		text, err := url.PathUnescape(value)
		if !found || !is || err != nil || !strings.EqualFold(key, k.Name) {
			return "", nil, false
		}
		values, rest = append(values, text), after
	}
	if rest == "" || hidden(rest) {
		return "", nil, false
	}
	return strings.TrimSuffix(name, rest), values, true
}
