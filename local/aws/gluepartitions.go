package aws

import (
	"slices"
)

// Limits of the Glue API on one batch of partitions.
const (
	createBatchMax = 100
	updateBatchMax = 100
	deleteBatchMax = 25
	getBatchMax    = 1000
	partitionsPage = 1000
)

func (g *glue) partitionHandlers() map[string]handler {
	return map[string]handler{
		"CreatePartition": handle(g.createPartition), "BatchCreatePartition": handle(g.batchCreatePartition),
		"GetPartition": handle(g.getPartition), "GetPartitions": handle(g.getPartitions), "BatchGetPartition": handle(g.batchGetPartition),
		"UpdatePartition": handle(g.updatePartition), "BatchUpdatePartition": handle(g.batchUpdatePartition),
		"DeletePartition": handle(g.deletePartition), "BatchDeletePartition": handle(g.batchDeletePartition),
		"GetPartitionIndexes": handle(g.getPartitionIndexes),
	}
}

// of is the part of every request about partitions that names the table.
type of struct{ DatabaseName, TableName string }

// errorDetail is one failure in a batch.
type errorDetail struct{ ErrorCode, ErrorMessage string }

func detail(err error) errorDetail {
	e := asFault(err)
	return errorDetail{e.kind, e.message}
}

type partitionError struct {
	PartitionValues []string
	ErrorDetail     errorDetail
}

// newPartition makes what the catalog keeps of an input.
func (g *glue) newPartition(t *glueTable, in partitionInput) (*gluePartition, error) {
	if len(in.Values) != len(t.PartitionKeys) {
		return nil, fault(invalidInput, "The number of partition keys do not match the number of partition values")
	}
	return &gluePartition{partitionInput: in, DatabaseName: t.DatabaseName, TableName: t.Name, CreationTime: secondsOf(g.now())}, nil
}

func (g *glue) createPartition(in *struct {
	of
	PartitionInput partitionInput
},
) (none, error) {
	failed, err := g.create(in.of, []partitionInput{in.PartitionInput})
	if err != nil {
		return none{}, err
	}
	for _, f := range failed {
		return none{}, fault(f.ErrorDetail.ErrorCode, "%s", f.ErrorDetail.ErrorMessage)
	}
	return none{}, nil
}

type partitionErrors struct {
	Errors []partitionError `json:",omitempty"`
}

func (g *glue) batchCreatePartition(in *struct {
	of
	PartitionInputList []partitionInput
},
) (partitionErrors, error) {
	if n := len(in.PartitionInputList); n > createBatchMax {
		return partitionErrors{}, tooMany("partitionInputList", n, createBatchMax)
	}
	failed, err := g.create(in.of, in.PartitionInputList)
	return partitionErrors{failed}, err
}

func tooMany(member string, n, most int) error {
	return fault(invalidInput, "1 validation error detected: Value at '%s' failed to satisfy constraint: "+
		"Member must have length less than or equal to %d, and it has %d", member, most, n)
}

// create adds those partitions that are not there yet, in one record of the journal, and returns the others' errors.
func (g *glue) create(in of, inputs []partitionInput) ([]partitionError, error) {
	g.catalog.writing.Lock()
	defer g.catalog.writing.Unlock()
	t, err := g.catalog.table(in.DatabaseName, in.TableName)
	if err != nil {
		return nil, err
	}
	var failed []partitionError
	var made []*gluePartition
	for _, input := range inputs {
		p, err := g.newPartition(t, input)
		if err == nil && g.exists(t, made, input.Values) {
			err = fault(alreadyExists, "Partition already exists.")
		}
		if err != nil {
			failed = append(failed, partitionError{input.Values, detail(err)})
			continue
		}
		made = append(made, p)
	}
	if len(made) == 0 {
		return failed, nil
	}
	return failed, g.catalog.commit(&change{Partitions: made})
}

// exists tells whether a partition is in the catalog or among those just made.
func (g *glue) exists(t *glueTable, made []*gluePartition, values []string) bool {
	if slices.ContainsFunc(made, func(p *gluePartition) bool { return slices.Equal(p.Values, values) }) {
		return true
	}
	_, err := g.catalog.partition(t.DatabaseName, t.Name, values)
	return err == nil
}

type valueList struct{ Values []string }

type updateEntry struct {
	PartitionValueList []string
	PartitionInput     partitionInput
}

func (g *glue) updatePartition(in *struct {
	of
	updateEntry
},
) (none, error) {
	failed, err := g.update(in.of, []updateEntry{in.updateEntry})
	if err != nil {
		return none{}, err
	}
	for _, f := range failed {
		return none{}, fault(f.ErrorDetail.ErrorCode, "%s", f.ErrorDetail.ErrorMessage)
	}
	return none{}, nil
}

type updateFailure struct {
	PartitionValueList []string
	ErrorDetail        errorDetail
}

type updateErrors struct {
	Errors []updateFailure `json:",omitempty"`
}

func (g *glue) batchUpdatePartition(in *struct {
	of
	Entries []updateEntry
},
) (updateErrors, error) {
	if n := len(in.Entries); n > updateBatchMax {
		return updateErrors{}, tooMany("entries", n, updateBatchMax)
	}
	failed, err := g.update(in.of, in.Entries)
	return updateErrors{failed}, err
}

// update replaces partitions that exist. The new values may differ from the old ones only where nothing lies yet.
func (g *glue) update(in of, entries []updateEntry) ([]updateFailure, error) {
	g.catalog.writing.Lock()
	defer g.catalog.writing.Unlock()
	t, err := g.catalog.table(in.DatabaseName, in.TableName)
	if err != nil {
		return nil, err
	}
	var failed []updateFailure
	var changes []*change
	for _, e := range entries {
		ch, err := g.updateOne(t, e)
		if err != nil {
			failed = append(failed, updateFailure{e.PartitionValueList, detail(err)})
			continue
		}
		changes = append(changes, ch...)
	}
	if len(changes) == 0 {
		return failed, nil
	}
	return failed, g.catalog.commit(changes...)
}

func (g *glue) updateOne(t *glueTable, e updateEntry) ([]*change, error) {
	old, err := g.catalog.partition(t.DatabaseName, t.Name, e.PartitionValueList)
	if err != nil {
		return nil, err
	}
	next, err := g.newPartition(t, e.PartitionInput)
	if err != nil {
		return nil, err
	}
	next.CreationTime = old.CreationTime
	put := &change{Partitions: []*gluePartition{next}}
	if slices.Equal(next.Values, old.Values) {
		return []*change{put}, nil
	}
	if g.exists(t, nil, next.Values) {
		return nil, fault(alreadyExists, "Partition already exists.")
	}
	return []*change{put, dropping(t, old.Values)}, nil
}

func dropping(t *glueTable, values ...[]string) *change {
	return &change{DropPartitions: &partitionNames{tableName{t.DatabaseName, t.Name}, values}}
}

func (g *glue) deletePartition(in *struct {
	of
	PartitionValues []string
},
) (none, error) {
	failed, err := g.delete(in.of, []valueList{{in.PartitionValues}})
	if err != nil {
		return none{}, err
	}
	for _, f := range failed {
		return none{}, fault(f.ErrorDetail.ErrorCode, "%s", f.ErrorDetail.ErrorMessage)
	}
	return none{}, nil
}

func (g *glue) batchDeletePartition(in *struct {
	of
	PartitionsToDelete []valueList
},
) (partitionErrors, error) {
	if n := len(in.PartitionsToDelete); n > deleteBatchMax {
		return partitionErrors{}, tooMany("partitionsToDelete", n, deleteBatchMax)
	}
	failed, err := g.delete(in.of, in.PartitionsToDelete)
	return partitionErrors{failed}, err
}

func (g *glue) delete(in of, lists []valueList) ([]partitionError, error) {
	g.catalog.writing.Lock()
	defer g.catalog.writing.Unlock()
	t, err := g.catalog.table(in.DatabaseName, in.TableName)
	if err != nil {
		return nil, err
	}
	var failed []partitionError
	var gone [][]string
	for _, v := range lists {
		if _, err := g.catalog.partition(t.DatabaseName, t.Name, v.Values); err != nil {
			failed = append(failed, partitionError{v.Values, detail(err)})
			continue
		}
		gone = append(gone, v.Values)
	}
	if len(gone) == 0 {
		return failed, nil
	}
	return failed, g.catalog.commit(dropping(t, gone...))
}
