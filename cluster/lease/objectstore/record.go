package objectstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"citystream/engine/port"
)

// record is the lease's object. Holder and sequence make each writing of it unlike every other, so that an ETag, which may follow from the
// contents alone, never comes back.
type record struct {
	port.Leader
	Holder    string `json:"holder"`    // a random number of the reign
	Sequence  int64  `json:"sequence"`  // of its writings
	TTLMillis int64  `json:"ttlMillis"` // that the holder goes by: another's configuration may differ
	Released  bool   `json:"released,omitempty"`
}

func (r record) encode() []byte {
	b, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings and numbers: cannot fail
	}
	return b
}

// A sighting is what an observer knows of the record. The zero sighting: there is none, and never was one.
type sighting struct {
	record
	etag  string    // empty if there is no record (any more)
	since time.Time // when this observer saw it like this for the first time; zero if there never was one
}

// free says that nobody holds the lease, by the record itself: there is nobody to wait for.
func (s sighting) free() bool { return s.since.IsZero() || s.etag != "" && s.Released }

// dead says that whoever held the lease cannot hold it any more, since the record has not changed for the time of the lease. Its last change
// was before this observer saw it, and the holder counts from before it sent that.
func (s sighting) dead(now time.Time) bool { return now.Sub(s.since) >= s.ttl() }

func (s sighting) ttl() time.Duration { return time.Duration(s.TTLMillis) * time.Millisecond }

// look reads the record and compares it with the last sighting. The answer is of the moment before it arrived, so that is where counting begins.
func (l *Lease) look(ctx context.Context) (sighting, error) {
	ctx, cancel := context.WithTimeout(ctx, l.ttl/2)
	defer cancel()
	rec, etag, err := l.read(ctx)
	if err != nil && !errors.Is(err, port.ErrNotFound) {
		return sighting{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil && l.seen.free():
		l.seen = sighting{}
	case err != nil && l.seen.etag != "":
		// Somebody has deleted the record of a holder that does not know yet: it gets its time to find out.
		l.seen = sighting{record: record{TTLMillis: l.seen.TTLMillis}, since: time.Now()}
	case err == nil && etag != l.seen.etag:
		l.seen = sighting{record: rec, etag: etag, since: time.Now()}
	}
	return l.seen, nil
}

// read gets the record. One that cannot be read is of a holder unknown, which gets the usual time.
func (l *Lease) read(ctx context.Context) (record, string, error) {
	body, etag, err := l.store.Get(ctx, key)
	if err != nil {
		return record{}, "", fmt.Errorf("read the lease: %w", err)
	}
	var rec record
	if err := json.Unmarshal(body, &rec); err != nil || rec.TTLMillis <= 0 {
		rec = record{TTLMillis: l.ttl.Milliseconds()}
	}
	return rec, etag, nil
}
