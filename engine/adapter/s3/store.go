// Package s3 is the object store behind port.Store: one bucket of Amazon S3, or of a service that speaks its protocol.
//
// The engine's exactly-once rests on three things that a store must do and that this package must not blur: a conditional PUT
// succeeds for one writer only, the parts of a multipart upload stay invisible until it is completed, and a completed object is
// there, whole, for every reader. Hence:
//
//   - A conditional PUT is sent once. Trying again by itself would turn the lost reply of a write that took effect into a 412, and
//     the caller could not tell its own success from a stranger's.
//   - CompleteUpload looks at the object before it reports success: a store that is asked twice at the same time may say yes to the
//     second request while it still assembles the object for the first.
//   - Every call ends within half a minute, its few retries included, so that a dead store never holds a caller for longer.
//   - Bodies travel with a CRC32 that is computed here, once, and that the store verifies. Over TLS and on loopback, parts are not
//     hashed a second time for their signature.
//
// What an error means is decided in one place, classify. A write that fails with none of the port's errors has an unknown outcome.
package s3

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"citystream/engine/port"
)

const (
	callMax      = 30 * time.Second // of one call with its retries
	bodyBytesMax = 64 << 20         // of one Get or GetRange: larger objects are read by ranges
	pageMax      = 1000             // what S3 returns in one page of a listing
)

// A Store is one bucket. It implements port.Store and is safe for concurrent use.
type Store struct {
	client *awss3.Client
	bucket string
	parts  []func(*awss3.Options) // how parts are sent
}

var _ port.Store = (*Store)(nil)

// New returns the store of a bucket, without asking whether it exists. The client's own settings for retries and connections
// apply; those that Connect makes suit this package.
func New(client *awss3.Client, bucket string) *Store {
	s := &Store{client: client, bucket: bucket}
	if o := client.Options(); unsignedBodiesAllowed(o.BaseEndpoint) {
		s.parts = append(s.parts, awss3.WithAPIOptions(v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware))
	}
	return s
}

// unsignedBodiesAllowed tells whether nobody between here and the store can change a body: TLS or loopback. No endpoint means
// that of AWS, which is TLS.
func unsignedBodiesAllowed(endpoint *string) bool {
	if endpoint == nil {
		return true
	}
	u, err := url.Parse(*endpoint)
	return err == nil && (u.Scheme == "https" || isLoopback(u.Hostname()))
}

// once sends a request without retries.
func once(o *awss3.Options) { o.Retryer = aws.NopRetryer{} }

// call bounds an operation in time and gives its error a name and a meaning.
func (s *Store) call(ctx context.Context, operation, key string, do func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, callMax)
	defer cancel()
	err := do(bounded)
	if err == nil {
		return nil
	}
	if ctx.Err() == nil && errors.Is(bounded.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("no answer within %v: %w", callMax, err)
	}
	return fmt.Errorf("%s s3://%s/%s: %w", operation, s.bucket, key, classify(err))
}

// List implements port.Store.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]port.Object, error) {
	var objects []port.Object
	in := &awss3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: &prefix}
	if after != "" {
		in.StartAfter = &after
	}
	for len(objects) < limit {
		in.MaxKeys = aws.Int32(int32(min(limit-len(objects), pageMax)))
		var page *awss3.ListObjectsV2Output
		err := s.call(ctx, "list", prefix, func(ctx context.Context) (err error) {
			page, err = s.client.ListObjectsV2(ctx, in)
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, o := range page.Contents {
			objects = append(objects, port.Object{
				Key: aws.ToString(o.Key), SizeBytes: aws.ToInt64(o.Size), ETag: aws.ToString(o.ETag),
				Modified: micros(o.LastModified),
			})
		}
		if !aws.ToBool(page.IsTruncated) || page.NextContinuationToken == nil {
			break
		}
		in.ContinuationToken = page.NextContinuationToken
	}
	return objects, nil
}

// ListUploads implements port.Store. A page that ends within the uploads of one key is cut before that key, which the next page begins
// with: not every store can go on within a key.
func (s *Store) ListUploads(ctx context.Context, prefix string) ([]port.Upload, error) {
	var uploads []port.Upload
	in := &awss3.ListMultipartUploadsInput{Bucket: &s.bucket, Prefix: &prefix, MaxUploads: aws.Int32(pageMax)}
	for more := true; more; {
		var page *awss3.ListMultipartUploadsOutput
		err := s.call(ctx, "list uploads of", prefix, func(ctx context.Context) (err error) {
			page, err = s.client.ListMultipartUploads(ctx, in)
			return err
		})
		if err != nil {
			return nil, err
		}
		found := page.Uploads
		more = aws.ToBool(page.IsTruncated) && len(found) > 0
		if more {
			whole := slices.IndexFunc(found, func(u types.MultipartUpload) bool { return *u.Key == *found[len(found)-1].Key })
			if whole > 0 {
				found = found[:whole]
				in.KeyMarker, in.UploadIdMarker = found[whole-1].Key, nil
			} else { // a thousand uploads of one key
				in.KeyMarker, in.UploadIdMarker = page.NextKeyMarker, page.NextUploadIdMarker
			}
		}
		for _, u := range found {
			uploads = append(uploads, port.Upload{Key: *u.Key, ID: aws.ToString(u.UploadId), Initiated: micros(u.Initiated)})
		}
	}
	return uploads, nil
}

func micros(t *time.Time) int64 {
	if t == nil {
		return 0
	}
	return t.UnixMicro()
}
