package aws

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// tableAt returns the table of the crawler's database that lies in a folder, or nil.
func (w *crawler) tableAt(f *tableFolder) (*glueTable, error) {
	all, err := w.glue.catalog.allTables(w.settings.DatabaseName)
	if err != nil {
		return nil, err
	}
	for _, t := range all {
		if t.StorageDescriptor != nil && sameLocation(t.StorageDescriptor.Location, f.location()) {
			return t, nil
		}
	}
	return nil, nil
}

// newTable makes a table of a folder, with the columns of its last file.
func (w *crawler) newTable(ctx context.Context, f *tableFolder) (*glueTable, error) {
	columns, err := w.columnsOf(ctx, f)
	if err != nil {
		return nil, err
	}
	in := createTableRequest{DatabaseName: w.settings.DatabaseName, TableInput: tableInput{
		Name: w.nameFor(f), TableType: new("EXTERNAL_TABLE"),
		Parameters: map[string]string{"classification": "parquet", "EXTERNAL": "TRUE", "UPDATED_BY_CRAWLER": w.settings.Name},
		StorageDescriptor: &storageDescriptor{
			Columns: columns, Location: f.location(),
			InputFormat:  "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
			OutputFormat: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
			SerdeInfo: &serDeInfo{
				SerializationLibrary: new("org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"),
				Parameters:           map[string]string{"serialization.format": "1"},
			},
		},
	}}
	for _, key := range f.keys {
		in.TableInput.PartitionKeys = append(in.TableInput.PartitionKeys, glueColumn{Name: key, Type: "string"})
	}
	if _, err := w.glue.createTable(&in); err != nil {
		return nil, err
	}
	w.counts.TablesCreated++
	return w.glue.catalog.table(in.DatabaseName, in.TableInput.Name)
}

// columnsOf returns the columns of a folder's last file without those that are partition keys.
func (w *crawler) columnsOf(ctx context.Context, f *tableFolder) ([]glueColumn, error) {
	path, release, err := w.objects.File(ctx, f.bucket, f.sample)
	if err != nil {
		return nil, err
	}
	defer release()
	columns, err := parquetColumns(path)
	if err != nil {
		return nil, fmt.Errorf("s3://%s/%s (this local endpoint crawls Parquet files alone): %w", f.bucket, f.sample.Key, err)
	}
	return slices.DeleteFunc(columns, func(c glueColumn) bool { return slices.Contains(f.keys, c.Name) }), nil
}

// widen adds the columns that a table lacks at its end, if the crawler may. A column keeps its type.
func (w *crawler) widen(ctx context.Context, t *glueTable, f *tableFolder) (*glueTable, error) {
	if p := w.settings.SchemaChangePolicy; p != nil && p.UpdateBehavior == "LOG" {
		return t, nil
	}
	columns, err := w.columnsOf(ctx, f)
	if err != nil {
		return nil, err
	}
	columns = slices.DeleteFunc(columns, func(c glueColumn) bool { return t.hasColumn(c.Name) })
	if len(columns) == 0 {
		return t, nil
	}
	wider, d := t.tableInput, *t.StorageDescriptor
	d.Columns = append(slices.Clone(d.Columns), columns...)
	wider.StorageDescriptor = &d
	if _, err := w.glue.updateTable(&updateTableRequest{DatabaseName: t.DatabaseName, TableInput: wider, VersionID: t.VersionID}); err != nil {
		return nil, err
	}
	w.counts.TablesUpdated++
	return w.glue.catalog.table(t.DatabaseName, t.Name)
}

// register adds the partitions that a table lacks, and removes those whose folder is gone if the crawler may.
func (w *crawler) register(ctx context.Context, t *glueTable, f *tableFolder) error {
	var keys []string
	for _, c := range t.PartitionKeys {
		keys = append(keys, strings.ToLower(c.Name))
	}
	if !slices.Equal(keys, f.keys) {
		return fmt.Errorf("table %s has the partition keys %q, and the folders at %s have %q", t.Name, keys, f.location(), f.keys)
	}
	if len(keys) == 0 {
		return nil
	}
	_, there, err := w.glue.catalog.view(t.DatabaseName, t.Name)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, p := range there {
		known[statisticsOf(p.Values)] = true
	}
	var lacking []partitionInput
	for _, folder := range slices.Sorted(maps.Keys(f.values)) {
		if values := f.values[folder]; !known[statisticsOf(values)] {
			d := *t.StorageDescriptor
			d.Location = "s3://" + f.bucket + "/" + folder
			lacking = append(lacking, partitionInput{Values: values, StorageDescriptor: &d})
		}
	}
	if err := w.add(ctx, t, lacking); err != nil {
		return err
	}
	if p := w.settings.SchemaChangePolicy; p != nil && p.DeleteBehavior == "DELETE_FROM_DATABASE" {
		return w.remove(ctx, t, f, there)
	}
	return nil
}

// add registers partitions, batch by batch, so that others come to write in between. Others may have registered some of them.
func (w *crawler) add(ctx context.Context, t *glueTable, inputs []partitionInput) error {
	for batch := range slices.Chunk(inputs, createBatchMax) {
		if err := ctx.Err(); err != nil {
			return err
		}
		failed, err := w.glue.create(of{t.DatabaseName, t.Name}, batch)
		if err != nil {
			return err
		}
		for _, e := range failed {
			if e.ErrorDetail.ErrorCode != alreadyExists {
				return fmt.Errorf("register partition %q of %s: %s: %s", e.PartitionValues, t.Name, e.ErrorDetail.ErrorCode, e.ErrorDetail.ErrorMessage)
			}
		}
		w.counts.PartitionsAdded += len(batch) - len(failed)
	}
	return nil
}

// remove takes partitions away that lie in the table's folder and have no files any more.
func (w *crawler) remove(ctx context.Context, t *glueTable, f *tableFolder, there []*gluePartition) error {
	found := map[string]bool{}
	for folder := range f.values {
		found["s3://"+f.bucket+"/"+strings.TrimSuffix(folder, "/")] = true
	}
	var gone []valueList
	for _, p := range there {
		location := strings.TrimSuffix(p.location(), "/")
		if strings.HasPrefix(location, f.location()) && !found[location] {
			gone = append(gone, valueList{p.Values})
		}
	}
	for batch := range slices.Chunk(gone, deleteBatchMax) {
		if err := ctx.Err(); err != nil {
			return err
		}
		failed, err := w.glue.delete(of{t.DatabaseName, t.Name}, batch)
		if err != nil {
			return err
		}
		w.counts.PartitionsDeleted += len(batch) - len(failed) // what failed is gone already
	}
	return nil
}
