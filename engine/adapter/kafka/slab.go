package kafka

import (
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A slab is the memory of one answer, or of one batch after decompression, which the records point into. Who holds it last gives it
// back.
type slab struct {
	data []byte
	pool *slabPool
	held atomic.Int32
}

func (s *slab) release() {
	if s.held.Add(-1) == 0 {
		s.pool.give(s.data)
	}
}

// Capacities of slabs are powers of two: a smaller need takes the least of them, and a larger one is made for once.
const (
	slabBitsMin = 16
	slabBitsMax = 24
)

// slabPool keeps slabs for the answers to come. It is safe for concurrent use.
type slabPool struct {
	classes [slabBitsMax + 1]sync.Pool // of *[]byte, by the logarithm of the capacity
	once    sync.Once
	unpack  kgo.Decompressor
}

// decompressor returns one that takes its memory from the pool.
func (p *slabPool) decompressor() kgo.Decompressor {
	p.once.Do(func() { p.unpack = kgo.DefaultDecompressor(p) })
	return p.unpack
}

// take returns a slab of so many bytes that is held once.
func (p *slabPool) take(n int) *slab {
	s := &slab{data: p.room(n)[:n], pool: p}
	s.held.Store(1)
	return s
}

// room returns memory of a capacity of n bytes or more.
func (p *slabPool) room(n int) []byte {
	class := max(bits.Len(uint(n-1)), slabBitsMin)
	if class > slabBitsMax {
		return make([]byte, 0, n)
	}
	if b, ok := p.classes[class].Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return make([]byte, 0, 1<<class)
}

// give keeps memory of any origin, counted as the greatest class that it fills.
func (p *slabPool) give(b []byte) {
	class := bits.Len(uint(cap(b))) - 1
	if class < slabBitsMin || class > slabBitsMax {
		return
	}
	p.classes[class].Put(&b)
}

// GetDecompressBytes and PutDecompressBytes make the pool one that franz-go's decompressor takes its memory from. How long a batch
// becomes is not known before; four times is usual of JSON.
func (p *slabPool) GetDecompressBytes(compressed []byte, _ codec) []byte {
	return p.room(4 * len(compressed))
}

// PutDecompressBytes gives back what the decompressor had no use for.
func (p *slabPool) PutDecompressBytes(b []byte) { p.give(b) }
