//go:build cgo

package aws

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata/types"

	redshiftadapter "citystream/engine/adapter/redshift"
	"citystream/engine/enginetest"
	"citystream/engine/port"
)

// lakeStore writes manifests into the directory that is the store.
type lakeStore struct{ folder string }

func (s lakeStore) Put(_ context.Context, key string, body []byte) error {
	path := filepath.Join(s.folder, filepath.FromSlash(key))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, body, 0o600)
}

func (s lakeStore) Delete(_ context.Context, key string) error {
	return os.Remove(filepath.Join(s.folder, filepath.FromSlash(key)))
}

func rsOptions() redshiftadapter.Options {
	return redshiftadapter.Options{
		Workgroup: "wg", Database: "dev", Schema: "city", IAMRole: "arn:aws:iam::123456789012:role/copy", Bucket: "lake",
		PollMin: time.Millisecond, PollMax: 20 * time.Millisecond, Retry: 2 * time.Millisecond,
	}
}

func (e *endpoint) warehouse(o redshiftadapter.Options, client *redshiftdata.Client) *redshiftadapter.Warehouse {
	return redshiftadapter.New(client, lakeStore{filepath.Join(e.lake, "lake")}, o)
}

// statement runs statements as one transaction and returns how they ended.
func (e *endpoint) statement(t *testing.T, sqls ...string) *redshiftdata.DescribeStatementOutput {
	t.Helper()
	id, err := e.submit(t.Context(), sqls...)
	if err != nil {
		t.Fatalf("%s: %v", sqls, err)
	}
	return e.ended(t, id)
}

// run runs statements that must succeed.
func (e *endpoint) run(t *testing.T, sqls ...string) {
	t.Helper()
	if done := e.statement(t, sqls...); done.Status != types.StatusStringFinished {
		t.Fatalf("%s: %s: %s", sqls, done.Status, sdk.ToString(done.Error))
	}
}

func (e *endpoint) submit(ctx context.Context, sqls ...string) (string, error) {
	if len(sqls) == 1 {
		out, err := e.redshift.ExecuteStatement(ctx, &redshiftdata.ExecuteStatementInput{Sql: &sqls[0], WorkgroupName: sdk.String("wg"), Database: sdk.String("dev")})
		if err != nil {
			return "", err
		}
		return *out.Id, nil
	}
	out, err := e.redshift.BatchExecuteStatement(ctx, &redshiftdata.BatchExecuteStatementInput{Sqls: sqls, WorkgroupName: sdk.String("wg"), Database: sdk.String("dev")})
	if err != nil {
		return "", err
	}
	return *out.Id, nil
}

// ended waits for the end of statements.
func (e *endpoint) ended(t *testing.T, id string) *redshiftdata.DescribeStatementOutput {
	t.Helper()
	var out *redshiftdata.DescribeStatementOutput
	await(t, "the statement ends", func() bool {
		var err error
		if out, err = e.redshift.DescribeStatement(t.Context(), &redshiftdata.DescribeStatementInput{Id: &id}); err != nil {
			t.Fatal(err)
		}
		return out.Status == types.StatusStringFinished || out.Status == types.StatusStringFailed || out.Status == types.StatusStringAborted
	})
	return out
}

// await waits until a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(30 * time.Second); !holds(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within 30 s", what)
		}
	}
}

// rows runs a query and returns its rows, cells with | between them, NULL as nothing.
func (e *endpoint) rows(t *testing.T, sqls ...string) []string {
	t.Helper()
	done := e.statement(t, sqls...)
	if done.Status != types.StatusStringFinished {
		t.Fatalf("%s: %s: %s", sqls, done.Status, sdk.ToString(done.Error))
	}
	id := done.Id
	if n := len(done.SubStatements); n > 0 {
		id = done.SubStatements[n-1].Id
	}
	lines := []string{}
	pages := redshiftdata.NewGetStatementResultPaginator(e.redshift, &redshiftdata.GetStatementResultInput{Id: id})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Records {
			cells := make([]string, len(r))
			for i, f := range r {
				switch v := f.(type) {
				case *types.FieldMemberStringValue:
					cells[i] = v.Value
				case *types.FieldMemberLongValue:
					cells[i] = fmt.Sprint(v.Value)
				case *types.FieldMemberDoubleValue:
					cells[i] = fmt.Sprint(v.Value)
				case *types.FieldMemberBooleanValue:
					cells[i] = fmt.Sprint(v.Value)
				case *types.FieldMemberBlobValue:
					cells[i] = fmt.Sprintf("%x", v.Value)
				}
			}
			lines = append(lines, strings.Join(cells, "|"))
		}
	}
	return lines
}

// losing lets one batch with a COPY be done, and no answer reach its sender from then on.
type losing struct {
	e    *endpoint
	lost atomic.Bool
}

func (l *losing) Do(r *http.Request) (*http.Response, error) {
	if l.lost.Load() {
		return nil, errors.New("connection refused")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	out, err := http.DefaultClient.Do(r)
	if err != nil || !bytes.Contains(body, []byte("COPY ")) {
		return out, err
	}
	var answer struct {
		ID string `json:"Id"`
	}
	if err := errors.Join(json.NewDecoder(out.Body).Decode(&answer), out.Body.Close()); err != nil {
		return nil, err
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); <-tick.C {
		x, err := l.e.Server.redshift.runs.find(answer.ID)
		if err != nil {
			return nil, err
		}
		if x.status == rsFinished || x.status == rsFailed {
			break
		}
	}
	l.lost.Store(true)
	return nil, errors.New("connection reset by peer")
}

func TestTheAdapterOnTheLocalRedshiftIsAWarehouse(t *testing.T) {
	t.Parallel()
	enginetest.WarehouseSuite(t, func(t *testing.T) enginetest.WarehouseHarness {
		e := open(t, Options{})
		var through redshiftdata.HTTPClient
		return enginetest.WarehouseHarness{
			Open: func(*testing.T) port.Warehouse {
				return e.warehouse(rsOptions(), redshiftdata.NewFromConfig(clientConfig(e.Addr()), func(o *redshiftdata.Options) {
					o.Retryer = sdk.NopRetryer{}
					if through != nil {
						o.HTTPClient = through
					}
				}))
			},
			Write: func(t *testing.T, key string, noted bool, rows []enginetest.LoadRow) port.LoadFile {
				t.Helper()
				if noted {
					all := make([]enginetest.NotedRow, len(rows))
					for i, r := range rows {
						all[i] = r.Noted()
					}
					write(t, e.lake, "lake/"+key, all...)
				} else {
					write(t, e.lake, "lake/"+key, rows...)
				}
				info, err := os.Stat(filepath.Join(e.lake, "lake", filepath.FromSlash(key)))
				if err != nil {
					t.Fatal(err)
				}
				return port.LoadFile{Key: key, SizeBytes: info.Size(), Rows: int64(len(rows))}
			},
			Contents: func(t *testing.T, table string, columns ...string) []string {
				t.Helper()
				return e.rows(t, `SELECT "`+strings.Join(columns, `", "`)+`" FROM city.`+table+` ORDER BY id`)
			},
			LoseAnswers: func(*testing.T) { through = &losing{e: e} },
		}
	})
}
