package aws

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// parquetColumns returns the columns of a Parquet file, as Hive's types name them.
func parquetColumns(path string) (columns []glueColumn, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	file, err := parquet.OpenFile(f, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("read as Parquet: %w", err)
	}
	for _, field := range file.Schema().Fields() {
		typ, err := nodeType(field)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", field.Name(), err)
		}
		columns = append(columns, glueColumn{Name: strings.ToLower(field.Name()), Type: typ})
	}
	return columns, nil
}

// nodeType returns the Hive type of a field.
func nodeType(n parquet.Node) (string, error) {
	switch {
	case n.Repeated():
		element, err := nodeType(parquet.Required(n))
		return "array<" + element + ">", err
	case n.Leaf():
		return leafType(n.Type())
	}
	var logical format.LogicalTypeValue
	if l := n.Type().LogicalType(); l != nil {
		logical = l.Value
	}
	switch logical.(type) {
	case *format.ListType: // a repeated group with the element in it
		if list := n.Fields()[0]; !list.Leaf() && len(list.Fields()) == 1 {
			element, err := nodeType(list.Fields()[0])
			return "array<" + element + ">", err
		}
	case *format.MapType: // a repeated group of key and value
		if entry := n.Fields()[0]; !entry.Leaf() && len(entry.Fields()) == 2 {
			key, err := nodeType(entry.Fields()[0])
			if err != nil {
				return "", err
			}
			value, err := nodeType(entry.Fields()[1])
			return "map<" + key + "," + value + ">", err
		}
	}
	var fields []string
	for _, field := range n.Fields() {
		typ, err := nodeType(field)
		if err != nil {
			return "", err
		}
		fields = append(fields, strings.ToLower(field.Name())+":"+typ)
	}
	return "struct<" + strings.Join(fields, ",") + ">", nil
}

func leafType(t parquet.Type) (string, error) {
	if l := t.LogicalType(); l != nil {
		switch l := l.Value.(type) {
		case *format.StringType, *format.EnumType, *format.JsonType:
			return "string", nil
		case *format.DateType:
			return "date", nil
		case *format.TimestampType:
			return "timestamp", nil
		case *format.DecimalType:
			return fmt.Sprintf("decimal(%d,%d)", l.Precision, l.Scale), nil
		case *format.IntType:
			return integerType(l), nil
		}
	}
	switch t.Kind() {
	case parquet.Boolean:
		return "boolean", nil
	case parquet.Int32:
		return "int", nil
	case parquet.Int64:
		return "bigint", nil
	case parquet.Int96:
		return "timestamp", nil
	case parquet.Float:
		return "float", nil
	case parquet.Double:
		return "double", nil
	case parquet.ByteArray, parquet.FixedLenByteArray:
		return "binary", nil
	}
	return "", fmt.Errorf("the Parquet type %s has no Hive type", t)
}

// integerType returns the Hive type that holds all values of an integer type; none holds all of 64 bits without a sign.
func integerType(t *format.IntType) string {
	bits := t.BitWidth
	if !t.IsSigned {
		bits++
	}
	switch {
	case bits <= 8:
		return "tinyint"
	case bits <= 16:
		return "smallint"
	case bits <= 32:
		return "int"
	default:
		return "bigint"
	}
}
