package enginetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"citystream/engine/port"
	"citystream/engine/record"
)

// ErrInjected is the error of a call that Faults let fail.
var ErrInjected = errors.New("injected fault")

// A Fault is what happens to one call.
type Fault struct {
	On    string // operation, and what it is done to: "PutIfAbsent log", "Fetch"
	Call  int    // which of the calls of that operation, from 1 on
	After bool   // the call takes effect, and only its answer is lost
	Pass  bool   // the call goes on as if nothing were; only Then happens, before it, or behind it with After
	Then  func() // what else happens at that moment: a crash, say; nil is nothing

	Finally func() // what happens when it is over; nil is nothing
}

// Faults lets chosen calls of a store and a source fail, and counts them all. Safe for concurrent use.
type Faults struct {
	mu    sync.Mutex
	calls map[string]int
	plan  []Fault
	fired int
}

// NewFaults returns an injector that lets the given calls fail, and no others.
func NewFaults(plan ...Fault) *Faults { return &Faults{calls: map[string]int{}, plan: plan} }

// Fired returns how many of the planned faults have happened.
func (f *Faults) Fired() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fired
}

// Operations returns every operation that was called, in order.
func (f *Faults) Operations() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.calls))
}

// Calls returns how often each operation was called.
func (f *Faults) Calls() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.calls)
}

// Heal lets all calls succeed from now on.
func (f *Faults) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plan = nil
}

// A Life is one user of the store and the source, which can be killed: no call of it takes effect any more, and no answer reaches it.
type Life struct {
	faults *Faults
	dead   atomic.Bool
}

// Life returns a new life, whose calls count together with those of all others.
func (f *Faults) Life() *Life { return &Life{faults: f} }

// Kill ends the life.
func (l *Life) Kill() { l.dead.Store(true) }

// Dead reports whether the life was ended.
func (l *Life) Dead() bool { return l.dead.Load() }

var errDead = errors.New("the life that asks was ended")

func (l *Life) do(operation string, call func() error) error {
	if l.Dead() {
		return errDead
	}
	fault, fails := l.faults.next(operation)
	if fails && fault.Then != nil && !fault.After {
		fault.Then()
	}
	var err error
	if !fails || fault.After || fault.Pass {
		err = call()
	}
	if fails && fault.Then != nil && fault.After {
		fault.Then()
	}
	if fails && fault.Finally != nil {
		fault.Finally()
	}
	switch {
	case l.Dead():
		return errDead
	case err != nil || !fails || fault.Pass: // it had an outcome of its own
		return err
	default:
		return fmt.Errorf("%w: %s", ErrInjected, operation)
	}
}

// next counts a call, and returns its fault if it has one.
func (f *Faults) next(operation string) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[operation]++
	i := slices.IndexFunc(f.plan, func(p Fault) bool { return p.On == operation && p.Call == f.calls[operation] })
	if i < 0 {
		return Fault{}, false
	}
	f.fired++
	return f.plan[i], true
}

// Store returns a store whose calls may fail.
func (l *Life) Store(s port.Store) port.Store { return &faultyStore{l, s} }

// Catalog returns a catalog whose calls may fail.
func (l *Life) Catalog(c port.Catalog) port.Catalog { return &faultyCatalog{l, c} }

// Query returns a query service whose statements may fail.
func (l *Life) Query(q port.Query) port.Query { return &faultyQuery{l, q} }

// Source returns a source whose calls may fail, and those of its readers.
func (l *Life) Source(s port.Source) port.Source { return &faultySource{l, s} }

// kindOf names what a key is for: its first folder, below the root of what citystream keeps for itself.
func kindOf(key string) string {
	key = strings.TrimPrefix(key, "_citystream/")
	kind, _, _ := strings.Cut(key, "/")
	if kind == "raw" {
		return "file"
	}
	return kind
}

type faultyStore struct {
	life *Life
	s    port.Store
}

func (s *faultyStore) Get(ctx context.Context, key string) (body []byte, etag string, err error) {
	err = s.life.do("Get "+kindOf(key), func() (err error) { body, etag, err = s.s.Get(ctx, key); return err })
	return body, etag, err
}

func (s *faultyStore) GetRange(ctx context.Context, key string, offset, length int64) (body []byte, err error) {
	err = s.life.do("GetRange "+kindOf(key), func() (err error) { body, err = s.s.GetRange(ctx, key, offset, length); return err })
	return body, err
}

func (s *faultyStore) Head(ctx context.Context, key string) (o port.Object, err error) {
	err = s.life.do("Head "+kindOf(key), func() (err error) { o, err = s.s.Head(ctx, key); return err })
	return o, err
}

func (s *faultyStore) List(ctx context.Context, prefix, after string, limit int) (all []port.Object, err error) {
	err = s.life.do("List "+kindOf(prefix), func() (err error) { all, err = s.s.List(ctx, prefix, after, limit); return err })
	return all, err
}

func (s *faultyStore) Put(ctx context.Context, key string, body []byte) error {
	return s.life.do("Put "+kindOf(key), func() error { return s.s.Put(ctx, key, body) })
}

func (s *faultyStore) PutIfAbsent(ctx context.Context, key string, body []byte) error {
	return s.life.do("PutIfAbsent "+kindOf(key), func() error { return s.s.PutIfAbsent(ctx, key, body) })
}

func (s *faultyStore) PutIfMatch(ctx context.Context, key string, body []byte, etag string) error {
	return s.life.do("PutIfMatch "+kindOf(key), func() error { return s.s.PutIfMatch(ctx, key, body, etag) })
}

func (s *faultyStore) Delete(ctx context.Context, key string) error {
	return s.life.do("Delete "+kindOf(key), func() error { return s.s.Delete(ctx, key) })
}

func (s *faultyStore) CreateUpload(ctx context.Context, key string, metadata map[string]string) (id string, err error) {
	err = s.life.do("CreateUpload "+kindOf(key), func() (err error) { id, err = s.s.CreateUpload(ctx, key, metadata); return err })
	return id, err
}

func (s *faultyStore) UploadPart(ctx context.Context, key, id string, number int32, body []byte) (p port.Part, err error) {
	err = s.life.do("UploadPart "+kindOf(key), func() (err error) { p, err = s.s.UploadPart(ctx, key, id, number, body); return err })
	return p, err
}

func (s *faultyStore) CompleteUpload(ctx context.Context, key, id string, parts []port.Part) error {
	return s.life.do("CompleteUpload "+kindOf(key), func() error { return s.s.CompleteUpload(ctx, key, id, parts) })
}

func (s *faultyStore) AbortUpload(ctx context.Context, key, id string) error {
	return s.life.do("AbortUpload "+kindOf(key), func() error { return s.s.AbortUpload(ctx, key, id) })
}

func (s *faultyStore) ListUploads(ctx context.Context, prefix string) (all []port.Upload, err error) {
	err = s.life.do("ListUploads "+kindOf(prefix), func() (err error) { all, err = s.s.ListUploads(ctx, prefix); return err })
	return all, err
}

type faultySource struct {
	life *Life
	s    port.Source
}

func (s *faultySource) Topics(ctx context.Context, names []string) (all []port.Topic, err error) {
	err = s.life.do("Topics", func() (err error) { all, err = s.s.Topics(ctx, names); return err })
	return all, err
}

func (s *faultySource) Offsets(ctx context.Context, tp record.TopicPartition) (start, end record.Offset, err error) {
	err = s.life.do("Offsets", func() (err error) { start, end, err = s.s.Offsets(ctx, tp); return err })
	return start, end, err
}

func (s *faultySource) EpochEnd(ctx context.Context, tp record.TopicPartition, epoch int32) (end record.Offset, ok bool, err error) {
	err = s.life.do("EpochEnd", func() (err error) { end, ok, err = s.s.EpochEnd(ctx, tp, epoch); return err })
	return end, ok, err
}

func (s *faultySource) Open(tp record.TopicPartition, from record.Offset) port.Reader {
	return &faultyReader{s.life, s.s.Open(tp, from)}
}

func (s *faultySource) Close() error { return s.s.Close() }

type faultyReader struct {
	life *Life
	port.Reader
}

// Fetch fails before it takes effect only, for an error leaves a reader's position as it was; "after" its answer arrives.
func (r *faultyReader) Fetch(ctx context.Context) (got port.Fetched, err error) {
	arrived := false
	err = r.life.do("Fetch", func() (err error) {
		arrived = true
		got, err = r.Reader.Fetch(ctx)
		return err
	})
	if arrived && errors.Is(err, ErrInjected) {
		return got, nil
	}
	return got, err
}
