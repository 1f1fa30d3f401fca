package glue

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/glue/types"

	"citystream/engine/port"
)

// SetPartitions implements port.Catalog. An update of Glue's replaces a partition whole, so what is there is read first and repeated.
func (c *Catalog) SetPartitions(ctx context.Context, database, table string, partitions []port.HivePartition) error {
	database, table = strings.ToLower(database), strings.ToLower(table)
	var refused port.PartitionsError
	for batch := range slices.Chunk(distinct(partitions), batchMax) {
		err := again(ctx, func() error {
			left, err := c.setBatch(ctx, database, table, batch, &refused)
			batch = left
			return err
		})
		if err != nil {
			return fmt.Errorf("glue: set %d partitions of %s.%s: %w", len(batch), database, table, asPort(err))
		}
	}
	if refused.Err != nil {
		return fmt.Errorf("glue: set partitions of %s.%s: %w", database, table, &refused)
	}
	return nil
}

// setBatch sets up to batchMax partitions, and returns those that are to be tried again, with an error that says so. What is refused is noted.
func (c *Catalog) setBatch(
	ctx context.Context, database, table string, batch []port.HivePartition, refused *port.PartitionsError,
) ([]port.HivePartition, error) {
	there, err := c.read(ctx, database, table, batch)
	if err != nil {
		return batch, err
	}
	var creations []types.PartitionInput
	var updates []types.BatchUpdatePartitionRequestEntry
	for _, p := range batch {
		old, ok := there[keyOf(p.Values)]
		if !ok {
			creations = append(creations, types.PartitionInput{Values: p.Values, StorageDescriptor: parquetAt(p.Location), Parameters: p.Parameters})
			continue
		}
		if input, differs := changed(old, p); differs {
			updates = append(updates, types.BatchUpdatePartitionRequestEntry{PartitionValueList: p.Values, PartitionInput: input})
		}
	}
	failures, err := c.write(ctx, database, table, creations, updates)
	if err != nil {
		return batch, err
	}
	passing := sortOut(failures, refused)
	if len(passing) == 0 {
		return nil, nil
	}
	left := slices.DeleteFunc(slices.Clone(batch), func(p port.HivePartition) bool { return !passing[keyOf(p.Values)] })
	return left, fmt.Errorf("%d partitions of the batch: %w", len(left), errFaster)
}

// write makes and updates partitions, and returns what failed of them. One that has come or gone since it was looked at passes for a
// concurrent change: it is looked at again.
func (c *Catalog) write(
	ctx context.Context, database, table string, creations []types.PartitionInput, updates []types.BatchUpdatePartitionRequestEntry,
) ([]types.PartitionError, error) {
	var failures []types.PartitionError
	note := func(values []string, detail *types.ErrorDetail) {
		if detail != nil && slices.Contains([]string{"AlreadyExistsException", "EntityNotFoundException"}, aws.ToString(detail.ErrorCode)) {
			detail = &types.ErrorDetail{ErrorCode: aws.String("ConcurrentModificationException"), ErrorMessage: detail.ErrorMessage}
		}
		failures = append(failures, types.PartitionError{PartitionValues: values, ErrorDetail: detail})
	}
	if len(creations) > 0 {
		out, err := c.client.BatchCreatePartition(ctx, &glue.BatchCreatePartitionInput{
			DatabaseName: &database, TableName: &table, PartitionInputList: creations,
		})
		if err != nil {
			return nil, err
		}
		for _, e := range out.Errors {
			note(e.PartitionValues, e.ErrorDetail)
		}
	}
	if len(updates) > 0 {
		out, err := c.client.BatchUpdatePartition(ctx, &glue.BatchUpdatePartitionInput{DatabaseName: &database, TableName: &table, Entries: updates})
		if err != nil {
			return nil, err
		}
		for _, e := range out.Errors {
			note(e.PartitionValueList, e.ErrorDetail)
		}
	}
	return failures, nil
}

// read returns those of the partitions that are there, by their values.
func (c *Catalog) read(ctx context.Context, database, table string, partitions []port.HivePartition) (map[string]types.Partition, error) {
	wanted := make([]types.PartitionValueList, len(partitions))
	for i, p := range partitions {
		wanted[i] = types.PartitionValueList{Values: p.Values}
	}
	there := make(map[string]types.Partition, len(partitions))
	for len(wanted) > 0 {
		out, err := c.client.BatchGetPartition(ctx, &glue.BatchGetPartitionInput{DatabaseName: &database, TableName: &table, PartitionsToGet: wanted})
		if err != nil {
			return nil, err
		}
		for _, p := range out.Partitions {
			there[keyOf(p.Values)] = p
		}
		if len(out.UnprocessedKeys) >= len(wanted) {
			return nil, fmt.Errorf("%d partitions were not looked at: %w", len(wanted), errFaster)
		}
		wanted = out.UnprocessedKeys
	}
	return there, nil
}

// changed returns what a partition has to become, and whether it is something else than it is.
func changed(old types.Partition, p port.HivePartition) (*types.PartitionInput, bool) {
	descriptor := parquetAt(p.Location)
	if old.StorageDescriptor != nil {
		copied := *old.StorageDescriptor
		descriptor = &copied
	}
	differs := !has(old.Parameters, p.Parameters)
	if p.Location != "" && (old.StorageDescriptor == nil || aws.ToString(descriptor.Location) != p.Location) {
		descriptor.Location, differs = aws.String(p.Location), true
	}
	return &types.PartitionInput{
		Values: old.Values, Parameters: merged(old.Parameters, p.Parameters), StorageDescriptor: descriptor,
		LastAccessTime: old.LastAccessTime, LastAnalyzedTime: old.LastAnalyzedTime,
	}, differs
}
