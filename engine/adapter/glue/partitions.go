package glue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/glue/types"

	"citystream/engine/port"
)

// Limits of the Glue API.
const (
	batchMax = 100  // partitions of one BatchCreatePartition, or BatchUpdatePartition
	pageMax  = 1000 // partitions of one page, or of one BatchGetPartition
)

// AddPartitions implements port.Catalog.
func (c *Catalog) AddPartitions(ctx context.Context, database, table string, partitions []port.HivePartition) error {
	database, table = strings.ToLower(database), strings.ToLower(table)
	var refused port.PartitionsError
	for batch := range slices.Chunk(distinct(partitions), batchMax) {
		if err := c.addBatch(ctx, database, table, batch, &refused); err != nil {
			return fmt.Errorf("glue: register %d partitions of %s.%s: %w", len(batch), database, table, asPort(err))
		}
	}
	if refused.Err != nil {
		return fmt.Errorf("glue: register partitions of %s.%s: %w", database, table, &refused)
	}
	return nil
}

// distinct returns the first partition of each values: a batch that has values twice fails in part.
func distinct(partitions []port.HivePartition) []port.HivePartition {
	seen := make(map[string]bool, len(partitions))
	first := make([]port.HivePartition, 0, len(partitions))
	for _, p := range partitions {
		if key := keyOf(p.Values); !seen[key] {
			seen[key] = true
			first = append(first, p)
		}
	}
	return first
}

func keyOf(values []string) string { return strings.Join(values, "\x00") }

// addBatch adds up to batchMax partitions. What fails in passing is tried again, by itself; what is refused is noted.
func (c *Catalog) addBatch(ctx context.Context, database, table string, batch []port.HivePartition, refused *port.PartitionsError) error {
	left := make([]types.PartitionInput, len(batch))
	for i, p := range batch {
		left[i] = types.PartitionInput{Values: p.Values, StorageDescriptor: parquetAt(p.Location), Parameters: p.Parameters}
	}
	return again(ctx, func() error {
		out, err := c.client.BatchCreatePartition(ctx, &glue.BatchCreatePartitionInput{
			DatabaseName: &database, TableName: &table, PartitionInputList: left,
		})
		if err != nil {
			return err
		}
		passing := sortOut(out.Errors, refused)
		left = slices.DeleteFunc(left, func(p types.PartitionInput) bool { return !passing[keyOf(p.Values)] })
		if len(left) > 0 {
			return fmt.Errorf("%d partitions of the batch: %w", len(left), errFaster)
		}
		return nil
	})
}

// sortOut returns the values of the partitions that may be tried again, and notes those that may not. A partition that exists is what was wanted.
func sortOut(failures []types.PartitionError, refused *port.PartitionsError) map[string]bool {
	passing := map[string]bool{}
	for _, f := range failures {
		var code, message string
		if f.ErrorDetail != nil {
			code, message = aws.ToString(f.ErrorDetail.ErrorCode), aws.ToString(f.ErrorDetail.ErrorMessage)
		}
		switch {
		case code == "AlreadyExistsException":
		case retryableCode(code):
			passing[keyOf(f.PartitionValues)] = true
		default:
			refused.Refused = append(refused.Refused, f.PartitionValues)
			refused.Err = errors.Join(refused.Err, fmt.Errorf("partition %s: %s: %s", strings.Join(f.PartitionValues, "/"), code, message))
		}
	}
	return passing
}

// Partitions implements port.Catalog.
func (c *Catalog) Partitions(ctx context.Context, database, table string) ([]port.HivePartition, error) {
	database, table = strings.ToLower(database), strings.ToLower(table)
	var found []port.HivePartition
	pages := glue.NewGetPartitionsPaginator(c.client, &glue.GetPartitionsInput{
		DatabaseName: &database, TableName: &table, ExcludeColumnSchema: aws.Bool(true), MaxResults: aws.Int32(pageMax),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("glue: partitions of %s.%s: %w", database, table, asPort(err))
		}
		for _, p := range page.Partitions {
			h := port.HivePartition{Values: p.Values}
			if len(p.Parameters) > 0 {
				h.Parameters = p.Parameters
			}
			if p.StorageDescriptor != nil {
				h.Location = aws.ToString(p.StorageDescriptor.Location)
			}
			found = append(found, h)
		}
	}
	slices.SortFunc(found, func(a, b port.HivePartition) int { return slices.Compare(a.Values, b.Values) })
	return found, nil
}
