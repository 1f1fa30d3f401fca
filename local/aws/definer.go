package aws

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// A definer runs the statements that change the catalog. It changes it through Glue's own operations, as Athena does, so that Glue's rules hold
// for SQL too. Safe for concurrent use.
type definer struct {
	catalog *catalog
	objects Objects
	writer  *writer
	glue    func(operation string, body []byte) (any, error)
}

// call asks Glue for an operation, as a client would, and decodes the answer into out, if that is given. What Glue refuses is the query's
// failure.
func (d *definer) call(operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return failed("GENERIC_INTERNAL_ERROR", "encode %s: %v", operation, err)
	}
	answer, err := d.glue(operation, body)
	var e *apiError
	switch {
	case errors.As(err, &e):
		return &refusal{operation, e}
	case err != nil || out == nil:
		return err
	}
	if body, err = json.Marshal(answer); err == nil {
		err = json.Unmarshal(body, out)
	}
	if err != nil {
		return failed("GENERIC_INTERNAL_ERROR", "answer of %s: %v", operation, err)
	}
	return nil
}

// A refusal is what Glue says to an operation, in the words of Athena.
type refusal struct {
	operation string
	cause     *apiError
}

func (r *refusal) Error() string {
	return "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. " + r.cause.kind + ": " + r.cause.message
}

func (r *refusal) Unwrap() error { return r.cause }

// refused tells whether Glue has refused with an error of the given type.
func refused(err error, kind string) bool {
	var e *apiError
	return errors.As(err, &e) && e.kind == kind
}

// run runs a definition that needs no engine.
func (d *definer) run(ctx context.Context, q *query) (*result, error) {
	r, ok := q.statement.define.(interface {
		run(ctx context.Context, d *definer, q *query) (*result, error)
	})
	if !ok {
		return nil, failed("NOT_SUPPORTED", "%s needs the SQL engine", q.statement.sub)
	}
	return r.run(ctx, d, q)
}

// exists tells whether a table is there. A database that is not is an error.
func (d *definer) exists(ref tableRef) (bool, error) {
	_, err := d.catalog.table(ref.database, ref.table)
	switch {
	case err == nil:
		return true, nil
	case d.catalog.database(ref.database) == nil:
		return false, failed("SCHEMA_NOT_FOUND", "Schema '%s' does not exist", ref.database)
	case missing(err):
		return false, nil
	}
	return false, err
}

// mustBeEmpty makes sure that nothing lies where a statement is to write.
func (d *definer) mustBeEmpty(ctx context.Context, location, what string) error {
	bucket, prefix, err := splitLocation(location)
	if err != nil {
		return failed("INVALID_TABLE_PROPERTY", "%v", err)
	}
	found, err := d.objects.List(ctx, bucket, prefix)
	if err == nil && slices.ContainsFunc(found, func(o Object) bool { return o.SizeBytes > 0 }) {
		err = failed("HIVE_PATH_ALREADY_EXISTS", "Target directory for %s already exists: %s. You may need to manually clean the data there before retrying",
			what, location)
	}
	return err
}

// Names of classes that Hive reads and writes Parquet with.
const (
	parquetSerDe  = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
	parquetInput  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
	parquetOutput = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"
)

// A newTableOf is the table that CREATE TABLE AS makes.
type newTableOf struct {
	location string
	keys     []string
	format   outputFormat
	stored   storedAs
	serde    map[string]string // parameters of the SerDe
	codec    string
}

// newTable reads the properties of CREATE TABLE AS.
func newTable(q *query, ref tableRef) (*newTableOf, error) {
	o := q.statement.write.options
	switch {
	case len(o["bucketed_by"].texts) > 0 || o.text("bucket_count") != "":
		return nil, failed("NOT_SUPPORTED", "this local endpoint writes no buckets: leave bucketed_by and bucket_count out")
	case strings.EqualFold(o.text("table_type"), "iceberg"):
		return nil, failed("NOT_SUPPORTED", "this local endpoint has no Iceberg tables: leave table_type out")
	}
	n := &newTableOf{keys: lower(o["partitioned_by"].texts), codec: strings.ToUpper(o.text("write_compression") + o.text("parquet_compression"))}
	if err := n.formed(o); err != nil {
		return nil, err
	}
	n.location = o.text("external_location") + o.text("location")
	if n.location == "" {
		if q.output == "" {
			return nil, failed("INVALID_TABLE_PROPERTY", "table %s needs an external_location, or the query an output location", ref)
		}
		n.location = q.output + "tables/" + q.id
	}
	n.location = strings.TrimSuffix(n.location, "/") + "/"
	return n, nil
}

// formed reads the format of a new table's files.
func (n *newTableOf) formed(o properties) (err error) {
	format := strings.ToUpper(o.text("format"))
	if format == "" {
		format = "PARQUET"
	}
	if format != "PARQUET" && format != "TEXTFILE" && format != "JSON" {
		return failed("NOT_SUPPORTED", "this local endpoint makes tables of PARQUET, TEXTFILE and JSON, not of %s", format)
	}
	n.stored = formats[strings.ToLower(format)]
	n.serde = map[string]string{"serialization.format": "1"}
	given := properties{
		"format": {texts: []string{format}}, "compression": {texts: []string{n.codec}}, "field_delimiter": o["field_delimiter"],
	}
	if delimiter := o.text("field_delimiter"); delimiter != "" && format == "TEXTFILE" {
		n.serde["field.delim"] = delimiter
	}
	n.format, err = unloadFormat(given)
	return err
}

// register puts a new table with its Hive partitions into the catalog.
func (d *definer) register(ref tableRef, n *newTableOf, b *batch, parts []writtenPartition) error {
	in := tableInput{
		Name: ref.table, TableType: new("EXTERNAL_TABLE"),
		StorageDescriptor: &storageDescriptor{
			Location: n.location, InputFormat: n.stored.input, OutputFormat: n.stored.output,
			SerdeInfo: &serDeInfo{SerializationLibrary: &n.stored.serde, Parameters: n.serde},
		},
		Parameters: map[string]string{"EXTERNAL": "TRUE", "has_encrypted_data": "false"},
	}
	if n.stored.classification != "" {
		in.Parameters["classification"] = n.stored.classification
	}
	if n.codec != "" && n.stored.serde == parquetSerDe {
		in.Parameters["parquet.compression"] = n.codec
	}
	for _, c := range b.columns {
		in.StorageDescriptor.Columns = append(in.StorageDescriptor.Columns, glueColumn{Name: c.name, Type: c.glue})
	}
	for _, k := range b.keys {
		in.PartitionKeys = append(in.PartitionKeys, glueColumn{Name: k.name, Type: k.glue})
	}
	if err := d.createTable(ref.database, in); err != nil {
		return err
	}
	t, err := d.catalog.table(ref.database, ref.table)
	if err == nil {
		err = d.addWritten(ref, t, parts)
	}
	if err != nil { // its files go away
		return errors.Join(err, d.call("DeleteTable", struct{ DatabaseName, Name string }{ref.database, ref.table}, nil))
	}
	return nil
}

func (d *definer) createTable(database string, in tableInput) error {
	return d.call("CreateTable", struct {
		DatabaseName string
		TableInput   tableInput
	}{database, in}, nil)
}

// addWritten registers those Hive partitions that are not there yet.
func (d *definer) addWritten(ref tableRef, t *glueTable, parts []writtenPartition) error {
	if len(t.PartitionKeys) == 0 {
		return nil
	}
	return d.addPartitions(ref, t, parts, true)
}

// addPartitions registers Hive partitions. One that is there already is an error, or left as it is.
func (d *definer) addPartitions(ref tableRef, t *glueTable, parts []writtenPartition, ifNotExists bool) error {
	for chunk := range slices.Chunk(parts, createBatchMax) {
		var inputs []partitionInput
		for _, p := range chunk {
			if _, err := d.catalog.partition(ref.database, ref.table, p.values); err == nil {
				if !ifNotExists {
					return failed("FAILED", "SemanticException Partition already exists: %s", strings.Join(p.values, "/"))
				}
				continue
			}
			inputs = append(inputs, partitionInput{Values: p.values, StorageDescriptor: descriptorOf(t, p.location)})
		}
		if len(inputs) == 0 {
			continue
		}
		if err := d.createBatch(ref, inputs); err != nil {
			return err
		}
	}
	return nil
}

// createBatch registers Hive partitions that are not there. One that somebody else registers at this moment is.
func (d *definer) createBatch(ref tableRef, inputs []partitionInput) error {
	var answer struct {
		Errors []struct {
			PartitionValues []string
			ErrorDetail     struct{ ErrorCode, ErrorMessage string }
		}
	}
	err := d.call("BatchCreatePartition", struct {
		DatabaseName, TableName string
		PartitionInputList      []partitionInput
	}{ref.database, ref.table, inputs}, &answer)
	for _, e := range answer.Errors {
		if e.ErrorDetail.ErrorCode != alreadyExists {
			return failed("FAILED", "partition %s: %s", strings.Join(e.PartitionValues, "/"), e.ErrorDetail.ErrorMessage)
		}
	}
	return err
}

// descriptorOf returns a Hive partition's description: its table's, at another location.
func descriptorOf(t *glueTable, location string) *storageDescriptor {
	var of storageDescriptor
	if t.StorageDescriptor != nil {
		of = *t.StorageDescriptor
	}
	of.Location = location
	return &of
}
