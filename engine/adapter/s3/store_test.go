package s3_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"citystream/engine/adapter/s3"
	"citystream/engine/port"
)

// The adapter passes the suite of the port against a real store in local/store. The tests here let a store say what a healthy one
// does not say on demand.

// against returns a store that answers as told.
func against(t *testing.T, answer http.HandlerFunc) *s3.Store {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	client, err := s3.NewClient(t.Context(), s3.Options{Endpoint: server.URL, AccessKey: "a", SecretKey: "b"})
	if err != nil {
		t.Fatal(err)
	}
	impatient := func(o *awss3.Options) { o.Retryer = retry.AddWithMaxBackoffDelay(o.Retryer, time.Millisecond) }
	return s3.New(awss3.New(client.Options(), impatient), "bucket")
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `<Error><Code>%s</Code><Message>words</Message></Error>`, code)
}

func TestAnErrorOfTheStoreHasOneMeaning(t *testing.T) {
	t.Parallel()
	known := []error{port.ErrNotFound, port.ErrConflict, port.ErrNoUpload, port.ErrForbidden}
	for _, test := range []struct {
		status int
		code   string
		want   error
	}{
		{404, "NoSuchKey", port.ErrNotFound},
		{404, "NoSuchBucket", nil}, // not an empty log
		{404, "NoSuchUpload", port.ErrNoUpload},
		{404, "", nil}, // not even a store
		{412, "PreconditionFailed", port.ErrConflict},
		{409, "ConditionalRequestConflict", port.ErrConflict},
		{409, "OperationAborted", port.ErrConflict},
		{409, "ObjectParentIsFile", nil},
		{409, "ExistingObjectIsDirectory", nil},
		{403, "AccessDenied", port.ErrForbidden},
		{403, "InvalidAccessKeyId", port.ErrForbidden},
		{403, "SignatureDoesNotMatch", port.ErrForbidden},
		{403, "RequestTimeTooSkewed", port.ErrForbidden},
		{400, "ExpiredToken", port.ErrForbidden},
		{401, "Unauthorized", port.ErrForbidden},
		{400, "InvalidPart", nil},
		{400, "InvalidPartOrder", nil},
		{400, "EntityTooSmall", nil},
		{500, "InternalError", nil},
		{503, "SlowDown", nil},
	} {
		t.Run(fmt.Sprintf("%d %s", test.status, test.code), func(t *testing.T) {
			t.Parallel()
			s := against(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, test.status, test.code) })
			_, _, get := s.Get(t.Context(), "key")
			for operation, err := range map[string]error{
				"put if absent": s.PutIfAbsent(t.Context(), "key", []byte("x")), "get": get,
			} {
				if err == nil {
					t.Fatalf("%s succeeded", operation)
				}
				for _, sentinel := range known {
					if errors.Is(err, sentinel) != (sentinel == test.want) {
						t.Errorf("%s: error %v; want %v", operation, err, test.want)
					}
				}
				if !strings.Contains(err.Error(), operation+" s3://bucket/key") {
					t.Errorf("error does not name the operation: %v", err)
				}
			}
		})
	}
}

func TestAConditionalWriteIsSentOnceAndOthersAFewTimes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		call func(context.Context, *s3.Store) error
		want int64
	}{
		{"put if absent", func(ctx context.Context, s *s3.Store) error { return s.PutIfAbsent(ctx, "k", []byte("x")) }, 1},
		{"put if match", func(ctx context.Context, s *s3.Store) error { return s.PutIfMatch(ctx, "k", []byte("x"), `"e"`) }, 1},
		{"put", func(ctx context.Context, s *s3.Store) error { return s.Put(ctx, "k", []byte("x")) }, 3},
		{"upload part", func(ctx context.Context, s *s3.Store) error {
			_, err := s.UploadPart(ctx, "k", "id", 1, []byte("x"))
			return err
		}, 3},
	} {
		for _, how := range []string{"a lost answer", "an error of the server"} {
			t.Run(test.name+", "+how, func(t *testing.T) {
				t.Parallel()
				var sent atomic.Int64
				s := against(t, func(w http.ResponseWriter, r *http.Request) {
					sent.Add(1)
					if body, _ := io.ReadAll(r.Body); string(body) != "x" {
						t.Errorf("attempt %d brought %q", sent.Load(), body)
					}
					if how == "a lost answer" {
						panic(http.ErrAbortHandler)
					}
					refuse(w, 503, "SlowDown")
				})
				if err := test.call(t.Context(), s); err == nil || errors.Is(err, port.ErrConflict) {
					t.Errorf("error is %v", err)
				}
				if sent.Load() != test.want {
					t.Errorf("sent %d times, want %d", sent.Load(), test.want)
				}
			})
		}
	}
}

func TestAPartTravelsWithItsChecksumAndWithoutAnother(t *testing.T) {
	t.Parallel()
	var got http.Header
	s := against(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		w.Header().Set("ETag", `"e"`)
	})
	part, err := s.UploadPart(t.Context(), "key", "id", 3, []byte("123456789"))
	if err != nil {
		t.Fatal(err)
	}
	const crc = "y/Q5Jg==" // of 123456789: cbf43926
	if want := (port.Part{Number: 3, ETag: `"e"`, CRC32: crc, SizeBytes: 9}); part != want {
		t.Errorf("part is %+v, want %+v", part, want)
	}
	if got.Get("X-Amz-Checksum-Crc32") != crc || got.Get("X-Amz-Content-Sha256") != "UNSIGNED-PAYLOAD" || got.Get("X-Amz-Trailer") != "" {
		t.Errorf("headers are %v", got)
	}
}

func TestACompletionIsASuccessOnlyWhenItsObjectIsSeen(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		status    int
		sizeBytes string
		want      error
		succeeds  bool
	}{
		{name: "the object is there", status: 200, sizeBytes: "10", succeeds: true},
		{name: "the object is not there yet", status: 404, sizeBytes: "0"},
		{name: "another object is there", status: 200, sizeBytes: "11", want: port.ErrNoUpload},
		{name: "nobody may look", status: 403, sizeBytes: "0", want: port.ErrForbidden},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := against(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodHead {
					w.Header().Set("Content-Length", test.sizeBytes)
					w.WriteHeader(test.status)
					return
				}
				_, _ = io.WriteString(w, `<CompleteMultipartUploadResult><ETag>"e-2"</ETag></CompleteMultipartUploadResult>`)
			})
			err := s.CompleteUpload(t.Context(), "key", "id", []port.Part{{Number: 1, SizeBytes: 7}, {Number: 2, SizeBytes: 3}})
			if (err == nil) != test.succeeds || (test.want != nil && !errors.Is(err, test.want)) {
				t.Errorf("error is %v, want %v", err, test.want)
			}
			if errors.Is(err, port.ErrNotFound) || (test.want == nil && errors.Is(err, port.ErrNoUpload)) {
				t.Errorf("an object that is late looks like one that will never come: %v", err)
			}
		})
	}
}

// On S3 a completion may fail after its answer has begun with 200.
func TestAnErrorInsideASuccessfulAnswerIsAnError(t *testing.T) {
	t.Parallel()
	s := against(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			w.Header().Set("Content-Length", "1")
			return
		}
		refuse(w, 200, "InternalError")
	})
	if err := s.CompleteUpload(t.Context(), "key", "id", []port.Part{{Number: 1, SizeBytes: 1}}); err == nil {
		t.Error("no error")
	}
}

func TestReadingIsBounded(t *testing.T) {
	t.Parallel()
	s := against(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/bucket/huge":
			w.Header().Set("Content-Length", "1099511627776")
		case "/bucket/ignores": // the range
			_, _ = io.WriteString(w, "0123456789")
		case "/bucket/cut":
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "01234")
		}
	})
	for _, key := range []string{"huge", "cut"} {
		if _, _, err := s.Get(t.Context(), key); err == nil {
			t.Errorf("get %s succeeded", key)
		}
	}
	if got, err := s.GetRange(t.Context(), "ignores", 5, 2); err == nil {
		t.Errorf("a range that the store ignored is %q", got)
	}
	if _, err := s.GetRange(t.Context(), "any", 0, 1<<40); err == nil {
		t.Error("a range of a terabyte was tried")
	}
}

func TestTheUploadsOfAKeyThatAPageCutsAreListedOnce(t *testing.T) {
	t.Parallel()
	// Three uploads a page, of a, b, b, b, b, c; the store cannot go on within a key unless a page has no other.
	all := []string{"a1", "b1", "b2", "b3", "b4", "c1"}
	s := against(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		from := 0
		for from < len(all) && q.Get("key-marker") != "" && (all[from][:1] < q.Get("key-marker") ||
			all[from][:1] == q.Get("key-marker") && (q.Get("upload-id-marker") == "" || all[from] <= q.Get("upload-id-marker"))) {
			from++
		}
		to := min(from+3, len(all))
		last := all[to-1]
		_, _ = fmt.Fprintf(w, "<ListMultipartUploadsResult><IsTruncated>%v</IsTruncated><NextKeyMarker>%s</NextKeyMarker>"+
			"<NextUploadIdMarker>%s</NextUploadIdMarker>", to < len(all), last[:1], last)
		for _, u := range all[from:to] {
			_, _ = fmt.Fprintf(w, "<Upload><Key>%s</Key><UploadId>%s</UploadId></Upload>", u[:1], u)
		}
		_, _ = io.WriteString(w, "</ListMultipartUploadsResult>")
	})
	uploads, err := s.ListUploads(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, u := range uploads {
		got = append(got, u.ID)
	}
	if strings.Join(got, " ") != strings.Join(all, " ") {
		t.Errorf("uploads are %v, want %v", got, all)
	}
}
