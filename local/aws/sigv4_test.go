package aws

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// request returns a request for GetDatabases that the SDK has signed.
func request(t *testing.T, addr, key, secret, service, region string, at time.Time) *http.Request {
	t.Helper()
	body := []byte("{}")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("X-Amz-Target", "AWSGlue.GetDatabases")
	r.Header.Set("X-Odd", "  two   spaces ")
	credentials := sdk.Credentials{AccessKeyID: key, SecretAccessKey: secret}
	if err := v4.NewSigner().SignHTTP(context.Background(), credentials, r, hexSHA256(body), service, region, at); err != nil {
		t.Fatal(err)
	}
	return r
}

// send returns the type of the answer's error, or "".
func send(t *testing.T, r *http.Request) string {
	t.Helper()
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var e struct {
		Type string `json:"__type"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if (e.Type == "") != (answer.StatusCode == http.StatusOK) {
		t.Errorf("status %d with error %q", answer.StatusCode, e.Type)
	}
	if bytes.Contains(body, []byte(testSecret)) {
		t.Error("the secret is in an answer")
	}
	return e.Type
}

func TestOnlySignedRequestsAreAnswered(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	good := func(t *testing.T) *http.Request {
		return request(t, e.Addr(), testKey, testSecret, "glue", testRegion, time.Now())
	}
	for _, test := range []struct {
		name string
		make func(t *testing.T) *http.Request
		want string
	}{
		{"a good signature", good, ""},
		{"another key", func(t *testing.T) *http.Request {
			return request(t, e.Addr(), "AKIAOTHER", testSecret, "glue", testRegion, time.Now())
		}, "UnrecognizedClientException"},
		{"another secret", func(t *testing.T) *http.Request {
			return request(t, e.Addr(), testKey, "guess", "glue", testRegion, time.Now())
		}, "InvalidSignatureException"},
		{"another service", func(t *testing.T) *http.Request {
			return request(t, e.Addr(), testKey, testSecret, "athena", testRegion, time.Now())
		}, "InvalidSignatureException"},
		{"another region", func(t *testing.T) *http.Request {
			return request(t, e.Addr(), testKey, testSecret, "glue", "mars-1", time.Now())
		}, "InvalidSignatureException"},
		{"a clock 14 minutes late", func(t *testing.T) *http.Request {
			return request(t, e.Addr(), testKey, testSecret, "glue", testRegion, time.Now().Add(-14*time.Minute))
		}, ""},
		{"a clock 16 minutes late", func(t *testing.T) *http.Request {
			return request(t, e.Addr(), testKey, testSecret, "glue", testRegion, time.Now().Add(-16*time.Minute))
		}, "InvalidSignatureException"},
		{"a clock 16 minutes early", func(t *testing.T) *http.Request {
			return request(t, e.Addr(), testKey, testSecret, "glue", testRegion, time.Now().Add(16*time.Minute))
		}, "InvalidSignatureException"},
		{"no signature", changed(good, func(r *http.Request) { r.Header.Del("Authorization") }), "MissingAuthenticationTokenException"},
		{"half a signature", changed(good, func(r *http.Request) {
			before, _, _ := strings.Cut(r.Header.Get("Authorization"), ", Signature")
			r.Header.Set("Authorization", before)
		}), "IncompleteSignatureException"},
		{"another algorithm", changed(good, func(r *http.Request) { r.Header.Set("Authorization", "Basic abc") }), "IncompleteSignatureException"},
		{"no date", changed(good, func(r *http.Request) { r.Header.Del("X-Amz-Date") }), "IncompleteSignatureException"},
		{"a changed body", changed(good, func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(`[]`))
		}), "InvalidSignatureException"},
		{"a body hash that is another's", changed(good, func(r *http.Request) {
			r.Header.Set("X-Amz-Content-Sha256", hexSHA256([]byte("x")))
		}), "InvalidSignatureException"},
		{"a changed operation", changed(good, func(r *http.Request) {
			r.Header.Set("X-Amz-Target", "AWSGlue.DeleteTable")
		}), "InvalidSignatureException"},
		{"an unsigned session token", changed(good, func(r *http.Request) {
			r.Header.Set("X-Amz-Security-Token", "x")
		}), "InvalidSignatureException"},
		{"a signed header changed", changed(good, func(r *http.Request) { r.Header.Set("X-Odd", "three") }), "InvalidSignatureException"},
		{"a header's spaces changed", changed(good, func(r *http.Request) { r.Header.Set("X-Odd", "two spaces") }), ""},
		{"another path", changed(good, func(r *http.Request) { r.URL.Path = "/x" }), "UnknownOperationException"},
		{"another method", changed(good, func(r *http.Request) { r.Method = http.MethodPut }), "UnknownOperationException"},
		{"a service that is not here", changed(good, func(r *http.Request) {
			r.Header.Set("X-Amz-Target", "DynamoDB_20120810.ListTables")
		}), "UnknownOperationException"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := send(t, test.make(t)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// changed makes a request and then changes it behind the signer's back.
func changed(make func(*testing.T) *http.Request, change func(*http.Request)) func(*testing.T) *http.Request {
	return func(t *testing.T) *http.Request {
		r := make(t)
		change(r)
		return r
	}
}

func TestALargeBodyIsRefused(t *testing.T) {
	t.Parallel()
	e := open(t, Options{})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+e.Addr()+"/", io.LimitReader(zeros{}, bodyMax+1))
	if err != nil {
		t.Fatal(err)
	}
	if got := send(t, r); got != "RequestEntityTooLargeException" {
		t.Errorf("got %q", got)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }
