// Package aws is an embedded endpoint that speaks the Glue, Athena and Redshift Data APIs to any AWS client on this machine.
//
// The problem: the way from files to SQL goes through two AWS services that nobody has on a laptop or in a test, and the emulators
// that exist answer queries with canned rows. The idea: the catalog is small enough to be written down in one journal, and DuckDB is a
// good enough Trino for the SQL. So the tables that a client registers over the wire are the tables that its SQL sees, and the
// rows come from the very Parquet files that the object store holds.
//
// Guarantees:
//   - Every request is signed (SigV4) with the one key of the endpoint, and the endpoint listens on loopback addresses only, unless it is told
//     that other machines may reach it.
//   - A change of the catalog is on disk (fsync) before it is answered, in a journal whose growth is the size of the change. What was
//     answered survives kill -9; a torn last record is dropped.
//   - As in Athena, SQL sees registered Hive partitions only, skips names that begin with _ or a dot, takes columns by name whatever
//     their case, gives NULL for columns that a file lacks, and lets a partition key win over a column of the file.
//   - SQL reads the files of the tables that it names and nothing else: it cannot reach other files, the network, extensions or settings.
//   - Queries at once, queries waiting, rows and bytes of a result, and results kept are all bounded.
//
// What differs from Glue: accounts, roles and Lake Formation are not looked at; there are no links to other catalogs, no schedules, jobs or
// Iceberg tables; of a table's versions the last 100 are kept; a crawler reads Parquet files only, and leaves out names that begin with
// _ or a dot. What cannot be done is an error that says so.
//
// What differs from Athena: executions and their results live in memory and end with the process; result files are not written to
// OutputLocation; comparisons see microseconds where Athena rounds to milliseconds; and SQL is DuckDB's where it is not Trino's.
//
// Redshift's databases are files of DuckDB that outlive the process. A batch of statements is one transaction, and LOCK makes transactions wait
// for each other as Redshift does, while NOT EXISTS alone keeps nothing apart, and keys are not enforced; COPY takes the columns of Parquet
// files by their positions and refuses what Redshift refuses; external schemas show the tables of the catalog. Statements reach no file
// besides those of the store. What differs: a database is made at its first use, any workgroup or cluster leads to the same ones, there are
// no sessions, no users and no UNLOAD, texts are held to 65,535 bytes and not to their column's length, and SQL is DuckDB's where
// it is not Redshift's.
//
// Everything but the engine builds without cgo; queries then fail with an error that says what to do.
package aws
