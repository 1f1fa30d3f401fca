package actors

import (
	"cmp"
	"context"
	"runtime"
	"sync"
	"time"

	"citystream/engine/decode"
	"citystream/engine/parquetfile"
	"citystream/engine/pipeline"
	"citystream/engine/schema"
)

// Budget bounds what the partitions of one worker buffer (I7): batches from their fetching to their release, and open files. It also bounds
// what they do at the same time: uploads, and looks for the ends of their logs. Safe for concurrent use.
//
// Buffers of files grow by a quarter when they are full, and all files may do that at the same time: so four fifths of it are given out.
// A half of these is divided evenly among the partitions that hold something, so that one that cannot write does not hold up the
// others; the other half is for whoever needs more. A partition beyond its share waits before it fetches while that half is used up: the
// fastest wait first. When three quarters of the whole are used, or somebody waits, the largest open file of all is asked to be flushed.
//
// A partition that buffers nothing may always fetch one batch. So a budget holds if it has room for a batch of each partition beside
// the files. What is not counted: the scratch of the encoders, as many as processors, what the pools keep for its next use, and what the
// collector has not freed yet.
type Budget struct {
	limit    int64
	metrics  *Metrics
	encoders *parquetfile.Encoders // as many as processors, for all files of the worker
	turns    chan struct{}         // one taken for each takeover that begins
	uploads  chan struct{}         // one taken for each part on its way to the store
	pace     *pace                 // of all readers of the worker; nil is as fast as they can

	pools sync.Map // of *sync.Pool of *decode.Batch, by table: a partition that has nothing to do holds none

	mu      sync.Mutex
	used    int64
	peak    int64
	waiting int
	members map[*share]bool
	freed   chan struct{} // closed, and replaced, when something is given back
}

// share is what one partition has of the budget.
type share struct {
	budget *Budget
	flush  func(pipeline.FileID) // asks for a file to be flushed
	used   int64
	files  map[pipeline.FileID]int64
	asked  map[pipeline.FileID]bool // to be flushed
}

// Turns of takeovers.
const (
	turns   = 16
	turnMax = time.Second // what waits for a broker or the store holds up the others for so long
)

// turn waits until few other partitions of the worker look for the ends of their logs: of a thousand that start together the first can then
// read at once, and neither store nor broker gets a thousand connections. done gives the turn up; it ends by itself after a while.
func (b *Budget) turn(ctx context.Context) (done func(), err error) {
	select {
	case b.turns <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	give := sync.OnceFunc(func() { <-b.turns })
	timer := time.AfterFunc(turnMax, give)
	return func() { timer.Stop(); give() }, nil
}

// uploading waits until few other parts of the worker are on their way to the store; done says that this one has arrived or not.
func (b *Budget) uploading(ctx context.Context) (done func(), err error) {
	select {
	case b.uploads <- struct{}{}:
		return func() { <-b.uploads }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// usualUploads is how many parts are uploaded at the same time where nothing else is said.
const usualUploads = 16

// NewBudget returns an unused budget of so many bytes, 0 without limit, and of so many uploads at the same time.
func NewBudget(limitBytes int64, uploads int, metrics *Metrics) *Budget {
	encoders := parquetfile.NewEncoders(runtime.GOMAXPROCS(0))
	return &Budget{
		limit: limitBytes, metrics: metrics, encoders: encoders, turns: make(chan struct{}, turns),
		uploads: make(chan struct{}, cmp.Or(uploads, usualUploads)), members: map[*share]bool{}, freed: make(chan struct{}),
	}
}

// limited sets how many records a second the worker reads at most, 0 without limit.
func (b *Budget) limited(perSecond int) *Budget {
	if perSecond > 0 {
		b.pace = &pace{perSecond: float64(perSecond)}
	}
	return b
}

// takeBatch returns an empty batch of a table.
func (b *Budget) takeBatch(t *schema.Table) *decode.Batch {
	if batch, ok := b.pool(t).Get().(*decode.Batch); ok {
		return batch
	}
	return decode.NewBatch(t)
}

// giveBatch takes back a batch whose rows nobody needs any more.
func (b *Budget) giveBatch(batch *decode.Batch) {
	batch.Reset()
	b.pool(batch.Table).Put(batch)
}

func (b *Budget) pool(t *schema.Table) *sync.Pool {
	pool, _ := b.pools.LoadOrStore(t, &sync.Pool{})
	return pool.(*sync.Pool)
}

// join adds a partition.
func (b *Budget) join(flush func(pipeline.FileID)) *share {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &share{budget: b, flush: flush, files: map[pipeline.FileID]int64{}, asked: map[pipeline.FileID]bool{}}
	b.members[s] = true
	return s
}

// leave gives everything back.
func (s *share) leave() {
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	b.add(s, -s.used)
	delete(b.members, s)
}

// admit waits until there is room for a batch of about so many bytes, and takes it.
func (s *share) admit(ctx context.Context, bytes int64) error {
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	for !b.hasRoom(s, bytes) {
		b.waiting++
		b.metrics.Held.Inc()
		ask := b.largest()
		freed := b.freed
		b.mu.Unlock()
		ask()
		var err error
		select {
		case <-freed:
		case <-ctx.Done():
			err = ctx.Err()
		}
		b.mu.Lock()
		b.waiting--
		b.metrics.Held.Dec()
		if err != nil {
			return err
		}
	}
	b.add(s, bytes)
	return nil
}

// hasRoom decides who may fetch.
func (b *Budget) hasRoom(s *share, bytes int64) bool {
	if b.limit == 0 || s.used == 0 || !b.members[s] {
		return true
	}
	half, active := b.limit/5*2, int64(0)
	for m := range b.members {
		if m.used > 0 {
			active++
		}
	}
	own := half / active
	if s.used+bytes <= own {
		return true
	}
	common := s.used + bytes - own
	for m := range b.members {
		if m != s {
			common += max(0, m.used-own)
		}
	}
	return common <= half
}

// change takes more bytes, or gives some back.
func (s *share) change(bytes int64) {
	b := s.budget
	b.mu.Lock()
	b.add(s, bytes)
	ask := b.largest()
	b.mu.Unlock()
	ask()
}

// file notes how much an open file buffers; 0 when it is closed or given up.
func (s *share) file(id pipeline.FileID, bytes int64) {
	b := s.budget
	b.mu.Lock()
	b.add(s, bytes-s.files[id])
	s.files[id] = bytes
	if bytes == 0 {
		delete(s.files, id)
		delete(s.asked, id)
	}
	ask := b.largest()
	b.mu.Unlock()
	ask()
}

// add counts bytes of a member; what somebody does who has left counts no more.
func (b *Budget) add(s *share, bytes int64) {
	if !b.members[s] {
		return
	}
	s.used, b.used = s.used+bytes, b.used+bytes
	b.peak = max(b.peak, b.used)
	b.metrics.Buffered.Add(float64(bytes))
	if bytes < 0 {
		close(b.freed)
		b.freed = make(chan struct{})
	}
}

// largest chooses files to be flushed, the largest first, until what they give back is enough; the caller calls what it returns without the lock.
func (b *Budget) largest() (ask func()) {
	over := b.used - b.limit/4*3
	if b.limit == 0 || b.waiting == 0 && over <= 0 {
		return func() {}
	}
	if b.waiting > 0 {
		over = max(over, b.limit/8)
	}
	for m := range b.members {
		for id := range m.asked {
			over -= m.files[id]
		}
	}
	var calls []func()
	for over > 0 {
		var of *share
		var largest pipeline.FileID
		for m := range b.members {
			for id, bytes := range m.files {
				if !m.asked[id] && (of == nil || bytes > of.files[largest]) {
					of, largest = m, id
				}
			}
		}
		if of == nil {
			break
		}
		of.asked[largest] = true
		over -= of.files[largest]
		calls = append(calls, func() { of.flush(largest) })
	}
	return func() {
		for _, call := range calls {
			call()
		}
	}
}

// Peak returns the most that was ever used.
func (b *Budget) Peak() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.peak
}
