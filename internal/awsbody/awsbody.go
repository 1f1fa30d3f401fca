// Package awsbody keeps connections of AWS's SDK that were answered fast.
//
// The problem: once a request is answered the SDK closes its body, while net/http may still look whether the body has ended. A closed body
// of the SDK's says io.EOF to Read, as it should, but to WriteTo, too, where net/http takes it for a failed request and closes the connection.
// If the answer was still being read it breaks off, and the SDK asks again after a wait, which is up to seconds, or gives up after three such
// answers. Of a service on the same machine one call of twenty lost its connection so, and one of 150 its answer. The idea: a body that has
// Read only.
package awsbody

import (
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// Client returns a client that sends requests through another; nil is the SDK's own.
func Client(next aws.HTTPClient) aws.HTTPClient {
	if next == nil {
		next = awshttp.NewBuildableClient()
	}
	return &client{next}
}

type client struct{ next aws.HTTPClient }

// Do implements aws.HTTPClient. The request is the SDK's, and stays as it is.
func (c *client) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r = r.WithContext(r.Context()) // a shallow copy
		r.Body = body{r.Body}
	}
	return c.next.Do(r)
}

// body hides all methods but these.
type body struct{ io.ReadCloser }
