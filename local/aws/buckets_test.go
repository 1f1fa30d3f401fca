package aws

import (
	"strings"
	"sync"
	"testing"

	"citystream/engine/enginetest"
	"citystream/engine/port"
)

// buckets are a store's buckets, made when they are first asked for.
type buckets struct {
	mu  sync.Mutex
	all map[string]*enginetest.FakeStore
}

func (b *buckets) open(name string) (port.Store, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all[name] == nil {
		b.all[name] = enginetest.NewFakeStore()
	}
	return b.all[name], nil
}

// object returns the content of an s3:// name.
func (b *buckets) object(t *testing.T, name string) string {
	t.Helper()
	bucket, key, _ := strings.Cut(strings.TrimPrefix(name, "s3://"), "/")
	store, err := b.open(bucket)
	if err != nil {
		t.Fatal(err)
	}
	body, _, err := store.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return string(body)
}

// keys returns the s3:// names below a location.
func (b *buckets) keys(t *testing.T, location string) []string {
	t.Helper()
	bucket, prefix, _ := strings.Cut(strings.TrimPrefix(location, "s3://"), "/")
	store, err := b.open(bucket)
	if err != nil {
		t.Fatal(err)
	}
	found, err := store.List(t.Context(), prefix, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, o := range found {
		names = append(names, "s3://"+bucket+"/"+o.Key)
	}
	return names
}
