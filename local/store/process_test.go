//go:build unix

package store_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"citystream/engine/adapter/s3"
	"citystream/engine/port"
	"citystream/local/store"
)

// The test binary is also the store's child and the child's parent, as a command would be.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "store-child":
			exit(store.ServeChild(context.Background(), store.Options{Dir: os.Args[2], Listen: os.Args[3]}, os.Stdin, os.Stdout))
		case "store-parent":
			exit(beParent(os.Args[2]))
		case "mute-child":
			select {}
		case "talking-child":
			fmt.Fprintln(os.Stderr, "this is why")
			os.Exit(3)
		}
	}
	os.Exit(m.Run())
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// beParent starts a store, tells where, and waits to be killed.
func beParent(dir string) error {
	c, err := store.Start(context.Background(), childOn(dir, "127.0.0.1:0"))
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(told{PID: c.PID(), Addr: c.Addr()}); err != nil {
		return err
	}
	select {}
}

type told struct {
	PID  int
	Addr string
}

const (
	accessKey = "test-access"
	secretKey = "test-secret-never-shown"
	deadline  = 20 * time.Second
)

func childOn(dir, listen string) store.ChildOptions {
	return store.ChildOptions{
		Args: []string{"store-child", dir, listen}, AccessKey: accessKey, SecretKey: secretKey, Buckets: []string{"raw", "transformed"},
	}
}

func start(t *testing.T, o store.ChildOptions) *store.Child {
	t.Helper()
	c, err := store.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func options(addr, bucket string) s3.Options {
	return s3.Options{Bucket: bucket, Endpoint: "http://" + addr, AccessKey: accessKey, SecretKey: secretKey}
}

func connect(t *testing.T, addr, bucket string) *s3.Store {
	t.Helper()
	s, err := s3.Connect(t.Context(), options(addr, bucket))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newBucket makes a bucket of a test's own.
func newBucket(t *testing.T, addr string) port.Store {
	t.Helper()
	bucket := fmt.Sprintf("bucket-%d-%s", bucketsMade.Add(1), strings.ToLower(rand.Text()[:8]))
	client, err := s3.NewClient(t.Context(), options(addr, ""))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	return s3.New(client, bucket)
}

var bucketsMade atomic.Int64

// startParent runs a process that runs a store.
func startParent(t *testing.T, dir string) (*exec.Cmd, told) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "store-parent", dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var at told
	if err := json.Unmarshal(line, &at); err != nil {
		t.Fatal(err)
	}
	return cmd, at
}

// await waits for a condition.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(deadline); !condition(); <-ticker.C {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, deadline)
		}
	}
}
