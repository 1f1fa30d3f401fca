package aws

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// outputs are the files that Athena leaves at a query's output location.
type outputs struct{ writer *writer }

// checkOutput tells whether a text can be an output location, and returns it with a slash at its end.
func checkOutput(location string) (string, error) {
	if location == "" {
		return "", nil
	}
	bucket, prefix, err := splitLocation(location)
	if err == nil {
		_, err = localName(bucket, prefix)
	}
	if err != nil || bucket == "" {
		return "", invalid("outputLocation is not a valid S3 path: %s", location)
	}
	return "s3://" + bucket + "/" + prefix, nil
}

// resultFile returns what a query's OutputLocation is, or nothing where no location is known.
func resultFile(location, id string, s *statement) string {
	if location == "" {
		return ""
	}
	return location + s.kind.outputName(id)
}

// outputName returns the name of the result below the output location.
func (k kind) outputName(id string) string {
	switch k {
	case selecting:
		return id + ".csv"
	case inserting, unloading:
		return id
	case creating:
		return "tables/" + id
	default:
		return id + ".txt"
	}
}

// deliver writes a result to where the client wants it. Without a store results are read by GetQueryResults only.
func (o *outputs) deliver(ctx context.Context, q *query, r *result) error {
	if q.output == "" || o.writer.ready() != nil {
		return nil
	}
	bucket, prefix, err := splitLocation(q.output)
	if err != nil {
		return err
	}
	files := map[string][]byte{}
	name := prefix + q.statement.kind.outputName(q.id)
	switch q.statement.kind {
	case selecting:
		files[name] = csvOf(r)
	case inserting, unloading, creating:
		r.manifest = q.output + q.id + "-manifest.csv"
		files[prefix+q.id+"-manifest.csv"] = []byte(strings.Join(append(r.written, ""), "\n"))
	default:
		files[name] = textOf(r)
	}
	files[name+".metadata"] = metadataOf(r.columns)
	for key, body := range files {
		if err := o.writer.put(ctx, bucket, key, body); err != nil {
			return fmt.Errorf("GENERIC_USER_ERROR: the result cannot be written to its output location: %w", err)
		}
	}
	return nil
}

// csvOf returns a result in Athena's CSV: every value in quotes, NULL as nothing at all, the columns' names first.
func csvOf(r *result) []byte {
	var b []byte
	cell := func(i int, text *string) {
		if i > 0 {
			b = append(b, ',')
		}
		if text != nil {
			b = append(append(append(b, '"'), strings.ReplaceAll(*text, `"`, `""`)...), '"')
		}
	}
	for i := range r.columns {
		cell(i, &r.columns[i].name)
	}
	b = append(b, '\n')
	for _, row := range r.rows {
		for i, text := range row {
			cell(i, text)
		}
		b = append(b, '\n')
	}
	return b
}

// textOf returns the result of a statement that is no query: its cells with tabs between them.
func textOf(r *result) []byte {
	var b []byte
	for _, row := range r.rows {
		for i, text := range row {
			if i > 0 {
				b = append(b, '\t')
			}
			if text != nil {
				b = append(b, *text...)
			}
		}
		b = append(b, '\n')
	}
	return b
}

// Numbers of the fields in a .metadata file, as readers of such files know them: AWS has not written its form down.
const (
	metaColumn     = 4 // of the whole: a column
	metaCatalog    = 1 // of a column, from here on
	metaLabel      = 4
	metaName       = 5
	metaType       = 6
	metaPrecision  = 7
	metaScale      = 8
	metaNullable   = 9
	metaCase       = 10
	metaIsUnknown  = 3 // whether NULLs may be there
	metaHiveSource = "hive"
)

// metadataOf returns the .metadata file of a result: protobuf, a message a column.
func metadataOf(columns []column) []byte {
	var whole []byte
	for _, c := range columnInfos(columns) {
		var b []byte
		text := func(field protowire.Number, s string) {
			b = protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
		}
		number := func(field protowire.Number, n uint64) {
			b = protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), n)
		}
		text(metaCatalog, metaHiveSource)
		text(metaLabel, c.Label)
		text(metaName, c.Name)
		text(metaType, c.Type)
		number(metaPrecision, uint64(c.Precision))
		number(metaScale, uint64(c.Scale))
		number(metaNullable, metaIsUnknown)
		number(metaCase, protowire.EncodeBool(c.CaseSensitive))
		whole = protowire.AppendBytes(protowire.AppendTag(whole, metaColumn, protowire.BytesType), b)
	}
	return whole
}
