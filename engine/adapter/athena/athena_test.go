package athena

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/athena"

	"citystream/engine/port"
)

// A service answers each operation with the next of its answers, the last of them for ever. One that begins with ! is a fault's type.
type service struct {
	mu      sync.Mutex
	answers map[string][]string
	asked   []string
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	s.asked = append(s.asked, operation)
	answers := s.answers[operation]
	if len(answers) > 1 {
		s.answers[operation] = answers[1:]
	}
	body := answers[0]
	if fault, ok := strings.CutPrefix(body, "!"); ok {
		w.WriteHeader(http.StatusBadRequest)
		body = fmt.Sprintf(`{"__type": %q, "message": "line 1:1: scripted"}`, fault)
	}
	_, _ = w.Write([]byte(body))
}

func (s *service) open(t *testing.T, o Options) *Query {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	o.PollMin, o.PollMax = time.Millisecond, 5*time.Millisecond
	return New(athena.New(athena.Options{
		Region: "eu-west-2", BaseEndpoint: aws.String(server.URL), Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
		Retryer: aws.NopRetryer{},
	}), o)
}

func (s *service) count(operation string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, a := range s.asked {
		if a == operation {
			n++
		}
	}
	return n
}

func stateOf(state, more string) string {
	return `{"QueryExecution": {"StatementType": "` + more + `", "Status": {"State": "` + state + `", "StateChangeReason": "because"}}}`
}

func resultsOf(next string, cells ...string) string {
	var rows []string
	for _, c := range cells {
		rows = append(rows, `{"Data": [`+c+`]}`)
	}
	return `{"ResultSet": {"ResultSetMetadata": {"ColumnInfo": [{"Name": "a", "Type": "varchar"}]}, "Rows": [` + strings.Join(rows, ",") + `]}` + next + `}`
}

func cell(text string) string { return `{"VarCharValue": "` + text + `"}` }

func script(statement string, results ...string) *service {
	return &service{answers: map[string][]string{
		"StartQueryExecution": {`{"QueryExecutionId": "q"}`},
		"GetQueryExecution":   {stateOf("QUEUED", statement), stateOf("RUNNING", statement), stateOf("SUCCEEDED", statement)},
		"GetQueryResults":     results,
		"StopQueryExecution":  {"{}"},
	}}
}

func TestTheHeaderIsDroppedFromTheFirstPageOfAQueryOnly(t *testing.T) {
	t.Parallel()
	next := `, "NextToken": "more"`
	for name, test := range map[string]struct {
		service *service
		want    string
	}{
		"a query in two pages":               {script("DML", resultsOf(next, cell("a"), cell("1")), resultsOf("", cell("a"), "{}")), "[1 a NULL]"},
		"SHOW, with a row like its column":   {script("UTILITY", resultsOf("", cell("a"), cell("b"))), "[a b]"},
		"DDL without rows":                   {script("DDL", resultsOf("")), "[]"},
		"a query without rows":               {script("DML", resultsOf("", cell("a"))), "[]"},
		"a row with fewer cells than titles": {script("UTILITY", resultsOf("", "")), "[NULL]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := test.service.open(t, Options{}).Run(t.Context(), "db", "SELECT 1")
			if err != nil {
				t.Fatal(err)
			}
			got := []string{}
			for _, row := range r.Rows {
				text := "NULL"
				if row[0] != nil {
					text = *row[0]
				}
				got = append(got, text)
			}
			if fmt.Sprint(got) != test.want || r.ID != "q" {
				t.Errorf("query %s has %v, want %s", r.ID, got, test.want)
			}
		})
	}
}

func TestFailuresCarryAthenasWords(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ operation, answer, want string }{
		"refused":   {"StartQueryExecution", "!InvalidRequestException", "line 1:1: scripted"},
		"failed":    {"GetQueryExecution", stateOf("FAILED", "DML"), "because"},
		"cancelled": {"GetQueryExecution", stateOf("CANCELLED", "DML"), "CANCELLED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := script("DML")
			s.answers[test.operation] = []string{test.answer}
			_, err := s.open(t, Options{}).Run(t.Context(), "db", "SELECT 1")
			if !errors.Is(err, port.ErrQueryFailed) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	s := script("DML")
	s.answers["StartQueryExecution"] = []string{"!AccessDeniedException"}
	if _, err := s.open(t, Options{}).Run(t.Context(), "db", "SELECT 1"); err == nil || errors.Is(err, port.ErrQueryFailed) {
		t.Errorf("denied: got %v", err)
	}
}

func TestAResultThatIsTooLargeIsAnError(t *testing.T) {
	t.Parallel()
	s := script("DML", resultsOf("", cell("a"), cell("1"), cell("2"), cell("3")))
	if _, err := s.open(t, Options{RowsMax: 2}).Run(t.Context(), "db", "SELECT 1"); err == nil || !strings.Contains(err.Error(), "more than 2 rows") {
		t.Errorf("got %v", err)
	}
}

func TestAStatementIsStoppedWhenItsCallerGoes(t *testing.T) {
	t.Parallel()
	s := script("DML")
	s.answers["GetQueryExecution"] = []string{stateOf("RUNNING", "DML")}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.open(t, Options{}).Run(ctx, "db", "SELECT 1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if n := s.count("StopQueryExecution"); n != 1 {
		t.Errorf("stopped %d times", n)
	}
}

func TestAStatementThatCannotBeAskedAfterIsStopped(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answers []string
		stops   int
	}{
		"asking fails":           {[]string{stateOf("RUNNING", "DML"), "!AccessDeniedException"}, 1},
		"no status":              {[]string{"{}"}, 1},
		"it has ended by itself": {[]string{stateOf("FAILED", "DML")}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := script("DML")
			s.answers["GetQueryExecution"] = test.answers
			if _, err := s.open(t, Options{}).Run(t.Context(), "db", "SELECT 1"); err == nil {
				t.Error("it went well")
			}
			if n := s.count("StopQueryExecution"); n != test.stops {
				t.Errorf("stopped %d times", n)
			}
		})
	}
}
