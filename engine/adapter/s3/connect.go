package s3

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"citystream/internal/awsbody"
)

const (
	dialMax            = 4 * time.Second
	headerMax          = 20 * time.Second // from a request's end to the first word of its answer; a completion assembles the object in it
	attemptsMax        = 3
	backoffMax         = time.Second
	defaultRegion      = "us-east-1"
	defaultConnections = 64
)

// Options say which bucket to use and how to reach it. Only Bucket is needed on a machine that is set up for AWS.
type Options struct {
	Bucket    string
	Endpoint  string // URL of a service other than AWS; default AWS's, or what the environment of the SDK says
	Region    string // default what the SDK finds, for an Endpoint us-east-1
	AccessKey string // with SecretKey; default the SDK's chain of environment, files and roles
	SecretKey string

	Connections int // kept open for reuse: as many as calls run at the same time, default 64
}

// Connect returns the store of a bucket after it has seen that the store can be reached, the credentials work and the bucket is there.
func Connect(ctx context.Context, o Options) (*Store, error) {
	client, err := NewClient(ctx, o)
	if err != nil {
		return nil, err
	}
	if o.Bucket == "" {
		return nil, errors.New("connect to the object store: no bucket given")
	}
	s := New(client, o.Bucket)
	if err := s.check(ctx); err != nil {
		return nil, fmt.Errorf("connect to bucket %s at %s: %w", o.Bucket, where(client), err)
	}
	return s, nil
}

// NewClient returns an S3 client with the retries, time limits, connections and checksums that suit this package. It sends nothing,
// unless credentials have to be fetched.
func NewClient(ctx context.Context, o Options) (*awss3.Client, error) {
	if (o.AccessKey == "") != (o.SecretKey == "") {
		return nil, errors.New("connect to the object store: an access key needs its secret key, and the other way round")
	}
	if o.Endpoint != "" {
		if u, err := url.Parse(o.Endpoint); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return nil, fmt.Errorf("connect to the object store: %q is no URL like http://127.0.0.1:9000", o.Endpoint)
		}
	}
	cfg, err := configure(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("connect to the object store: %w", err)
	}
	if cfg.Region == "" {
		return nil, errors.New("connect to the object store: no region known; set AWS_REGION, or region in the configuration")
	}
	cfg.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenSupported
	cfg.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenSupported
	cfg.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(r *retry.StandardOptions) { r.MaxAttempts, r.MaxBackoff = attemptsMax, backoffMax })
	}
	cfg.HTTPClient = awsbody.Client(httpClient(o.Connections))
	return awss3.NewFromConfig(cfg, func(so *awss3.Options) {
		if o.Endpoint != "" {
			so.BaseEndpoint = &o.Endpoint
		}
		so.UsePathStyle = so.BaseEndpoint != nil && !isAWS(*so.BaseEndpoint)
		so.DisableLogOutputChecksumValidationSkipped = true // objects of several parts have no checksum of the whole
	}), nil
}

// configure leaves the machine's AWS files alone where everything is given: a broken profile must not stop an embedded store.
func configure(ctx context.Context, o Options) (aws.Config, error) {
	region := o.Region
	if region == "" && o.Endpoint != "" {
		region = defaultRegion
	}
	keys := credentials.NewStaticCredentialsProvider(o.AccessKey, o.SecretKey, "")
	if o.Endpoint != "" && o.AccessKey != "" {
		return aws.Config{Region: region, Credentials: aws.NewCredentialsCache(keys)}, nil
	}
	var options []func(*config.LoadOptions) error
	if region != "" {
		options = append(options, config.WithRegion(region))
	}
	if o.AccessKey != "" {
		options = append(options, config.WithCredentialsProvider(keys))
	}
	return config.LoadDefaultConfig(ctx, options...)
}

// httpClient keeps as many connections open as there are concurrent calls, so that none of them pays for a new one.
func httpClient(connections int) *awshttp.BuildableClient {
	if connections <= 0 {
		connections = defaultConnections
	}
	return awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialMax }).
		WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConns, t.MaxIdleConnsPerHost = connections, connections
			t.ResponseHeaderTimeout = headerMax
			t.TLSHandshakeTimeout = dialMax
			t.WriteBufferSize = 64 << 10
		})
}

// check lists one key: unlike a HEAD, a refused listing comes with a reason.
func (s *Store) check(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, callMax)
	defer cancel()
	_, err := s.client.ListObjectsV2(bounded, &awss3.ListObjectsV2Input{Bucket: &s.bucket, MaxKeys: aws.Int32(1)})
	if err == nil {
		return nil
	}
	err = classify(err)
	if words := advice(err); words != "" {
		return fmt.Errorf("%s: %w", words, err)
	}
	return err
}

// advice says what to do about a failed check.
func advice(err error) string {
	switch errorCode(err) {
	case "NoSuchBucket":
		return "there is no such bucket; create it, or correct the bucket's name in the configuration"
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "XAdminUserNotFound":
		return "the store does not accept the access key or its secret; check the credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile)"
	case "ExpiredToken", "TokenRefreshRequired":
		return "the credentials have expired; sign in again"
	case "RequestTimeTooSkewed":
		return "this machine's clock differs from the store's; set it"
	case "AccessDenied", "Forbidden", "AllAccessDisabled":
		return "the credentials are known and lack rights; allow s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject, " +
			"s3:AbortMultipartUpload and s3:ListBucketMultipartUploads on this bucket"
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
		return "the bucket lies in another region; set that region"
	case "InvalidBucketName":
		return "this is no valid bucket name: 3 to 63 lower-case letters, digits, dots and dashes"
	}
	var network net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return ""
	case strings.Contains(err.Error(), "get credentials"), strings.Contains(err.Error(), "retrieve credentials"):
		return "no credentials found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or run under a role"
	case errors.As(err, &network), errors.Is(err, context.DeadlineExceeded):
		return "the store cannot be reached; check that it runs, and the endpoint's host and port"
	}
	return ""
}

func where(client *awss3.Client) string {
	if o := client.Options(); o.BaseEndpoint != nil {
		if u, err := url.Parse(*o.BaseEndpoint); err == nil {
			return u.Redacted()
		}
	}
	return "AWS, region " + client.Options().Region
}

func isAWS(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	host := u.Hostname()
	return strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn")
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}
