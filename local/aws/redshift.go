package aws

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// redshift answers the Redshift Data API. Workgroups and clusters are taken by any name: all are the same databases, and a database is made
// at its first use. Safe for concurrent use.
type redshift struct {
	runs *rsRuns
}

const (
	rsBatchMax     = 40      // statements, as in the Data API
	rsStatementMax = 100_000 // bytes, as in the Data API
	rsPage         = 1000    // rows
)

func newRedshift(o Options, w rsWarehouse) *redshift { return &redshift{newRSRuns(o, w)} }

func (d *redshift) close() error { return d.runs.close() }

// handlers returns the operations by their names in X-Amz-Target.
func (d *redshift) handlers() map[string]handler {
	return map[string]handler{
		"ExecuteStatement": handle(d.execute), "BatchExecuteStatement": handle(d.executeBatch), "DescribeStatement": handle(d.describe),
		"GetStatementResult": handle(d.result), "GetStatementResultV2": handle(d.resultV2), "CancelStatement": handle(d.cancel),
		"ListStatements": handle(d.listStatements), "ListDatabases": handle(d.listDatabases), "ListSchemas": handle(d.listSchemas),
		"ListTables": handle(d.listTables), "DescribeTable": handle(d.describeTable),
	}
}

// rsInvalid returns the Data API's error for a request that is wrong.
func rsInvalid(format string, args ...any) *apiError {
	return fault("ValidationException", format, args...)
}

// rsTarget is where statements go.
type rsTarget struct {
	Database          string
	WorkgroupName     string
	ClusterIdentifier string
	DbUser            string
	SecretArn         string
}

func (t *rsTarget) check() error {
	switch {
	case t.WorkgroupName == "" && t.ClusterIdentifier == "":
		return rsInvalid("Either WorkgroupName or ClusterIdentifier must be given.")
	case t.WorkgroupName != "" && t.ClusterIdentifier != "":
		return rsInvalid("WorkgroupName and ClusterIdentifier cannot be given together.")
	case t.Database == "":
		return rsInvalid("Database is missing.")
	}
	return nil
}

type rsParameter struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type rsExecute struct {
	rsTarget
	SQL                     string   `json:"Sql"`
	SQLs                    []string `json:"Sqls"`
	ClientToken             string
	Parameters              []rsParameter
	ResultFormat            string
	StatementName           string
	SessionID               string `json:"SessionId"`
	SessionKeepAliveSeconds int
}

type rsExecuteAnswer struct {
	ID                string `json:"Id"`
	CreatedAt         seconds
	Database          string
	WorkgroupName     string `json:",omitempty"`
	ClusterIdentifier string `json:",omitempty"`
	DbUser            string `json:",omitempty"`
	SecretArn         string `json:",omitempty"`
}

func (d *redshift) execute(in *rsExecute) (rsExecuteAnswer, error) {
	if in.SQL == "" {
		return rsExecuteAnswer{}, rsInvalid("Sql is missing.")
	}
	return d.start(in, []string{in.SQL}, false)
}

func (d *redshift) executeBatch(in *rsExecute) (rsExecuteAnswer, error) {
	if n := len(in.SQLs); n == 0 || n > rsBatchMax {
		return rsExecuteAnswer{}, rsInvalid("Sqls has %d statements; from 1 to %d are allowed.", n, rsBatchMax)
	}
	return d.start(in, in.SQLs, true)
}

func (d *redshift) start(in *rsExecute, sqls []string, batch bool) (rsExecuteAnswer, error) {
	if err := in.check(); err != nil {
		return rsExecuteAnswer{}, err
	}
	if in.SessionID != "" || in.SessionKeepAliveSeconds > 0 {
		return rsExecuteAnswer{}, rsInvalid("This local endpoint keeps no sessions: send the statements as one batch.")
	}
	for i, sql := range sqls {
		if len(sql) > rsStatementMax {
			return rsExecuteAnswer{}, rsInvalid("Statement %d has %d bytes; at most %d are allowed.", i+1, len(sql), rsStatementMax)
		}
	}
	bound := sqls
	if len(in.Parameters) > 0 {
		values := make(map[string]string, len(in.Parameters))
		for _, p := range in.Parameters {
			values[strings.ToLower(p.Name)] = p.Value
		}
		var err error
		if bound, err = rsBindAll(sqls, values); err != nil {
			return rsExecuteAnswer{}, err
		}
	}
	x, err := d.runs.start(in, bound, batch)
	if err != nil {
		return rsExecuteAnswer{}, err
	}
	return rsExecuteAnswer{
		ID: x.id, CreatedAt: secondsOf(x.created), Database: in.Database, WorkgroupName: in.WorkgroupName, ClusterIdentifier: in.ClusterIdentifier,
		DbUser: in.DbUser, SecretArn: in.SecretArn,
	}, nil
}

type rsID struct {
	ID string `json:"Id"`
}

type rsSubStatement struct {
	ID           string `json:"Id"`
	CreatedAt    seconds
	UpdatedAt    seconds
	Duration     int64
	Error        string `json:",omitempty"`
	HasResultSet bool
	QueryString  string
	ResultRows   int64
	ResultSize   int64
	Status       rsStatus
}

type rsDescribeAnswer struct {
	rsSubStatement
	Database          string
	WorkgroupName     string           `json:",omitempty"`
	ClusterIdentifier string           `json:",omitempty"`
	DbUser            string           `json:",omitempty"`
	SecretArn         string           `json:",omitempty"`
	QueryParameters   []rsParameter    `json:",omitempty"`
	SubStatements     []rsSubStatement `json:",omitempty"`
	ResultFormat      string
	RedshiftPid       int64
	RedshiftQueryID   int64 `json:"RedshiftQueryId"`
}

func (d *redshift) describe(in *rsID) (rsDescribeAnswer, error) {
	id, _, _ := strings.Cut(in.ID, ":")
	x, err := d.runs.find(id)
	if err != nil {
		return rsDescribeAnswer{}, err
	}
	r := x.request
	answer := rsDescribeAnswer{
		rsSubStatement: rsSubStatement{
			ID: id, CreatedAt: secondsOf(x.created), UpdatedAt: secondsOf(x.updated), Duration: x.duration(), Error: x.reason, Status: x.status,
			QueryString: strings.Join(x.sqls, ";\n"), ResultRows: -1, ResultSize: -1,
		},
		Database: r.Database, WorkgroupName: r.WorkgroupName, ClusterIdentifier: r.ClusterIdentifier, DbUser: r.DbUser, SecretArn: r.SecretArn,
		QueryParameters: r.Parameters, ResultFormat: x.format(),
	}
	if !x.batch {
		if len(x.results) == 1 {
			answer.tell(x.results[0])
		}
		return answer, nil
	}
	if x.status == rsFailed {
		answer.Error = fmt.Sprintf("Query #%d failed with %s", x.at+1, x.reason)
	}
	for i := range x.sqls {
		answer.SubStatements = append(answer.SubStatements, x.sub(i))
		answer.HasResultSet = answer.HasResultSet || answer.SubStatements[i].HasResultSet
	}
	return answer, nil
}

// sub tells of one statement of a batch.
func (x *rsExecution) sub(i int) rsSubStatement {
	s := rsSubStatement{
		ID: x.id + ":" + strconv.Itoa(i+1), CreatedAt: secondsOf(x.created), UpdatedAt: secondsOf(x.updated), QueryString: x.sqls[i], Status: x.status,
		ResultRows: -1, ResultSize: -1,
	}
	switch {
	case i < len(x.results):
		s.tell(x.results[i])
	case i < x.at && x.status != rsFinished:
		s.Status = rsFinished
	case i > x.at && x.status == rsFailed:
		s.Status = rsAborted
	case i > x.at && x.status == rsStarted:
		s.Status = rsSubmitted
	}
	if i == x.at {
		s.Error = x.reason
	}
	return s
}

// tell says what came of a statement.
func (s *rsSubStatement) tell(r *rsResult) {
	s.HasResultSet, s.ResultRows, s.ResultSize = r.set, r.affected, 0
	if r.set {
		s.ResultRows, s.ResultSize = int64(len(r.rows)), r.bytes
	}
}

// duration is how long the statements have run, in nanoseconds.
func (x *rsExecution) duration() int64 {
	switch {
	case x.started.IsZero():
		return 0
	case x.status == rsStarted:
		return int64(time.Since(x.started))
	}
	return int64(x.updated.Sub(x.started))
}

func (x *rsExecution) format() string {
	if x.request.ResultFormat == "" {
		return "JSON"
	}
	return x.request.ResultFormat
}

type rsPaging struct {
	MaxResults int
	NextToken  string
}

// from returns the first of the next page, and the one after its last.
func (p *rsPaging) page(of string, all, most int) (from, to int, next string, err error) {
	if p.MaxResults > 0 {
		most = min(most, p.MaxResults)
	}
	if p.NextToken != "" {
		name, row, _ := strings.Cut(p.NextToken, "/")
		from, err = strconv.Atoi(row)
		if err != nil || name != of || from < 0 || from > all {
			return 0, 0, "", rsInvalid("The NextToken is not one of this call.")
		}
	}
	to = min(from+most, all)
	if to < all {
		next = of + "/" + strconv.Itoa(to)
	}
	return from, to, next, nil
}

type rsResultRequest struct {
	rsID
	rsPaging
}

type rsResultAnswer struct {
	Records        [][]map[string]any
	ColumnMetadata []rsColumn
	TotalNumRows   int64
	NextToken      string `json:",omitempty"`
}

func (d *redshift) result(in *rsResultRequest) (rsResultAnswer, error) {
	r, err := d.finished(in.ID, "JSON")
	if err != nil {
		return rsResultAnswer{}, err
	}
	from, to, next, err := in.page(in.ID, len(r.rows), rsPage)
	if err != nil {
		return rsResultAnswer{}, err
	}
	answer := rsResultAnswer{Records: [][]map[string]any{}, ColumnMetadata: r.columns, TotalNumRows: int64(len(r.rows)), NextToken: next}
	for _, row := range r.rows[from:to] {
		record := make([]map[string]any, len(row))
		for i, cell := range row {
			record[i] = rsField(cell)
		}
		answer.Records = append(answer.Records, record)
	}
	return answer, nil
}

// finished returns the result of a statement that has one, of the batch id:number or of a call with one statement.
func (d *redshift) finished(id, format string) (*rsResult, error) {
	call, number, sub := strings.Cut(id, ":")
	x, err := d.runs.find(call)
	if err != nil {
		return nil, err
	}
	n := 1
	if sub {
		if n, err = strconv.Atoi(number); err != nil || n < 1 || n > len(x.sqls) {
			return nil, &apiError{kind: "ResourceNotFoundException", message: "Query does not exist.", more: map[string]string{"ResourceId": id}}
		}
	}
	switch {
	case x.status == rsFailed || x.status == rsAborted:
		return nil, rsInvalid("Query does not have result. Please check query status with DescribeStatement. Status is %s.", x.status)
	case x.status != rsFinished:
		return nil, &apiError{kind: "ResourceNotFoundException", message: "Query is not finished yet.", more: map[string]string{"ResourceId": id}}
	case x.batch && !sub, !x.results[n-1].set:
		return nil, &apiError{kind: "ResourceNotFoundException", message: "Query does not have result.", more: map[string]string{"ResourceId": id}}
	case x.format() != format:
		return nil, rsInvalid("The result of this statement is in the format %s.", x.format())
	}
	return x.results[n-1], nil
}

// rsField returns a cell as it goes over the wire.
func rsField(cell any) map[string]any {
	switch v := cell.(type) {
	case nil:
		return map[string]any{"isNull": true}
	case bool:
		return map[string]any{"booleanValue": v}
	case int64:
		return map[string]any{"longValue": v}
	case float64:
		if b, err := json.Marshal(v); err == nil {
			return map[string]any{"doubleValue": json.RawMessage(b)}
		}
		return map[string]any{"doubleValue": strings.Replace(strconv.FormatFloat(v, 'g', -1, 64), "Inf", "Infinity", 1)}
	case []byte:
		return map[string]any{"blobValue": v}
	}
	return map[string]any{"stringValue": fmt.Sprint(cell)}
}

func (d *redshift) cancel(in *rsID) (any, error) {
	if err := d.runs.stop(in.ID); err != nil {
		return nil, err
	}
	return struct{ Status bool }{true}, nil
}
