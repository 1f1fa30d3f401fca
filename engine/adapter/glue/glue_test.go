package glue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/glue"

	"citystream/engine/port"
)

// A script answers the calls of one test and keeps what it was asked.
type script struct {
	mu      sync.Mutex
	asked   []string // operations
	bodies  []map[string]any
	answers []answer    // one a call
	each    func(n int) // after the n-th call; may be nil
}

// An answer is a fault's type, or a body.
type answer struct{ fault, body string }

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body := map[string]any{}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		panic(err)
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	s.asked, s.bodies = append(s.asked, operation), append(s.bodies, body)
	a := answer{fault: "TestException"}
	if n := len(s.asked); n <= len(s.answers) {
		a = s.answers[n-1]
	}
	if a.fault != "" {
		w.WriteHeader(http.StatusBadRequest)
		a.body = fmt.Sprintf(`{"__type": %q, "message": "scripted"}`, a.fault)
	}
	_, _ = w.Write([]byte(a.body))
	if s.each != nil {
		s.each(len(s.asked))
	}
}

func (s *script) open(t *testing.T) *Catalog {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return New(glue.New(glue.Options{
		Region: "eu-west-2", BaseEndpoint: aws.String(server.URL), Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
		Retryer: aws.NopRetryer{},
	}))
}

func (s *script) want(t *testing.T, operations string) {
	t.Helper()
	if got := strings.Join(s.asked, " "); got != operations {
		t.Errorf("asked %s, want %s", got, operations)
	}
}

const (
	narrow = `{"Table": {"Name": "a", "VersionId": "7", "Owner": "me", "Retention": 3, "Description": "mine", "TableType": "EXTERNAL_TABLE",
		"Parameters": {"k": "v"}, "StorageDescriptor": {"Columns": [{"Name": "id", "Type": "string"}], "Location": "s3://l/",
		"InputFormat": "in", "SerdeInfo": {"SerializationLibrary": "lib"}, "NumberOfBuckets": -1}}}`
	wide = `{"Table": {"Name": "a", "StorageDescriptor": {"Columns": [{"Name": "id", "Type": "string"}, {"Name": "n", "Type": "int"}]}}}`
)

var wanted = port.CatalogTable{Name: "a", Location: "s3://l/", Columns: []port.CatalogColumn{{Name: "id", Type: "string"}, {Name: "N", Type: "int"}}}

func TestATableIsReadAgainWhenSomebodyElseWasFaster(t *testing.T) {
	t.Parallel()
	const missing, exists, conflict = "EntityNotFoundException", "AlreadyExistsException", "ConcurrentModificationException"
	for name, test := range map[string]struct {
		answers []answer
		asked   string
	}{
		"made":                    {[]answer{{fault: missing}, {body: "{}"}}, "GetTable CreateTable"},
		"made by another":         {[]answer{{fault: missing}, {fault: exists}, {body: wide}}, "GetTable CreateTable GetTable"},
		"there":                   {[]answer{{body: wide}}, "GetTable"},
		"widened":                 {[]answer{{body: narrow}, {body: "{}"}}, "GetTable UpdateTable"},
		"widened by another":      {[]answer{{body: narrow}, {fault: conflict}, {body: wide}}, "GetTable UpdateTable GetTable"},
		"widened at the next try": {[]answer{{body: narrow}, {fault: conflict}, {body: narrow}, {body: "{}"}}, "GetTable UpdateTable GetTable UpdateTable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &script{answers: test.answers}
			if err := s.open(t).EnsureTable(t.Context(), "db", wanted); err != nil {
				t.Error(err)
			}
			s.want(t, test.asked)
		})
	}
}

func TestAnUpdateRepeatsWhatItFoundAndNamesTheVersion(t *testing.T) {
	t.Parallel()
	s := &script{answers: []answer{{body: narrow}, {body: "{}"}}}
	if err := s.open(t).EnsureTable(t.Context(), "db", wanted); err != nil {
		t.Fatal(err)
	}
	sent, err := json.Marshal(s.bodies[1])
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		`"VersionId":"7"`, `"SkipArchive":true`, `"Owner":"me"`, `"Retention":3`, `"Description":"mine"`, `"TableType":"EXTERNAL_TABLE"`,
		`"Parameters":{"k":"v"}`, `"InputFormat":"in"`, `"SerializationLibrary":"lib"`, `"NumberOfBuckets":-1`,
		`"Columns":[{"Name":"id","Type":"string"},{"Name":"n","Type":"int"}]`,
	} {
		if !strings.Contains(string(sent), part) {
			t.Errorf("%s is not in %s", part, sent)
		}
	}
}

func TestATableIsMadeForParquet(t *testing.T) {
	t.Parallel()
	s := &script{answers: []answer{{fault: "EntityNotFoundException"}, {body: "{}"}}}
	if err := s.open(t).EnsureTable(t.Context(), "DB", wanted); err != nil {
		t.Fatal(err)
	}
	sent, err := json.Marshal(s.bodies[1])
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"DatabaseName":"db"`, externalTable, parquetSerDe, parquetInput, parquetOutput} {
		if !strings.Contains(string(sent), part) {
			t.Errorf("%s is not in %s", part, sent)
		}
	}
}

func TestConflictsAreGivenUpWhenTheCallerGoes(t *testing.T) {
	t.Parallel()
	s := &script{}
	for range tries {
		s.answers = append(s.answers, answer{body: narrow}, answer{fault: "ConcurrentModificationException"})
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.each = func(n int) {
		if n == 4 {
			cancel()
		}
	}
	if err := s.open(t).EnsureTable(ctx, "db", wanted); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestPartitionsThatFailInPassingAreTriedAgainByThemselves(t *testing.T) {
	t.Parallel()
	failing := `{"Errors": [{"PartitionValues": ["1"], "ErrorDetail": {"ErrorCode": "AlreadyExistsException"}},
		{"PartitionValues": ["2"], "ErrorDetail": {"ErrorCode": "InternalServiceException"}}]}`
	s := &script{answers: []answer{{body: failing}, {fault: "ConcurrentModificationException"}, {body: "{}"}}}
	var partitions []port.HivePartition
	for i := range 3 {
		partitions = append(partitions, port.HivePartition{Values: []string{fmt.Sprint(i)}, Location: "s3://l/"})
	}
	if err := s.open(t).AddPartitions(t.Context(), "db", "a", partitions); err != nil {
		t.Fatal(err)
	}
	var sizes []int
	for _, b := range s.bodies {
		list, ok := b["PartitionInputList"].([]any)
		if !ok {
			t.Fatalf("%v has no partitions", b)
		}
		sizes = append(sizes, len(list))
	}
	if fmt.Sprint(sizes) != "[3 1 1]" {
		t.Errorf("batches have %v partitions", sizes)
	}
	sent := fmt.Sprint(s.bodies[0])
	for _, part := range []string{parquetSerDe, parquetInput, parquetOutput} {
		if !strings.Contains(sent, part) {
			t.Errorf("a partition has no %s", part)
		}
	}
}

func TestAPartitionThatFailsForGoodIsAnErrorThatNamesIt(t *testing.T) {
	t.Parallel()
	s := &script{answers: []answer{{body: `{"Errors": [{"PartitionValues": ["2026", "05"], "ErrorDetail": {"ErrorCode": "InvalidInputException", "ErrorMessage": "odd"}}]}`}}}
	err := s.open(t).AddPartitions(t.Context(), "db", "a", []port.HivePartition{{Values: []string{"2026", "05"}}})
	if err == nil || !strings.Contains(err.Error(), "2026/05: InvalidInputException: odd") {
		t.Errorf("got %v", err)
	}
	s.want(t, "BatchCreatePartition")
}

func TestAPartitionThatIsRefusedDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	refusal := func(list string) answer {
		return answer{body: fmt.Sprintf(`{"Errors": [{%[1]q: ["0"], "ErrorDetail": {"ErrorCode": "InvalidInputException"}},
			{%[1]q: ["1"], "ErrorDetail": {"ErrorCode": "InternalServiceException"}}]}`, list)}
	}
	var partitions []port.HivePartition
	for i := range batchMax + 1 {
		partitions = append(partitions, port.HivePartition{Values: []string{fmt.Sprint(i)}, Location: "s3://l/"})
	}
	for name, test := range map[string]struct {
		call    func(*Catalog) error
		answers []answer
		asked   string
	}{
		"added": {
			func(c *Catalog) error { return c.AddPartitions(t.Context(), "db", "a", partitions) },
			[]answer{refusal("PartitionValues"), {body: "{}"}, {body: "{}"}},
			"BatchCreatePartition BatchCreatePartition BatchCreatePartition",
		},
		"set": {
			func(c *Catalog) error { return c.SetPartitions(t.Context(), "db", "a", partitions) },
			[]answer{found(), refusal("PartitionValues"), found(), {body: "{}"}, found(), {body: "{}"}},
			"BatchGetPartition BatchCreatePartition BatchGetPartition BatchCreatePartition BatchGetPartition BatchCreatePartition",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &script{answers: test.answers}
			err := test.call(s.open(t))
			s.want(t, test.asked)
			if done := port.Accepted(partitions, err); err == nil || len(done) != batchMax || done[0].Values[0] != "1" {
				t.Errorf("%d are done, %v", len(done), err)
			}
		})
	}
}

func TestErrorsHaveThePortsNames(t *testing.T) {
	t.Parallel()
	for fault, want := range map[string]error{"EntityNotFoundException": port.ErrNotFound, "AccessDeniedException": port.ErrForbidden} {
		s := &script{answers: []answer{{fault: fault}}}
		if _, err := s.open(t).Table(t.Context(), "db", "a"); !errors.Is(err, want) {
			t.Errorf("%s became %v", fault, err)
		}
	}
}
