//go:build cgo

package aws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// rsLink puts a local file into a folder of the stage under an object's name, which the engine may open.
func rsLink(path, folder, bucket, key string) (string, error) {
	name, err := localName(bucket, key)
	if err != nil {
		return "", err
	}
	to := filepath.Join(folder, name)
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return "", fmt.Errorf("stage s3://%s/%s: %w", bucket, key, err)
	}
	err = os.Link(path, to)
	if err != nil && !errors.Is(err, os.ErrExist) && !errors.Is(err, os.ErrNotExist) { // another file system
		err = rsCopyFile(path, to)
	}
	if err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("stage s3://%s/%s: %w", bucket, key, err)
	}
	return filepath.ToSlash(to), nil
}

func rsCopyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// rsStaged are objects that the engine is let see: each file that is asked for is linked into the stage.
type rsStaged struct {
	Objects
	folder string
}

func (s rsStaged) File(ctx context.Context, bucket string, o Object) (string, func(), error) {
	path, release, err := s.Objects.File(ctx, bucket, o)
	if err != nil {
		return "", nil, err
	}
	to, err := rsLink(path, s.folder, bucket, o.Key)
	if err != nil {
		release()
		return "", nil, err
	}
	return to, release, nil
}

// copy runs COPY: each file's columns go by their positions into those of the table.
func (t *duckTransaction) copy(ctx context.Context, s *redshiftStatement) (*rsResult, error) {
	columns, err := t.columns(ctx, s.copy.table)
	if err != nil {
		return nil, err
	}
	files, release, err := rsCopyFiles(ctx, rsStaged{t.options.Objects, t.files}, s.copy)
	t.releases = append(t.releases, release)
	if err != nil {
		return nil, err
	}
	r := &rsResult{}
	for _, f := range files {
		if strings.ContainsAny(f.path, "*?[{") {
			return nil, &redshiftError{fmt.Sprintf("this local endpoint does not read objects with * ? [ { in their names: %s", f.url), -1}
		}
		if err := t.checkFile(ctx, f, columns); err != nil {
			return nil, err
		}
		done, err := t.conn.ExecContext(ctx, "INSERT INTO "+s.copy.table.sql()+" SELECT * FROM read_parquet("+rsLiteral(f.path)+", hive_partitioning = false)")
		if err != nil {
			return nil, err
		}
		n, err := done.RowsAffected()
		if err != nil {
			return nil, err
		}
		r.affected += n
	}
	return r, nil
}

// rsAccepted are the types of files' columns that Redshift copies into columns of a type.
var rsAccepted = map[string][]string{
	"SMALLINT": {"INTEGER", "SMALLINT", "TINYINT"}, "INTEGER": {"INTEGER", "SMALLINT", "TINYINT"}, "BIGINT": {"BIGINT"}, "DOUBLE": {"DOUBLE"}, "FLOAT": {"FLOAT"},
	"BOOLEAN": {"BOOLEAN"}, "VARCHAR": {"VARCHAR", "BLOB"}, "JSON": {"VARCHAR"}, "BLOB": {"BLOB", "VARCHAR"}, "DATE": {"DATE"},
	"TIMESTAMP":   {"TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP_S"},
	"TIMESTAMPTZ": {"TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP_S"},
}

// rsTextMax is the size of the largest text that a column takes, in bytes.
const rsTextMax = 65_535

// checkFile compares a file with the table, as Redshift does: the number of columns, their types, and the sizes of texts.
func (t *duckTransaction) checkFile(ctx context.Context, f rsStagedFile, columns []rsEngineColumn) error {
	var found []rsEngineColumn
	err := rsEach(ctx, t.conn, "DESCRIBE SELECT * FROM read_parquet("+rsLiteral(f.path)+", hive_partitioning = false)", func(c []any) {
		kind := fmt.Sprint(c[1])
		if kind == "TIMESTAMP WITH TIME ZONE" {
			kind = "TIMESTAMPTZ"
		}
		found = append(found, rsEngineColumn{fmt.Sprint(c[0]), kind})
	})
	if err != nil {
		return &redshiftError{fmt.Sprintf("Spectrum Scan Error: File '%s' cannot be read as Parquet: %v", f.url, err), -1}
	}
	if len(found) != len(columns) {
		return &redshiftError{fmt.Sprintf("Spectrum Scan Error: Unmatched number of columns between table and file. Table columns: %d, Data columns: %d, File name: %s",
			len(columns), len(found), f.url), -1}
	}
	var texts []string
	for i, c := range columns {
		if takes := rsAccepted[c.kind]; takes != nil && !slices.Contains(takes, found[i].kind) {
			return &redshiftError{fmt.Sprintf("Spectrum Scan Error: File '%s' has an incompatible Parquet schema for column '%s'. Column type: %s, Parquet schema: %s %s",
				f.url, c.name, c.kind, found[i].name, found[i].kind), -1}
		}
		if c.kind == "VARCHAR" && found[i].kind == "VARCHAR" {
			texts = append(texts, "max(strlen("+rsQuote(found[i].name)+"))")
		}
	}
	if len(texts) == 0 {
		return nil
	}
	longest := int64(0)
	err = rsEach(ctx, t.conn, "SELECT greatest("+strings.Join(texts, ", ")+") FROM read_parquet("+rsLiteral(f.path)+", hive_partitioning = false)", func(c []any) {
		longest, _ = c[0].(int64) // NULL where there are no texts
	})
	if err == nil && longest > rsTextMax {
		err = &redshiftError{fmt.Sprintf("Spectrum Scan Error: The length of the data column is longer than the length defined in the table. "+
			"Table: %d, Data: %d, File name: %s", rsTextMax, longest, f.url), -1}
	}
	return err
}

// prepareExternals makes the views of the tables of external schemas that the statements name. They lie in the main memory, in a schema of this
// transaction's own, and are made before it begins, since the engine's transactions write to one database only.
func (t *duckTransaction) prepareExternals(ctx context.Context, j *rsJob) error {
	t.database.mu.Lock()
	known := make(map[string]rsExternal, len(t.database.externals))
	for name, x := range t.database.externals {
		known[name] = x
	}
	t.database.mu.Unlock()
	if len(known) == 0 {
		return nil
	}
	made := map[tableRef]bool{}
	for _, text := range j.sqls {
		tokens, err := rsLex(text)
		if err != nil {
			continue // the statement itself will tell
		}
		for i := range tokens {
			x, ok := known[tokens[i].value]
			if !ok || !tokens[i].named() || i+2 >= len(tokens) || !tokens[i+1].is(".") || !tokens[i+2].named() {
				continue
			}
			ref := tableRef{x.name, tokens[i+2].value}
			if made[ref] {
				continue
			}
			made[ref] = true
			if err := t.externalView(ctx, j.id, x, ref.table); err != nil {
				return err
			}
		}
	}
	return nil
}

// externalView makes the view of one table of Glue. One that is not there is left for the statement to miss.
func (t *duckTransaction) externalView(ctx context.Context, id string, x rsExternal, table string) error {
	views := `memory.` + rsQuote(x.name+" "+id)
	if t.schemas[x.name] == "" {
		if _, err := t.conn.ExecContext(ctx, "CREATE SCHEMA "+views); err != nil {
			return err
		}
		t.schemas[x.name] = views
	}
	if _, err := t.catalog.table(x.database, table); err != nil {
		return nil
	}
	o := t.options
	o.Objects = rsStaged{o.Objects, t.files}
	s := &session{duck: &duck{options: o, catalog: t.catalog}}
	defer func() { t.releases = append(t.releases, s.releases...) }()
	statement, _, err := s.view(ctx, tableRef{x.database, table}, nil)
	if err != nil {
		return &redshiftError{fmt.Sprintf("Spectrum Scan Error: %v", err), -1}
	}
	_, query, _ := strings.Cut(statement, " AS ")
	_, err = t.conn.ExecContext(ctx, "CREATE VIEW "+views+"."+rsQuote(table)+" AS "+query)
	return err
}

// rsExternal runs CREATE EXTERNAL SCHEMA.
func (t *duckTransaction) externalSchema(ctx context.Context, s *redshiftStatement) (*rsResult, error) {
	there := false
	err := rsEach(ctx, t.conn, "SELECT 1 FROM information_schema.schemata WHERE catalog_name = "+rsLiteral(t.database.name)+" AND schema_name = "+rsLiteral(s.schema.name)+
		" UNION ALL SELECT 1 FROM "+rsQuote(t.database.name)+"."+rsExternalTable+" WHERE schemaname = "+rsLiteral(s.schema.name), func([]any) { there = true })
	switch {
	case err != nil:
		return nil, err
	case there && s.ifNot:
		return &rsResult{}, nil
	case there:
		return nil, &redshiftError{fmt.Sprintf("schema %q already exists", s.schema.name), -1}
	}
	x := s.schema
	_, err = t.conn.ExecContext(ctx, "INSERT INTO "+rsQuote(t.database.name)+"."+rsExternalTable+" VALUES ("+
		strings.Join([]string{rsLiteral(x.name), rsLiteral(x.database), rsLiteral(x.region), rsLiteral(x.role)}, ", ")+")")
	if err != nil {
		return nil, err
	}
	t.made = append(t.made, *x)
	return &rsResult{}, nil
}

func (t *duckTransaction) dropSchema(ctx context.Context, s *redshiftStatement) (*rsResult, error) {
	name := s.tables[0].name
	done, err := t.conn.ExecContext(ctx, "DELETE FROM "+rsQuote(t.database.name)+"."+rsExternalTable+" WHERE schemaname = "+rsLiteral(name))
	if err != nil {
		return nil, err
	}
	if n, err := done.RowsAffected(); err != nil || n > 0 {
		t.dropped = append(t.dropped, name)
		return &rsResult{}, err
	}
	there := false
	err = rsEach(ctx, t.conn, "SELECT 1 FROM information_schema.schemata WHERE catalog_name = "+rsLiteral(t.database.name)+" AND schema_name = "+rsLiteral(name),
		func([]any) { there = true })
	switch {
	case err != nil:
		return nil, err
	case !there && s.ifNot:
		return &rsResult{}, nil
	case !there || name == "main":
		return nil, &redshiftError{fmt.Sprintf("schema %q does not exist", name), -1}
	}
	_, err = t.conn.ExecContext(ctx, s.sql)
	return &rsResult{}, err
}
