package enginetest_test

import (
	"testing"
	"time"

	"citystream/engine/enginetest"
	"citystream/engine/port"
)

func TestTheFakeStoreIsAStore(t *testing.T) {
	t.Parallel()
	enginetest.StoreSuite(t, func(*testing.T) port.Store { return enginetest.NewFakeStore() })
}

func TestTheFakeStoreTellsTheTimesOfItsOwnClock(t *testing.T) {
	t.Parallel()
	s := enginetest.NewFakeStore()
	now := time.UnixMicro(1_000)
	s.Now = func() time.Time { now = now.Add(time.Microsecond); return now }
	if err := s.Put(t.Context(), "a", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateUpload(t.Context(), "b", nil); err != nil {
		t.Fatal(err)
	}
	o, err := s.Head(t.Context(), "a")
	if err != nil || o.Modified != 1_001 {
		t.Errorf("modified at %d, %v; want 1001", o.Modified, err)
	}
	u, err := s.ListUploads(t.Context(), "")
	if err != nil || len(u) != 1 || u[0].Initiated != 1_002 {
		t.Errorf("uploads %+v, %v; want one of 1002", u, err)
	}
}

func TestTheFakeStoreRefusesKeysThatNoStoreTakes(t *testing.T) {
	t.Parallel()
	s := enginetest.NewFakeStore()
	for _, key := range []string{"", "/a"} {
		if err := s.Put(t.Context(), key, nil); err == nil {
			t.Errorf("key %q was taken", key)
		}
	}
}
