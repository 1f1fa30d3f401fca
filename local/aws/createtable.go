package aws

import (
	"context"
	"strings"
)

// createTable is CREATE EXTERNAL TABLE, in Hive's words.
type createTable struct {
	ref         tableRef
	ifNotExists bool
	in          tableInput
	format      storedAs
	serde       string // of ROW FORMAT SERDE
}

// storedAs are the classes of a file format, as Hive names them.
type storedAs struct{ serde, input, output, classification string }

const (
	textInput  = "org.apache.hadoop.mapred.TextInputFormat"
	textOutput = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"
	textSerDe  = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
)

// formats are those that STORED AS names. Tables of all of them can be made; those of Parquet, text and JSON can be read.
var formats = map[string]storedAs{
	"parquet":  {parquetSerDe, parquetInput, parquetOutput, "parquet"},
	"textfile": {textSerDe, textInput, textOutput, ""},
	"orc": {
		"org.apache.hadoop.hive.ql.io.orc.OrcSerde", "org.apache.hadoop.hive.ql.io.orc.OrcInputFormat",
		"org.apache.hadoop.hive.ql.io.orc.OrcOutputFormat", "orc",
	},
	"avro": {
		"org.apache.hadoop.hive.serde2.avro.AvroSerDe", "org.apache.hadoop.hive.ql.io.avro.AvroContainerInputFormat",
		"org.apache.hadoop.hive.ql.io.avro.AvroContainerOutputFormat", "avro",
	},
	"json": {"org.openx.data.jsonserde.JsonSerDe", textInput, textOutput, "json"},
}

func (*createTable) sub() string { return "CREATE_TABLE" }

func readCreateTable(p *parser) (definition, error) {
	t := &createTable{ifNotExists: p.take("if", "not", "exists"), format: formats["textfile"]}
	var err error
	if t.ref, err = p.table(); err != nil {
		return nil, err
	}
	t.in = tableInput{
		Name: t.ref.table, TableType: new("EXTERNAL_TABLE"), Parameters: map[string]string{"EXTERNAL": "TRUE"},
		StorageDescriptor: &storageDescriptor{SerdeInfo: &serDeInfo{Parameters: map[string]string{"serialization.format": "1"}}},
	}
	if t.in.StorageDescriptor.Columns, err = p.hiveColumns(); err != nil {
		return nil, err
	}
	for len(p.words) > 0 {
		if err := t.clause(p); err != nil {
			return nil, err
		}
	}
	d := t.in.StorageDescriptor
	if d.Location == "" {
		return nil, invalid("line 1:1: CREATE EXTERNAL TABLE needs a LOCATION")
	}
	if _, err := checkOutput(d.Location); err != nil {
		return nil, err
	}
	d.InputFormat, d.OutputFormat, d.SerdeInfo.SerializationLibrary = t.format.input, t.format.output, new(t.format.serde)
	if t.serde != "" {
		d.SerdeInfo.SerializationLibrary = &t.serde
	}
	if c := t.format.classification; c != "" && t.in.Parameters["classification"] == "" {
		t.in.Parameters["classification"] = c
	}
	return t, nil
}

// clause takes one of the clauses behind the columns.
func (t *createTable) clause(p *parser) (err error) {
	d := t.in.StorageDescriptor
	var text string
	switch at := p.peek(); {
	case p.take("comment"):
		text, err = p.text()
		t.in.Parameters["comment"] = text
	case p.take("partitioned", "by"):
		t.in.PartitionKeys, err = p.hiveColumns()
	case p.take("location"):
		d.Location, err = p.text()
	case p.take("tblproperties"):
		err = t.merge(t.in.Parameters, p)
	case p.take("row", "format", "serde"):
		t.serde, err = p.text()
	case p.take("with", "serdeproperties"):
		err = t.merge(d.SerdeInfo.Parameters, p)
	case p.take("row", "format", "delimited"):
		err = t.delimited(p)
	case p.take("stored", "as", "inputformat"):
		if t.format.input, err = p.text(); err == nil {
			err = p.want("outputformat")
		}
		if err == nil {
			t.format.output, err = p.text()
		}
	case p.take("stored", "as"):
		word := p.next()
		format, ok := formats[strings.ToLower(word.text)]
		if !ok {
			return invalid("line %s: STORED AS %s is not known here: PARQUET, TEXTFILE, ORC, AVRO and JSON are", position(p.sql, word.begin), word.text)
		}
		t.format = format
	case p.take("clustered", "by"):
		return invalid("line %s: NOT_SUPPORTED: this local endpoint has no buckets: leave CLUSTERED BY out", position(p.sql, at.begin))
	default:
		err = p.unexpected("'COMMENT', 'PARTITIONED BY', 'ROW FORMAT', 'STORED AS', 'LOCATION', 'TBLPROPERTIES'")
	}
	return err
}

func (t *createTable) merge(into map[string]string, p *parser) error {
	all, err := p.hiveProperties()
	for k, v := range all {
		into[k] = v
	}
	return err
}

// delimited takes the clauses of ROW FORMAT DELIMITED.
func (t *createTable) delimited(p *parser) (err error) {
	parameters := t.in.StorageDescriptor.SerdeInfo.Parameters
	for err == nil {
		name := ""
		switch {
		case p.take("fields", "terminated", "by"):
			name = "field.delim"
		case p.take("escaped", "by"):
			name = "escape.delim"
		case p.take("lines", "terminated", "by"):
			name = "line.delim"
		case p.take("collection", "items", "terminated", "by"):
			name = "collection.delim"
		case p.take("map", "keys", "terminated", "by"):
			name = "mapkey.delim"
		case p.take("null", "defined", "as"):
			name = "serialization.null.format"
		default:
			return nil
		}
		parameters[name], err = p.text()
	}
	return err
}

func (t *createTable) run(_ context.Context, d *definer, q *query) (*result, error) {
	ref := t.ref.in(q.database)
	exists, err := d.exists(ref)
	switch {
	case err != nil:
		return nil, err
	case exists && t.ifNotExists:
		return &result{}, nil
	}
	err = d.createTable(ref.database, t.in)
	if t.ifNotExists && refused(err, alreadyExists) {
		err = nil
	}
	return &result{}, err
}
