// Package port holds the interfaces between the engine and the outside: the source of records, the object store, the leader's lease, the catalog,
// the query service and the warehouse.
//
// Each port has one suite of tests in enginetest that its fake and every real adapter pass; the suite is the exact statement of
// what the comments here promise.
package port

import (
	"context"
	"errors"
)

// Errors that callers branch on. An adapter wraps them, so test with errors.Is. Every other error of a write leaves its outcome
// unknown: the caller reads back before it tries again.
var (
	ErrNotFound  = errors.New("no such object")                    // the key, or the whole bucket's key space, has nothing there
	ErrConflict  = errors.New("a conditional write lost")          // 412, or 409 of a race: read back, then decide
	ErrNoUpload  = errors.New("no such multipart upload")          // completed, aborted or never made
	ErrForbidden = errors.New("the store refuses the credentials") // wrong or missing rights; waiting may not help
)

// An Object is what a listing or a HEAD tells of one object.
type Object struct {
	Key       string
	SizeBytes int64
	ETag      string
	Modified  int64             // by the store's clock, in microseconds since 1970 UTC
	Metadata  map[string]string // user metadata, keys in lower case; by Head only
}

// A Part is one uploaded part of a multipart upload, as the commit log keeps it and completion needs it.
type Part struct {
	Number    int32  `json:"number"`
	ETag      string `json:"etag"`
	CRC32     string `json:"crc32"` // Base64 of the big-endian IEEE checksum, as S3 spells it
	SizeBytes int64  `json:"size"`
}

// An Upload is one open multipart upload, as a listing tells of it.
type Upload struct {
	Key       string
	ID        string
	Initiated int64 // by the store's clock, in microseconds since 1970 UTC
}

// A Store is a bucket of an S3-compatible object store. All calls are safe for concurrent use and try once or a few times
// only: unlimited retrying with back-off is the caller's. Keys have no leading slash.
type Store interface {
	// Get returns a whole object and its ETag, or ErrNotFound.
	Get(ctx context.Context, key string) (body []byte, etag string, err error)
	// GetRange returns at most length bytes from offset on, or from the end where offset is negative (a suffix of -offset bytes;
	// length is ignored then). ErrNotFound if there is no such object.
	GetRange(ctx context.Context, key string, offset, length int64) ([]byte, error)
	// Head tells of an object without its bytes, or ErrNotFound.
	Head(ctx context.Context, key string) (Object, error)
	// List returns up to limit objects whose key begins with prefix and is greater than after, in key order. Fewer than limit
	// means that there are no more.
	List(ctx context.Context, prefix, after string, limit int) ([]Object, error)

	// Put writes an object whatever was there.
	Put(ctx context.Context, key string, body []byte) error
	// PutIfAbsent writes an object if the key is free, atomically; else ErrConflict.
	PutIfAbsent(ctx context.Context, key string, body []byte) error
	// PutIfMatch writes an object if the key's ETag is the given one, atomically; else ErrConflict. ErrConflict or ErrNotFound if the key is gone.
	PutIfMatch(ctx context.Context, key string, body []byte, etag string) error
	// Delete removes an object; a missing one is no error.
	Delete(ctx context.Context, key string) error

	// CreateUpload opens a multipart upload. No reader sees its parts before CompleteUpload.
	CreateUpload(ctx context.Context, key string, metadata map[string]string) (id string, err error)
	// UploadPart sends a part with its checksum, which the store verifies. Each part but the last has 5 MiB or more. The body is not kept.
	UploadPart(ctx context.Context, key, id string, number int32, body []byte) (Part, error)
	// CompleteUpload makes the object appear, whole. Doing it again after success is success or ErrNoUpload; the object stays as it is.
	CompleteUpload(ctx context.Context, key, id string, parts []Part) error
	// AbortUpload throws the parts away; an unknown upload is no error.
	AbortUpload(ctx context.Context, key, id string) error
	// ListUploads returns the open uploads whose key begins with prefix.
	ListUploads(ctx context.Context, prefix string) ([]Upload, error)
}
