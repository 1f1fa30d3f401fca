package parquetfile

import (
	"unsafe"

	"citystream/internal/bytepool"
)

// Limits of what is kept for the next file: of all buffers together, and of the smallest.
const (
	spareBytes = 8 << 20
	minBuffer  = 256 // elements
)

// memory keeps buffers that columns have grown out of or closed files have left, for all files of an encoder. Most files are small,
// and growing their buffers out of new memory each time would take as long as compressing them.
type memory struct {
	spare   int // bytes in the lists
	bytes   freeList[byte]
	int32s  freeList[int32]
	int64s  freeList[int64]
	doubles freeList[float64]
}

// A freeList holds buffers by the class of their capacity.
type freeList[T any] [bytepool.Classes][][]T

// extend returns s made longer by n elements of any value, and moves it to a larger buffer if need be.
func extend[T any](m *memory, l *freeList[T], s []T, n int) []T {
	if len(s)+n <= cap(s) {
		return s[:len(s)+n]
	}
	larger := l.take(m, max(len(s)+n, minBuffer))[:len(s)+n]
	copy(larger, s)
	l.give(m, s)
	return larger
}

// spareClasses is how far above the wanted class a spare buffer may be: at most twice as large.
const spareClasses = 4

// take returns an empty buffer for at least n elements.
func (l *freeList[T]) take(m *memory, n int) []T {
	class, capacity := bytepool.Class(n)
	for c := class; c <= min(class+spareClasses, len(l)-1); c++ {
		if last := len(l[c]) - 1; last >= 0 {
			s := l[c][last]
			l[c][last] = nil
			l[c] = l[c][:last]
			m.spare -= sizeBytes(s)
			return s
		}
	}
	return make([]T, 0, capacity)
}

// give keeps a buffer that take has made, unless enough are kept.
func (l *freeList[T]) give(m *memory, s []T) {
	n := sizeBytes(s)
	if n == 0 || m.spare+n > spareBytes {
		return
	}
	m.spare += n
	class, _ := bytepool.Class(cap(s))
	l[class] = append(l[class], s[:0])
}

func sizeBytes[T any](s []T) int {
	var element T
	return cap(s) * int(unsafe.Sizeof(element))
}
