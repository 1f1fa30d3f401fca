package aws

import (
	"strconv"
)

const (
	executionsPage = 50
	batchMax       = 50 // of queries, named queries and prepared statements, as in Athena
)

// pageOf cuts a page out of a listing. Its token is the number of items before the next page: listings are short, and may shift while they
// are read, as in Athena.
func pageOf[T any](items []T, p paging, most int) ([]T, string, error) {
	from := 0
	if p.NextToken != "" {
		n, err := strconv.Atoi(p.NextToken)
		if err != nil || n < 0 {
			return nil, "", invalid("The NextToken is not one of this listing.")
		}
		from = min(n, len(items))
	}
	end := min(from+p.limit(most), len(items))
	next := ""
	if end < len(items) {
		next = strconv.Itoa(end)
	}
	return append([]T{}, items[from:end]...), next, nil
}

func (a *athena) list(in *struct {
	paging
	WorkGroup string
},
) (any, error) {
	g, err := a.group(in.WorkGroup)
	if err != nil {
		return nil, err
	}
	if in.MaxResults > executionsPage {
		return nil, invalid("MaxResults is more than maximum allowed length %d.", executionsPage)
	}
	ids, more, err := a.runs.before(g.Name, in.NextToken, in.limit(executionsPage))
	if err != nil {
		return nil, err
	}
	answer := struct {
		IDs       []string `json:"QueryExecutionIds"`
		NextToken string   `json:",omitempty"`
	}{IDs: ids}
	if more {
		answer.NextToken = ids[len(ids)-1]
	}
	return answer, nil
}

type unprocessed struct {
	ID           string `json:"QueryExecutionId"`
	ErrorCode    string
	ErrorMessage string
}

func (a *athena) batchGet(in *struct {
	IDs []string `json:"QueryExecutionIds"`
},
) (any, error) {
	if n := len(in.IDs); n == 0 || n > batchMax {
		return nil, invalid("QueryExecutionIds must have 1 to %d members, and has %d.", batchMax, n)
	}
	answer := struct {
		QueryExecutions              []executionAnswer
		UnprocessedQueryExecutionIds []unprocessed
	}{[]executionAnswer{}, []unprocessed{}}
	for _, id := range in.IDs {
		x, err := a.runs.find(id)
		if err != nil {
			answer.UnprocessedQueryExecutionIds = append(answer.UnprocessedQueryExecutionIds, unprocessed{id, "INVALID_INPUT", asFault(err).message})
			continue
		}
		answer.QueryExecutions = append(answer.QueryExecutions, x.answer())
	}
	return answer, nil
}

// runtime answers GetQueryRuntimeStatistics with what is known: times and rows, but no stages.
func (a *athena) runtime(in *executionID) (any, error) {
	x, err := a.runs.find(in.ID)
	if err != nil {
		return nil, err
	}
	s := x.statistics()
	var answer struct {
		QueryRuntimeStatistics struct {
			Timeline struct {
				QueryQueueTimeInMillis, EngineExecutionTimeInMillis, ServiceProcessingTimeInMillis, TotalExecutionTimeInMillis int64
			}
			Rows struct{ InputBytes, OutputBytes, OutputRows int64 }
		}
	}
	t := &answer.QueryRuntimeStatistics.Timeline
	t.QueryQueueTimeInMillis, t.EngineExecutionTimeInMillis = s.QueryQueueTimeInMillis, s.EngineExecutionTimeInMillis
	t.ServiceProcessingTimeInMillis, t.TotalExecutionTimeInMillis = s.ServiceProcessingTimeInMillis, s.TotalExecutionTimeInMillis
	if x.result != nil {
		r := &answer.QueryRuntimeStatistics.Rows
		r.InputBytes, r.OutputBytes, r.OutputRows = x.result.scanned, x.result.bytes, int64(len(x.result.rows))+x.result.updated
	}
	return answer, nil
}
