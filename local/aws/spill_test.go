//go:build cgo

package aws

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/athena/types"
)

func TestAQueryThatNeedsMoreThanItsMemoryGoesToDisk(t *testing.T) {
	t.Parallel()
	e := open(t, Options{MemoryBytes: 48 << 20, Threads: 1})
	done := e.runs(t, `SELECT max(n) FROM (
		SELECT row_number() OVER (ORDER BY md5(to_utf8(CAST(x * 1000 + y AS varchar)))) AS n
		FROM unnest(sequence(1, 1500)) a(x), unnest(sequence(1, 1000)) b(y))`)
	if done.Status.State != types.QueryExecutionStateSucceeded {
		t.Fatalf("%v", *done.Status.StateChangeReason)
	}
}
