// Package bytepool keeps byte buffers for their next use: answers of brokers and parts of uploads are megabytes each, and to clear and
// to collect new ones would cost more than to fill them.
package bytepool

import (
	"math/bits"
	"sync"
)

// Capacities of buffers are powers of two: a smaller need takes the least of them, and a larger one is made for once.
const (
	bitsMin = 16
	bitsMax = 26
)

// A Pool keeps what it is given until the garbage collector finds it unused for two rounds. The zero Pool is empty. It is safe for
// concurrent use.
type Pool struct {
	classes [bitsMax + 1]sync.Pool // of *[]byte, by the logarithm of the capacity
}

// Take returns an empty buffer with room for n bytes or more.
func (p *Pool) Take(n int) []byte {
	class := max(bits.Len(uint(max(n, 1)-1)), bitsMin)
	if class > bitsMax {
		return make([]byte, 0, n)
	}
	if b, ok := p.classes[class].Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return make([]byte, 0, 1<<class)
}

// Give keeps a buffer of any origin that nobody uses any more, as one of the greatest capacity that it has.
func (p *Pool) Give(b []byte) {
	class := bits.Len(uint(cap(b))) - 1
	if class < bitsMin || class > bitsMax {
		return
	}
	p.classes[class].Put(&b)
}
