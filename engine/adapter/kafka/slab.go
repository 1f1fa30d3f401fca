package kafka

import (
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"citystream/internal/bytepool"
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
		s.pool.Give(s.data)
	}
}

// slabPool keeps slabs for the answers to come. It is safe for concurrent use.
type slabPool struct {
	bytepool.Pool
	once   sync.Once
	unpack kgo.Decompressor
}

// take returns a slab of so many bytes that is held once.
func (p *slabPool) take(n int) *slab { return p.hold(p.Take(n)[:n]) }

// hold makes bytes a slab that is held once.
func (p *slabPool) hold(data []byte) *slab {
	s := &slab{data: data, pool: p}
	s.held.Store(1)
	return s
}

// decompressor returns one that takes its memory from the pool.
func (p *slabPool) decompressor() kgo.Decompressor {
	p.once.Do(func() { p.unpack = kgo.DefaultDecompressor(p) })
	return p.unpack
}

// GetDecompressBytes and PutDecompressBytes make the pool one that franz-go's decompressor takes its memory from. How long a batch
// becomes is not known before; four times is usual of JSON.
func (p *slabPool) GetDecompressBytes(compressed []byte, _ codec) []byte {
	return p.Take(4 * len(compressed))
}

// PutDecompressBytes gives back what the decompressor had no use for.
func (p *slabPool) PutDecompressBytes(b []byte) { p.Give(b) }
