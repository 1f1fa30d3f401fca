package enginetest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"citystream/engine/port"
)

// StoreSuite is what every port.Store must do. open returns an empty bucket of the test's own and cleans up by t.
func StoreSuite(t *testing.T, open func(t *testing.T) port.Store) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, port.Store)
	}{
		{"what is not there is ErrNotFound, and may be deleted", storeMissing},
		{"an object comes back as it was put, and the last one put stays", storePut},
		{"an object may be empty", storeEmpty},
		{"a range is cut at the object's ends", storeRanges},
		{"keys may hold spaces, signs and any letters", storeKeys},
		{"a listing has the keys of a prefix after a key, in order, up to a limit", storeList},
		{"a listing is as long as it needs to be", storeListLong},
		{"times are the store's and do not go back", storeTimes},
		{"a free key is given to one writer, and stays his", storeAbsent},
		{"of sixteen writers of a free key exactly one wins", storeAbsentRace},
		{"an object is replaced only by who knows its ETag", storeMatch},
		{"of sixteen writers who know the ETag exactly one wins", storeMatchRace},
		{"parts are invisible until the upload is completed, then the object is whole", storeUpload},
		{"parts may come at the same time, in any order and twice", storePartsAnyOrder},
		{"a part's description has its number, size and checksum", storePartTold},
		{"one part may be small or empty", storeSmallUploads},
		{"completing again changes nothing", storeCompleteAgain},
		{"completing twice at the same time gives one whole object", storeCompleteRace},
		{"an aborted upload is gone", storeAbort},
		{"a completion that does not fit the parts is refused and may be mended", storeCompleteRefused},
		{"uploads of one key do not touch each other", storeUploadsOfOneKey},
		{"open uploads are listed by prefix, all of them", storeListUploads},
		{"a cancelled call has no effect", storeCancelled},
		{"calls at the same time do not mix", storeConcurrent},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, open(t))
		})
	}
}

const storeWriters = 16

// storePartMin is a body of the least size that a part before the last may have.
func storePartMin(fill byte) []byte { return bytes.Repeat([]byte{fill, ^fill, fill / 2, 7}, 5<<20/4) }

func storeOK(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func storeWantError(t *testing.T, what string, err error, allowed ...error) {
	t.Helper()
	if !slices.ContainsFunc(allowed, func(want error) bool { return errors.Is(err, want) }) {
		t.Errorf("%s: error is %v, want %v", what, err, allowed)
	}
}

func storeWantBody(t *testing.T, s port.Store, key string, want []byte) (etag string) {
	t.Helper()
	got, etag, err := s.Get(within(t), key)
	storeOK(t, err)
	if !bytes.Equal(got, want) {
		t.Fatalf("%s has %d bytes %.40q, want %d bytes %.40q", key, len(got), got, len(want), want)
	}
	if etag == "" {
		t.Fatalf("%s has no ETag", key)
	}
	return etag
}

func storeWantKeys(t *testing.T, s port.Store, prefix, after string, limit int, want ...string) {
	t.Helper()
	objects, err := s.List(within(t), prefix, after, limit)
	storeOK(t, err)
	var keys []string
	for _, o := range objects {
		keys = append(keys, o.Key)
	}
	if d := cmp.Diff(want, keys); len(want)+len(keys) > 0 && d != "" {
		t.Fatalf("list(%q, %q, %d): -want +got\n%s", prefix, after, limit, d)
	}
}

// storeRace runs n calls at the same time and returns their errors.
func storeRace(n int, call func(i int) error) []error {
	errs := make([]error, n)
	var running sync.WaitGroup
	start := make(chan struct{})
	for i := range errs {
		running.Go(func() {
			<-start
			errs[i] = call(i)
		})
	}
	close(start)
	running.Wait()
	return errs
}

func storeMissing(t *testing.T, s port.Store) {
	_, _, err := s.Get(within(t), "a/missing")
	storeWantError(t, "get", err, port.ErrNotFound)
	for _, offset := range []int64{0, 5, -5} {
		_, err = s.GetRange(within(t), "a/missing", offset, 5)
		storeWantError(t, "get a range", err, port.ErrNotFound)
	}
	_, err = s.GetRange(within(t), "a/missing", 0, 0)
	storeWantError(t, "get an empty range", err, port.ErrNotFound)
	_, err = s.Head(within(t), "a/missing")
	storeWantError(t, "head", err, port.ErrNotFound)
	err = s.PutIfMatch(within(t), "a/missing", []byte("x"), `"0123456789abcdef0123456789abcdef"`)
	storeWantError(t, "put if match", err, port.ErrNotFound, port.ErrConflict)
	storeOK(t, s.Delete(within(t), "a/missing"))
	storeWantKeys(t, s, "", "", 10)
}

func storePut(t *testing.T, s port.Store) {
	body := []byte("first")
	storeOK(t, s.Put(within(t), "a/b", body))
	copy(body, "XXXXX") // the store has its own
	first := storeWantBody(t, s, "a/b", []byte("first"))
	got, _, err := s.Get(within(t), "a/b")
	storeOK(t, err)
	copy(got, "YYYYY") // and so has the reader
	storeOK(t, s.Put(within(t), "a/c", []byte("other")))
	storeWantBody(t, s, "a/b", []byte("first"))

	storeOK(t, s.Put(within(t), "a/b", []byte("second!")))
	second := storeWantBody(t, s, "a/b", []byte("second!"))
	if first == second {
		t.Errorf("both bodies have the ETag %s", first)
	}
	o, err := s.Head(within(t), "a/b")
	storeOK(t, err)
	if o.Key != "a/b" || o.SizeBytes != 7 || o.ETag != second || len(o.Metadata) != 0 {
		t.Errorf("head tells %+v", o)
	}
	storeOK(t, s.Delete(within(t), "a/b"))
	_, err = s.Head(within(t), "a/b")
	storeWantError(t, "head after delete", err, port.ErrNotFound)
	storeWantKeys(t, s, "", "", 10, "a/c")
}

func storeEmpty(t *testing.T, s port.Store) {
	storeOK(t, s.Put(within(t), "put", nil))
	storeOK(t, s.PutIfAbsent(within(t), "absent", []byte{}))
	for _, key := range []string{"put", "absent"} {
		etag := storeWantBody(t, s, key, nil)
		for _, offset := range []int64{0, 3, -3} {
			got, err := s.GetRange(within(t), key, offset, 3)
			if err != nil || len(got) != 0 {
				t.Errorf("range at %d of an empty object: %q, %v", offset, got, err)
			}
		}
		storeOK(t, s.PutIfMatch(within(t), key, []byte("x"), etag))
	}
}

func storeRanges(t *testing.T, s port.Store) {
	storeOK(t, s.Put(within(t), "digits", []byte("0123456789")))
	for _, test := range []struct {
		offset, length int64
		want           string
	}{
		{0, 10, "0123456789"},
		{0, 1, "0"},
		{3, 4, "3456"},
		{8, 5, "89"},
		{9, 1, "9"},
		{10, 1, ""},
		{99, 5, ""},
		{4, 0, ""},
		{-1, 0, "9"},
		{-4, 2, "6789"}, // the length of a suffix is its own
		{-10, 0, "0123456789"},
		{-99, 0, "0123456789"},
	} {
		got, err := s.GetRange(within(t), "digits", test.offset, test.length)
		if err != nil || string(got) != test.want {
			t.Errorf("range (%d, %d) is %q, %v; want %q", test.offset, test.length, got, err, test.want)
		}
	}
}

func storeKeys(t *testing.T, s port.Store) {
	keys := []string{
		"t/date=2026-11-22/hour=06/a-0001.parquet", "with space/and more", "plus+and&and=and?and#and%41", "quote'and\"and(brackets)[x]{y}",
		"umlaut-äöü-ß", "東京/センサー", "emoji-🚗", "_citystream/log/t/topic/0/00000000000000000001.json", "dots/..x/a..b", "tilde~star*,;:@$!",
	}
	for i, key := range keys {
		storeOK(t, s.PutIfAbsent(within(t), key, fmt.Appendf(nil, "body %d", i)))
	}
	for i, key := range keys {
		storeWantBody(t, s, key, fmt.Appendf(nil, "body %d", i))
		storeWantKeys(t, s, key, "", 10, key)
	}
	slices.Sort(keys)
	storeWantKeys(t, s, "", "", 100, keys...)
	for i, key := range keys[:len(keys)-1] {
		storeWantKeys(t, s, "", key, 1, keys[i+1])
	}
	for _, key := range keys {
		id, err := s.CreateUpload(within(t), key, nil)
		storeOK(t, err)
		part, err := s.UploadPart(within(t), key, id, 1, []byte(key))
		storeOK(t, err)
		storeOK(t, s.CompleteUpload(within(t), key, id, []port.Part{part}))
		storeWantBody(t, s, key, []byte(key))
		storeOK(t, s.Delete(within(t), key))
	}
	storeWantKeys(t, s, "", "", 100)
}

func storeList(t *testing.T, s port.Store) {
	storeWantKeys(t, s, "", "", 10)
	// '-' and '.' come before '/', '0' after it: a walk through folders gets this order wrong.
	keys := []string{"a-b/1", "a.b/1", "a/1", "a/10", "a/2", "a/b/1", "a/b0", "a0/1", "b"}
	for _, i := range []int{4, 1, 8, 0, 6, 3, 7, 2, 5} {
		storeOK(t, s.Put(within(t), keys[i], []byte("abc")))
	}
	storeWantKeys(t, s, "", "", 100, keys...)
	storeWantKeys(t, s, "", "", len(keys), keys...)
	storeWantKeys(t, s, "", "", 3, keys[:3]...)
	storeWantKeys(t, s, "", "", 0)
	storeWantKeys(t, s, "a/", "", 100, keys[2:7]...)
	storeWantKeys(t, s, "a/1", "", 100, "a/1", "a/10")
	storeWantKeys(t, s, "a/b", "", 100, "a/b/1", "a/b0")
	storeWantKeys(t, s, "zzz", "", 100)
	storeWantKeys(t, s, "a/", "a/10", 2, "a/2", "a/b/1")
	storeWantKeys(t, s, "a/", "a/11", 100, "a/2", "a/b/1", "a/b0") // after need not exist
	storeWantKeys(t, s, "a/", "a/b/1", 100, "a/b0")
	storeWantKeys(t, s, "a/", "a/b0", 100)
	storeWantKeys(t, s, "a/", "a-", 2, "a/1", "a/10")
	for i := range keys {
		storeWantKeys(t, s, "", keys[i], 100, keys[i+1:]...)
	}
	objects, err := s.List(within(t), "b", "", 1)
	storeOK(t, err)
	head, err := s.Head(within(t), "b")
	storeOK(t, err)
	if len(objects) != 1 || objects[0].SizeBytes != 3 || objects[0].ETag != head.ETag || objects[0].Metadata != nil {
		t.Errorf("listing tells %+v, head %+v", objects, head)
	}
}

func storeListLong(t *testing.T, s port.Store) {
	const n = 1_013 // more than one page of S3
	want := make([]string, n)
	for i := range want {
		want[i] = fmt.Sprintf("log/%020d.json", i)
	}
	for _, err := range storeRace(storeWriters, func(w int) error {
		var errs []error
		for i := w; i < n; i += storeWriters {
			errs = append(errs, s.PutIfAbsent(within(t), want[i], nil))
		}
		return errors.Join(errs...)
	}) {
		storeOK(t, err)
	}
	storeWantKeys(t, s, "log/", "", 5_000, want...)
	storeWantKeys(t, s, "log/", "", 1_005, want[:1_005]...)
	storeWantKeys(t, s, "log/", want[3], 1_005, want[4:1_009]...)
	storeWantKeys(t, s, "log/", want[n-3], 1_005, want[n-2:]...)
}

func storeTimes(t *testing.T, s port.Store) {
	const second = 1_000_000
	storeOK(t, s.Put(within(t), "a", []byte("1")))
	storeOK(t, s.Put(within(t), "b", []byte("2")))
	a, err := s.Head(within(t), "a")
	storeOK(t, err)
	b, err := s.Head(within(t), "b")
	storeOK(t, err)
	if a.Modified <= 0 || b.Modified < a.Modified {
		t.Errorf("modified at %d, then at %d", a.Modified, b.Modified)
	}
	listed, err := s.List(within(t), "a", "", 1)
	storeOK(t, err)
	if listed[0].Modified/second != a.Modified/second {
		t.Errorf("modified at %d by the listing, at %d by head", listed[0].Modified, a.Modified)
	}
	_, err = s.CreateUpload(within(t), "c", nil)
	storeOK(t, err)
	uploads, err := s.ListUploads(within(t), "")
	storeOK(t, err)
	if len(uploads) != 1 || uploads[0].Initiated/second < a.Modified/second {
		t.Errorf("uploads %+v, after an object of %d", uploads, a.Modified)
	}
}

func storeAbsent(t *testing.T, s port.Store) {
	storeOK(t, s.PutIfAbsent(within(t), "slot", []byte("mine")))
	storeWantError(t, "a stranger's write", s.PutIfAbsent(within(t), "slot", []byte("theirs")), port.ErrConflict)
	storeWantError(t, "the same write again", s.PutIfAbsent(within(t), "slot", []byte("mine")), port.ErrConflict)
	storeWantBody(t, s, "slot", []byte("mine"))
	storeOK(t, s.Delete(within(t), "slot"))
	storeOK(t, s.PutIfAbsent(within(t), "slot", []byte("theirs")))
	storeWantBody(t, s, "slot", []byte("theirs"))
}

// storeOneWinner checks that one write won and every other lost, and returns the winner.
func storeOneWinner(t *testing.T, errs []error) (winner int) {
	t.Helper()
	winner = -1
	for i, err := range errs {
		switch {
		case err != nil:
			storeWantError(t, "a writer that lost", err, port.ErrConflict)
		case winner >= 0:
			t.Fatalf("writers %d and %d both won", winner, i)
		default:
			winner = i
		}
	}
	if winner < 0 {
		t.Fatal("no writer won")
	}
	return winner
}

func storeAbsentRace(t *testing.T, s port.Store) {
	body := func(i int) []byte { return bytes.Repeat(fmt.Appendf(nil, "writer %02d;", i), 100) }
	for round := range 5 {
		key := fmt.Sprintf("log/%020d.json", round)
		errs := storeRace(storeWriters, func(i int) error { return s.PutIfAbsent(within(t), key, body(i)) })
		storeWantBody(t, s, key, body(storeOneWinner(t, errs)))
	}
}

func storeMatch(t *testing.T, s port.Store) {
	storeOK(t, s.Put(within(t), "lease", []byte("1")))
	first := storeWantBody(t, s, "lease", []byte("1"))
	storeOK(t, s.PutIfMatch(within(t), "lease", []byte("2"), first))
	storeWantError(t, "an old ETag", s.PutIfMatch(within(t), "lease", []byte("3"), first), port.ErrConflict)
	second := storeWantBody(t, s, "lease", []byte("2"))
	if err := s.PutIfMatch(within(t), "lease", []byte("3"), ""); err == nil {
		t.Error("a write without an ETag was taken")
	}
	head, err := s.Head(within(t), "lease")
	storeOK(t, err)
	listed, err := s.List(within(t), "lease", "", 1)
	storeOK(t, err)
	if head.ETag != second || listed[0].ETag != second {
		t.Errorf("ETag %s by get, %s by head, %s by the listing", second, head.ETag, listed[0].ETag)
	}
	storeOK(t, s.Delete(within(t), "lease"))
	storeWantError(t, "a deleted object", s.PutIfMatch(within(t), "lease", []byte("4"), second), port.ErrConflict, port.ErrNotFound)
	storeWantKeys(t, s, "", "", 10)
}

func storeMatchRace(t *testing.T, s port.Store) {
	body := func(i int) []byte { return bytes.Repeat(fmt.Appendf(nil, "writer %02d;", i), 100) }
	storeOK(t, s.Put(within(t), "lease", []byte("start")))
	now := []byte("start")
	for range 5 {
		etag := storeWantBody(t, s, "lease", now)
		errs := storeRace(storeWriters, func(i int) error { return s.PutIfMatch(within(t), "lease", append(body(i), etag...), etag) })
		now = append(body(storeOneWinner(t, errs)), etag...)
	}
	storeWantBody(t, s, "lease", now)
}

// storeOpenUpload opens an upload and sends its parts.
func storeOpenUpload(t *testing.T, s port.Store, key string, bodies ...[]byte) (id string, parts []port.Part) {
	t.Helper()
	id, err := s.CreateUpload(within(t), key, map[string]string{"rows": "12", "offsets": "[5, 17)", "citystream-window": "2026-11-22T06:00:00Z"})
	storeOK(t, err)
	if id == "" {
		t.Fatal("the upload has no id")
	}
	for i, body := range bodies {
		part, err := s.UploadPart(within(t), key, id, int32(i+1), body)
		storeOK(t, err)
		parts = append(parts, part)
	}
	return id, parts
}

func storeWantUploads(t *testing.T, s port.Store, prefix string, want ...string) {
	t.Helper()
	uploads, err := s.ListUploads(within(t), prefix)
	storeOK(t, err)
	var ids []string
	for _, u := range uploads {
		ids = append(ids, u.ID)
	}
	slices.Sort(ids)
	slices.Sort(want)
	if d := cmp.Diff(want, ids); len(want)+len(ids) > 0 && d != "" {
		t.Fatalf("uploads of %q: -want +got\n%s", prefix, d)
	}
}

func storeUpload(t *testing.T, s port.Store) {
	const key = "t/date=2026-11-22/hour=06/a.parquet"
	large, small := storePartMin(1), []byte("tail")
	id, parts := storeOpenUpload(t, s, key, large, small)
	_, _, err := s.Get(within(t), key)
	storeWantError(t, "get of an open upload", err, port.ErrNotFound)
	_, err = s.Head(within(t), key)
	storeWantError(t, "head of an open upload", err, port.ErrNotFound)
	storeWantKeys(t, s, "", "", 10)
	storeWantUploads(t, s, "", id)

	storeOK(t, s.CompleteUpload(within(t), key, id, parts))
	storeWantBody(t, s, key, slices.Concat(large, small))
	storeWantKeys(t, s, "", "", 10, key)
	storeWantUploads(t, s, "")
	o, err := s.Head(within(t), key)
	storeOK(t, err)
	want := map[string]string{"rows": "12", "offsets": "[5, 17)", "citystream-window": "2026-11-22T06:00:00Z"}
	if d := cmp.Diff(want, o.Metadata); d != "" || o.SizeBytes != int64(len(large)+len(small)) {
		t.Errorf("size %d, metadata -want +got\n%s", o.SizeBytes, d)
	}
	got, err := s.GetRange(within(t), key, int64(len(large))-2, 4)
	if err != nil || !bytes.Equal(got, append(slices.Clone(large[len(large)-2:]), "ta"...)) {
		t.Errorf("a range over two parts is %q, %v", got, err)
	}
}

func storePartsAnyOrder(t *testing.T, s port.Store) {
	bodies := [][]byte{storePartMin(1), storePartMin(2), storePartMin(3), []byte("tail")}
	id, _ := storeOpenUpload(t, s, "a")
	parts := make([]port.Part, len(bodies))
	for round := range 2 { // the second replaces what the first sent
		for _, err := range storeRace(len(bodies), func(i int) (err error) {
			body := slices.Clone(bodies[i])
			body[0] = byte(round)
			parts[i], err = s.UploadPart(within(t), "a", id, int32(i+1), body)
			clear(body) // the store keeps its own
			return err
		}) {
			storeOK(t, err)
		}
	}
	for i := range bodies {
		bodies[i][0] = 1
	}
	storeOK(t, s.CompleteUpload(within(t), "a", id, parts))
	storeWantBody(t, s, "a", slices.Concat(bodies...))
}

func storePartTold(t *testing.T, s port.Store) {
	body := []byte("some bytes")
	id, _ := storeOpenUpload(t, s, "a")
	part, err := s.UploadPart(within(t), "a", id, 7, body)
	storeOK(t, err)
	crc := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body)))
	if part.Number != 7 || part.SizeBytes != int64(len(body)) || part.CRC32 != crc || part.ETag == "" {
		t.Errorf("the part is %+v, want number 7, %d bytes, checksum %s", part, len(body), crc)
	}
	storeOK(t, s.CompleteUpload(within(t), "a", id, []port.Part{part})) // numbers need not begin at 1
	storeWantBody(t, s, "a", body)
}

func storeSmallUploads(t *testing.T, s port.Store) {
	for key, body := range map[string][]byte{"small": []byte("x"), "empty": {}} {
		id, parts := storeOpenUpload(t, s, key, body)
		storeOK(t, s.CompleteUpload(within(t), key, id, parts))
		storeWantBody(t, s, key, body)
	}
}

func storeCompleteAgain(t *testing.T, s port.Store) {
	id, parts := storeOpenUpload(t, s, "a", []byte("abc"))
	storeOK(t, s.CompleteUpload(within(t), "a", id, parts))
	before, err := s.Head(within(t), "a")
	storeOK(t, err)
	if err := s.CompleteUpload(within(t), "a", id, parts); err != nil {
		storeWantError(t, "the second completion", err, port.ErrNoUpload)
	}
	after, err := s.Head(within(t), "a")
	storeOK(t, err)
	if d := cmp.Diff(before, after); d != "" {
		t.Errorf("the object changed: %s", d)
	}
	_, err = s.UploadPart(within(t), "a", id, 2, []byte("more"))
	storeWantError(t, "a part after completion", err, port.ErrNoUpload)
	storeOK(t, s.AbortUpload(within(t), "a", id))
	storeWantBody(t, s, "a", []byte("abc"))
	storeWantUploads(t, s, "")

	storeOK(t, s.Delete(within(t), "a"))
	storeWantError(t, "completing after the object was deleted", s.CompleteUpload(within(t), "a", id, parts), port.ErrNoUpload)
	storeWantKeys(t, s, "", "", 10)
}

func storeCompleteRace(t *testing.T, s port.Store) {
	bodies := [][]byte{storePartMin(1), storePartMin(2), []byte("tail")}
	for round := range 3 {
		key := fmt.Sprintf("a/%d", round)
		id, parts := storeOpenUpload(t, s, key, bodies...)
		succeeded := make([]bool, 4)
		for i, err := range storeRace(len(succeeded), func(i int) error {
			err := s.CompleteUpload(within(t), key, id, parts)
			if err == nil { // then the object is there, now
				_, err = s.Head(within(t), key)
				succeeded[i] = err == nil
			}
			return err
		}) {
			if err != nil && errors.Is(err, port.ErrNotFound) {
				t.Errorf("completion %d succeeded and the object was not there: %v", i, err)
			}
		}
		if !slices.Contains(succeeded, true) {
			t.Error("no completion succeeded")
		}
		storeWantBody(t, s, key, slices.Concat(bodies...))
	}
	storeWantUploads(t, s, "")
}

func storeAbort(t *testing.T, s port.Store) {
	id, parts := storeOpenUpload(t, s, "a", []byte("abc"))
	storeWantUploads(t, s, "", id)
	storeOK(t, s.AbortUpload(within(t), "a", id))
	storeOK(t, s.AbortUpload(within(t), "a", id))
	storeOK(t, s.AbortUpload(within(t), "never/made", id))
	storeWantUploads(t, s, "")
	storeWantError(t, "completing", s.CompleteUpload(within(t), "a", id, parts), port.ErrNoUpload)
	_, err := s.UploadPart(within(t), "a", id, 1, []byte("abc"))
	storeWantError(t, "a part", err, port.ErrNoUpload)
	storeWantKeys(t, s, "", "", 10)
}

func storeCompleteRefused(t *testing.T, s port.Store) {
	large, tail := storePartMin(1), []byte("tail")
	id, parts := storeOpenUpload(t, s, "a", large, tail)
	missing := port.Part{Number: 3, ETag: parts[1].ETag, CRC32: parts[1].CRC32, SizeBytes: parts[1].SizeBytes}
	other := parts[1]
	other.ETag, other.CRC32 = parts[0].ETag, parts[0].CRC32
	for name, wrong := range map[string][]port.Part{
		"in the wrong order":            {parts[1], parts[0]},
		"one of them twice":             {parts[0], parts[0]},
		"one of them never sent":        {parts[0], parts[1], missing},
		"one of them with other bytes":  {parts[0], other},
		"none":                          {},
		"one of them never sent, alone": {missing},
	} {
		err := s.CompleteUpload(within(t), "a", id, wrong)
		if err == nil || errors.Is(err, port.ErrNoUpload) {
			t.Errorf("parts %s: error is %v", name, err)
		}
		storeWantKeys(t, s, "", "", 10)
	}
	storeOK(t, s.CompleteUpload(within(t), "a", id, parts))
	storeWantBody(t, s, "a", slices.Concat(large, tail))

	id, parts = storeOpenUpload(t, s, "b", []byte("small"), tail)
	if err := s.CompleteUpload(within(t), "b", id, parts); err == nil {
		t.Error("a small part before the last was taken")
	}
	storeWantKeys(t, s, "b", "", 10)
}

func storeUploadsOfOneKey(t *testing.T, s port.Store) {
	storeOK(t, s.Put(within(t), "a", []byte("old")))
	first, firstParts := storeOpenUpload(t, s, "a", []byte("first"))
	second, secondParts := storeOpenUpload(t, s, "a", []byte("second"))
	third, _ := storeOpenUpload(t, s, "a", []byte("third"))
	storeWantUploads(t, s, "a", first, second, third)
	storeWantBody(t, s, "a", []byte("old"))
	storeOK(t, s.CompleteUpload(within(t), "a", second, secondParts))
	storeWantBody(t, s, "a", []byte("second"))
	storeOK(t, s.AbortUpload(within(t), "a", third))
	storeWantBody(t, s, "a", []byte("second"))
	storeOK(t, s.CompleteUpload(within(t), "a", first, firstParts))
	storeWantBody(t, s, "a", []byte("first"))
	storeWantUploads(t, s, "")
}

func storeListUploads(t *testing.T, s port.Store) {
	const n = 1_003 // more than one page of S3
	storeWantUploads(t, s, "")
	ids := make([]string, n)
	for _, err := range storeRace(storeWriters, func(w int) error {
		var errs []error
		for i := w; i < n; i += storeWriters {
			id, err := s.CreateUpload(within(t), fmt.Sprintf("many/%04d", i), nil)
			ids[i], errs = id, append(errs, err)
		}
		return errors.Join(errs...)
	}) {
		storeOK(t, err)
	}
	few, _ := storeOpenUpload(t, s, "few/1", []byte("x"))
	storeWantUploads(t, s, "few/", few)
	storeWantUploads(t, s, "none/")
	storeWantUploads(t, s, "many/", slices.Clone(ids)...)
	uploads, err := s.ListUploads(within(t), "")
	storeOK(t, err)
	if len(uploads) != n+1 || !slices.IsSortedFunc(uploads, func(a, b port.Upload) int { return strings.Compare(a.Key, b.Key) }) {
		t.Fatalf("%d uploads, or not in the order of their keys", len(uploads))
	}
	if uploads[0].Key != "few/1" || uploads[1].Key != "many/0000" || uploads[1].ID != ids[0] {
		t.Errorf("the first uploads are %+v", uploads[:2])
	}
}

func storeCancelled(t *testing.T, s port.Store) {
	storeOK(t, s.Put(within(t), "there", []byte("x")))
	etag := storeWantBody(t, s, "there", []byte("x"))
	id, parts := storeOpenUpload(t, s, "open", []byte("y"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]func() error{
		"get":             func() error { _, _, err := s.Get(ctx, "there"); return err },
		"get a range":     func() error { _, err := s.GetRange(ctx, "there", 0, 1); return err },
		"head":            func() error { _, err := s.Head(ctx, "there"); return err },
		"list":            func() error { _, err := s.List(ctx, "", "", 1); return err },
		"put":             func() error { return s.Put(ctx, "there", []byte("z")) },
		"put if absent":   func() error { return s.PutIfAbsent(ctx, "free", []byte("z")) },
		"put if match":    func() error { return s.PutIfMatch(ctx, "there", []byte("z"), etag) },
		"delete":          func() error { return s.Delete(ctx, "there") },
		"create upload":   func() error { _, err := s.CreateUpload(ctx, "free", nil); return err },
		"upload part":     func() error { _, err := s.UploadPart(ctx, "open", id, 1, []byte("z")); return err },
		"complete upload": func() error { return s.CompleteUpload(ctx, "open", id, parts) },
		"abort upload":    func() error { return s.AbortUpload(ctx, "open", id) },
		"list uploads":    func() error { _, err := s.ListUploads(ctx, ""); return err },
	} {
		storeWantError(t, name, call(), context.Canceled)
	}
	storeWantBody(t, s, "there", []byte("x"))
	storeWantKeys(t, s, "", "", 10, "there")
	storeWantUploads(t, s, "", id)
	storeOK(t, s.CompleteUpload(within(t), "open", id, parts))
	storeWantBody(t, s, "open", []byte("y"))
}

func storeConcurrent(t *testing.T, s port.Store) {
	for _, err := range storeRace(storeWriters, func(w int) error {
		for i := range 2 {
			if err := storeLife(within(t), s, fmt.Sprintf("w%02d/", w), fmt.Appendf(nil, "body %d of %d", i, w)); err != nil {
				return err
			}
		}
		return nil
	}) {
		storeOK(t, err)
	}
	storeWantUploads(t, s, "")
}

// storeLife puts, uploads, reads and lists under a prefix of its own, and fails if it meets anything but its own.
func storeLife(ctx context.Context, s port.Store, prefix string, body []byte) error {
	if err := s.Put(ctx, prefix+"put", body); err != nil {
		return err
	}
	id, err := s.CreateUpload(ctx, prefix+"upload", nil)
	if err != nil {
		return err
	}
	part, err := s.UploadPart(ctx, prefix+"upload", id, 1, body)
	if err != nil {
		return err
	}
	if err := s.CompleteUpload(ctx, prefix+"upload", id, []port.Part{part}); err != nil {
		return err
	}
	objects, err := s.List(ctx, prefix, "", 10)
	if err != nil || len(objects) != 2 {
		return fmt.Errorf("%d objects below %s: %w", len(objects), prefix, err)
	}
	for _, o := range objects {
		got, etag, err := s.Get(ctx, o.Key)
		if err != nil || !bytes.Equal(got, body) || etag != o.ETag {
			return fmt.Errorf("%s is %q with ETag %s, listed with %s: %w", o.Key, got, etag, o.ETag, err)
		}
	}
	return nil
}
