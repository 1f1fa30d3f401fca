package port

import (
	"context"
	"errors"
)

// Errors of a Warehouse that callers branch on, beside ErrForbidden, ErrNotFound and ErrQueryFailed. Any other error, ErrTransient too, may
// have taken effect: every call may simply be made again.
var (
	ErrTransient  = errors.New("the service is busy or away: try again later")
	ErrMoreLoaded = errors.New("commits are loaded that this reload does not know of: read the log of loads and list the files again")
)

// A Warehouse is a schema of a Redshift database, or the fake of one. All calls are safe for concurrent use, also by several processes.
//
// What is loaded is told by the log of loads, a table of its own with one row a commit, written in the transaction that adds the
// commit's rows: so a commit is loaded whole and once, whoever else loads it at the same time and whatever answer was lost.
//
// A call that ends with ErrQueryFailed will fail again until somebody mends what the service's words name; ErrForbidden until
// rights are given; ErrNotFound until the cluster, workgroup, database or table is there.
type Warehouse interface {
	// EnsureTable makes the schema, the log of loads and the table if they are missing, and otherwise adds the columns that the
	// table lacks. It never removes a column or changes a type or a key: a column of another type is ErrQueryFailed.
	EnsureTable(ctx context.Context, table WarehouseTable) error
	// Load adds the rows of commits that are not loaded yet, in as few transactions as the service's limits allow, and returns
	// what the log of loads has of each of the given commits, in their order. After an error some of the transactions may be done.
	// Files with other rows than their commits tell of, or with other columns, are ErrQueryFailed and add nothing. The error has a
	// RejectedError for each commit that was found to be at fault, see Rejections; there may be more of them.
	Load(ctx context.Context, table WarehouseTable, commits []LoadCommit) ([]LoadedCommit, error)
	// Reload replaces the rows of one Hive partition in one transaction, and enters its commits into the log of loads. To leave
	// nothing out, call LoadedOf first, list the partition's files then, and give both: if the log has a further commit of this
	// partition meanwhile, nothing changes and the error is ErrMoreLoaded. It returns the rows that the Hive partition has now.
	Reload(ctx context.Context, table WarehouseTable, r Reload) (rows int64, err error)
	// Loaded returns what the log of loads has of the given commits: only those that are loaded, in the order of ids.
	Loaded(ctx context.Context, table string, ids []string) ([]LoadedCommit, error)
	// LoadedOf returns what the log of loads has of a Hive partition, in the order of ids. nil values are all Hive partitions.
	LoadedOf(ctx context.Context, table string, values []string) ([]LoadedCommit, error)
	// LoadedSum returns how many commits of a table the log of loads has, and how many rows it tells of.
	LoadedSum(ctx context.Context, table string) (commits, rows int64, err error)
	// Rows counts the rows of a table, or ErrNotFound. In a schema that EnsureExternalSchema made these are the files' rows.
	Rows(ctx context.Context, table string) (int64, error)
	// EnsureExternalSchema makes this warehouse's schema one that shows the tables of a Glue database (Spectrum), if it is missing.
	// Nothing can be loaded into it. If the schema is there already and is no external one, the error is ErrQueryFailed.
	EnsureExternalSchema(ctx context.Context, external ExternalSchema) error
}

// A WarehouseTable is a table that files are loaded into. Names are in lower case. Types are Redshift's: varchar(n), varbyte(n), boolean,
// integer, bigint, double precision, timestamp.
type WarehouseTable struct {
	Name          string
	Columns       []WarehouseColumn // as in the files, in their order
	PartitionKeys []string          // further columns, varchar, for the values of the Hive partition: no file has them
	DistKey       string            // column by whose value rows are spread; empty leaves it to the service
	SortKeys      []string          // columns by which rows are sorted, first one first; none leaves it to the service
}

// A WarehouseColumn is a column of a WarehouseTable.
type WarehouseColumn struct {
	Name, Type string
}

// A RejectedError says why a commit cannot be loaded, also by itself.
type RejectedError struct {
	ID  string
	Err error
}

func (e *RejectedError) Error() string { return "commit " + e.ID + ": " + e.Err.Error() }

func (e *RejectedError) Unwrap() error { return e.Err }

// Rejections returns every RejectedError in an error, in their order, where errors.As finds the first only.
func Rejections(err error) []*RejectedError {
	switch e := err.(type) {
	case *RejectedError:
		return []*RejectedError{e}
	case interface{ Unwrap() []error }:
		var all []*RejectedError
		for _, part := range e.Unwrap() {
			all = append(all, Rejections(part)...)
		}
		return all
	case interface{ Unwrap() error }:
		return Rejections(e.Unwrap())
	}
	return nil
}

// A LoadCommit is what one slot of a commit log has for one Hive partition.
type LoadCommit struct {
	ID     string   // unique in the table: its log, its slot, its entry and its Hive partition
	Values []string // of the table's PartitionKeys
	Files  []LoadFile
	// Columns are the names of the files' columns in their order, which is how they are told apart; nil is all of the table's. Files that were
	// written before a column was added lack it.
	Columns []string
}

// A LoadFile is one Parquet object of a commit.
type LoadFile struct {
	Key       string
	SizeBytes int64 // of the object
	Rows      int64
}

// A Reload says what a Hive partition is to have.
type Reload struct {
	Values  []string     // of the table's PartitionKeys
	Commits []LoadCommit // all of the Hive partition, and of no other
	Known   []string     // ids that the log of loads had for it before the files were listed
}

// A LoadedCommit is a row of the log of loads.
type LoadedCommit struct {
	ID     string
	Values []string // of its Hive partition
	Rows   int64
}

// An ExternalSchema says which Glue database a schema shows, and as whom Redshift reads it.
type ExternalSchema struct {
	Database string
	Region   string
	IAMRole  string // an ARN, or "default"
}

// Size returns how many rows and bytes the files of a commit have.
func (c LoadCommit) Size() (rows, bytes int64) {
	for _, f := range c.Files {
		rows, bytes = rows+f.Rows, bytes+f.SizeBytes
	}
	return rows, bytes
}
