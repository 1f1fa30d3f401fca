package s3

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

func TestAFailedConnectSaysWhatToDoAndShowsNoSecret(t *testing.T) {
	t.Parallel()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name     string
		status   int
		code     string
		endpoint string
		change   func(*Options)
		says     string
	}{
		{name: "no such bucket", status: 404, code: "NoSuchBucket", says: "no such bucket; create it"},
		{name: "wrong key", status: 403, code: "InvalidAccessKeyId", says: "check the credentials"},
		{name: "wrong secret", status: 403, code: "SignatureDoesNotMatch", says: "check the credentials"},
		{name: "no rights", status: 403, code: "AccessDenied", says: "s3:ListBucket"},
		{name: "expired", status: 400, code: "ExpiredToken", says: "sign in again"},
		{name: "wrong clock", status: 403, code: "RequestTimeTooSkewed", says: "clock"},
		{name: "wrong region", status: 400, code: "AuthorizationHeaderMalformed", says: "another region"},
		{name: "nobody listens", endpoint: nobody, says: "cannot be reached"},
		{name: "no URL", endpoint: "127.0.0.1:9000", says: "no URL like"},
		{name: "no bucket", status: 200, change: func(o *Options) { o.Bucket = "" }, says: "no bucket given"},
		{name: "half a pair of keys", status: 200, change: func(o *Options) { o.AccessKey = "" }, says: "needs its secret key"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte("<Error><Code>" + test.code + "</Code></Error>"))
			}))
			defer server.Close()
			o := Options{Bucket: "bucket", Endpoint: server.URL, AccessKey: "access", SecretKey: "never-shown"}
			if test.endpoint != "" {
				o.Endpoint = test.endpoint
			}
			if test.change != nil {
				test.change(&o)
			}
			_, err := Connect(t.Context(), o)
			if err == nil {
				t.Fatal("connected")
			}
			if !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), o.SecretKey) {
				t.Errorf("error is %v, want %q and no secret", err, test.says)
			}
		})
	}
}

func TestBodiesGoUnsignedOnlyWhereNobodyCanChangeThem(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]bool{
		"": true, "https://store.example": true, "http://127.0.0.1:9000": true, "http://[::1]:9000": true, "http://localhost:9000": true,
		"http://store.example": false, "http://10.0.0.1:9000": false, "http://localhost.example": false,
	} {
		var at *string
		if endpoint != "" {
			at = aws.String(endpoint)
		}
		if unsignedBodiesAllowed(at) != want {
			t.Errorf("%q: %v", endpoint, !want)
		}
	}
}

func TestBucketsAreNamedInThePathExceptOnAWS(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]bool{
		"http://127.0.0.1:9000": true, "https://store.example": true, "https://s3.eu-west-2.amazonaws.com": false,
	} {
		client, err := NewClient(t.Context(), Options{Endpoint: endpoint, AccessKey: "a", SecretKey: "b"})
		if err != nil {
			t.Fatal(err)
		}
		if client.Options().UsePathStyle != want {
			t.Errorf("%s: path style %v", endpoint, !want)
		}
	}
}
