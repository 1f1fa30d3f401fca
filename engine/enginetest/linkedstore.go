package enginetest

import (
	"context"

	"citystream/engine/port"
)

// Store returns the store at the other end of the link, for the calls that read and write whole objects. All others go past the link.
func (l *Link) Store(s port.Store) port.Store { return &linkedStore{s, l} }

type linkedStore struct {
	port.Store
	link *Link
}

func (s *linkedStore) do(ctx context.Context, call func() error) error {
	if err := s.link.pass(ctx); err != nil {
		return err
	}
	outcome := call()
	if err := s.link.answer(ctx); err != nil {
		return err
	}
	return outcome
}

func (s *linkedStore) Get(ctx context.Context, key string) (body []byte, etag string, err error) {
	err = s.do(ctx, func() (err error) { body, etag, err = s.Store.Get(ctx, key); return err })
	return body, etag, err
}

func (s *linkedStore) Put(ctx context.Context, key string, body []byte) error {
	return s.do(ctx, func() error { return s.Store.Put(ctx, key, body) })
}

func (s *linkedStore) PutIfAbsent(ctx context.Context, key string, body []byte) error {
	return s.do(ctx, func() error { return s.Store.PutIfAbsent(ctx, key, body) })
}

func (s *linkedStore) PutIfMatch(ctx context.Context, key string, body []byte, etag string) error {
	return s.do(ctx, func() error { return s.Store.PutIfMatch(ctx, key, body, etag) })
}

func (s *linkedStore) Delete(ctx context.Context, key string) error {
	return s.do(ctx, func() error { return s.Store.Delete(ctx, key) })
}
