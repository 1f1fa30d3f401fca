package aws

import (
	"encoding/json"
	"strings"
)

// columnsMax is Glue's limit on the columns of one request for statistics.
const columnsMax = 100

func (g *glue) statisticsHandlers() map[string]handler {
	return map[string]handler{
		"GetColumnStatisticsForTable": handle(g.getStatistics), "GetColumnStatisticsForPartition": handle(g.getStatistics),
		"UpdateColumnStatisticsForTable": handle(g.updateStatistics), "UpdateColumnStatisticsForPartition": handle(g.updateStatistics),
		"DeleteColumnStatisticsForTable": handle(g.deleteStatistics), "DeleteColumnStatisticsForPartition": handle(g.deleteStatistics),
	}
}

// ofColumns is the part of a request that names a table, or one of its partitions.
type ofColumns struct {
	of
	PartitionValues []string
}

type columnError struct {
	ColumnName string
	Error      errorDetail
}

type statisticsAnswer struct {
	ColumnStatisticsList []json.RawMessage
	Errors               []columnError `json:",omitempty"`
}

// getStatistics returns what clients have said of columns. The catalog itself looks into no file.
func (g *glue) getStatistics(in *struct {
	ofColumns
	ColumnNames []string
},
) (statisticsAnswer, error) {
	answer := statisticsAnswer{ColumnStatisticsList: []json.RawMessage{}}
	if n := len(in.ColumnNames); n > columnsMax {
		return answer, tooMany("columnNames", n, columnsMax)
	}
	columns, err := g.catalog.statistics(in.DatabaseName, in.TableName, in.PartitionValues)
	if err != nil {
		return answer, err
	}
	for _, name := range in.ColumnNames {
		if s, ok := columns[strings.ToLower(name)]; ok {
			answer.ColumnStatisticsList = append(answer.ColumnStatisticsList, s)
			continue
		}
		answer.Errors = append(answer.Errors, columnError{name, detail(fault(entityNotFound, "Statistics for column %s not found.", name))})
	}
	return answer, nil
}

type statisticsError struct {
	ColumnStatistics json.RawMessage
	Error            errorDetail
}

type statisticsErrors struct {
	Errors []statisticsError `json:",omitempty"`
}

func (g *glue) updateStatistics(in *struct {
	ofColumns
	ColumnStatisticsList []json.RawMessage
},
) (statisticsErrors, error) {
	var answer statisticsErrors
	if n := len(in.ColumnStatisticsList); n > columnsMax {
		return answer, tooMany("columnStatisticsList", n, columnsMax)
	}
	g.catalog.writing.Lock()
	defer g.catalog.writing.Unlock()
	t, err := g.ofStatistics(in.ofColumns)
	if err != nil {
		return answer, err
	}
	columns := map[string]json.RawMessage{}
	for _, s := range in.ColumnStatisticsList {
		var head struct{ ColumnName, ColumnType string }
		if err := json.Unmarshal(s, &head); err != nil {
			return answer, fault("SerializationException", "The request could not be read: %v", err)
		}
		if !t.hasColumn(head.ColumnName) {
			answer.Errors = append(answer.Errors, statisticsError{s, detail(fault(entityNotFound, "Column %s not found.", head.ColumnName))})
			continue
		}
		columns[strings.ToLower(head.ColumnName)] = s
	}
	if len(columns) == 0 {
		return answer, nil
	}
	return answer, g.catalog.commit(&change{Statistics: &statisticsChange{tableName{t.DatabaseName, t.Name}, in.PartitionValues, columns}})
}

func (g *glue) deleteStatistics(in *struct {
	ofColumns
	ColumnName string
},
) (none, error) {
	g.catalog.writing.Lock()
	defer g.catalog.writing.Unlock()
	t, err := g.ofStatistics(in.ofColumns)
	if err != nil {
		return none{}, err
	}
	column := strings.ToLower(in.ColumnName)
	there, err := g.catalog.statistics(in.DatabaseName, in.TableName, in.PartitionValues)
	if err != nil {
		return none{}, err
	}
	if there[column] == nil {
		return none{}, fault(entityNotFound, "Statistics for column %s not found.", in.ColumnName)
	}
	return none{}, g.catalog.commit(&change{Statistics: &statisticsChange{
		tableName{t.DatabaseName, t.Name}, in.PartitionValues, map[string]json.RawMessage{column: json.RawMessage("null")},
	}})
}

// ofStatistics returns the table of a request whose partition, if it names one, is there.
func (g *glue) ofStatistics(in ofColumns) (*glueTable, error) {
	if _, err := g.catalog.statistics(in.DatabaseName, in.TableName, in.PartitionValues); err != nil {
		return nil, err
	}
	return g.catalog.table(in.DatabaseName, in.TableName)
}

// columns returns the columns of the files and the partition keys.
func (t *glueTable) columns() []glueColumn {
	var all []glueColumn
	if t.StorageDescriptor != nil {
		all = append(all, t.StorageDescriptor.Columns...)
	}
	return append(all, t.PartitionKeys...)
}

func (t *glueTable) hasColumn(name string) bool {
	for _, c := range t.columns() {
		if strings.EqualFold(c.Name, name) {
			return true
		}
	}
	return false
}
