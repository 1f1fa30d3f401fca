package awsbody

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// fastService answers before net/http has looked whether the body has ended: it reads the body, has it closed, and then looks.
type fastService struct {
	got  string
	look error
}

func (s *fastService) Do(r *http.Request) (*http.Response, error) {
	text, err := io.ReadAll(io.LimitReader(r.Body, r.ContentLength))
	if err != nil {
		return nil, err
	}
	s.got = string(text)
	if err := r.Body.Close(); err != nil {
		return nil, err
	}
	_, s.look = io.Copy(io.Discard, r.Body)
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

// request builds one as the SDK does.
func request(t *testing.T, text string) *http.Request {
	t.Helper()
	made, ok := smithyhttp.NewStackRequest().(*smithyhttp.Request)
	if !ok {
		t.Fatal("no request")
	}
	made, err := made.SetStream(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	r := made.Build(t.Context())
	r.ContentLength = int64(len(text))
	return r
}

func TestABodyThatIsClosedHasEnded(t *testing.T) {
	bare, service := &fastService{}, &fastService{}
	if _, err := bare.Do(request(t, "words")); err != nil || !errors.Is(bare.look, io.EOF) {
		t.Errorf("the SDK's own bodies do without this package now: %v, %v", err, bare.look)
	}
	answer, err := Client(service).Do(request(t, "words"))
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if service.got != "words" || service.look != nil {
		t.Errorf("%q was read, and after the end %v", service.got, service.look)
	}
}

// failing is a client without a network.
type failing struct{ seen *http.Request }

var errNoNetwork = errors.New("no network")

func (f *failing) Do(r *http.Request) (*http.Response, error) {
	f.seen = r
	return nil, errNoNetwork
}

func TestARequestWithoutABodyAndAFailureAreHandedOn(t *testing.T) {
	f := &failing{}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := Client(f).Do(r); !errors.Is(err, errNoNetwork) || answer != nil || f.seen != r {
		t.Errorf("%v, %v", answer, err)
	}
}
