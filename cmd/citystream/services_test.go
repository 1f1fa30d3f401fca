package main

import (
	"bufio"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/athena"

	athenaadapter "citystream/engine/adapter/athena"
	"citystream/engine/adapter/s3"
)

// serve starts a service of its own on a data directory and returns the first line that it says.
func serve(t *testing.T, args ...string) string {
	t.Helper()
	c, _ := citystream(t, args...)
	c.Stdout, c.Stderr = nil, os.Stderr
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		_ = c.Wait() // how it ends is tested elsewhere
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%v says %q: %v", args, line, err)
	}
	return line
}

// The SQL endpoint writes through the API of the store beside it, which is another process and may start later.
func TestTheSQLEndpointWritesToTheStoreBesideIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	serve(t, "aws", "--data", dir)
	serve(t, "store", "--data", dir)
	d := &dataDir{path: dir}
	k, err := readKeys(d.awsCredentials())
	if err != nil {
		t.Fatal(err)
	}
	endpoint, region, err := awsEndpoint(d.awsConfig())
	if err != nil {
		t.Fatal(err)
	}
	query := athenaadapter.New(athena.NewFromConfig(clientConfig(endpoint, region, k)), athenaadapter.Options{
		OutputLocation: "s3://citystream/results/", PollMin: 5 * time.Millisecond,
	})
	for _, sql := range []string{
		"CREATE DATABASE made", "CREATE TABLE made.t WITH (external_location = 's3://citystream/made/') AS SELECT 7 AS n",
	} {
		if _, err := query.Run(t.Context(), "", sql); err != nil {
			t.Fatal(err)
		}
	}
	r, err := query.Run(t.Context(), "made", "SELECT n FROM t")
	if err != nil {
		t.Fatal(err)
	}
	o, err := storeBeside(d, k, region)
	if err != nil {
		t.Fatal(err)
	}
	o.Bucket = "citystream"
	store, err := s3.Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	body, _, err := store.Get(t.Context(), "results/"+r.ID+".csv")
	if err != nil || string(body) != "\"n\"\n\"7\"\n" {
		t.Errorf("the result is %q, %v", body, err)
	}
	files, err := store.List(t.Context(), "made/", "", 10)
	if err != nil || len(files) != 1 || !strings.HasSuffix(files[0].Key, ".parquet") {
		t.Errorf("the files are %v, %v", files, err)
	}
	if _, err := query.Run(t.Context(), "made", "CREATE TABLE u WITH (external_location = 's3://nobody/made/') AS SELECT 7 AS n"); err == nil ||
		!strings.Contains(err.Error(), "bucket nobody") {
		t.Errorf("a bucket that is not there: %v", err)
	}
}
