//go:build unix

package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"citystream/engine/adapter/s3"
	"citystream/engine/enginetest"
	"citystream/engine/port"
	"citystream/local/store"
)

func TestTheEmbeddedStoreBehindTheS3AdapterIsAStore(t *testing.T) {
	t.Parallel()
	c := start(t, childOn(t.TempDir(), "127.0.0.1:0"))
	t.Run("suite", func(t *testing.T) {
		enginetest.StoreSuite(t, func(t *testing.T) port.Store { return newBucket(t, c.Addr()) })
	})
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestObjectsArePlainFilesBelowTheirBucket(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := start(t, childOn(dir, "127.0.0.1:0"))
	s := connect(t, c.Addr(), "raw")
	if err := s.Put(t.Context(), "t/date=2026-11-22/a.parquet", []byte("PAR1")); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "raw", "t", "date=2026-11-22", "a.parquet"))
	if err != nil || string(got) != "PAR1" {
		t.Fatalf("the file holds %q, %v", got, err)
	}
	if objects, err := connect(t, c.Addr(), "transformed").List(t.Context(), "", "", 10); err != nil || len(objects) != 0 {
		t.Fatalf("the other bucket has %+v, %v", objects, err)
	}
}

func TestConnectingWithWrongKeysOrToAMissingBucketSaysSo(t *testing.T) {
	t.Parallel()
	var printed bytes.Buffer
	o := childOn(t.TempDir(), "127.0.0.1:0")
	o.Logger = slog.New(slog.NewTextHandler(&printed, nil))
	c := start(t, o)
	for _, test := range []struct {
		name   string
		change func(*s3.Options)
		is     error
		says   string
	}{
		{"an unknown access key", func(o *s3.Options) { o.AccessKey = "other" }, port.ErrForbidden, "check the credentials"},
		{"a wrong secret", func(o *s3.Options) { o.SecretKey = "other" }, port.ErrForbidden, "check the credentials"},
		{"a missing bucket", func(o *s3.Options) { o.Bucket = "other" }, nil, "no such bucket; create it"},
	} {
		o := options(c.Addr(), "raw")
		test.change(&o)
		_, err := s3.Connect(t.Context(), o)
		if err == nil || (test.is != nil && !errors.Is(err, test.is)) || errors.Is(err, port.ErrNotFound) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: error is %v, want %v that says %q", test.name, err, test.is, test.says)
			continue
		}
		wantNoSecret(t, err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if printed.Len() > 0 {
		t.Errorf("a healthy store printed %s", printed.String())
	}
}

func TestAKilledStoreKeepsObjectsAndOpenUploads(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := start(t, childOn(dir, "127.0.0.1:0"))
	s := connect(t, c.Addr(), "raw")
	large := bytes.Repeat([]byte("0123456789abcdef"), 5<<20/16)
	done, doneParts := upload(t, s, "done", large, []byte("tail"))
	if err := s.CompleteUpload(t.Context(), "done", done, doneParts); err != nil {
		t.Fatal(err)
	}
	if err := s.PutIfAbsent(t.Context(), "slot", []byte("entry")); err != nil {
		t.Fatal(err)
	}
	open, openParts := upload(t, s, "open", large, []byte("tail"))

	kill(t, c.PID())
	await(t, "the store's end", func() bool { return isClosed(c.Done()) })
	if err := c.Err(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("the killed store says: %v", err)
	}
	if err := s.Put(t.Context(), "lost", nil); err == nil {
		t.Error("a write to a dead store succeeded")
	}

	s = connect(t, start(t, childOn(dir, c.Addr())).Addr(), "raw") // the same address, at once
	wantBody(t, s, "done", append(bytes.Clone(large), "tail"...))
	wantBody(t, s, "slot", []byte("entry"))
	if err := s.PutIfAbsent(t.Context(), "slot", []byte("other")); !errors.Is(err, port.ErrConflict) {
		t.Errorf("the slot is free again: %v", err)
	}
	if _, err := s.Head(t.Context(), "open"); !errors.Is(err, port.ErrNotFound) {
		t.Errorf("the open upload can be seen: %v", err)
	}
	if err := s.CompleteUpload(t.Context(), "done", done, doneParts); err != nil && !errors.Is(err, port.ErrNoUpload) {
		t.Errorf("completing again: %v", err)
	}
	uploads, err := s.ListUploads(t.Context(), "")
	if err != nil || len(uploads) != 1 || uploads[0].ID != open {
		t.Errorf("uploads %+v, %v", uploads, err)
	}
	if err := s.CompleteUpload(t.Context(), "open", open, openParts); err != nil {
		t.Fatal(err)
	}
	wantBody(t, s, "open", append(bytes.Clone(large), "tail"...))
}

// The gateway marks an upload by its directory's name while it assembles the object. These are the states in which a kill leaves it.
func TestACompletionCutShortIsTakenBackByTheNextStart(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "with [odd] *name?")
	c := start(t, childOn(dir, "127.0.0.1:0"))
	s := connect(t, c.Addr(), "raw")
	before, beforeParts := upload(t, s, "a/before", []byte("before"))
	after, afterParts := upload(t, s, "a/after", []byte("after"))
	var leftover string
	mark := func(id string) string {
		at, err := filepath.Glob(strings.NewReplacer("[", `\[`, "*", `\*`, "?", `\?`).Replace(dir) + "/raw/.sgwtmp/multipart/*/" + id)
		if err != nil || len(at) != 1 {
			t.Fatalf("upload %s is at %v, %v", id, at, err)
		}
		return at[0]
	}
	// Killed after the object appeared, before the upload was cleared away: both are there.
	leftover = mark(after)
	kept := leftover + ".kept"
	if err := os.CopyFS(kept, os.DirFS(leftover)); err != nil {
		t.Fatal(err)
	}
	if err := s.CompleteUpload(t.Context(), "a/after", after, afterParts); err != nil {
		t.Fatal(err)
	}
	kill(t, c.PID())
	await(t, "the store's end", func() bool { return isClosed(c.Done()) })
	for from, to := range map[string]string{kept: leftover + ".0123-1.inprogress", mark(before): mark(before) + ".0123-1.inprogress"} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}

	s = connect(t, start(t, childOn(dir, "127.0.0.1:0")).Addr(), "raw")
	uploads, err := s.ListUploads(t.Context(), "")
	if err != nil || len(uploads) != 1 || uploads[0].ID != before {
		t.Errorf("uploads %+v, %v", uploads, err)
	}
	if err := s.CompleteUpload(t.Context(), "a/before", before, beforeParts); err != nil {
		t.Fatal(err)
	}
	wantBody(t, s, "a/before", []byte("before"))
	wantBody(t, s, "a/after", []byte("after"))
	if _, err := os.Stat(filepath.Dir(leftover)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the completed upload is still in the way: %v", err)
	}
}

func TestTheStoreEndsWhenItsParentIsKilledAndTheNextOneTakesItsPlace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	parent, at := startParent(t, dir)
	s := connect(t, at.Addr, "raw")
	if err := s.Put(t.Context(), "a", []byte("kept")); err != nil {
		t.Fatal(err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	next := start(t, childOn(dir, at.Addr)) // while the old one may still be there
	wantBody(t, connect(t, next.Addr(), "raw"), "a", []byte("kept"))
	await(t, "the old store's end", func() bool { return errors.Is(syscall.Kill(at.PID, 0), syscall.ESRCH) })
}

func TestACtrlCAtTheTerminalDoesNotReachTheStore(t *testing.T) {
	t.Parallel()
	c := start(t, childOn(t.TempDir(), "127.0.0.1:0"))
	if group, err := syscall.Getpgid(c.PID()); err != nil || group != c.PID() {
		t.Errorf("the child %d is in process group %d, %v; want its own", c.PID(), group, err)
	}
}

func TestClosingEndsTheStoreAndMayBeRepeated(t *testing.T) {
	t.Parallel()
	c := start(t, childOn(t.TempDir(), "127.0.0.1:0"))
	connect(t, c.Addr(), "raw") // leaves a connection open
	begun := time.Now()
	for range 2 {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("closing took %v", took)
	}
	if !isClosed(c.Done()) || c.Err() != nil {
		t.Errorf("after closing: done %v, error %v", isClosed(c.Done()), c.Err())
	}
	if conn, err := net.Dial("tcp", c.Addr()); err == nil {
		_ = conn.Close()
		t.Error("something still listens")
	}
}

func TestASecondStoreOnADirectoryIsToldWhoHoldsIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start(t, childOn(dir, "127.0.0.1:0"))
	_, err := store.Start(t.Context(), childOn(dir, "127.0.0.1:0"))
	if !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("process %d", first.PID())) {
		t.Fatalf("error is %v, want ErrLocked of process %d", err, first.PID())
	}
	wantNoSecret(t, err)
}

func TestAStartThatCannotSucceedSaysWhatToDo(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() }) // after the parallel tests
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, dir, listen string
		change            func(*store.ChildOptions)
		is                error
		says              []string
	}{
		{name: "the port is taken", listen: taken.Addr().String(), is: store.ErrAddressInUse, says: []string{taken.Addr().String(), "choose another port"}},
		{name: "the address can be reached from elsewhere", listen: "0.0.0.0:0", says: []string{"loopback only", "127.0.0.1"}},
		{name: "the address is a name", listen: "localhost:0", says: []string{"127.0.0.1"}},
		{name: "the address has no port", listen: "127.0.0.1", says: []string{"host:port"}},
		{name: "the directory is a file", dir: file, says: []string{file, "choose a directory"}},
		{name: "the file system has no attributes", dir: "/proc/self", says: []string{"extended attributes", "ext4"}},
		{name: "there are no keys", change: func(o *store.ChildOptions) { o.SecretKey = "" }, says: []string{"secret key"}},
		{name: "a bucket's name is wrong", change: func(o *store.ChildOptions) { o.Buckets = []string{"No_Bucket"} }, says: []string{"No_Bucket"}},
		{name: "the child dies", change: func(o *store.ChildOptions) { o.Args = []string{"talking-child"} }, says: []string{"exit status 3", "this is why"}},
		{name: "the child never answers", change: func(o *store.ChildOptions) {
			o.Args, o.StartMax = []string{"mute-child"}, 50*time.Millisecond
		}, says: []string{"not ready"}},
		{name: "the executable is missing", change: func(o *store.ChildOptions) { o.Executable = "/no/such/program" }, says: []string{"/no/such/program"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.dir == "/proc/self" && runtime.GOOS != "linux" {
				t.Skip("a file system without attributes is known on Linux only")
			}
			if test.dir == "" {
				test.dir = t.TempDir()
			}
			if test.listen == "" {
				test.listen = "127.0.0.1:0"
			}
			o := childOn(test.dir, test.listen)
			if test.change != nil {
				test.change(&o)
			}
			c, err := store.Start(t.Context(), o)
			if err == nil {
				_ = c.Close()
				t.Fatal("it started")
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("error is %v, want %v", err, test.is)
			}
			for _, words := range test.says {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("error %q does not say %q", err, words)
				}
			}
			wantNoSecret(t, err)
		})
	}
}

func TestACancelledStartLeavesNoProcess(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := childOn(t.TempDir(), "127.0.0.1:0")
	o.Args = []string{"mute-child"}
	if _, err := store.Start(ctx, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("error is %v", err)
	}
}

func wantNoSecret(t *testing.T, err error) {
	t.Helper()
	if strings.Contains(err.Error(), secretKey) {
		t.Errorf("the error shows the secret: %v", err)
	}
}

func wantBody(t *testing.T, s port.Store, key string, want []byte) {
	t.Helper()
	got, _, err := s.Get(t.Context(), key)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%s has %d bytes, want %d: %v", key, len(got), len(want), err)
	}
}

func upload(t *testing.T, s port.Store, key string, bodies ...[]byte) (id string, parts []port.Part) {
	t.Helper()
	id, err := s.CreateUpload(t.Context(), key, map[string]string{"rows": "1"})
	if err != nil {
		t.Fatal(err)
	}
	for i, body := range bodies {
		part, err := s.UploadPart(t.Context(), key, id, int32(i+1), body)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, part)
	}
	return id, parts
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}
