package s3

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"citystream/engine/port"
)

// Get implements port.Store. An object above 64 MiB is an error.
func (s *Store) Get(ctx context.Context, key string) (body []byte, etag string, err error) {
	err = s.call(ctx, "get", key, func(ctx context.Context) error {
		out, err := s.client.GetObject(ctx, &awss3.GetObjectInput{Bucket: &s.bucket, Key: &key})
		if err != nil {
			return err
		}
		etag = aws.ToString(out.ETag)
		body, err = readBody(out, bodyBytesMax)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return body, etag, nil
}

// GetRange implements port.Store. A range that lies behind the object's end is empty. More than 64 MiB at once is an error.
func (s *Store) GetRange(ctx context.Context, key string, offset, length int64) (body []byte, err error) {
	want := length
	spec := ""
	switch {
	case offset < 0:
		want = -offset
		spec = fmt.Sprintf("bytes=-%d", want)
	case length <= 0: // a range names one byte or more; the object must be there all the same
		want = 0
		spec = fmt.Sprintf("bytes=%d-%d", offset, offset)
	default:
		spec = fmt.Sprintf("bytes=%d-%d", offset, offset+length-1)
	}
	if want > bodyBytesMax {
		return nil, fmt.Errorf("get a range of s3://%s/%s: %d bytes at once; read %d at most", s.bucket, key, want, bodyBytesMax)
	}
	err = s.call(ctx, "get a range of", key, func(ctx context.Context) error {
		out, err := s.client.GetObject(ctx, &awss3.GetObjectInput{Bucket: &s.bucket, Key: &key, Range: &spec})
		switch {
		case httpStatus(err) == http.StatusRequestedRangeNotSatisfiable:
			return nil
		case err != nil:
			return err
		case out.ContentRange == nil && aws.ToInt64(out.ContentLength) > 0: // an empty object has no ranges
			return errors.Join(errors.New("the store ignored the range"), out.Body.Close())
		}
		body, err = readBody(out, max(want, 1))
		return err
	})
	if err != nil {
		return nil, err
	}
	return body[:min(int64(len(body)), want)], nil
}

// readBody reads a body that may have max bytes, and closes it.
func readBody(out *awss3.GetObjectOutput, most int64) ([]byte, error) {
	defer out.Body.Close()
	size := aws.ToInt64(out.ContentLength)
	if size > most {
		return nil, fmt.Errorf("%d bytes, where %d were expected at most", size, most)
	}
	body := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	read, err := body.ReadFrom(io.LimitReader(out.Body, most+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the body: %w", err)
	case read > most:
		return nil, fmt.Errorf("more than %d bytes", most)
	case out.ContentLength != nil && read != size:
		return nil, fmt.Errorf("read the body: %d of %d bytes: %w", read, size, io.ErrUnexpectedEOF)
	}
	return body.Bytes(), nil
}

// Head implements port.Store.
func (s *Store) Head(ctx context.Context, key string) (object port.Object, err error) {
	err = s.call(ctx, "head", key, func(ctx context.Context) error {
		out, err := s.client.HeadObject(ctx, &awss3.HeadObjectInput{Bucket: &s.bucket, Key: &key})
		if err != nil {
			return err
		}
		object = port.Object{
			Key: key, SizeBytes: aws.ToInt64(out.ContentLength), ETag: aws.ToString(out.ETag),
			Modified: micros(out.LastModified), Metadata: out.Metadata,
		}
		return nil
	})
	return object, err
}

// Put implements port.Store.
func (s *Store) Put(ctx context.Context, key string, body []byte) error {
	return s.put(ctx, "put", key, body, &awss3.PutObjectInput{})
}

// PutIfAbsent implements port.Store.
func (s *Store) PutIfAbsent(ctx context.Context, key string, body []byte) error {
	return s.put(ctx, "put if absent", key, body, &awss3.PutObjectInput{IfNoneMatch: aws.String("*")}, once)
}

// PutIfMatch implements port.Store.
func (s *Store) PutIfMatch(ctx context.Context, key string, body []byte, etag string) error {
	if etag == "" { // no header would be sent, and the write would be unconditional
		return fmt.Errorf("put if match s3://%s/%s: no ETag given", s.bucket, key)
	}
	return s.put(ctx, "put if match", key, body, &awss3.PutObjectInput{IfMatch: &etag}, once)
}

func (s *Store) put(ctx context.Context, operation, key string, body []byte, in *awss3.PutObjectInput, options ...func(*awss3.Options)) error {
	in.Bucket, in.Key, in.Body, in.ChecksumCRC32 = &s.bucket, &key, bytes.NewReader(body), aws.String(checksum(body))
	return s.call(ctx, operation, key, func(ctx context.Context) error {
		_, err := s.client.PutObject(ctx, in, options...)
		return err
	})
}

// Delete implements port.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	err := s.call(ctx, "delete", key, func(ctx context.Context) error {
		_, err := s.client.DeleteObject(ctx, &awss3.DeleteObjectInput{Bucket: &s.bucket, Key: &key})
		return err
	})
	if errors.Is(err, port.ErrNotFound) {
		return nil
	}
	return err
}

// checksum returns the CRC32 of a body as S3 spells it: big-endian, Base64.
func checksum(body []byte) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body)))
}
