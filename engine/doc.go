// Package engine is the streaming engine: records from Kafka become rows of Parquet files, exactly once.
//
// Its packages hold rules (schema, decode, window, commitlog, pipeline, catalog: pure, without IO or clock), the interfaces to the
// outside (port) and their implementations (adapter). The way of a record through them is in docs/architecture.md.
//
// Invariants, cited in code and tests:
//
//	I1  A slot is written at most once.
//	I2  An entry is written only when all files of the entry before it are complete.
//	I3  Every record with an offset below the resume offset is in exactly one committed file (of its table or of the dead
//	    letters), or counted as dropped (late under the drop policy, tombstone), never both.
//	I4  The offset ranges of a window's files do not overlap; together they cover all its records below its flushed-through offset.
//	I5  The resume and read-through offsets, and the watermark of a partition, never go back.
//	I6  A file's contents follow from Kafka, its window, its offset range and the schema's fingerprint.
//	I7  Buffered bytes of a worker stay within its budget: the largest open file is flushed, then the fastest partitions wait.
//	I8  State is proportional to partitions and open windows, not to history.
//	I9  A worker that lost touch with the master stops reading before the master gives its partitions away (a matter of waste, not
//	    of safety).
//	I10 No entry's watermark passes the end of a window that still has unflushed on-time rows.
package engine
