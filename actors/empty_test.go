package actors

import (
	"testing"
	"time"

	"citystream/engine/enginetest"
	"citystream/engine/record"
)

// TestAnEmptyPartitionIsAtItsEnd: at offset 0, a fetch that brings nothing is a fetch all the same. A drain and the watermark of the others
// wait for it.
func TestAnEmptyPartitionIsAtItsEnd(t *testing.T) {
	t.Parallel()
	s := newStretch(t, enginetest.NewFaults())
	o := s.begin()
	for deadline := time.Now().Add(10 * time.Second); ; {
		answer, err := s.system.Root.RequestFuture(o.pid, askStatus{record.MicrosOf(time.Now())}, time.Second).Result()
		if p, ok := answer.(partitionStatus); err == nil && ok && p.status.AtEnd != 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("it never is")
		}
	}
}
