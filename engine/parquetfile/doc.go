// Package parquetfile turns column buffers into the bytes of one Parquet file, cut into the parts of a multipart upload.
//
// The problem: a worker holds tens of open files, their columns are known at run time only, and most values may be null.
// General Parquet writers pay for that shape with a conversion of every value; this one spends its time on compression.
//
// The idea: a Writer copies the wanted rows, column by column, into buffers that already have the shape of Parquet pages: nulls
// are levels, and values and text lie close together. When a row group is full, an encoder, of which there are as many as processors
// and not as files, makes pages of it. The bytes go into one buffer of a part's length, which is handed out when it is full. So the
// memory of a file is one row group of values and one part at most, whatever the length of the file.
//
// What is written: version 2 data pages; all columns OPTIONAL, so that a column can come, go or become nullable without
// the type of older files differing; integers and timestamps DELTA_BINARY_PACKED, booleans PLAIN; text, bytes and doubles
// RLE_DICTIONARY where the dictionary is smaller than the values, else text and bytes DELTA_LENGTH_BYTE_ARRAY and doubles PLAIN; zstd,
// except for pages that it does not shrink. Lengths apart from the text are what makes ids cheap: zstd looks for matches in vain and in
// haste in 36 hexadecimal digits, but finds one in every length between them, at three times the cost.
//
// Values are numbered for the dictionary as they are appended, while they are in the processor's caches, so that text of few values
// takes four bytes a row from the beginning.
// The tests read the files with parquet-go, and with pyarrow, DuckDB, polars and DataFusion (make test-readers); Trino, and by that
// Athena, and Spark from 3.3 on have decoders for all of it.
//
// Guarantees:
//   - The concatenation of the parts is the file. Every part but the last has exactly Options.PartBytes bytes.
//   - The file depends on the layout, the options, the rows and their order only: neither on how Append was called for them,
//     as long as the row groups end at the same rows, nor on what the encoder wrote before.
//   - Statistics are exact or absent, never wrong for any reader's order of NaN and signed zeros (see bounds).
//   - Appending allocates only where buffers grow; they keep their memory for the next row group.
//
// The package does no IO of its own and reads no clock.
package parquetfile
