package enginetest

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"citystream/engine/port"
)

// A FakeStore is a bucket in memory. It implements port.Store, is safe for concurrent use, and does each call at once and whole under
// one mutex. Where the port leaves a choice it takes the harder one: a second completion of an upload is ErrNoUpload. An ETag
// follows from the contents alone, as that of S3 does, so writing the same bytes again brings back an old one.
type FakeStore struct {
	Now          func() time.Time // the store's clock
	PartBytesMin int64            // of each part but the last

	mu      sync.Mutex
	objects map[string]*fakeObject // by key
	uploads map[string]*fakeUpload // the open ones, by id
	made    int                    // uploads so far, for their ids
}

type fakeObject struct {
	body     []byte
	etag     string
	modified time.Time
	metadata map[string]string
}

type fakeUpload struct {
	key       string
	metadata  map[string]string
	initiated time.Time
	parts     map[int32]fakePart
}

type fakePart struct {
	body []byte
	part port.Part
}

var _ port.Store = (*FakeStore)(nil)

const partNumberMax = 10_000

// NewFakeStore returns an empty bucket on the machine's clock with the part size that S3 demands.
func NewFakeStore() *FakeStore {
	return &FakeStore{Now: time.Now, PartBytesMin: 5 << 20, objects: map[string]*fakeObject{}, uploads: map[string]*fakeUpload{}}
}

// do runs one call, whole, and names its error.
func (s *FakeStore) do(ctx context.Context, operation, key string, call func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := ctx.Err()
	if err == nil {
		err = call()
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", operation, key, err)
	}
	return nil
}

// object finds an object. The caller holds the mutex, as do those of all the functions below that do no locking.
func (s *FakeStore) object(key string) (*fakeObject, error) {
	if o := s.objects[key]; o != nil {
		return o, nil
	}
	return nil, port.ErrNotFound
}

func (s *FakeStore) upload(key, id string) (*fakeUpload, error) {
	if u := s.uploads[id]; u != nil && u.key == key {
		return u, nil
	}
	return nil, port.ErrNoUpload
}

func (s *FakeStore) set(key string, body []byte) error {
	if key == "" || key[0] == '/' {
		return errors.New("a key is not empty and has no leading slash")
	}
	sum := md5.Sum(body)
	s.objects[key] = &fakeObject{body: slices.Clone(body), etag: quoted(sum[:]), modified: s.Now()}
	return nil
}

func quoted(sum []byte) string { return strconv.Quote(hex.EncodeToString(sum)) }

// Get implements port.Store.
func (s *FakeStore) Get(ctx context.Context, key string) (body []byte, etag string, err error) {
	err = s.do(ctx, "get", key, func() error {
		o, err := s.object(key)
		if err != nil {
			return err
		}
		body, etag = slices.Clone(o.body), o.etag
		return nil
	})
	return body, etag, err
}

// GetRange implements port.Store.
func (s *FakeStore) GetRange(ctx context.Context, key string, offset, length int64) (body []byte, err error) {
	err = s.do(ctx, "get a range of", key, func() error {
		o, err := s.object(key)
		if err != nil {
			return err
		}
		size := int64(len(o.body))
		from, to := offset, offset+max(length, 0)
		if offset < 0 {
			from, to = max(size+offset, 0), size
		}
		body = slices.Clone(o.body[min(from, size):min(to, size)])
		return nil
	})
	return body, err
}

// Head implements port.Store.
func (s *FakeStore) Head(ctx context.Context, key string) (object port.Object, err error) {
	err = s.do(ctx, "head", key, func() error {
		o, err := s.object(key)
		if err != nil {
			return err
		}
		object = o.listed(key)
		object.Metadata = maps.Clone(o.metadata)
		return nil
	})
	return object, err
}

func (o *fakeObject) listed(key string) port.Object {
	return port.Object{Key: key, SizeBytes: int64(len(o.body)), ETag: o.etag, Modified: o.modified.UnixMicro()}
}

// List implements port.Store.
func (s *FakeStore) List(ctx context.Context, prefix, after string, limit int) (objects []port.Object, err error) {
	err = s.do(ctx, "list", prefix, func() error {
		var keys []string
		for key := range s.objects {
			if strings.HasPrefix(key, prefix) && key > after {
				keys = append(keys, key)
			}
		}
		slices.Sort(keys)
		for _, key := range keys[:min(limit, len(keys))] {
			objects = append(objects, s.objects[key].listed(key))
		}
		return nil
	})
	return objects, err
}

// Put implements port.Store.
func (s *FakeStore) Put(ctx context.Context, key string, body []byte) error {
	return s.do(ctx, "put", key, func() error { return s.set(key, body) })
}

// PutIfAbsent implements port.Store.
func (s *FakeStore) PutIfAbsent(ctx context.Context, key string, body []byte) error {
	return s.do(ctx, "put if absent", key, func() error {
		if s.objects[key] != nil {
			return port.ErrConflict
		}
		return s.set(key, body)
	})
}

// PutIfMatch implements port.Store.
func (s *FakeStore) PutIfMatch(ctx context.Context, key string, body []byte, etag string) error {
	return s.do(ctx, "put if match", key, func() error {
		o, err := s.object(key)
		switch {
		case err != nil:
			return err
		case o.etag != etag:
			return port.ErrConflict
		}
		return s.set(key, body)
	})
}

// Delete implements port.Store.
func (s *FakeStore) Delete(ctx context.Context, key string) error {
	return s.do(ctx, "delete", key, func() error {
		delete(s.objects, key)
		return nil
	})
}

// CreateUpload implements port.Store.
func (s *FakeStore) CreateUpload(ctx context.Context, key string, metadata map[string]string) (id string, err error) {
	err = s.do(ctx, "create an upload of", key, func() error {
		s.made++
		id = fmt.Sprintf("upload-%06d", s.made)
		s.uploads[id] = &fakeUpload{key: key, metadata: maps.Clone(metadata), initiated: s.Now(), parts: map[int32]fakePart{}}
		return nil
	})
	return id, err
}

// UploadPart implements port.Store.
func (s *FakeStore) UploadPart(ctx context.Context, key, id string, number int32, body []byte) (part port.Part, err error) {
	err = s.do(ctx, "upload a part of", key, func() error {
		u, err := s.upload(key, id)
		switch {
		case err != nil:
			return err
		case number < 1 || number > partNumberMax:
			return fmt.Errorf("part number %d is not in 1 to %d", number, partNumberMax)
		}
		sum := md5.Sum(body)
		crc := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body)))
		part = port.Part{Number: number, ETag: quoted(sum[:]), CRC32: crc, SizeBytes: int64(len(body))}
		u.parts[number] = fakePart{body: slices.Clone(body), part: part}
		return nil
	})
	return part, err
}

// CompleteUpload implements port.Store. An upload whose completion is refused stays open.
func (s *FakeStore) CompleteUpload(ctx context.Context, key, id string, parts []port.Part) error {
	return s.do(ctx, "complete the upload of", key, func() error {
		u, err := s.upload(key, id)
		if err != nil {
			return err
		}
		if err := u.accepts(parts, s.PartBytesMin); err != nil {
			return err
		}
		var body, sums []byte
		for _, p := range parts {
			got := u.parts[p.Number].body
			sum := md5.Sum(got)
			body, sums = append(body, got...), append(sums, sum[:]...)
		}
		sum := md5.Sum(sums)
		etag := strconv.Quote(fmt.Sprintf("%x-%d", sum, len(parts)))
		s.objects[key] = &fakeObject{body: body, etag: etag, modified: s.Now(), metadata: u.metadata}
		delete(s.uploads, id)
		return nil
	})
}

// accepts tells what is wrong with the parts that a completion names. It may leave uploaded parts out.
func (u *fakeUpload) accepts(parts []port.Part, bytesMin int64) error {
	if len(parts) == 0 {
		return errors.New("no parts are named")
	}
	for i, p := range parts {
		got, ok := u.parts[p.Number]
		switch {
		case i > 0 && p.Number <= parts[i-1].Number:
			return fmt.Errorf("part %d comes after part %d", p.Number, parts[i-1].Number)
		case !ok:
			return fmt.Errorf("there is no part %d", p.Number)
		case got.part.ETag != p.ETag || got.part.CRC32 != p.CRC32:
			return fmt.Errorf("part %d is another one than the store has", p.Number)
		case i < len(parts)-1 && got.part.SizeBytes < bytesMin:
			return fmt.Errorf("part %d has %d bytes, fewer than %d", p.Number, got.part.SizeBytes, bytesMin)
		}
	}
	return nil
}

// AbortUpload implements port.Store.
func (s *FakeStore) AbortUpload(ctx context.Context, key, id string) error {
	return s.do(ctx, "abort the upload of", key, func() error {
		if _, err := s.upload(key, id); err == nil {
			delete(s.uploads, id)
		}
		return nil
	})
}

// ListUploads implements port.Store.
func (s *FakeStore) ListUploads(ctx context.Context, prefix string) (uploads []port.Upload, err error) {
	err = s.do(ctx, "list uploads of", prefix, func() error {
		for _, id := range slices.Sorted(maps.Keys(s.uploads)) {
			if u := s.uploads[id]; strings.HasPrefix(u.key, prefix) {
				uploads = append(uploads, port.Upload{Key: u.key, ID: id, Initiated: u.initiated.UnixMicro()})
			}
		}
		slices.SortStableFunc(uploads, func(a, b port.Upload) int { return strings.Compare(a.Key, b.Key) })
		return nil
	})
	return uploads, err
}
