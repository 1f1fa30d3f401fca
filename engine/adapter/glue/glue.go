// Package glue is the port.Catalog over an AWS Glue Data Catalog.
//
// The problem: other writers change the same tables, batches succeed in part, and a lost answer may hide a success. The idea: say
// what should be there, look what is, write only the difference, and look again when somebody was faster. So every call may be repeated, and
// two that run at once end with what both wanted.
//
// Tables are external tables of Parquet files as Athena, Spark and Redshift Spectrum read them: with the SerDe and the formats of Hive, on
// each partition too. Columns are only ever added, at the end, which all of these read by name.
package glue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/glue/types"

	"citystream/engine/port"
)

// Hive's classes for Parquet. Athena needs them on every table and every partition; a table without a SerDe breaks the
// information_schema of its whole database.
const (
	parquetSerDe  = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
	parquetInput  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
	parquetOutput = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"
)

const externalTable = "EXTERNAL_TABLE"

// A Catalog is a Glue Data Catalog. Safe for concurrent use.
type Catalog struct {
	client     *glue.Client
	crawlPause time.Duration
}

var _ port.Catalog = (*Catalog)(nil)

// New returns the catalog that a client talks to.
func New(client *glue.Client) *Catalog { return &Catalog{client, crawlPause} }

// EnsureDatabase implements port.Catalog.
func (c *Catalog) EnsureDatabase(ctx context.Context, database string) error {
	name := strings.ToLower(database)
	err := again(ctx, func() error {
		_, err := c.client.GetDatabase(ctx, &glue.GetDatabaseInput{Name: &name})
		if !notFound(err) {
			return err
		}
		_, err = c.client.CreateDatabase(ctx, &glue.CreateDatabaseInput{DatabaseInput: &types.DatabaseInput{Name: &name}})
		if alreadyThere(err) {
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("glue: ensure database %s: %w", name, err)
	}
	return nil
}

// EnsureTable implements port.Catalog.
func (c *Catalog) EnsureTable(ctx context.Context, database string, table port.CatalogTable) error {
	database, table = strings.ToLower(database), lower(table)
	err := again(ctx, func() error {
		there, err := c.get(ctx, database, table.Name)
		if notFound(err) {
			return c.create(ctx, database, table)
		}
		if err != nil {
			return err
		}
		return c.widen(ctx, database, there, table)
	})
	if err != nil {
		return fmt.Errorf("glue: ensure table %s.%s: %w", database, table.Name, asPort(err))
	}
	return nil
}

func (c *Catalog) get(ctx context.Context, database, table string) (*types.Table, error) {
	out, err := c.client.GetTable(ctx, &glue.GetTableInput{DatabaseName: &database, Name: &table})
	if err != nil {
		return nil, err
	}
	return out.Table, nil
}

func (c *Catalog) create(ctx context.Context, database string, table port.CatalogTable) error {
	descriptor := parquetAt(table.Location)
	descriptor.Columns = columnsOf(table.Columns)
	_, err := c.client.CreateTable(ctx, &glue.CreateTableInput{DatabaseName: &database, TableInput: &types.TableInput{
		Name: &table.Name, TableType: aws.String(externalTable), Parameters: table.Parameters,
		StorageDescriptor: descriptor, PartitionKeys: columnsOf(table.PartitionKeys),
	}})
	if alreadyThere(err) {
		return errFaster // look what it is
	}
	return err
}

// widen adds the columns that the table lacks, and sets its parameters. The version that was read goes along, so that no other writer's
// change is lost. No version is archived: a table has 100,000 at most, and the columns of each are in the next.
func (c *Catalog) widen(ctx context.Context, database string, there *types.Table, table port.CatalogTable) error {
	added, err := lacking(there, table)
	if err != nil || len(added) == 0 && has(there.Parameters, table.Parameters) {
		return err
	}
	input := inputOf(there)
	input.StorageDescriptor.Columns = append(slices.Clone(input.StorageDescriptor.Columns), columnsOf(added)...)
	input.Parameters = merged(there.Parameters, table.Parameters)
	_, err = c.client.UpdateTable(ctx, &glue.UpdateTableInput{
		DatabaseName: &database, TableInput: input, VersionId: there.VersionId, SkipArchive: aws.Bool(true),
	})
	return err
}

// has reports whether parameters have all that are wanted.
func has(there, wanted map[string]string) bool {
	for k, v := range wanted {
		if got, ok := there[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// merged returns parameters with others set in them.
func merged(there, set map[string]string) map[string]string {
	all := make(map[string]string, len(there)+len(set))
	maps.Copy(all, there)
	maps.Copy(all, set)
	return all
}

// lacking returns the columns that there does not have, or why the two tables cannot be one.
func lacking(there *types.Table, table port.CatalogTable) ([]port.CatalogColumn, error) {
	same := func(a types.Column, b port.CatalogColumn) bool {
		return strings.EqualFold(aws.ToString(a.Name), b.Name) && sameType(aws.ToString(a.Type), b.Type)
	}
	if !slices.EqualFunc(there.PartitionKeys, table.PartitionKeys, same) {
		return nil, fmt.Errorf("the table has partition keys %s, and not %s", describe(there.PartitionKeys), describe(columnsOf(table.PartitionKeys)))
	}
	if there.StorageDescriptor == nil {
		return nil, errors.New("what is there of that name has no storage: it is no external table")
	}
	kinds := map[string]string{}
	for _, c := range there.StorageDescriptor.Columns {
		kinds[strings.ToLower(aws.ToString(c.Name))] = aws.ToString(c.Type)
	}
	var added []port.CatalogColumn
	for _, c := range table.Columns {
		kind, ok := kinds[c.Name]
		switch {
		case slices.ContainsFunc(table.PartitionKeys, func(k port.CatalogColumn) bool { return k.Name == c.Name }):
			return nil, fmt.Errorf("column %s is a partition key too", c.Name)
		case !ok:
			added = append(added, c)
		case !sameType(kind, c.Type):
			return nil, fmt.Errorf("column %s is %s in the catalog and %s wanted: files of both types cannot be read as one column; give it a new name",
				c.Name, kind, c.Type)
		}
	}
	return added, nil
}

// sameType takes Glue's two names of one type for equal.
func sameType(a, b string) bool {
	plain := func(s string) string {
		if s = strings.ToLower(strings.TrimSpace(s)); s == "integer" {
			return "int"
		}
		return s
	}
	return plain(a) == plain(b)
}

func describe(columns []types.Column) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		parts[i] = aws.ToString(c.Name) + " " + aws.ToString(c.Type)
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// inputOf returns what an update must repeat of a table: Glue drops whatever an update leaves out.
func inputOf(t *types.Table) *types.TableInput {
	descriptor := *t.StorageDescriptor
	return &types.TableInput{
		Name: t.Name, Description: t.Description, Owner: t.Owner, LastAccessTime: t.LastAccessTime, LastAnalyzedTime: t.LastAnalyzedTime,
		Retention: t.Retention, StorageDescriptor: &descriptor, PartitionKeys: t.PartitionKeys, TableType: t.TableType, Parameters: t.Parameters,
		ViewExpandedText: t.ViewExpandedText, ViewOriginalText: t.ViewOriginalText, TargetTable: t.TargetTable,
	}
}

// Table implements port.Catalog.
func (c *Catalog) Table(ctx context.Context, database, table string) (port.CatalogTable, error) {
	database, table = strings.ToLower(database), strings.ToLower(table)
	t, err := c.get(ctx, database, table)
	if err != nil {
		return port.CatalogTable{}, fmt.Errorf("glue: table %s.%s: %w", database, table, asPort(err))
	}
	found := port.CatalogTable{Name: aws.ToString(t.Name), Parameters: maps.Clone(t.Parameters), PartitionKeys: portColumns(t.PartitionKeys)}
	if d := t.StorageDescriptor; d != nil {
		found.Columns, found.Location = portColumns(d.Columns), aws.ToString(d.Location)
	}
	return found, nil
}

// parquetAt returns the description of Parquet files at a location.
func parquetAt(location string) *types.StorageDescriptor {
	return &types.StorageDescriptor{
		Location: &location, InputFormat: aws.String(parquetInput), OutputFormat: aws.String(parquetOutput),
		SerdeInfo: &types.SerDeInfo{
			SerializationLibrary: aws.String(parquetSerDe), Parameters: map[string]string{"serialization.format": "1"},
		},
	}
}

func columnsOf(columns []port.CatalogColumn) []types.Column {
	made := make([]types.Column, len(columns))
	for i, c := range columns {
		made[i] = types.Column{Name: aws.String(c.Name), Type: aws.String(c.Type)}
		if c.Comment != "" {
			made[i].Comment = aws.String(c.Comment)
		}
	}
	return made
}

func portColumns(columns []types.Column) []port.CatalogColumn {
	made := make([]port.CatalogColumn, len(columns))
	for i, c := range columns {
		made[i] = port.CatalogColumn{Name: aws.ToString(c.Name), Type: aws.ToString(c.Type), Comment: aws.ToString(c.Comment)}
	}
	return made
}

// lower returns the table with its names in lower case, as Glue keeps them.
func lower(t port.CatalogTable) port.CatalogTable {
	names := func(columns []port.CatalogColumn) []port.CatalogColumn {
		columns = slices.Clone(columns)
		for i := range columns {
			columns[i].Name = strings.ToLower(columns[i].Name)
		}
		return columns
	}
	t.Name, t.Columns, t.PartitionKeys = strings.ToLower(t.Name), names(t.Columns), names(t.PartitionKeys)
	return t
}
