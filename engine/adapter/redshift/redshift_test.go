package redshift

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
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"

	"citystream/engine/port"
)

// A service answers each operation with the next of its answers, the last of them for ever. One that begins with ! is a fault's type and its message.
type service struct {
	mu      sync.Mutex
	answers map[string][]string
	asked   []string
	bodies  map[string][]map[string]any
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	s.asked = append(s.asked, operation)
	body := map[string]any{}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.bodies[operation] = append(s.bodies[operation], body)
	answers := s.answers[operation]
	if len(answers) > 1 {
		s.answers[operation] = answers[1:]
	}
	answer := `!ValidationException unscripted`
	if len(answers) > 0 {
		answer = answers[0]
	}
	if fault, ok := strings.CutPrefix(answer, "!"); ok {
		kind, message, _ := strings.Cut(fault, " ")
		w.WriteHeader(http.StatusBadRequest)
		answer = fmt.Sprintf(`{"__type": %q, "message": %q}`, kind, message)
	}
	_, _ = w.Write([]byte(answer))
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

// A shelf keeps manifests.
type shelf struct {
	mu   sync.Mutex
	keys map[string]string
}

func (s *shelf) Put(_ context.Context, key string, body []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[key] = string(body)
	return nil
}

func (s *shelf) Delete(_ context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, key)
	return nil
}

func (s *service) open(t *testing.T, o Options) (*Warehouse, *shelf) {
	t.Helper()
	s.bodies = map[string][]map[string]any{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	o.Database, o.Schema, o.Bucket = "dev", "city", "lake"
	o.PollMin, o.PollMax, o.Retry = time.Millisecond, 2*time.Millisecond, time.Millisecond
	manifests := &shelf{keys: map[string]string{}}
	return New(redshiftdata.New(redshiftdata.Options{
		Region: "eu-west-2", BaseEndpoint: aws.String(server.URL), Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
		Retryer: aws.NopRetryer{},
	}), manifests, o), manifests
}

const (
	started  = `{"Id": "q"}`
	finished = `{"Id": "q", "Status": "FINISHED", "HasResultSet": true}`
	seven    = `{"Records": [[{"longValue": 7}]]}`
)

func ended(words string) string {
	return fmt.Sprintf(`{"Id": "q", "Status": "FAILED", "Error": %q}`, words)
}

func script(describe ...string) *service {
	return &service{answers: map[string][]string{
		"ExecuteStatement": {started}, "BatchExecuteStatement": {started}, "DescribeStatement": describe, "GetStatementResult": {seven}, "CancelStatement": {"{}"},
	}}
}

func TestErrorsAreSortedByWhatTheCallerDoesAboutThem(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		operation, answer string
		want              error
	}{
		"too many statements":            {"ExecuteStatement", "!ActiveStatementsExceededException too many", port.ErrTransient},
		"the service is in trouble":      {"ExecuteStatement", "!InternalServerException sorry", port.ErrTransient},
		"the database cannot be reached": {"ExecuteStatement", "!DatabaseConnectionException no", port.ErrTransient},
		"no rights":                      {"ExecuteStatement", "!AccessDeniedException no", port.ErrForbidden},
		"a wrong secret key":             {"ExecuteStatement", "!InvalidSignatureException no", port.ErrForbidden},
		"no such workgroup":              {"ExecuteStatement", "!ResourceNotFoundException no", port.ErrNotFound},
		"no such cluster":                {"ExecuteStatement", "!ValidationException Redshift endpoint doesn't exist in this region.", port.ErrNotFound},
		"a wrong request":                {"ExecuteStatement", "!ValidationException too long", port.ErrQueryFailed},
		"the service has forgotten":      {"DescribeStatement", "!ResourceNotFoundException no", port.ErrTransient},
		"a wrong statement":              {"DescribeStatement", ended("ERROR: syntax error at or near \"x\""), port.ErrQueryFailed},
		"another transaction":            {"DescribeStatement", ended("ERROR: 1023 DETAIL: Serializable isolation violation on table"), port.ErrTransient},
		"no rights in the database":      {"DescribeStatement", ended("ERROR: permission denied for schema city"), port.ErrForbidden},
		"no rights in the bucket":        {"DescribeStatement", ended("ERROR: S3ServiceException:Access Denied,Status 403"), port.ErrForbidden},
		"no such table":                  {"DescribeStatement", ended("ERROR: relation \"city.t\" does not exist"), port.ErrNotFound},
		"no such database":               {"DescribeStatement", ended("FATAL: database \"dev\" does not exist"), port.ErrNotFound},
		"no such column":                 {"DescribeStatement", ended("ERROR: column \"x\" does not exist in t"), port.ErrQueryFailed},
		"no such file":                   {"DescribeStatement", ended("ERROR: S3ServiceException:The specified key does not exist."), port.ErrQueryFailed},
		"cancelled by somebody":          {"DescribeStatement", `{"Status": "ABORTED"}`, port.ErrTransient},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := script(finished)
			s.answers[test.operation] = []string{test.answer}
			w, _ := s.open(t, Options{Workgroup: "wg"})
			if _, err := w.Rows(t.Context(), "t"); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestOnlyALogThatIsNotThereIsAnEmptyOne(t *testing.T) {
	t.Parallel()
	w, _ := script(ended("ERROR: schema \"city\" does not exist")).open(t, Options{Workgroup: "wg"})
	if done, err := w.LoadedOf(t.Context(), "t", nil); err != nil || len(done) != 0 {
		t.Errorf("no schema yet: got %v, %v", done, err)
	}
	w, _ = script(ended("FATAL: database \"dev\" does not exist")).open(t, Options{Workgroup: "wg"})
	if _, err := w.LoadedOf(t.Context(), "t", nil); !errors.Is(err, port.ErrNotFound) {
		t.Errorf("no database: got %v", err)
	}
}

func TestABusyServiceIsAskedAgainWithTheSameToken(t *testing.T) {
	t.Parallel()
	s := script(`!ThrottlingException slow`, `{"Status": "SUBMITTED"}`, finished)
	s.answers["ExecuteStatement"] = []string{"!ActiveStatementsExceededException too many", "!ActiveStatementsExceededException too many", started}
	w, _ := s.open(t, Options{Cluster: "c", DBUser: "u"})
	if n, err := w.Rows(t.Context(), "t"); err != nil || n != 7 {
		t.Fatalf("%d, %v", n, err)
	}
	sent := s.bodies["ExecuteStatement"]
	if len(sent) != 3 || sent[0]["ClientToken"] != sent[2]["ClientToken"] || sent[0]["ClientToken"] == "" {
		t.Errorf("sent %v", sent)
	}
	if sent[0]["ClusterIdentifier"] != "c" || sent[0]["DbUser"] != "u" || sent[0]["WorkgroupName"] != nil || sent[0]["SecretArn"] != nil {
		t.Errorf("sent to %v", sent[0])
	}
}

func TestATransactionThatGaveWayIsRunAgainAsANewOne(t *testing.T) {
	t.Parallel()
	s := script(ended("ERROR: 1023 DETAIL: Serializable isolation violation on table - 1"), finished)
	w, _ := s.open(t, Options{Workgroup: "wg"})
	if _, err := w.Rows(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	if sent := s.bodies["ExecuteStatement"]; len(sent) != 2 || sent[0]["ClientToken"] == sent[1]["ClientToken"] {
		t.Errorf("sent %v", sent)
	}
}

func TestAStatementIsCancelledWhenItsCallerGoes(t *testing.T) {
	t.Parallel()
	s := script(`{"Status": "STARTED"}`)
	w, _ := s.open(t, Options{Workgroup: "wg"})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := w.Rows(ctx, "t"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if n := s.count("CancelStatement"); n != 1 {
		t.Errorf("cancelled %d times", n)
	}
	if _, err := w.Rows(ctx, "t"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if n := s.count("ExecuteStatement"); n != 1 {
		t.Errorf("a context that has ended sent a statement: %d", n)
	}
}

var table = port.WarehouseTable{
	Name: "trips", PartitionKeys: []string{"date", "hour"}, DistKey: "id", SortKeys: []string{"at", "id"},
	Columns: []port.WarehouseColumn{{Name: "id", Type: "varchar(65535)"}, {Name: "at", Type: "timestamp"}, {Name: "kafka_offset", Type: "bigint"}},
}

func commit(id, hour string, columns ...string) port.LoadCommit {
	return port.LoadCommit{ID: id, Values: []string{"2026-11-22", hour}, Columns: columns, Files: []port.LoadFile{{Key: "raw/" + id, SizeBytes: 9, Rows: 3}}}
}

// The order is what makes a load exact: the lock before anything is looked at, and the log last.
func TestTheStatementsOfALoad(t *testing.T) {
	t.Parallel()
	w, manifests := script(finished).open(t, Options{Workgroup: "wg", IAMRole: "arn:aws:iam::1:role/copy"})
	s, err := w.stage(t.Context(), table, []port.LoadCommit{commit("it's", "05"), commit("b", "06", "id", "kafka_offset"), commit("c", "05")})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, step := range s.load() {
		got = append(got, strings.ReplaceAll(step.sql, s.name, "S"))
	}
	const none = ` WHERE NOT EXISTS (SELECT 1 FROM "city"."load_log" l JOIN "S" c ON l.commit_id = c.commit_id WHERE l.table_name = 'trips')`
	want := []string{
		`LOCK "city"."load_log"`,
		`CREATE TEMP TABLE "S" (commit_id varchar(1024), hive_partition varchar(2048), row_count bigint)`,
		`INSERT INTO "S" VALUES ('it''s', '2026-11-22/05', 3), ('b', '2026-11-22/06', 3), ('c', '2026-11-22/05', 3)`,
		`CREATE TEMP TABLE "S_1" ("id" varchar(65535), "at" timestamp, "kafka_offset" bigint)`,
		`COPY "S_1" FROM 's3://lake/_citystream/manifests/trips/S-1.json' IAM_ROLE 'arn:aws:iam::1:role/copy' FORMAT AS PARQUET MANIFEST`,
		`CREATE TEMP TABLE "S_2" ("id" varchar(65535), "kafka_offset" bigint)`,
		`COPY "S_2" FROM 's3://lake/_citystream/manifests/trips/S-2.json' IAM_ROLE 'arn:aws:iam::1:role/copy' FORMAT AS PARQUET MANIFEST`,
		`SELECT CAST(CASE WHEN (SELECT count(*) FROM "S_1") = 6 AND (SELECT count(*) FROM "S_2") = 3 THEN '1' ELSE 'no' END AS INTEGER)`,
		`INSERT INTO "city"."trips" ("id", "at", "kafka_offset", "date", "hour") SELECT "id", "at", "kafka_offset", '2026-11-22', '05' FROM "S_1"` + none,
		`INSERT INTO "city"."trips" ("id", "kafka_offset", "date", "hour") SELECT "id", "kafka_offset", '2026-11-22', '06' FROM "S_2"` + none,
		`INSERT INTO "city"."load_log" SELECT 'trips', commit_id, hive_partition, row_count, GETDATE() FROM "S"` + none,
		`SELECT l.commit_id, l.hive_partition, l.row_count FROM "city"."load_log" l JOIN "S" c ON l.commit_id = c.commit_id WHERE l.table_name = 'trips'`,
	}
	for i := range max(len(want), len(got)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Errorf("statement %d is\n%s", i, strings.Join(got, "\n"))
			break
		}
	}
	first := manifests.keys["_citystream/manifests/trips/"+s.name+"-1.json"]
	if first != `{"entries":[{"url":"s3://lake/raw/it's","mandatory":true,"meta":{"content_length":9}},{"url":"s3://lake/raw/c","mandatory":true,"meta":{"content_length":9}}]}` {
		t.Errorf("the manifest is %s", first)
	}
	s.clear(t.Context(), port.ErrTransient)
	if len(manifests.keys) != 2 {
		t.Error("manifests are gone while the outcome is not known")
	}
	s.clear(t.Context(), nil)
	if len(manifests.keys) != 0 {
		t.Errorf("manifests are left: %v", manifests.keys)
	}
}

func TestATransactionKeepsToTheServicesLimits(t *testing.T) {
	t.Parallel()
	w, _ := script(finished).open(t, Options{Workgroup: "wg"})
	long := strings.Repeat("x", 1000)
	for name, commits := range map[string][]port.LoadCommit{
		"many Hive partitions": nil, "many commits": nil, "long ids": nil,
	} {
		for i := range 1000 {
			switch name {
			case "many Hive partitions":
				commits = append(commits, commit(fmt.Sprint(i), fmt.Sprint(i)))
			case "many commits":
				commits = append(commits, commit(fmt.Sprint(i), "05"))
			case "long ids":
				commits = append(commits, commit(long+fmt.Sprint(i), "05"))
			}
		}
		rounds := 0
		for ; len(commits) > 0; rounds++ {
			n := fitting(commits)
			s, err := w.stage(t.Context(), table, commits[:n])
			if err != nil {
				t.Fatal(err)
			}
			steps := s.load()
			for _, step := range steps {
				if len(step.sql) > statementMax {
					t.Fatalf("%s: a statement of %d bytes", name, len(step.sql))
				}
			}
			if len(steps) > statementsMax {
				t.Fatalf("%s: %d statements", name, len(steps))
			}
			commits = commits[n:]
		}
		if rounds > 1000/groupsMax+1 {
			t.Errorf("%s: %d transactions", name, rounds)
		}
	}
}

func TestWhatCannotBeLoadedIsRefusedBeforeAnythingIsCopied(t *testing.T) {
	t.Parallel()
	s := script(finished)
	w, manifests := s.open(t, Options{Workgroup: "wg"})
	for name, c := range map[string]port.LoadCommit{
		"a column that the table has not": commit("a", "05", "id", "never"),
		"no id":                           commit("", "05"),
		"a value too few":                 {ID: "a", Values: []string{"2026-11-22"}},
	} {
		if _, err := w.Load(t.Context(), table, []port.LoadCommit{c}); !errors.Is(err, port.ErrQueryFailed) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	twice := port.Reload{Values: []string{"2026-11-22", "05"}, Commits: []port.LoadCommit{commit("a", "05"), commit("a", "05")}}
	if _, err := w.Reload(t.Context(), table, twice); !errors.Is(err, port.ErrQueryFailed) {
		t.Errorf("a commit twice: got %v", err)
	}
	if len(s.asked) > 0 || len(manifests.keys) > 0 {
		t.Errorf("asked %v, wrote %v", s.asked, manifests.keys)
	}
}

// A service that refuses everything must not be asked for every commit by itself.
func TestTheSearchForABadCommitEnds(t *testing.T) {
	t.Parallel()
	s := script()
	s.answers["DescribeStatement"] = []string{finished, ended("ERROR: this never works")} // the log, then all loads
	s.answers["GetStatementResult"] = []string{`{"Records": []}`}
	w, _ := s.open(t, Options{Workgroup: "wg"})
	var commits []port.LoadCommit
	for i := range 200 {
		commits = append(commits, commit(fmt.Sprint(i), "05"))
	}
	if _, err := w.Load(t.Context(), table, commits); !errors.Is(err, port.ErrQueryFailed) {
		t.Errorf("got %v", err)
	}
	if n := s.count("BatchExecuteStatement"); n < 2 || n > 3*failuresMax {
		t.Errorf("%d transactions", n)
	}
}

func TestTypesHaveSeveralNames(t *testing.T) {
	t.Parallel()
	for a, b := range map[string]string{
		"character varying": "varchar(65535)", "timestamp without time zone": "TIMESTAMP", "binary varying": "varbyte(1024000)", "int8": "bigint", "float8": "double precision",
		"bool": "boolean", "integer": "int",
	} {
		if typeName(a) != typeName(b) {
			t.Errorf("%s is %s, %s is %s", a, typeName(a), b, typeName(b))
		}
	}
	if typeName("bigint") == typeName("integer") {
		t.Error("bigint is integer")
	}
}
