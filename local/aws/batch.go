package aws

// A target is a column of the files to write: an expression over the output table, its name and its type in the file.
type target struct{ expression, name, duck, glue string }

// An outputFormat says how files are written.
type outputFormat struct {
	options   string // of COPY
	extension string
}

// A batch is what one statement writes.
type batch struct {
	columns  []target
	keys     []target
	format   outputFormat
	location string // s3://, with a slash at its end
	// where returns the location of a Hive partition, by default its folder below location.
	where func(values []string) string
}

// A writtenPartition is one Hive partition, or the whole table, that a statement has written to.
type writtenPartition struct {
	values   []string
	location string
}

// An upload is an object that a statement has written.
type upload struct{ bucket, key string }
