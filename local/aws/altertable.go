package aws

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// A partitionSpec is PARTITION (key = 'value', ...).
type partitionSpec struct {
	values   map[string]string
	location string
}

// partitionSpec takes the keys and values of a Hive partition.
func (p *parser) partitionSpec() (partitionSpec, error) {
	s := partitionSpec{values: map[string]string{}}
	inner, err := p.parens()
	if err != nil {
		return s, err
	}
	for {
		key, err := inner.name("identifier")
		switch {
		case err != nil:
			return s, err
		case !inner.take("="):
			return s, inner.unexpected("=")
		case len(inner.words) == 0:
			return s, inner.unexpected("a value")
		}
		s.values[key] = inner.next().text
		if !inner.take(",") {
			return s, inner.end()
		}
	}
}

// alterTable is one of the forms of ALTER TABLE.
type alterTable struct {
	ref tableRef
	as  string
	do  func(d *definer, ref tableRef, t *glueTable) error
}

func (a *alterTable) sub() string { return a.as }

func (a *alterTable) run(_ context.Context, d *definer, q *query) (*result, error) {
	ref := a.ref.in(q.database)
	t, err := d.catalog.table(ref.database, ref.table)
	switch {
	case missing(err):
		return nil, failed("FAILED", "SemanticException [Error 10001]: Table not found %s", ref)
	case err != nil:
		return nil, err
	case isView(t):
		return nil, failed("FAILED", "SemanticException %s is a view: use CREATE OR REPLACE VIEW", ref)
	}
	return &result{}, a.do(d, ref, t)
}

func readAlterTable(p *parser) (definition, error) {
	a := &alterTable{}
	var err error
	if a.ref, err = p.table(); err != nil {
		return nil, err
	}
	at := p.peek()
	switch {
	case p.take("add", "if", "not", "exists"):
		a.as, a.do, err = readAddPartitions(p, true)
	case p.take("add", "columns"):
		a.as, a.do, err = readColumns(p, func(old, given []glueColumn) []glueColumn { return append(slices.Clone(old), given...) })
	case p.take("replace", "columns"):
		a.as, a.do, err = readColumns(p, func(_, given []glueColumn) []glueColumn { return given })
	case p.take("add"):
		a.as, a.do, err = readAddPartitions(p, false)
	case p.take("drop"):
		a.as, a.do, err = readDropPartitions(p)
	case p.take("set", "tblproperties"):
		a.as, a.do, err = readSetProperties(p)
	case p.take("set", "location"):
		a.as, a.do, err = readSetLocation(p)
	default:
		err = invalid("line %s: NOT_SUPPORTED: this local endpoint knows ALTER TABLE with ADD PARTITION, DROP PARTITION, ADD COLUMNS, "+
			"REPLACE COLUMNS, SET TBLPROPERTIES and SET LOCATION", position(p.sql, at.begin))
	}
	return a, err
}

// An alteration changes a table.
type alteration = func(d *definer, ref tableRef, t *glueTable) error

func readAddPartitions(p *parser, ifNotExists bool) (string, alteration, error) {
	var specs []partitionSpec
	for len(specs) == 0 || len(p.words) > 0 {
		if err := p.want("partition"); err != nil {
			return "", nil, err
		}
		s, err := p.partitionSpec()
		if err == nil && p.take("location") {
			s.location, err = p.text()
		}
		if err != nil {
			return "", nil, err
		}
		specs = append(specs, s)
	}
	return "ALTER_TABLE_ADD_PARTITION", func(d *definer, ref tableRef, t *glueTable) error {
		var parts []writtenPartition
		for _, s := range specs {
			part, err := s.of(t)
			if err != nil {
				return err
			}
			parts = append(parts, part)
		}
		return d.addPartitions(ref, t, parts, ifNotExists)
	}, nil
}

// of returns the Hive partition of a table that the specification names in full.
func (s partitionSpec) of(t *glueTable) (writtenPartition, error) {
	part := writtenPartition{location: s.location}
	folder := ""
	for _, k := range t.PartitionKeys {
		v, ok := s.values[strings.ToLower(k.Name)]
		if !ok {
			return part, failed("FAILED", "SemanticException partition spec does not name the key %s", k.Name)
		}
		part.values = append(part.values, v)
		folder += escaped(strings.ToLower(k.Name)) + "=" + escaped(v) + "/"
	}
	if len(s.values) != len(t.PartitionKeys) {
		return part, failed("FAILED", "SemanticException table %s is partitioned by %d keys, and %d are given", t.Name, len(t.PartitionKeys), len(s.values))
	}
	if part.location == "" && t.StorageDescriptor != nil {
		part.location = strings.TrimSuffix(t.StorageDescriptor.Location, "/") + "/" + folder
	}
	if _, _, err := splitLocation(part.location); err != nil {
		return part, failed("FAILED", "SemanticException %v", err)
	}
	return part, nil
}

func readDropPartitions(p *parser) (string, alteration, error) {
	ifExists := p.take("if", "exists")
	var specs []partitionSpec
	for {
		if err := p.want("partition"); err != nil {
			return "", nil, err
		}
		s, err := p.partitionSpec()
		if err != nil {
			return "", nil, err
		}
		specs = append(specs, s)
		if !p.take(",") {
			break
		}
	}
	return "ALTER_TABLE_DROP_PARTITION", func(d *definer, ref tableRef, _ *glueTable) error {
		t, partitions, err := d.catalog.view(ref.database, ref.table)
		if err != nil {
			return err
		}
		var gone []valueList
		for _, s := range specs {
			before := len(gone)
			for _, x := range partitions {
				if s.matches(t, x) {
					gone = append(gone, valueList{x.Values})
				}
			}
			if len(gone) == before && !ifExists {
				return failed("FAILED", "SemanticException [Error 10006]: Partition not found (%v)", s.values)
			}
		}
		for chunk := range slices.Chunk(gone, deleteBatchMax) {
			err := d.call("BatchDeletePartition", struct {
				DatabaseName, TableName string
				PartitionsToDelete      []valueList
			}{ref.database, ref.table, chunk}, nil)
			if err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// matches tells whether a Hive partition has the values that the specification names, which need not be all.
func (s partitionSpec) matches(t *glueTable, p *gluePartition) bool {
	found := 0
	for i, k := range t.PartitionKeys {
		if v, ok := s.values[strings.ToLower(k.Name)]; ok {
			found++
			if v != p.Values[i] {
				return false
			}
		}
	}
	return found == len(s.values)
}

func readColumns(p *parser, merge func(old, given []glueColumn) []glueColumn) (string, alteration, error) {
	columns, err := p.hiveColumns()
	return "ALTER_TABLE_ADD_COLUMNS", func(d *definer, ref tableRef, _ *glueTable) error {
		return d.change(ref, func(in *tableInput) {
			in.StorageDescriptor.Columns = merge(in.StorageDescriptor.Columns, columns)
		})
	}, err
}

func readSetProperties(p *parser) (string, alteration, error) {
	properties, err := p.hiveProperties()
	return "ALTER_TABLE_SET_TBLPROPERTIES", func(d *definer, ref tableRef, _ *glueTable) error {
		return d.change(ref, func(in *tableInput) {
			all := map[string]string{}
			maps.Copy(all, in.Parameters)
			maps.Copy(all, properties)
			in.Parameters = all
		})
	}, err
}

func readSetLocation(p *parser) (string, alteration, error) {
	location, err := p.text()
	if err == nil {
		_, err = checkOutput(location)
	}
	return "ALTER_TABLE_SET_LOCATION", func(d *definer, ref tableRef, _ *glueTable) error {
		return d.change(ref, func(in *tableInput) { in.StorageDescriptor.Location = location })
	}, err
}

// changeTries is how often a change starts again because somebody else has changed the table meanwhile.
const changeTries = 10

// change changes a table as it is now. The function gets a copy whose description is its own.
func (d *definer) change(ref tableRef, edit func(in *tableInput)) error {
	for try := 1; ; try++ {
		t, err := d.catalog.table(ref.database, ref.table)
		if err != nil {
			return err
		}
		in := t.tableInput
		var description storageDescriptor
		if in.StorageDescriptor != nil {
			description = *in.StorageDescriptor
		}
		in.StorageDescriptor = &description
		edit(&in)
		err = d.call("UpdateTable", struct {
			DatabaseName string
			TableInput   tableInput
			VersionID    string `json:"VersionId"`
		}{ref.database, in, t.VersionID}, nil)
		if !refused(err, concurrentModification) || try == changeTries {
			return err
		}
	}
}
