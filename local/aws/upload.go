package aws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"citystream/engine/port"
)

// A writer puts files into buckets, through the store's own API: a store keeps more of an object than its bytes. Safe for concurrent use.
type writer struct {
	store func(bucket string) (port.Store, error) // nil: there is nothing to write to
}

const (
	uploadPart = 8 << 20          // a file up to this size is one PUT
	undoWait   = 15 * time.Second // to take back what an unfinished statement wrote
)

// ready tells whether there is anything to write to.
func (w *writer) ready() error {
	if w.store == nil {
		return failed("NOT_SUPPORTED", "this local endpoint runs without an object store to write to, so it can only read")
	}
	return nil
}

// bucket returns the store of a bucket.
func (w *writer) bucket(name string) (port.Store, error) {
	if err := w.ready(); err != nil {
		return nil, err
	}
	s, err := w.store(name)
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", name, err)
	}
	return s, nil
}

// put writes one small object.
func (w *writer) put(ctx context.Context, bucket, key string, body []byte) error {
	s, err := w.bucket(bucket)
	if err == nil {
		err = s.Put(ctx, key, body)
	}
	if err != nil {
		return fmt.Errorf("write s3://%s/%s: %w", bucket, key, err)
	}
	return nil
}

// remove deletes objects that a statement wrote in vain. It goes on when ctx has ended.
func (w *writer) remove(ctx context.Context, bucket string, keys []string) error {
	lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoWait)
	defer cancel()
	s, err := w.bucket(bucket)
	if err != nil {
		return err
	}
	var faults []error
	for _, key := range keys {
		if err := s.Delete(lasting, key); err != nil {
			faults = append(faults, fmt.Errorf("take back s3://%s/%s: %w", bucket, key, err))
		}
	}
	return errors.Join(faults...)
}

// upload sends a local file as one object. No reader sees it before it is whole.
func (w *writer) upload(ctx context.Context, bucket, key, path string) (err error) {
	s, err := w.bucket(bucket)
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("upload: %w", err)
	}
	if info.Size() > uploadPart {
		err = uploadParts(ctx, s, key, f)
	} else {
		var body []byte
		if body, err = io.ReadAll(f); err == nil {
			err = s.Put(ctx, key, body)
		}
	}
	if err != nil {
		return fmt.Errorf("upload s3://%s/%s: %w", bucket, key, err)
	}
	return nil
}

func uploadParts(ctx context.Context, s port.Store, key string, from io.Reader) (err error) {
	id, err := s.CreateUpload(ctx, key, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			lasting, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoWait)
			defer cancel()
			err = errors.Join(err, s.AbortUpload(lasting, key, id))
		}
	}()
	var parts []port.Part
	body := make([]byte, uploadPart)
	for number := int32(1); ; number++ {
		n, err := io.ReadFull(from, body)
		if n > 0 {
			part, err := s.UploadPart(ctx, key, id, number, body[:n])
			if err != nil {
				return err
			}
			parts = append(parts, part)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return s.CompleteUpload(ctx, key, id, parts)
		}
		if err != nil {
			return err
		}
	}
}
