package bytepool_test

import (
	"testing"

	"citystream/internal/bytepool"
)

func TestABufferHasTheRoomThatWasAskedForAndNothingInIt(t *testing.T) {
	t.Parallel()
	var p bytepool.Pool
	for _, n := range []int{0, 1, 1 << 16, 1<<16 + 1, 5 << 20, 1<<26 + 1} {
		for range 3 {
			b := p.Take(n)
			if len(b) != 0 || cap(b) < n {
				t.Fatalf("for %d bytes: length %d, capacity %d", n, len(b), cap(b))
			}
			p.Give(append(b, 1))
		}
	}
}

func TestAClassHasRoomAndWastesLittle(t *testing.T) {
	t.Parallel()
	for n := range 1 << 20 {
		class, capacity := bytepool.Class(n)
		again, same := bytepool.Class(capacity)
		if capacity < n || again != class || same != capacity || n > 100 && capacity > n+n/4+1 {
			t.Fatalf("%d: class %d, capacity %d; of that: %d, %d", n, class, capacity, again, same)
		}
	}
}

func TestWhatIsGivenIsNotTakenForMoreThanItHolds(t *testing.T) {
	t.Parallel()
	var p bytepool.Pool
	p.Give(make([]byte, 100_000)) // between two powers of two
	p.Give(make([]byte, 10))
	for range 3 {
		if b := p.Take(100_000); cap(b) < 100_000 {
			t.Fatalf("capacity %d", cap(b))
		}
	}
}
