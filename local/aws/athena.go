package aws

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// athena answers the Athena API. Safe for concurrent use.
type athena struct {
	runs    *executions
	keeper  *keeper
	catalog *catalog
	now     func() time.Time
}

// catalogName is the one data catalog that there is.
const catalogName = "AwsDataCatalog"

const (
	queryTextMax = 262_144 // bytes, as in Athena
	resultsPage  = 1000    // rows, as in Athena
)

func newAthena(o Options, c *catalog, e engine, s *keeper) *athena {
	return &athena{runs: newExecutions(o, e, &outputs{&writer{o.Store}}), keeper: s, catalog: c, now: time.Now}
}

func (a *athena) close() { a.runs.close() }

// handlers returns the operations by their names in X-Amz-Target.
func (a *athena) handlers() map[string]handler {
	return map[string]handler{
		"StartQueryExecution": handle(a.start), "StopQueryExecution": handle(a.stop),
		"GetQueryExecution": handle(a.get), "BatchGetQueryExecution": handle(a.batchGet), "ListQueryExecutions": handle(a.list),
		"GetQueryResults": handle(a.results), "GetQueryRuntimeStatistics": handle(a.runtime),

		"CreateWorkGroup": handle(a.createWorkGroup), "GetWorkGroup": handle(a.getWorkGroup), "ListWorkGroups": handle(a.listWorkGroups),
		"UpdateWorkGroup": handle(a.updateWorkGroup), "DeleteWorkGroup": handle(a.deleteWorkGroup),

		"CreateNamedQuery": handle(a.createNamedQuery), "GetNamedQuery": handle(a.getNamedQuery), "UpdateNamedQuery": handle(a.updateNamedQuery),
		"DeleteNamedQuery": handle(a.deleteNamedQuery), "ListNamedQueries": handle(a.listNamedQueries),
		"BatchGetNamedQuery": handle(a.batchGetNamedQuery),

		"CreatePreparedStatement": handle(a.createPreparedStatement), "GetPreparedStatement": handle(a.getPreparedStatement),
		"UpdatePreparedStatement": handle(a.updatePreparedStatement), "DeletePreparedStatement": handle(a.deletePreparedStatement),
		"ListDataCatalogs": handle(a.listDataCatalogs), "GetDataCatalog": handle(a.getDataCatalog),
		"ListDatabases": handle(a.listDatabases), "GetDatabase": handle(a.getDatabase),
		"ListTableMetadata": handle(a.listTableMetadata), "GetTableMetadata": handle(a.getTableMetadata),

		"ListPreparedStatements": handle(a.listPreparedStatements), "BatchGetPreparedStatement": handle(a.batchGetPreparedStatement),
	}
}

type queryContext struct {
	Database string `json:",omitempty"`
	Catalog  string `json:",omitempty"`
}

// A resultConfiguration says where results go; how they are encrypted there is taken and told again, and does nothing.
type resultConfiguration struct {
	OutputLocation          string          `json:",omitempty"`
	ExpectedBucketOwner     string          `json:",omitempty"`
	EncryptionConfiguration json.RawMessage `json:",omitempty"`
	ACLConfiguration        json.RawMessage `json:"AclConfiguration,omitempty"`
}

type startRequest struct {
	QueryString              string
	ClientRequestToken       string
	ExecutionParameters      []string
	QueryExecutionContext    queryContext
	ResultConfiguration      resultConfiguration
	ResultReuseConfiguration json.RawMessage // taken; every query runs anew, which Athena is free to do too
	WorkGroup                string
}

type executionID struct {
	ID string `json:"QueryExecutionId"`
}

func (a *athena) start(in *startRequest) (executionID, error) {
	switch n := len(in.QueryString); {
	case n == 0:
		return executionID{}, invalid("QueryString is missing.")
	case n > queryTextMax:
		return executionID{}, invalid("QueryString has %d bytes; at most %d are allowed.", n, queryTextMax)
	}
	if c := in.QueryExecutionContext.Catalog; c != "" && !strings.EqualFold(c, catalogName) {
		return executionID{}, invalid("Catalog %s does not exist; this local endpoint has %s only.", c, catalogName)
	}
	if id, err := a.runs.again(in); id != "" || err != nil {
		return executionID{id}, err
	}
	group, err := a.group(in.WorkGroup)
	if err != nil {
		return executionID{}, err
	}
	if group.State == disabled {
		return executionID{}, invalid("WorkGroup %s is disabled.", group.Name)
	}
	output, err := group.output(&in.ResultConfiguration)
	if err != nil {
		return executionID{}, err
	}
	s, err := a.statement(group.Name, in)
	if err != nil {
		return executionID{}, err
	}
	id, err := a.runs.start(in, group.Name, &query{
		database: strings.Trim(in.QueryExecutionContext.Database, "`\""), output: output, statement: s, cutoff: group.Configuration.BytesScannedCutoffPerQuery,
	})
	return executionID{id}, err
}

func (a *athena) stop(in *executionID) (none, error) { return none{}, a.runs.stop(in.ID) }

type executionStatus struct {
	State              state
	StateChangeReason  string `json:",omitempty"`
	SubmissionDateTime seconds
	CompletionDateTime *seconds     `json:",omitempty"`
	AthenaError        *athenaError `json:",omitempty"`
}

// An athenaError tells that the query was at fault: category 2 is the user's.
type athenaError struct {
	ErrorCategory int
	ErrorMessage  string
	Retryable     bool
}

type executionStatistics struct {
	DataScannedInBytes            int64
	DataManifestLocation          string `json:",omitempty"`
	EngineExecutionTimeInMillis   int64
	QueryQueueTimeInMillis        int64
	ServiceProcessingTimeInMillis int64
	TotalExecutionTimeInMillis    int64
	ResultReuseInformation        struct{ ReusedPreviousResult bool }
}

type engineVersion struct{ SelectedEngineVersion, EffectiveEngineVersion string }

type executionAnswer struct {
	ID                    string `json:"QueryExecutionId"`
	Query                 string
	StatementType         string
	SubstatementType      string `json:",omitempty"`
	ResultConfiguration   resultConfiguration
	QueryExecutionContext queryContext
	ExecutionParameters   []string `json:",omitempty"`
	Status                executionStatus
	Statistics            executionStatistics
	WorkGroup             string
	EngineVersion         engineVersion
}

type getAnswer struct{ QueryExecution executionAnswer }

// version says that no Athena is behind this; clients do not branch on it.
var version = engineVersion{"AUTO", "citystream local (DuckDB)"}

func (a *athena) get(in *executionID) (getAnswer, error) {
	x, err := a.runs.find(in.ID)
	if err != nil {
		return getAnswer{}, err
	}
	return getAnswer{x.answer()}, nil
}

// answer tells of a query as GetQueryExecution does.
func (x execution) answer() executionAnswer {
	status := executionStatus{State: x.state, StateChangeReason: x.reason, SubmissionDateTime: secondsOf(x.submitted)}
	if !x.completed.IsZero() {
		at := secondsOf(x.completed)
		status.CompletionDateTime = &at
	}
	if x.state == stateFailed {
		status.AthenaError = &athenaError{ErrorCategory: 2, ErrorMessage: x.reason}
	}
	where := x.request.ResultConfiguration
	where.OutputLocation = resultFile(x.query.output, x.query.id, x.query.statement)
	return executionAnswer{
		ID: x.query.id, Query: x.request.QueryString, StatementType: x.query.statement.kind.String(), SubstatementType: x.query.statement.sub,
		ResultConfiguration: where, QueryExecutionContext: x.request.QueryExecutionContext, ExecutionParameters: x.request.ExecutionParameters,
		Status: status, Statistics: x.statistics(), WorkGroup: x.group, EngineVersion: version,
	}
}

type datum struct {
	VarCharValue *string `json:",omitempty"`
}

type resultRow struct{ Data []datum }

type columnInfo struct {
	CatalogName, SchemaName, TableName, Name, Label, Type string
	Precision, Scale                                      int
	Nullable                                              string
	CaseSensitive                                         bool
}

type resultsAnswer struct {
	UpdateCount int64
	ResultSet   struct {
		Rows              []resultRow
		ResultSetMetadata struct{ ColumnInfo []columnInfo }
	}
	NextToken string `json:",omitempty"`
}

func (a *athena) results(in *struct {
	executionID
	paging
},
) (resultsAnswer, error) {
	var answer resultsAnswer
	x, err := a.runs.find(in.ID)
	if err != nil {
		return answer, err
	}
	switch x.state {
	case stateSucceeded:
	case stateFailed, stateCancelled:
		return answer, invalid("Query did not finish successfully. Final query state: %s", x.state)
	default:
		return answer, invalid("Query has not yet finished. Current state: %s", x.state)
	}
	if in.MaxResults > resultsPage {
		return answer, invalid("MaxResults is more than maximum allowed length %d.", resultsPage)
	}
	from, err := rowOf(in.NextToken, in.ID)
	if err != nil {
		return answer, err
	}
	answer.ResultSet.ResultSetMetadata.ColumnInfo = columnInfos(x.result.columns)
	rows, next := x.result.page(from, in.limit(resultsPage))
	answer.ResultSet.Rows, answer.UpdateCount = rows, x.result.updated
	if next > 0 {
		answer.NextToken = in.ID + "/" + strconv.Itoa(next)
	}
	return answer, nil
}

// rowOf returns the row that a page begins with.
func rowOf(token, id string) (int, error) {
	if token == "" {
		return 0, nil
	}
	of, row, _ := strings.Cut(token, "/")
	n, err := strconv.Atoi(row)
	if err != nil || of != id || n < 0 {
		return 0, invalid("The NextToken is not one of this query.")
	}
	return n, nil
}

// page returns up to limit rows as they go over the wire, and the number of the row after them, or 0. Row 0 is the header, where there is one.
func (r *result) page(from, limit int) (rows []resultRow, next int) {
	rows = []resultRow{}
	header := 0
	if r.header {
		header = 1
	}
	end := min(from+limit, len(r.rows)+header)
	for i := from; i < end; i++ {
		cells := make([]datum, len(r.columns))
		for c := range cells {
			if i < header {
				cells[c].VarCharValue = &r.columns[c].name
			} else {
				cells[c].VarCharValue = r.rows[i-header][c]
			}
		}
		rows = append(rows, resultRow{cells})
	}
	if end < len(r.rows)+header {
		next = end
	}
	return rows, next
}

// precisions are what Athena tells of its types.
var precisions = map[string]int{
	"varchar": 2147483647, "varbinary": 1073741824, "double": 17, "float": 17, "tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19, "timestamp": 3,
	"timestamp with time zone": 3,
}

func columnInfos(columns []column) []columnInfo {
	infos := make([]columnInfo, len(columns))
	for i, c := range columns {
		infos[i] = columnInfo{
			CatalogName: "hive", Name: c.name, Label: c.name, Type: c.kind, Precision: precisions[c.kind], Nullable: "UNKNOWN",
			CaseSensitive: c.kind == "varchar",
		}
		if c.precision > 0 {
			infos[i].Precision, infos[i].Scale = c.precision, c.scale
		}
	}
	return infos
}

// invalid returns Athena's error for a request that is wrong.
func invalid(format string, args ...any) *apiError {
	return &apiError{
		kind: invalidRequest, message: fmt.Sprintf(format, args...), more: map[string]string{"AthenaErrorCode": "INVALID_INPUT"},
	}
}

// statistics tell where the time went, and what was read.
func (x execution) statistics() executionStatistics {
	end := x.completed
	if end.IsZero() {
		end = time.Now()
	}
	started, ran := x.started, x.ran
	if started.IsZero() {
		started = end
	}
	if ran.IsZero() {
		ran = end
	}
	s := executionStatistics{
		EngineExecutionTimeInMillis: ran.Sub(started).Milliseconds(), QueryQueueTimeInMillis: started.Sub(x.submitted).Milliseconds(),
		ServiceProcessingTimeInMillis: end.Sub(ran).Milliseconds(), TotalExecutionTimeInMillis: end.Sub(x.submitted).Milliseconds(),
	}
	if x.result != nil {
		s.DataScannedInBytes, s.DataManifestLocation = x.result.scanned, x.result.manifest
	}
	return s
}
