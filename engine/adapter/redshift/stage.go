package redshift

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"citystream/engine/commitlog"
	"citystream/engine/port"
)

// manifestRoot is the prefix of the manifests' keys. Each is used by one transaction and deleted afterwards.
const manifestRoot = commitlog.Root + "manifests/"

// A group is the files that one COPY takes: of one Hive partition, with the same columns.
type group struct {
	stage    string // temporary table
	manifest string // key
	columns  []port.WarehouseColumn
	values   []string
	rows     int64
}

// A staging is what the statements of one transaction are made of. Its names are its own, so that nothing is in their way in a session that the
// service uses again.
type staging struct {
	*Warehouse
	table   port.WarehouseTable
	name    string
	commits []port.LoadCommit
	groups  []group
}

// groupOf tells commits apart whose files cannot be copied together.
func groupOf(c port.LoadCommit) string {
	return partitionText(c.Values) + " " + strings.Join(c.Columns, " ")
}

func columnTypes(table port.WarehouseTable) map[string]string {
	types := map[string]string{}
	for _, c := range table.Columns {
		types[c.Name] = c.Type
	}
	return types
}

// stage writes the manifests of commits.
func (w *Warehouse) stage(ctx context.Context, table port.WarehouseTable, commits []port.LoadCommit) (*staging, error) {
	s := &staging{Warehouse: w, table: table, name: "stage_" + strings.ToLower(rand.Text()), commits: commits}
	files := map[string][]port.LoadFile{}
	first := map[string]port.LoadCommit{}
	var order []string
	for _, c := range commits {
		if len(c.Files) == 0 {
			continue
		}
		g := groupOf(c)
		if _, ok := first[g]; !ok {
			first[g] = c
			order = append(order, g)
		}
		files[g] = append(files[g], c.Files...)
	}
	for i, g := range order {
		if err := s.add(ctx, i, first[g], files[g]); err != nil {
			s.clear(ctx, nil)
			return nil, err
		}
	}
	return s, nil
}

// add writes the manifest of a group's files.
func (s *staging) add(ctx context.Context, number int, like port.LoadCommit, files []port.LoadFile) error {
	number++
	g := group{
		stage: s.name + "_" + strconv.Itoa(number), manifest: fmt.Sprintf("%s%s/%s-%d.json", manifestRoot, s.table.Name, s.name, number),
		columns: s.table.Columns, values: like.Values,
	}
	if like.Columns != nil {
		types := columnTypes(s.table)
		g.columns = make([]port.WarehouseColumn, len(like.Columns))
		for i, name := range like.Columns {
			g.columns[i] = port.WarehouseColumn{Name: name, Type: types[name]}
		}
	}
	for _, f := range files {
		g.rows += f.Rows
	}
	body, err := manifest(s.options.Bucket, files)
	if err != nil {
		return err
	}
	if err := s.manifests.Put(ctx, g.manifest, body); err != nil {
		return fmt.Errorf("write manifest %s: %w", g.manifest, err)
	}
	s.groups = append(s.groups, g)
	return nil
}

// manifest returns the list of files as COPY reads it; for Parquet it wants their sizes.
func manifest(bucket string, files []port.LoadFile) ([]byte, error) {
	type meta struct {
		ContentLength int64 `json:"content_length"`
	}
	type entry struct {
		URL       string `json:"url"`
		Mandatory bool   `json:"mandatory"`
		Meta      meta   `json:"meta"`
	}
	list := struct {
		Entries []entry `json:"entries"`
	}{}
	for _, f := range files {
		list.Entries = append(list.Entries, entry{"s3://" + bucket + "/" + f.Key, true, meta{f.SizeBytes}})
	}
	b, err := json.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("encode a manifest: %w", err)
	}
	return b, nil
}

// clear deletes the manifests, unless the transaction may still be reading them. One that stays behind is of no consequence.
func (s *staging) clear(ctx context.Context, err error) {
	if ctx.Err() != nil || errors.Is(err, port.ErrTransient) {
		return
	}
	for _, g := range s.groups {
		_ = s.manifests.Delete(ctx, g.manifest)
	}
}

// entry returns a commit's row of the table of this transaction's commits.
func entry(c port.LoadCommit) string {
	rows, _ := c.Size()
	return "(" + literal(c.ID) + ", " + literal(partitionText(c.Values)) + ", " + strconv.FormatInt(rows, 10) + ")"
}

// listed returns statements that make a temporary table of entries.
func listed(name, columns string, entries []string) []step {
	steps := []step{{sql: "CREATE TEMP TABLE " + identifier(name) + " (" + columns + ")"}}
	for len(entries) > 0 {
		n, bytes := 0, 0
		for n < len(entries) && (n == 0 || bytes+len(entries[n])+2 <= entriesMax) {
			bytes += len(entries[n]) + 2
			n++
		}
		steps = append(steps, step{sql: "INSERT INTO " + identifier(name) + " VALUES " + strings.Join(entries[:n], ", ")})
		entries = entries[n:]
	}
	return steps
}

// begin returns the statements up to where the rows of the files are in temporary tables and have been counted. The lock comes before all.
func (s *staging) begin() []step {
	entries := make([]string, len(s.commits))
	for i, c := range s.commits {
		entries[i] = entry(c)
	}
	steps := []step{{sql: "LOCK " + s.Warehouse.name(logTable)}}
	steps = append(steps, listed(s.name, "commit_id varchar(1024), hive_partition varchar(2048), row_count bigint", entries)...)
	var counts []string
	for _, g := range s.groups {
		steps = append(steps,
			step{sql: "CREATE TEMP TABLE " + identifier(g.stage) + " (" + columnList(g.columns) + ")"},
			step{sql: "COPY " + identifier(g.stage) + " FROM " + literal("s3://"+s.options.Bucket+"/"+g.manifest) + " " + role(s.options.IAMRole) +
				" FORMAT AS PARQUET MANIFEST"})
		counts = append(counts, fmt.Sprintf("(SELECT count(*) FROM %s) = %d", identifier(g.stage), g.rows))
	}
	if len(counts) > 0 {
		steps = append(steps, must(strings.Join(counts, " AND "),
			fmt.Errorf("%w: the files have other rows than their commits tell of: citystream verify finds the file", port.ErrQueryFailed)))
	}
	return steps
}

// must returns a statement that fails unless a condition holds. SQL has no other way to roll a batch back than one that cannot run.
func must(condition string, wrong error) step {
	return step{"SELECT CAST(CASE WHEN " + condition + " THEN '1' ELSE 'no' END AS INTEGER)", wrong}
}

// known returns the condition that the log has a commit of this transaction.
func (s *staging) known() string {
	return "EXISTS (SELECT 1 FROM " + s.Warehouse.name(logTable) + " l JOIN " + identifier(s.name) + " c ON l.commit_id = c.commit_id" +
		" WHERE l.table_name = " + literal(s.table.Name) + ")"
}

// insert returns the statements that add the rows of the files, with the values of their Hive partitions, if a condition holds.
func (s *staging) insert(condition string) []step {
	var steps []step
	for _, g := range s.groups {
		names := make([]string, len(g.columns))
		for i, c := range g.columns {
			names[i] = c.Name
		}
		source := identifiers(names)
		for _, v := range g.values {
			source += ", " + literal(v)
		}
		steps = append(steps, step{sql: "INSERT INTO " + s.Warehouse.name(s.table.Name) + " (" + identifiers(slices.Concat(names, s.table.PartitionKeys)) + ")" +
			" SELECT " + source + " FROM " + identifier(g.stage) + condition})
	}
	return steps
}

// load returns the statements of a transaction that adds the commits if the log has none of them. Its last rows are what the log has
// of them then.
func (s *staging) load() []step {
	log, own := s.Warehouse.name(logTable), identifier(s.name)
	steps := append(s.begin(), s.insert(" WHERE NOT "+s.known())...)
	return append(steps,
		step{sql: "INSERT INTO " + log + " SELECT " + literal(s.table.Name) + ", commit_id, hive_partition, row_count, GETDATE() FROM " + own +
			" WHERE NOT " + s.known()},
		step{sql: "SELECT l.commit_id, l.hive_partition, l.row_count FROM " + log + " l JOIN " + own + " c ON l.commit_id = c.commit_id" +
			" WHERE l.table_name = " + literal(s.table.Name)})
}

// reload returns the statements of a transaction that replaces a Hive partition. The commits that the log has stay in it: their files are
// among those that are copied.
func (s *staging) reload(r port.Reload) []step {
	log, own, before := s.Warehouse.name(logTable), identifier(s.name), s.name+"_known"
	entries := make([]string, len(r.Known))
	for i, id := range r.Known {
		entries[i] = "(" + literal(id) + ")"
	}
	conditions := make([]string, len(r.Values))
	for i, v := range r.Values {
		conditions[i] = identifier(s.table.PartitionKeys[i]) + " = " + literal(v)
	}
	here := strings.Join(conditions, " AND ")
	name := literal(s.table.Name)
	steps := append(s.begin(), listed(before, "commit_id varchar(1024)", entries)...)
	steps = append(steps,
		must("(SELECT count(*) FROM "+log+" l WHERE l.table_name = "+name+" AND l.hive_partition = "+literal(partitionText(r.Values))+
			" AND l.commit_id NOT IN (SELECT commit_id FROM "+identifier(before)+" UNION ALL SELECT commit_id FROM "+own+")) = 0", port.ErrMoreLoaded),
		step{sql: "DELETE FROM " + s.Warehouse.name(s.table.Name) + " WHERE " + here})
	steps = append(steps, s.insert("")...)
	return append(steps,
		step{sql: "INSERT INTO " + log + " SELECT " + name + ", commit_id, hive_partition, row_count, GETDATE() FROM " + own +
			" WHERE commit_id NOT IN (SELECT commit_id FROM " + log + " WHERE table_name = " + name + ")"},
		step{sql: "SELECT count(*) FROM " + s.Warehouse.name(s.table.Name) + " WHERE " + here})
}
