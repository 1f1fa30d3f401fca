package aws

import (
	"cmp"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	athenasdk "github.com/aws/aws-sdk-go-v2/service/athena"
	athenatypes "github.com/aws/aws-sdk-go-v2/service/athena/types"
	gluesdk "github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/glue/types"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"
	"github.com/parquet-go/parquet-go"

	glueadapter "citystream/engine/adapter/glue"
	"citystream/engine/enginetest"
	"citystream/engine/port"
	"citystream/internal/awsbody"
)

const (
	testKey    = "AKIATEST"
	testSecret = "not a secret"
	testRegion = "eu-west-2"
)

// An endpoint is a server under test with the real clients of its services, and a directory that is its object store.
type endpoint struct {
	*Server
	options  Options
	lake     string
	closed   bool
	buckets  *buckets // what statements write to, where the store is not the directory alone
	glue     *gluesdk.Client
	athena   *athenasdk.Client
	redshift *redshiftdata.Client
}

// open starts an endpoint over an empty store, or over what is in the given options.
func open(t *testing.T, o Options) *endpoint {
	t.Helper()
	e := &endpoint{lake: t.TempDir()}
	if o.Objects == nil {
		objects, err := NewDiskObjects(e.lake)
		if err != nil {
			t.Fatal(err)
		}
		o.Objects = objects
	}
	o.Dir = cmp.Or(o.Dir, t.TempDir())
	o.Listen, o.AccessKey, o.SecretKey, o.Region = "127.0.0.1:0", testKey, testSecret, testRegion
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	e.Server, e.options = s, o
	t.Cleanup(func() { e.end(t) })
	config := clientConfig(s.Addr())
	e.glue, e.athena, e.redshift = gluesdk.NewFromConfig(config), athenasdk.NewFromConfig(config), redshiftdata.NewFromConfig(config)
	return e
}

// end closes the endpoint, the first time it is called.
func (e *endpoint) end(t *testing.T) {
	t.Helper()
	if e.closed {
		return
	}
	e.closed = true
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

func clientConfig(addr string) sdk.Config {
	return sdk.Config{
		Region: testRegion, Credentials: credentials.NewStaticCredentialsProvider(testKey, testSecret, ""),
		BaseEndpoint: sdk.String("http://" + addr), HTTPClient: awsbody.Client(nil),
	}
}

// ensure makes tables, each with its Hive partitions.
func (e *endpoint) ensure(t *testing.T, table port.CatalogTable, partitions ...port.HivePartition) {
	t.Helper()
	c := glueadapter.New(e.glue)
	if err := c.EnsureDatabase(t.Context(), enginetest.KnownDatabase); err != nil {
		t.Fatal(err)
	}
	if err := c.EnsureTable(t.Context(), enginetest.KnownDatabase, table); err != nil {
		t.Fatal(err)
	}
	if err := c.AddPartitions(t.Context(), enginetest.KnownDatabase, table.Name, partitions); err != nil {
		t.Fatal(err)
	}
}

// write puts a Parquet file of rows into the store.
func write[T any](t *testing.T, lake, key string, rows ...T) {
	t.Helper()
	path := filepath.Join(lake, filepath.FromSlash(key))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := parquet.WriteFile(path, rows); err != nil {
		t.Fatal(err)
	}
}

// hivePartition returns a partition of a table in the bucket lake, laid out as Hive does.
func hivePartition(table string, keysAndValues ...string) port.HivePartition {
	p := port.HivePartition{Location: "s3://lake/raw/" + table + "/"}
	for i := 0; i < len(keysAndValues); i += 2 {
		p.Location += keysAndValues[i] + "=" + keysAndValues[i+1] + "/"
		p.Values = append(p.Values, keysAndValues[i+1])
	}
	return p
}

// known makes the table of the query suite, its rows in two files.
func (e *endpoint) known(t *testing.T) {
	t.Helper()
	var partitions []port.HivePartition
	for _, hour := range []string{"05", "06"} {
		var rows []enginetest.KnownRow
		for _, r := range enginetest.KnownRows() {
			if r.Hour == hour {
				rows = append(rows, r)
			}
		}
		p := hivePartition("known_data", "date", enginetest.KnownDate, "hour", hour)
		write(t, e.lake, strings.TrimPrefix(p.Location, "s3://")+"a.parquet", rows...)
		partitions = append(partitions, p)
	}
	e.ensure(t, enginetest.KnownTable, partitions...)
}

func TestTheLocalGlueIsACatalog(t *testing.T) {
	t.Parallel()
	enginetest.CatalogSuite(t, func(t *testing.T) port.Catalog { return glueadapter.New(open(t, Options{}).glue) })
}

func TestTheAddressMustBeLoopback(t *testing.T) {
	t.Parallel()
	objects, err := NewDiskObjects(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "nonsense"} {
		s, err := Open(Options{Dir: t.TempDir(), Listen: address, AccessKey: "a", SecretKey: "b", Objects: objects})
		if err == nil {
			t.Errorf("%s was taken", address)
			_ = s.Close()
		}
	}
}

func TestAPublicAddressIsTakenWhereItIsWanted(t *testing.T) {
	t.Parallel()
	objects, err := NewDiskObjects(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(Options{Dir: t.TempDir(), Listen: "0.0.0.0:0", Public: true, AccessKey: "a", SecretKey: "b", Objects: objects})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	answer, err := http.Post("http://"+s.Addr(), contentType, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusOK {
		t.Error("a request without a signature was answered")
	}
	healthy, err := http.Get("http://" + s.Addr() + healthPath)
	if err != nil {
		t.Fatal(err)
	}
	defer healthy.Body.Close()
	if healthy.StatusCode != http.StatusOK {
		t.Errorf("the health check got %s", healthy.Status)
	}
}

func TestADirectoryBelongsToOneProcess(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	if s, err := Open(e.options); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("the second start got %v, %v", s, err)
	}
}

func TestMissingOptionsAreAllTold(t *testing.T) {
	t.Parallel()
	_, err := Open(Options{})
	for _, name := range []string{"Dir", "Listen", "AccessKey", "SecretKey", "Objects"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v does not name %s", err, name)
		}
	}
}

func tableInputOf(name string, keys ...string) *types.TableInput {
	in := &types.TableInput{Name: &name, StorageDescriptor: &types.StorageDescriptor{
		Columns: []types.Column{{Name: sdk.String("id"), Type: sdk.String("string")}}, Location: sdk.String("s3://lake/" + name + "/"),
		SerdeInfo: &types.SerDeInfo{SerializationLibrary: sdk.String("org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe")},
	}}
	for _, k := range keys {
		in.PartitionKeys = append(in.PartitionKeys, types.Column{Name: sdk.String(k), Type: sdk.String("string")})
	}
	return in
}

// await waits for a state of a query and returns it.
func (e *endpoint) await(t *testing.T, id string, states ...athenatypes.QueryExecutionState) *athenatypes.QueryExecution {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		out, err := e.athena.GetQueryExecution(t.Context(), &athenasdk.GetQueryExecutionInput{QueryExecutionId: &id})
		if err != nil {
			t.Fatal(err)
		}
		switch x := out.QueryExecution; {
		case slices.Contains(states, x.Status.State):
			return x
		case time.Now().After(deadline):
			t.Fatalf("query %s is %s, want %v", id, x.Status.State, states)
		}
		<-tick.C
	}
}
