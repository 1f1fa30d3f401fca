// Package decode turns records into column buffers, by a schema that is known only at run time.
//
// The problem: other programs write the records, so any field order, white space and escape must be read, every fault must be told
// from a good record, and all of it a million times a second without garbage. The idea: the table's paths are compiled once into a
// tree of fields (plan.go). One pass over a record's bytes (scan.go) checks that the whole of it is valid JSON and notes, for each
// place of a column, where in the bytes its value lies. Only then are the noted values converted, column by column (convert.go). So
// a syntax error costs no conversion, a repeated field simply notes a later place, and a bad value is undone by truncating the few
// columns already written. No map, no interface value and no allocation is made per record.
//
// # What is a good record
//
// A record is one JSON object as encoding/json accepts it (RFC 8259, nested at most 10,000 deep), with white space around it.
// Names are compared case-sensitively, after escapes. Fields that no column asks for are checked and skipped. A name that is
// repeated within one object: the last wins, with all that is below it. Of several places of one column (aliases) that a record has,
// the last in the text wins, null included. A path that meets another kind of value than it steps into finds nothing.
//
// # What a column takes
//
// A value in quotes is read as the text between them, white space around that text aside, so a column of numbers takes 12.5 and
// " 12.5 " alike. Numbers follow the grammar of JSON in quotes, too: no leading +, no leading zeros, no hexadecimal, no NaN.
//
//	String     text, with escapes resolved; the text of a number, true or false as it stands; an object or array as its JSON text, as
//	           it stands. What is not UTF-8, and a surrogate without its other half, becomes U+FFFD, as in encoding/json.
//	Binary     text in standard Base64, padded.
//	Bool       true, false; a number equal to 1 or 0.
//	Int, Long  a number without a fraction (5, 5.0 and 5e0, but not 5.5) in the range of 32 or 64 bits, exactly.
//	Double     a number; the nearest double. One beyond the greatest double is a fault.
//	Timestamp  ISO 8601 text: a date, then, if any, T or a space and hh:mm[:ss[.fraction]], then, if any, Z, +hh:mm, +hhmm or +hh.
//	           Without a zone it is UTC. Or a number since 1970, by the column's TimeUnit. What is finer than a microsecond is dropped,
//	           towards the past. Years are 0001 to 9999; a second of 60 is a fault.
//
// null, like an absent value, is null in the column, and a fault where the column is required. The column of the event time is
// required, and its value must lie in the table's [TimeFrom, TimeTo).
//
// # What is a bad one
//
// Anything else leaves the batch as it was and gives a *Reason. A reason's text depends on the bytes and the schema alone, so that
// reading the same record again makes the same dead letter (I6). A change of this package that makes another row, or another reason,
// of the same record raises schema.DecoderVersion.
//
// The package is pure.
package decode
