//go:build cgo

package aws

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// pathColumn is the name under which DuckDB tells the file of a row. A filter on it chooses files before they are opened, under this name
// only; a column of the table that has the same name is called otherColumn within the scan.
const (
	pathColumn  = "filename"
	otherColumn = "$filename"
)

// scanned returns what a column is called within the scan.
func scanned(name string) string {
	if name == pathColumn {
		return otherColumn
	}
	return name
}

// A tableFile is one local file of a table with the values of its Hive partition.
type tableFile struct {
	path   string
	values []string
	name   string // its s3:// name
	object Object
}

// view returns the statement that makes a table of the catalog visible, and the files that it reads: those of the Hive partitions that one
// of the references may want, or all if there are none.
//
// Columns are given by the catalog, so no file is opened before the query wants it. The values of partition keys follow from
// the file's path, as an expression that DuckDB evaluates for a whole file at a time, and before it opens the file where the query
// filters by it: a query for one hour reads that hour's files only. Where the path spells the values, as Hive's folders do, the expression
// cuts them out; for the others it looks them up.
func (s *session) view(ctx context.Context, ref tableRef, references []reference) (statement string, paths []string, err error) {
	t, partitions, err := s.catalog.view(ref.database, ref.table)
	if err != nil {
		return "", nil, err
	}
	v, err := layoutOf(t)
	if err != nil {
		return "", nil, err
	}
	v.hidden = s.hidden
	files, err := s.files(ctx, t, narrowed(t, partitions, references))
	if err != nil {
		return "", nil, err
	}
	var spelled, other []tableFile
	for _, f := range files {
		paths = append(paths, f.path)
		if v.spells(f) {
			spelled = append(spelled, f)
		} else {
			other = append(other, f)
		}
	}
	var scans []string
	if len(spelled) > 0 {
		scans = append(scans, v.scan(spelled, v.cutOut))
	}
	if len(other) > 0 {
		scans = append(scans, v.scan(other, lookUp(other)))
	}
	if len(scans) == 0 {
		scans = []string{v.empty()}
	}
	name := identifier(catalogName) + "." + identifier(t.DatabaseName) + "." + identifier(t.Name)
	return "CREATE VIEW " + name + " AS " + strings.Join(scans, " UNION ALL "), paths, nil
}

// files returns the files of a table: of its registered partitions, or of its location if it has no partition keys.
func (s *session) files(ctx context.Context, t *glueTable, partitions []*gluePartition) ([]tableFile, error) {
	if len(t.PartitionKeys) == 0 {
		if t.StorageDescriptor == nil || t.StorageDescriptor.Location == "" {
			return nil, failed("HIVE_METASTORE_ERROR", "table %s has no location", t.Name)
		}
		return s.filesAt(ctx, t.StorageDescriptor.Location, nil)
	}
	var files []tableFile
	for _, p := range partitions {
		found, err := s.filesAt(ctx, p.location(), p.Values)
		if err != nil {
			return nil, fmt.Errorf("partition %s of table %s: %w", strings.Join(p.Values, "/"), t.Name, err)
		}
		files = append(files, found...)
	}
	return files, nil
}

// filesAt returns the files at a location, without the hidden and the empty ones.
func (s *session) filesAt(ctx context.Context, location string, values []string) ([]tableFile, error) {
	bucket, prefix, err := splitLocation(location)
	if err != nil {
		return nil, err
	}
	objects, err := s.options.Objects.List(ctx, bucket, prefix)
	if err != nil {
		return nil, err
	}
	var files []tableFile
	for _, o := range objects {
		if o.SizeBytes == 0 || hidden(strings.TrimPrefix(o.Key, prefix)) {
			continue
		}
		path, release, err := s.options.Objects.File(ctx, bucket, o)
		if err != nil {
			return nil, err
		}
		s.releases = append(s.releases, release)
		if s.sizes == nil {
			s.sizes = map[string]int64{}
		}
		s.sizes[filepath.ToSlash(path)] = o.SizeBytes
		if strings.ContainsAny(path, "*?[{") {
			return nil, failed("NOT_SUPPORTED", "the local SQL engine takes * ? [ { in a file's path for a pattern: %s", o.Key)
		}
		files = append(files, tableFile{filepath.ToSlash(path), values, "s3://" + bucket + "/" + o.Key, o})
	}
	return files, nil
}

// A layout is a table's columns and keys as DuckDB is to see them.
type layout struct {
	columns, keys []typedName
	reader        fileReader
	hidden        bool // with the hidden columns
}

type typedName struct{ name, kind string }

func layoutOf(t *glueTable) (*layout, error) {
	reader, err := readerOf(t)
	if err != nil {
		return nil, err
	}
	v := &layout{reader: reader}
	isKey := map[string]bool{}
	for _, k := range t.PartitionKeys {
		kind, err := duckType(k.Type)
		if err != nil {
			return nil, fmt.Errorf("partition key %s of table %s: %w", k.Name, t.Name, err)
		}
		v.keys = append(v.keys, typedName{strings.ToLower(k.Name), kind})
		isKey[strings.ToLower(k.Name)] = true
	}
	for _, c := range columnsOf(t) {
		name := strings.ToLower(c.Name)
		if isKey[name] {
			continue
		}
		kind, err := duckType(c.Type)
		if err != nil {
			return nil, fmt.Errorf("column %s of table %s: %w", c.Name, t.Name, err)
		}
		v.columns = append(v.columns, typedName{name, kind})
	}
	if len(v.columns) == 0 {
		return nil, failed("HIVE_INVALID_METADATA", "table %s.%s has no columns", t.DatabaseName, t.Name)
	}
	return v, nil
}

// plainValue is a partition value that stands in a path as it is.
var plainValue = regexp.MustCompile(`^[A-Za-z0-9._:+ -]+$`)

// spells tells whether a file's folders are its Hive partition: key=value/key=value/file.
func (v *layout) spells(f tableFile) bool {
	want := ""
	for i, k := range v.keys {
		if !plainValue.MatchString(f.values[i]) {
			return false
		}
		want += "/" + k.name + "=" + f.values[i]
	}
	return strings.HasSuffix(f.path[:strings.LastIndex(f.path, "/")], want)
}

// cutOut returns the expression of a key's value for files that spell it.
func (v *layout) cutOut(key int) string {
	pattern := ""
	for _, k := range v.keys {
		pattern += "/" + regexp.QuoteMeta(k.name) + "=([^/]*)"
	}
	return fmt.Sprintf("system.main.regexp_extract(%s, %s, %d)", pathColumn, literal(pattern+"/[^/]*$"), key+1)
}

// lookUp returns the function that makes the expression of a key's value for given files.
func lookUp(files []tableFile) func(key int) string {
	return func(key int) string {
		paths, values := make([]string, len(files)), make([]string, len(files))
		for i, f := range files {
			paths[i], values[i] = f.path, f.values[key]
		}
		return fmt.Sprintf("list_extract(%s, list_position(%s, %s))", list(values), list(paths), pathColumn)
	}
}

// scan returns a query over files.
func (v *layout) scan(files []tableFile, value func(key int) string) string {
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = f.path
	}
	return fmt.Sprintf("SELECT %s FROM %s", v.list(v.column, value, files), v.from(paths))
}

// empty returns a query of the table's columns without rows.
func (v *layout) empty() string {
	return "SELECT " + v.list(func(c typedName) string { return "CAST(NULL AS " + c.kind + ")" }, func(int) string { return "NULL" }, nil) + " WHERE false"
}

// list returns the select list of the table's columns and keys, and of the hidden columns where they are wanted.
func (v *layout) list(column func(typedName) string, key func(int) string, files []tableFile) string {
	var items []string
	for _, c := range v.columns {
		items = append(items, column(c)+" AS "+identifier(c.name))
	}
	for i, k := range v.keys {
		expression := key(i)
		if slices.ContainsFunc(files, func(f tableFile) bool { return f.values[i] == nullPartition }) {
			expression = "nullif(" + expression + ", " + literal(nullPartition) + ")"
		}
		if k.kind != "VARCHAR" || expression == "NULL" {
			expression = "CAST(" + expression + " AS " + k.kind + ")"
		}
		items = append(items, expression+" AS "+identifier(k.name))
	}
	if v.hidden {
		items = append(items, hiddenItems(files)...)
	}
	return strings.Join(items, ", ")
}

// hiddenItems returns the expressions of the hidden columns, which look a row's file up.
func hiddenItems(files []tableFile) []string {
	if len(files) == 0 {
		return []string{`NULL::VARCHAR AS "$path"`, `NULL::BIGINT AS "$file_size"`, `NULL::TIMESTAMPTZ AS "$file_modified_time"`}
	}
	paths, names := make([]string, len(files)), make([]string, len(files))
	sizes, times := make([]string, len(files)), make([]string, len(files))
	for i, f := range files {
		paths[i], names[i] = f.path, f.name
		sizes[i], times[i] = fmt.Sprint(f.object.SizeBytes), fmt.Sprint(f.object.Modified)
	}
	at := "list_position(" + list(paths) + ", " + pathColumn + ")"
	return []string{
		fmt.Sprintf(`list_extract(%s, %s) AS "$path"`, list(names), at),
		fmt.Sprintf(`list_extract([%s]::BIGINT[], %s) AS "$file_size"`, strings.Join(sizes, ", "), at),
		fmt.Sprintf(`make_timestamp(list_extract([%s]::BIGINT[], %s))::TIMESTAMPTZ AS "$file_modified_time"`, strings.Join(times, ", "), at),
	}
}
