//go:build cgo

package aws

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"
	"github.com/google/go-cmp/cmp"

	redshiftadapter "citystream/engine/adapter/redshift"
	"citystream/engine/port"
)

var faultsEvery = flag.Int("redshift.faults", 4, "each how many-th call of a load fails; 1 is every call, which takes half a minute")

// A nth lets one of all calls to the service and to the store fail: before it takes effect, or after.
type nth struct {
	lakeStore
	call  int
	after bool

	mu    sync.Mutex
	calls int
	fired string
}

var errNth = errors.New("injected")

// do makes a call, or not.
func (n *nth) do(what string, call func() error) error {
	n.mu.Lock()
	n.calls++
	fails := n.calls == n.call
	if fails {
		n.fired = what
	}
	n.mu.Unlock()
	if fails && !n.after {
		return errNth
	}
	err := call()
	if fails && err == nil {
		return errNth
	}
	return err
}

func (n *nth) Put(ctx context.Context, key string, body []byte) error {
	return n.do("Put", func() error { return n.lakeStore.Put(ctx, key, body) })
}

func (n *nth) Delete(ctx context.Context, key string) error {
	return n.do("Delete", func() error { return n.lakeStore.Delete(ctx, key) })
}

// Do is a call of the client's.
func (n *nth) Do(r *http.Request) (out *http.Response, err error) {
	err = n.do(r.Header.Get("X-Amz-Target"), func() (err error) { out, err = http.DefaultClient.Do(r); return err })
	if err != nil && out != nil {
		_, _ = io.Copy(io.Discard, out.Body)
		_ = out.Body.Close()
		out = nil
	}
	return out, err
}

// Each call of a load and a reload fails, or some of them, before and after it took effect, until the fault no longer fires. Whoever calls again until it succeeds
// has every commit once.
func TestEveryCallOfALoadMayFail(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	table := port.WarehouseTable{
		Name: "trips", PartitionKeys: []string{"hour"}, Columns: []port.WarehouseColumn{{Name: "some_id", Type: "integer"}, {Name: "some_name", Type: "varchar(65535)"}},
	}
	commit := func(id, hour string) port.LoadCommit {
		key := "faults/" + id + ".parquet"
		write(t, e.lake, "lake/"+key, twoColumns{1, id}, twoColumns{2, id})
		o, ok, err := rsExactly(t.Context(), e.options.Objects, "lake", key)
		if err != nil || !ok {
			t.Fatal(err)
		}
		return port.LoadCommit{ID: id, Values: []string{hour}, Files: []port.LoadFile{{Key: key, SizeBytes: o.SizeBytes, Rows: 2}}}
	}
	a, b, c := commit("a", "05"), commit("b", "05"), commit("c", "06")
	fired := map[string]bool{}
	for i, after := range []bool{false, true} {
		for call := 1 + i**faultsEvery/2; ; call += *faultsEvery {
			n := &nth{lakeStore: lakeStore{filepath.Join(e.lake, "lake")}, call: call, after: after}
			o := rsOptions()
			o.Schema, o.PollMin = fmt.Sprintf("s%d_%t", call, after), 10*time.Millisecond // few looks at each statement
			w := redshiftadapter.New(redshiftdata.NewFromConfig(clientConfig(e.Addr()), func(o *redshiftdata.Options) {
				o.Retryer, o.HTTPClient = sdk.NopRetryer{}, n
			}), n, o)
			if err := loadAndReload(t.Context(), w, table, a, b, c); err != nil {
				t.Fatalf("call %d (%s), after %t: %v", call, n.fired, after, err)
			}
			got := e.rows(t, "SELECT some_name, hour, count(*) FROM "+o.Schema+".trips GROUP BY 1, 2 ORDER BY 1")
			if diff := cmp.Diff([]string{"a|05|2", "b|05|2", "c|06|2"}, got); diff != "" {
				t.Fatalf("call %d (%s), after %t: rows differ (-want +got):\n%s", call, n.fired, after, diff)
			}
			got = e.rows(t, "SELECT commit_id, count(*), max(row_count) FROM "+o.Schema+".load_log GROUP BY 1 ORDER BY 1")
			if diff := cmp.Diff([]string{"a|1|2", "b|1|2", "c|1|2"}, got); diff != "" {
				t.Fatalf("call %d (%s), after %t: the log differs (-want +got):\n%s", call, n.fired, after, diff)
			}
			if n.fired == "" {
				break
			}
			fired[n.fired] = true
		}
	}
	if len(fired) == 0 {
		t.Error("nothing failed")
	}
	for _, name := range []string{"Put", "Delete", "RedshiftData.ExecuteStatement", "RedshiftData.BatchExecuteStatement", "RedshiftData.DescribeStatement", "RedshiftData.GetStatementResult"} {
		if !fired[name] && *faultsEvery == 1 {
			t.Errorf("%s never failed: %v", name, fired)
		}
	}
}

// loadAndReload loads a, then a, b and c, and reloads the Hive partition of a and b. Each step is made again when it fails, twice at most.
func loadAndReload(ctx context.Context, w port.Warehouse, table port.WarehouseTable, a, b, c port.LoadCommit) error {
	for _, step := range []func() error{
		func() error { return w.EnsureTable(ctx, table) },
		func() error { _, err := w.Load(ctx, table, []port.LoadCommit{a}); return err },
		func() error { _, err := w.Load(ctx, table, []port.LoadCommit{a, b, c}); return err },
		func() error {
			known, err := w.LoadedOf(ctx, table.Name, a.Values)
			if err != nil {
				return err
			}
			ids := []string{}
			for _, k := range known {
				ids = append(ids, k.ID)
			}
			rows, err := w.Reload(ctx, table, port.Reload{Values: a.Values, Commits: []port.LoadCommit{a, b}, Known: ids})
			if err == nil && rows != 4 {
				err = fmt.Errorf("the Hive partition has %d rows", rows)
			}
			return err
		},
	} {
		err := step()
		for try := 0; err != nil && try < 2; try++ {
			err = step()
		}
		if err != nil {
			return err
		}
	}
	return nil
}
