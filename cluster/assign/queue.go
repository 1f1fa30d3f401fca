package assign

// A queue is a binary heap of workers that knows where each of them stands, so that one whose load has changed can be put right.
type queue struct {
	heap   []int32
	at     []int32 // of each worker; nobody if it is not in the queue
	before func(a, b int32) bool
}

func newQueue(workers int, before func(a, b int32) bool) *queue {
	q := &queue{at: make([]int32, workers), before: before}
	for w := range q.at {
		q.at[w] = nobody
	}
	return q
}

func (q *queue) add(w int32) {
	q.at[w] = int32(len(q.heap))
	q.heap = append(q.heap, w)
	q.up(q.at[w])
}

// fix puts a worker right whose load has changed, if it is in the queue.
func (q *queue) fix(w int32) {
	if i := q.at[w]; i != nobody {
		q.up(i)
		q.down(q.at[w])
	}
}

// remove takes the first out.
func (q *queue) remove() {
	last := int32(len(q.heap) - 1)
	q.swap(0, last)
	q.at[q.heap[last]] = nobody
	q.heap = q.heap[:last]
	if last > 0 {
		q.down(0)
	}
}

func (q *queue) up(i int32) {
	for i > 0 && q.before(q.heap[i], q.heap[(i-1)/2]) {
		q.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
}

func (q *queue) down(i int32) {
	for {
		first := i
		for c := 2*i + 1; c <= 2*i+2 && int(c) < len(q.heap); c++ {
			if q.before(q.heap[c], q.heap[first]) {
				first = c
			}
		}
		if first == i {
			return
		}
		q.swap(i, first)
		i = first
	}
}

func (q *queue) swap(i, j int32) {
	q.heap[i], q.heap[j] = q.heap[j], q.heap[i]
	q.at[q.heap[i]], q.at[q.heap[j]] = i, j
}
