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
//     answered survives kill -9; a torn last record is dropped. The same holds for work groups, named queries and prepared statements.
//   - As in Athena, SQL sees registered Hive partitions only, skips names that begin with _ or a dot, takes columns by name whatever
//     their case, gives NULL for columns that a file lacks, and lets a partition key win over a column of the file.
//   - SQL reads the files of the tables that it names and nothing else: it cannot reach other files, the network, extensions or settings. That
//     holds for queries in views, whoever stored them, in prepared statements and in statements that write.
//   - What a statement writes appears in the store file by file, each whole, before the catalog hears of it. A statement that fails takes its
//     files back.
//   - Queries at once, queries waiting, rows and bytes of a result, results kept, partitions of one statement and kept texts are all bounded.
//
// What differs from Glue: accounts, roles and Lake Formation are not looked at; there are no links to other catalogs, no schedules, jobs or
// Iceberg tables; of a table's versions the last 100 are kept; a crawler reads Parquet files only, and leaves out names that begin with
// _ or a dot. What cannot be done is an error that says so.
//
// What is as in Athena: results at the output location as .csv, .txt and .metadata, manifests of what was written, CREATE TABLE AS, INSERT INTO,
// UNLOAD, views that Athena reads and that are read from it, Hive's DDL, MSCK REPAIR TABLE, parameters and prepared statements, "$path" and its
// like, and errors that name the line and column of the user's text.
//
// What differs from Athena:
//   - Executions and the results that GetQueryResults reads live in memory and end with the process; the result files stay. Where a query has no
//     output location, its result is in memory only; Athena refuses such a query.
//   - Tables of Parquet, Hive's simple text, OpenCSV and JSON are read, the last with keys in lower case only; CREATE TABLE AS and UNLOAD write
//     Parquet, text and JSON, INSERT writes Parquet. Others can be in the catalog. There are no Iceberg tables, so no DELETE, UPDATE, MERGE, and
//     no buckets.
//   - SQL is DuckDB's where it is not Trino's: it takes more than Trino does, and it lacks reduce, maps in UNNEST and functions that nobody here
//     has asked for. Quotients of decimals are doubles. Comparisons see microseconds where Athena rounds to milliseconds, times with a zone are
//     all shown in UTC, and approximate aggregates approximate otherwise.
//   - DataScannedInBytes counts the files that were opened, not the columns, and the limit of a work group is looked at when the query has
//     read, before its result is given out.
//   - A table or Hive partition is one file of each statement that writes to it. An INSERT that fails between two files has shown the first one for
//     a moment.
//   - The form of .metadata files is AWS's own secret; these have what readers of it are known to look for. Encryption, the owner of a bucket,
//     the reuse of results and the engine's version are taken and do nothing.
//   - SHOW CREATE TABLE, DESCRIBE and EXPLAIN have Athena's parts and not its spacing.
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
