package redshift

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"citystream/engine/port"
)

// logTable is the log of loads.
const logTable = "load_log"

// logColumns are those of the log of loads. Redshift would take a primary key and not enforce it, so there is none.
const logColumns = "table_name varchar(256) NOT NULL, commit_id varchar(1024) NOT NULL, hive_partition varchar(2048) NOT NULL, " +
	"row_count bigint NOT NULL, loaded_at timestamp NOT NULL"

// EnsureTable implements port.Warehouse.
func (w *Warehouse) EnsureTable(ctx context.Context, table port.WarehouseTable) error {
	err := w.ensureTable(ctx, table)
	for try := 1; try < tries && inTheWay(err); try++ { // somebody else made the same thing: look again
		err = w.ensureTable(ctx, table)
	}
	if err != nil {
		return fmt.Errorf("redshift: ensure table %s: %w", table.Name, err)
	}
	return nil
}

// inTheWay tells whether a statement failed because what it makes is there.
func inTheWay(err error) bool {
	return errors.Is(err, port.ErrQueryFailed) && strings.Contains(strings.ToLower(err.Error()), "already exists")
}

func (w *Warehouse) ensureTable(ctx context.Context, table port.WarehouseTable) error {
	columns, err := w.columns(ctx, table.Name)
	if err != nil {
		return err
	}
	if columns[logTable] == nil || columns[table.Name] == nil {
		_, err := w.transaction(ctx,
			step{sql: "CREATE SCHEMA IF NOT EXISTS " + identifier(w.options.Schema)},
			step{sql: "CREATE TABLE IF NOT EXISTS " + w.name(logTable) + " (" + logColumns + ")"},
			step{sql: w.create(table)},
		)
		if err != nil {
			return err
		}
		if columns, err = w.columns(ctx, table.Name); err != nil {
			return err
		}
	}
	var lacking []step
	for _, c := range slices.Concat(table.Columns, keyColumns(table)) {
		kind, there := columns[table.Name][c.Name]
		switch {
		case !there:
			lacking = append(lacking, step{sql: "ALTER TABLE " + w.name(table.Name) + " ADD COLUMN " + identifier(c.Name) + " " + c.Type})
		case typeName(kind) != typeName(c.Type):
			return fmt.Errorf("%w: column %s is %s and should be %s: a column's type is never changed, so give the new one another name",
				port.ErrQueryFailed, c.Name, kind, c.Type)
		}
	}
	for some := range slices.Chunk(lacking, statementsMax) {
		if _, err := w.transaction(ctx, some...); err != nil {
			return err
		}
	}
	return nil
}

// columns returns the types of the columns of the log of loads and of a table, by their names; nothing for what is not there.
func (w *Warehouse) columns(ctx context.Context, table string) (map[string]map[string]string, error) {
	rows, err := w.query(ctx, "SELECT table_name, column_name, data_type FROM svv_columns WHERE table_schema = "+literal(strings.ToLower(w.options.Schema))+
		" AND table_name IN ("+literal(table)+", "+literal(logTable)+")")
	if err != nil {
		return nil, err
	}
	found := map[string]map[string]string{}
	for _, r := range rows {
		if len(r) != 3 {
			return nil, fmt.Errorf("svv_columns has rows of %d columns", len(r))
		}
		if found[r[0]] == nil {
			found[r[0]] = map[string]string{}
		}
		found[r[0]][r[1]] = r[2]
	}
	return found, nil
}

// keyType is the type of the columns that hold the values of Hive partitions.
const keyType = "varchar(256)"

func keyColumns(table port.WarehouseTable) []port.WarehouseColumn {
	keys := make([]port.WarehouseColumn, len(table.PartitionKeys))
	for i, k := range table.PartitionKeys {
		keys[i] = port.WarehouseColumn{Name: k, Type: keyType}
	}
	return keys
}

// create returns the statement that makes a table.
func (w *Warehouse) create(table port.WarehouseTable) string {
	sql := "CREATE TABLE IF NOT EXISTS " + w.name(table.Name) + " (" + columnList(slices.Concat(table.Columns, keyColumns(table))) + ")"
	if table.DistKey != "" {
		sql += " DISTSTYLE KEY DISTKEY (" + identifier(table.DistKey) + ")"
	}
	if len(table.SortKeys) > 0 {
		sql += " COMPOUND SORTKEY (" + identifiers(table.SortKeys) + ")"
	}
	return sql
}

func columnList(columns []port.WarehouseColumn) string {
	parts := make([]string, len(columns))
	for i, c := range columns {
		parts[i] = identifier(c.Name) + " " + c.Type
	}
	return strings.Join(parts, ", ")
}

func identifiers(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = identifier(n)
	}
	return strings.Join(quoted, ", ")
}

// typeNames are the several names that Redshift has for one type.
var typeNames = map[string]string{
	"character varying": "varchar", "nvarchar": "varchar", "text": "varchar", "bool": "boolean", "int2": "smallint", "int": "integer", "int4": "integer",
	"int8": "bigint", "float": "double precision", "float8": "double precision", "float4": "real", "decimal": "numeric",
	"timestamp without time zone": "timestamp", "timestamp with time zone": "timestamptz", "varbinary": "varbyte", "binary varying": "varbyte",
}

// typeName returns the plain name of a type, without its size: one that is too small shows when it is loaded into.
func typeName(kind string) string {
	name, _, _ := strings.Cut(strings.ToLower(kind), "(")
	name = strings.TrimSpace(name)
	if plain := typeNames[name]; plain != "" {
		return plain
	}
	return name
}

// EnsureExternalSchema implements port.Warehouse. The statement that makes an external schema is one that no transaction may hold.
func (w *Warehouse) EnsureExternalSchema(ctx context.Context, e port.ExternalSchema) error {
	err := w.ensureExternalSchema(ctx, e)
	if err != nil {
		return fmt.Errorf("redshift: ensure external schema %s of %s: %w", w.options.Schema, e.Database, err)
	}
	return nil
}

func (w *Warehouse) ensureExternalSchema(ctx context.Context, e port.ExternalSchema) error {
	database, err := w.externalDatabase(ctx)
	if err != nil {
		return err
	}
	if database == "" {
		sql := "CREATE EXTERNAL SCHEMA IF NOT EXISTS " + identifier(w.options.Schema) + " FROM DATA CATALOG DATABASE " + literal(e.Database)
		if e.Region != "" {
			sql += " REGION " + literal(e.Region)
		}
		if _, err := w.query(ctx, sql+" "+role(e.IAMRole)); err != nil && !inTheWay(err) {
			return err
		}
		if database, err = w.externalDatabase(ctx); err != nil {
			return err
		}
	}
	switch database {
	case e.Database:
		return nil
	case "":
		return fmt.Errorf("%w: there is a schema of this name that is no external one: choose another name", port.ErrQueryFailed)
	}
	return fmt.Errorf("%w: the schema shows the database %s: choose another name, or drop the schema", port.ErrQueryFailed, database)
}

// externalDatabase returns the Glue database that the schema shows, or nothing.
func (w *Warehouse) externalDatabase(ctx context.Context) (string, error) {
	rows, err := w.query(ctx, "SELECT databasename FROM svv_external_schemas WHERE schemaname = "+literal(strings.ToLower(w.options.Schema)))
	if err != nil || len(rows) == 0 || len(rows[0]) == 0 {
		return "", err
	}
	return rows[0][0], nil
}
