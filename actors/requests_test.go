package actors

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"citystream/engine/enginetest"
)

// TestWhatATakeoverAndACommitAsk is the bill: each request to the store costs money, and time under the commit.
func TestWhatATakeoverAndACommitAsk(t *testing.T) {
	t.Parallel()
	faults := enginetest.NewFaults()
	s := newStretch(t, faults)
	s.node.Limits.Rows = 1 << 40
	o := s.begin()
	o.caughtUp()
	before := faults.Calls()
	want := map[string]int{"Get low": 1, "List log": 1, "Offsets": 1, "PutIfAbsent log": 1, "PutIfAbsent schema": 1, "Topics": 1}
	if diff := cmp.Diff(want, without("Fetch", before, nil)); diff != "" {
		t.Errorf("the takeover of a new log: -want +got\n%s", diff)
	}
	s.produce(40)
	o.caughtUp()
	o.drain()
	after := faults.Calls()
	files := after["CreateUpload file"]
	commits := after["PutIfAbsent log"] - before["PutIfAbsent log"]
	want = map[string]int{
		"CreateUpload file": files, "UploadPart file": files, "CompleteUpload file": files, // of a small file, of which a large one has more parts
		"PutIfAbsent log": commits, "Get low": commits, "Topics": commits,
	}
	if diff := cmp.Diff(want, without("Fetch", after, before)); diff != "" || files == 0 || commits == 0 {
		t.Errorf("%d commits of %d files: -want +got\n%s", commits, files, diff)
	}
	s.begin().caughtUp()
	want = map[string]int{
		"List log": 1, "Get log": 1, "CompleteUpload file": 1, "Head file": 1, "PutIfAbsent log": 1, "Get low": 1, "Topics": 1,
		"Offsets": 1, "EpochEnd": 1,
	}
	if diff := cmp.Diff(want, without("Fetch", faults.Calls(), after)); diff != "" {
		t.Errorf("the takeover of a log with entries: -want +got\n%s", diff)
	}
}

// without returns how often each operation but one was called since before.
func without(operation string, now, before map[string]int) map[string]int {
	since := map[string]int{}
	for name, n := range now {
		if n -= before[name]; n > 0 && name != operation {
			since[name] = n
		}
	}
	return since
}
