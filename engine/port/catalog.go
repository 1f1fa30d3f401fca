package port

import (
	"context"
	"errors"
	"slices"
)

// ErrQueryFailed is the error of a query that the service accepted and could not run; its text is the service's own.
var ErrQueryFailed = errors.New("query failed")

// A PartitionsError says which Hive partitions of a call were refused; all others of the call are as they were wanted.
type PartitionsError struct {
	Refused [][]string // their values
	Err     error      // what the service says of them
}

func (e *PartitionsError) Error() string { return e.Err.Error() }

// Unwrap returns what the service says.
func (e *PartitionsError) Unwrap() error { return e.Err }

// Accepted returns those of the Hive partitions of a call that are as they were wanted, given the call's error.
func Accepted(partitions []HivePartition, err error) []HivePartition {
	var part *PartitionsError
	switch {
	case err == nil:
		return partitions
	case !errors.As(err, &part):
		return nil
	}
	return slices.DeleteFunc(slices.Clone(partitions), func(p HivePartition) bool {
		return slices.ContainsFunc(part.Refused, func(values []string) bool { return slices.Equal(values, p.Values) })
	})
}

// A Catalog is a Glue Data Catalog, or the fake of one. All calls are idempotent and safe for concurrent use.
type Catalog interface {
	// EnsureDatabase makes the database if it is missing.
	EnsureDatabase(ctx context.Context, database string) error
	// EnsureTable makes the table if it is missing, and otherwise adds the columns that it lacks at the end and sets the parameters that are
	// given. It never removes a column or a parameter and never changes a type: a differing type is an error.
	EnsureTable(ctx context.Context, database string, table CatalogTable) error
	// Table returns a table, or ErrNotFound.
	Table(ctx context.Context, database, table string) (CatalogTable, error)
	// AddPartitions registers Hive partitions; those that exist already are left alone. Any number is taken, in batches. If only some are
	// refused the error is a PartitionsError.
	AddPartitions(ctx context.Context, database, table string, partitions []HivePartition) error
	// SetPartitions makes Hive partitions be as given: those that are missing are registered, the others get the location (an empty
	// one leaves theirs) and the parameters that are given; other parameters stay. A reader sees a partition before or after, never between. Errors are as those of AddPartitions.
	SetPartitions(ctx context.Context, database, table string, partitions []HivePartition) error
	// Partitions returns all Hive partitions of a table, in the order of their values.
	Partitions(ctx context.Context, database, table string) ([]HivePartition, error)
}

// A CatalogTable is an external Parquet table. Types are Glue's: string, int, bigint, double, boolean, timestamp, binary.
type CatalogTable struct {
	Name          string
	Columns       []CatalogColumn
	PartitionKeys []CatalogColumn
	Location      string // s3://bucket/prefix/
	Parameters    map[string]string
}

// A CatalogColumn is a column of a CatalogTable; its name is in lower case.
type CatalogColumn struct {
	Name, Type, Comment string
}

// A HivePartition is one registered partition: the values of the partition keys and where its files lie.
type HivePartition struct {
	Values   []string
	Location string // s3://bucket/prefix/date=2026-11-22/hour=06/

	Parameters map[string]string
}

// A Crawler lets the catalog's own crawler look for Hive partitions instead of being told of them.
type Crawler interface {
	// Crawl makes the crawler if it is missing, starts it, and waits until a run that began after the call has ended well.
	Crawl(ctx context.Context, crawler Crawl) error
}

// A Crawl is what a crawler is to look at: tables that exist already.
type Crawl struct {
	Name     string // of the crawler
	Role     string // that it takes on to read the bucket
	Database string
	Tables   []string
}

// A Query service runs SQL: Athena, or the fake of one. All calls are safe for concurrent use.
type Query interface {
	// Run runs a statement to its end and returns its rows. When ctx ends it stops the statement. A statement that fails is
	// ErrQueryFailed with the service's words.
	Run(ctx context.Context, database, sql string) (*Result, error)
}

// A Result is what a statement returned. A nil cell is NULL.
type Result struct {
	ID           string
	Columns      []CatalogColumn
	Rows         [][]*string
	ScannedBytes int64 // that the service has read for it, and asks money for
}
