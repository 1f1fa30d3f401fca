// Package bytepool keeps byte buffers for their next use: answers of brokers and parts of uploads are megabytes each, and to clear and
// to collect new ones would cost more than to fill them.
package bytepool

import (
	"math/bits"
	"sync"
)

// Classes is the number of classes of capacities.
const Classes = 4 * bits.UintSize

// Class returns the class of the least capacity that has room for n elements, and that capacity. There are four between a power of two
// and the next, so that a buffer is about a quarter larger than what it was asked for at most, and something that grows from class to
// class takes a quarter more and not twice as much.
func Class(n int) (class, capacity int) {
	power := bits.Len(uint(max(n, 5)-1)) - 1 // n is above 2 to the power, and not above twice that
	quarter := 1 << (power - 2)
	steps := max((n-1<<power+quarter-1)/quarter, 1)
	return 4*power + steps - 1, 1<<power + steps*quarter
}

// Capacities that are kept. A larger buffer is made for once.
const (
	least    = 64 << 10
	greatest = 64 << 20
)

// A Pool keeps what it is given until the garbage collector finds it unused for two rounds. The zero Pool is empty. It is safe for
// concurrent use.
type Pool struct {
	classes [Classes]sync.Pool // of *[]byte
}

// Take returns an empty buffer with room for n bytes or more.
func (p *Pool) Take(n int) []byte {
	class, capacity := Class(max(n, least))
	if capacity > greatest {
		return make([]byte, 0, n)
	}
	if b, ok := p.classes[class].Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return make([]byte, 0, capacity)
}

// Give keeps a buffer from Take that nobody uses any more. One of another origin is left to the collector, unless its capacity is that of
// a class.
func (p *Pool) Give(b []byte) {
	class, capacity := Class(cap(b))
	if capacity != cap(b) || capacity < least || capacity > greatest {
		return
	}
	p.classes[class].Put(&b)
}
