package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"citystream/engine/port"
)

var errNotThere = errors.New("the store says that the upload is complete, and the object is not there yet")

// CreateUpload implements port.Store. A retry inside may leave an upload behind that nobody knows of; ListUploads shows it.
func (s *Store) CreateUpload(ctx context.Context, key string, metadata map[string]string) (id string, err error) {
	err = s.call(ctx, "create an upload of", key, func(ctx context.Context) error {
		out, err := s.client.CreateMultipartUpload(ctx, &awss3.CreateMultipartUploadInput{
			Bucket: &s.bucket, Key: &key, Metadata: metadata, ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
		})
		if err != nil {
			return err
		}
		id = aws.ToString(out.UploadId)
		return nil
	})
	return id, err
}

// UploadPart implements port.Store.
func (s *Store) UploadPart(ctx context.Context, key, id string, number int32, body []byte) (port.Part, error) {
	part := port.Part{Number: number, CRC32: checksum(body), SizeBytes: int64(len(body))}
	err := s.call(ctx, fmt.Sprintf("upload part %d of", number), key, func(ctx context.Context) error {
		out, err := s.client.UploadPart(ctx, &awss3.UploadPartInput{
			Bucket: &s.bucket, Key: &key, UploadId: &id, PartNumber: &number,
			Body: bytes.NewReader(body), ContentLength: &part.SizeBytes, ChecksumCRC32: &part.CRC32,
		}, s.parts...)
		if err != nil {
			return err
		}
		part.ETag = aws.ToString(out.ETag)
		return nil
	})
	if err != nil {
		return port.Part{}, err
	}
	return part, nil
}

// CompleteUpload implements port.Store. Success means that the object was seen, with the size of its parts.
func (s *Store) CompleteUpload(ctx context.Context, key, id string, parts []port.Part) error {
	completed := make([]types.CompletedPart, len(parts))
	var size int64
	for i := range parts {
		p := parts[i]
		completed[i] = types.CompletedPart{PartNumber: &p.Number, ETag: &p.ETag, ChecksumCRC32: &p.CRC32}
		size += p.SizeBytes
	}
	return s.call(ctx, "complete the upload of", key, func(ctx context.Context) error {
		_, err := s.client.CompleteMultipartUpload(ctx, &awss3.CompleteMultipartUploadInput{
			Bucket: &s.bucket, Key: &key, UploadId: &id, MultipartUpload: &types.CompletedMultipartUpload{Parts: completed},
		})
		if err != nil {
			return err
		}
		return s.confirm(ctx, key, size)
	})
}

// confirm looks whether the object of a completed upload is there. If another one is, the upload went long ago.
func (s *Store) confirm(ctx context.Context, key string, size int64) error {
	out, err := s.client.HeadObject(ctx, &awss3.HeadObjectInput{Bucket: &s.bucket, Key: &key})
	err = classify(err)
	switch {
	case errors.Is(err, port.ErrNotFound):
		return errNotThere
	case err != nil:
		return fmt.Errorf("see the completed object: %w", err)
	case aws.ToInt64(out.ContentLength) != size:
		return fmt.Errorf("%w: the object has %d bytes, the parts %d", port.ErrNoUpload, aws.ToInt64(out.ContentLength), size)
	}
	return nil
}

// AbortUpload implements port.Store.
func (s *Store) AbortUpload(ctx context.Context, key, id string) error {
	err := s.call(ctx, "abort the upload of", key, func(ctx context.Context) error {
		_, err := s.client.AbortMultipartUpload(ctx, &awss3.AbortMultipartUploadInput{Bucket: &s.bucket, Key: &key, UploadId: &id})
		return err
	})
	if errors.Is(err, port.ErrNoUpload) || errors.Is(err, port.ErrNotFound) {
		return nil
	}
	return err
}
