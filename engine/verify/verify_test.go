package verify_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"citystream/engine/enginetest"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/schema"
	"citystream/engine/verify"
)

// bucket is a small bucket as citystream leaves it: one log of four slots, two windows, a dead letter and a tombstone. Tests change what is in it.
type bucket struct {
	*testing.T
	store  *enginetest.FakeStore
	source *enginetest.FakeSource
	topic  string
	grown  int64 // by how many bytes resize found the first file longer
}

// row is one row of the table cars.
type row struct {
	ID        *string `parquet:"id,optional"`
	At        *int64  `parquet:"at,optional,timestamp(microsecond)"`
	Partition *int32  `parquet:"kafka_partition,optional"`
	Offset    *int64  `parquet:"kafka_offset,optional"`
	Time      *int64  `parquet:"kafka_timestamp,optional,timestamp(microsecond)"`
}

// deadRow is one row of the dead letters.
type deadRow struct {
	Topic     *string `parquet:"topic,optional"`
	Key       []byte  `parquet:"key,optional"`
	Value     []byte  `parquet:"value,optional"`
	Error     *string `parquet:"error,optional"`
	Partition *int32  `parquet:"kafka_partition,optional"`
	Offset    *int64  `parquet:"kafka_offset,optional"`
	Time      *int64  `parquet:"kafka_timestamp,optional,timestamp(microsecond)"`
}

func pointer[T any](v T) *T { return &v }

const (
	hour     = int64(3600 * 1_000_000)
	midnight = 490_000 * hour // a window's start
)

func cars() *schema.Table {
	return &schema.Table{
		Name: "cars", Topic: "cars", Window: time.Hour, Lateness: time.Minute, MaxFuture: time.Hour, EventTime: 1,
		Columns: []schema.Column{
			{Name: "id", Type: schema.String, Paths: []schema.Path{{{Field: "id"}}}},
			{Name: "at", Type: schema.Timestamp, Unit: schema.Micros, Paths: []schema.Path{{{Field: "at"}}}, Required: true},
		},
	}
}

// The topic: offsets 0 to 3 are rows of two windows, 4 cannot be decoded, 5 is a tombstone, 6 is a late row of the first window.
var events = []int64{midnight + 1, midnight + hour + 1, midnight + 2, midnight + hour + 2, 0, 0, midnight + 3}

const kafkaTime = midnight + 5*hour

func newBucket(t *testing.T) *bucket {
	b := &bucket{T: t, store: enginetest.NewFakeStore(), source: enginetest.NewFakeSource()}
	b.source.CreateTopic("cars", 1)
	tp := record.TopicPartition{Topic: "cars"}
	for i, at := range events {
		r := record.Record{Timestamp: record.Micros(kafkaTime), Key: []byte("k"), Value: fmt.Appendf(nil, `{"id":"car-%d","at":%d}`, i, at)}
		switch i {
		case 4:
			r.Value = []byte("no json")
		case 5:
			r.Value = nil
		}
		b.source.Append(tp, r)
	}
	topics, err := b.source.Topics(t.Context(), []string{"cars"})
	if err != nil {
		t.Fatal(err)
	}
	b.topic = topics[0].ID
	b.put("_citystream/schema/"+cars().Fingerprint()+".json", cars().Canonical())
	b.entry(0, "claim", map[string]any{})
	first := b.rows("raw/cars/date=2025-11-24/hour=16/cars-00000-e000001-s000000000000-o00000000000000000000.parquet", 1, midnight, 0, 6, 0, 2)
	second := b.rows("raw/cars/date=2025-11-24/hour=17/cars-00000-e000001-s000000000000-o00000000000000000001.parquet", 1, midnight+hour, 1, 6, 1, 3)
	dead := b.dead("raw/dead_letters/date=2025-11-24/hour=21/cars-00000-e000001-s000000000000-o00000000000000000004.parquet", 1)
	b.entry(1, "flush", map[string]any{
		"files": []any{first, second, dead}, "resume": 6, "read_through": 6, "watermark": midnight + 2*hour,
		"counters": counted(4, 1, 1, first, second, dead),
	})
	late := b.rows("raw/cars/date=2025-11-24/hour=16/cars-00000-e000001-s000000000000-o00000000000000000006.parquet", 2, midnight, 6, 7, 6)
	b.entry(2, "flush", map[string]any{
		"files": []any{late}, "resume": 7, "read_through": 7, "watermark": midnight + 2*hour, "counters": counted(5, 1, 1, first, second, dead, late),
	})
	b.entry(3, "seal", map[string]any{"resume": 7, "read_through": 7, "watermark": midnight + 2*hour, "counters": counted(5, 1, 1, first, second, dead, late)})
	return b
}

func counted(rows, dead, tombstones int, files ...map[string]any) map[string]any {
	bytes := int64(0)
	for _, f := range files {
		bytes += f["bytes"].(int64)
	}
	return map[string]any{"rows": rows, "dead_letters": dead, "tombstones": tombstones, "files": len(files), "bytes": bytes}
}

func (b *bucket) put(key string, body []byte) {
	b.Helper()
	if err := b.store.Put(context.Background(), key, body); err != nil {
		b.Fatal(err)
	}
}

func (b *bucket) get(key string) []byte {
	b.Helper()
	body, _, err := b.store.Get(context.Background(), key)
	if err != nil {
		b.Fatal(err)
	}
	return body
}

func slotKey(slot int) string { return fmt.Sprintf("_citystream/log/cars/cars/0/%020d.json", slot) }

// entry writes a slot: an entry of the only owner with the given fields.
func (b *bucket) entry(slot int, kind string, fields map[string]any) {
	e := map[string]any{
		"format": 1, "id": fmt.Sprint("e", slot), "slot": slot, "kind": kind, "owner": map[string]any{"epoch": 1, "version": 1},
		"topic_id": b.topic, "fingerprint": cars().Fingerprint(), "first": 0, "resume": 0, "read_through": 0, "watermark": 0,
	}
	if slot > 0 {
		e["previous"] = fmt.Sprint("e", slot-1)
	}
	maps.Copy(e, fields)
	body, err := json.Marshal(e)
	if err != nil {
		b.Fatal(err)
	}
	b.put(slotKey(slot), body)
}

// edit changes a slot's entry.
func (b *bucket) edit(slot int, change func(e map[string]any)) {
	e := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(b.get(slotKey(slot))))
	d.UseNumber()
	if err := d.Decode(&e); err != nil {
		b.Fatal(err)
	}
	change(e)
	body, err := json.Marshal(e)
	if err != nil {
		b.Fatal(err)
	}
	b.put(slotKey(slot), body)
}

// rows writes a file of rows, and returns what an entry says of it.
func (b *bucket) rows(key string, slot int, window, from, to int64, offsets ...int64) map[string]any {
	var rows []row
	for _, o := range offsets {
		rows = append(rows, row{pointer(fmt.Sprint("car-", o)), pointer(events[o]), pointer(int32(0)), pointer(o), pointer(kafkaTime)})
	}
	return writeFile(b, key, "cars", slot, rows, window, events[offsets[0]], events[offsets[len(offsets)-1]], from, to)
}

func (b *bucket) dead(key string, slot int) map[string]any {
	rows := []deadRow{{pointer("cars"), []byte("k"), []byte("no json"), pointer("why"), pointer(int32(0)), pointer(int64(4)), pointer(kafkaTime)}}
	return writeFile(b, key, "dead_letters", slot, rows, kafkaTime, kafkaTime, kafkaTime, 4, 6)
}

func writeFile[R any](b *bucket, key, table string, slot int, rows []R, window, low, high, from, to int64) map[string]any {
	var body bytes.Buffer
	w := parquet.NewGenericWriter[R](&body)
	for k, v := range map[string]string{
		"table": table, "topic": "cars", "partition": "0", "log": "cars/cars/0", "slot": fmt.Sprint(slot), "offset.from": fmt.Sprint(from), "offset.to": fmt.Sprint(to),
	} {
		w.SetKeyValueMetadata("citystream."+k, v)
	}
	if _, err := w.Write(rows); err != nil {
		b.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	b.put(key, body.Bytes())
	return map[string]any{
		"parts": []any{map[string]any{"size": body.Len(), "crc32": base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body.Bytes())))}},
		"table": table, "key": key, "upload": "u", "rows": len(rows), "bytes": int64(body.Len()), "window": window, "event_min": low, "event_max": high, "from": from, "to": to,
	}
}

// resize makes the log agree with the length of the first file, which was written anew.
func (b *bucket) resize(file map[string]any) {
	for slot := 1; slot <= 3; slot++ {
		b.edit(slot, func(e map[string]any) {
			c := e["counters"].(map[string]any)
			before, err := c["bytes"].(json.Number).Int64()
			if err != nil {
				b.Fatal(err)
			}
			if slot == 1 {
				old, err := files(e)[0].(map[string]any)["bytes"].(json.Number).Int64()
				if err != nil {
					b.Fatal(err)
				}
				b.grown = file["bytes"].(int64) - old
				set(files(e)[0], "bytes", file["bytes"])
				set(files(e)[0], "parts", file["parts"])
			}
			c["bytes"] = before + b.grown
		})
	}
}

func (b *bucket) verify(withKafka bool, state *verify.State) *verify.Report {
	b.Helper()
	o := verify.Options{Store: b.store, RawPrefix: "raw", State: state}
	if withKafka {
		o.Source = b.source
	}
	r, err := verify.Run(context.Background(), o)
	if err != nil {
		b.Fatal(err)
	}
	return r
}

func TestABucketInOrderIsProved(t *testing.T) {
	for _, withKafka := range []bool{false, true} {
		r := newBucket(t).verify(withKafka, nil)
		if !r.Proved || len(r.Violations) > 0 || len(r.Logs) != 1 {
			t.Fatalf("%+v", r)
		}
		l := r.Logs[0]
		if l.Entries != 4 || l.Files != 4 || l.Rows != 5 || l.DeadLetters != 1 || l.Resume != 7 || withKafka && l.Compared != 6 {
			t.Errorf("%+v", l)
		}
	}
}

const (
	firstFile = "raw/cars/date=2025-11-24/hour=16/cars-00000-e000001-s000000000000-o00000000000000000000.parquet"
	lateFile  = "raw/cars/date=2025-11-24/hour=16/cars-00000-e000001-s000000000000-o00000000000000000006.parquet"
)

// files returns the files of an entry that is being edited.
func files(e map[string]any) []any { return e["files"].([]any) }

func set(file any, key string, value any) { file.(map[string]any)[key] = value }

func TestEachViolationIsFoundAndNamed(t *testing.T) {
	for name, c := range map[string]struct {
		change    func(b *bucket)
		withKafka bool
		invariant string
		names     string // a part of what is said
	}{
		"a slot is missing": {func(b *bucket) { _ = b.store.Delete(b.Context(), slotKey(1)) }, false, "I1", "slot 1 - the slot is missing"},
		"a slot holds another's entry": {func(b *bucket) {
			b.put(slotKey(2), b.get(slotKey(1)))
		}, false, "I1", "holds the entry of slot 1"},
		"an entry hangs on another chain": {func(b *bucket) { b.edit(2, func(e map[string]any) { e["previous"] = "x" }) }, false, "I1", `follows entry "x"`},
		"an older owner writes": {func(b *bucket) {
			b.edit(3, func(e map[string]any) { e["owner"] = map[string]any{"epoch": 0, "version": 9} })
		}, false, "I1", "epoch 0, version 9"},
		"a new owner writes without a claim": {func(b *bucket) {
			b.edit(3, func(e map[string]any) { e["owner"] = map[string]any{"epoch": 2, "version": 1} })
		}, false, "I1", "without a claim"},
		"an object is among the slots": {func(b *bucket) { b.put("_citystream/log/cars/cars/0/x", nil) }, false, "I1", "no slot"},
		"a file is deleted":            {func(b *bucket) { _ = b.store.Delete(b.Context(), firstFile) }, false, "I2", firstFile},
		"a file of the last entry is deleted": {func(b *bucket) {
			_ = b.store.Delete(b.Context(), slotKey(3))
			_ = b.store.Delete(b.Context(), lateFile)
		}, false, "I2", "neither it nor its upload exists"},
		"a file is written over": {func(b *bucket) { b.put(firstFile, b.get(lateFile)) }, false, "I6", firstFile},
		"a file is truncated":    {func(b *bucket) { b.put(firstFile, b.get(firstFile)[:200]) }, false, "I6", "200 bytes"},
		"a bit of a file is another": {func(b *bucket) {
			body := slices.Clone(b.get(firstFile))
			body[len(body)/3] ^= 1
			b.put(firstFile, body)
		}, false, "I6", "checksum"},
		"a file has another offset": {func(b *bucket) {
			b.resize(b.rows(firstFile, 1, midnight, 0, 6, 0, 3))
		}, false, "I6", "lies outside of its file's window"},
		"a record is in two files": {func(b *bucket) {
			b.resize(b.rows(firstFile, 1, midnight, 0, 6, 0, 0))
		}, false, "I3", "offset 0 "},
		"a range overlaps the one before it": {func(b *bucket) {
			b.edit(2, func(e map[string]any) { set(files(e)[0], "from", 5) })
		}, false, "I4", "begins below 6"},
		"an entry's range is shifted": {func(b *bucket) {
			b.edit(1, func(e map[string]any) { set(files(e)[0], "from", 1) })
		}, false, "I6", "citystream.offset.from"},
		"the resume offset goes back": {func(b *bucket) {
			b.edit(3, func(e map[string]any) { e["resume"], e["read_through"] = 5, 5 })
		}, false, "I5", "goes back"},
		"rows are counted wrong": {func(b *bucket) {
			b.edit(3, func(e map[string]any) { e["counters"].(map[string]any)["rows"] = 4 })
		}, false, "I3", "counters grow by -1 rows"},
		"an offset is not accounted for": {func(b *bucket) {
			for slot := 1; slot <= 3; slot++ {
				b.edit(slot, func(e map[string]any) { e["counters"].(map[string]any)["tombstones"] = 0 })
			}
		}, false, "I3", "6 offsets were read"},
		"the log begins with something else than a claim": {func(b *bucket) { b.edit(0, func(e map[string]any) { e["kind"] = "flush" }) }, false, "I3", "begins with a claim"},
		"two entries have one id": {func(b *bucket) {
			b.edit(2, func(e map[string]any) { e["id"] = "e1" })
			b.edit(3, func(e map[string]any) { e["previous"] = "e1" })
		}, false, "I1", "same id"},
		"another worker of the same epoch writes without a claim": {func(b *bucket) {
			b.edit(3, func(e map[string]any) { e["owner"] = map[string]any{"epoch": 1, "version": 1, "worker": "other"} })
		}, false, "I1", "without a claim"},
		"an owner names another's claim": {func(b *bucket) { b.edit(3, func(e map[string]any) { e["claim"] = 2 }) }, false, "I1", "claimed in slot 2"},
		"a counter goes back": {func(b *bucket) {
			b.count(1, func(c map[string]any) { c["late_dropped"], c["gaps"] = -1, 1 })
		}, false, "I5", "a counter goes back"},
		"a loss is counted and not named":   {func(b *bucket) { b.count(1, func(c map[string]any) { c["lost"] = 1 }) }, false, "I3", "losses of 0"},
		"more is counted than was read":     {func(b *bucket) { b.count(1, func(c map[string]any) { c["gaps"] = 1000 }) }, false, "I3", "1000 gaps"},
		"a tombstone is counted as a gap":   {func(b *bucket) { b.count(1, func(c map[string]any) { c["tombstones"], c["gaps"] = 0, 1 }) }, true, "I3", "Kafka has 1"},
		"a window's flushed offset is gone": {func(b *bucket) { b.edit(2, func(e map[string]any) { e["resume"] = 6 }) }, false, "I4", "flushed through 0"},
		"a window's flushed offset has no files": {func(b *bucket) {
			b.edit(2, func(e map[string]any) {
				e["resume"], e["windows"] = 6, []any{flushed(midnight, 7), flushed(midnight+hour, 7)}
			})
		}, false, "I4", "has no such file"},
		"a file lies in another Hive partition": {func(b *bucket) { b.move(strings.Replace(firstFile, "hour=16", "hour=15", 1)) }, false, "I6", "Hive partition"},
		"a file lies outside of the tables":     {func(b *bucket) { b.move("elsewhere/x.parquet") }, false, "I6", "Hive partition"},
		"an entry has no checksums": {func(b *bucket) {
			b.edit(1, func(e map[string]any) { set(files(e)[0], "parts", []any{}) })
		}, false, "I6", "checksums of 0 bytes"},
		"a file has offsets below 0": {func(b *bucket) {
			r := row{pointer("x"), pointer(events[0]), pointer(int32(0)), pointer(int64(-500)), pointer(kafkaTime)}
			b.resize(writeFile(b, firstFile, "cars", 1, []row{r, r}, midnight, events[0], events[0], 0, 6))
		}, false, "I4", "outside of its file's range"},
		"a window was closed before its rows": {func(b *bucket) {
			b.edit(0, func(e map[string]any) { e["watermark"], e["read_through"] = midnight+hour, 1 })
		}, false, "I10", "closed the window"},
		"a stray file": {func(b *bucket) { b.put("raw/cars/date=2025-11-24/hour=16/copy.parquet", b.get(firstFile)) }, false, "files", "copy.parquet"},
		"a value is not the record's": {func(b *bucket) {
			b.source.DeleteTopic("cars")
			b.source.CreateTopic("cars", 1)
		}, true, "I5", "does not have the topic"},
		"Kafka has a record more": {func(b *bucket) {
			b.edit(1, func(e map[string]any) {
				e["files"] = files(e)[1:]
			})
			_ = b.store.Delete(b.Context(), firstFile)
		}, true, "I3", "offset 0"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBucket(t)
			c.change(b)
			r := b.verify(c.withKafka, nil)
			if r.Proved || r.Count == 0 {
				t.Fatal("it was proved")
			}
			for _, v := range r.Violations {
				if v.Invariant == c.invariant && strings.Contains(strings.ReplaceAll(v.String(), "offsets 0 to 0", "offset 0"), c.names) {
					return
				}
			}
			t.Errorf("not named: %s, %q\n%v", c.invariant, c.names, r.Violations)
		})
	}
}

// count changes the counters of a slot and of those after it.
func (b *bucket) count(from int, change func(counters map[string]any)) {
	for slot := from; slot <= 3; slot++ {
		b.edit(slot, func(e map[string]any) { change(e["counters"].(map[string]any)) })
	}
}

// move takes the first file elsewhere, and says so in its entry.
func (b *bucket) move(key string) {
	b.put(key, b.get(firstFile))
	if err := b.store.Delete(context.Background(), firstFile); err != nil {
		b.Fatal(err)
	}
	b.edit(1, func(e map[string]any) { set(files(e)[0], "key", key) })
}

// flushed is a window as an entry names it.
func flushed(start, through int64) map[string]any {
	return map[string]any{"start": start, "flushed_through": through}
}

func TestAWindowAboveTheResumeOffsetIsInOrderWhereItsFilesAre(t *testing.T) {
	b := newBucket(t)
	b.edit(2, func(e map[string]any) { e["resume"], e["windows"] = 6, []any{flushed(midnight, 7)} })
	if r := b.verify(true, nil); !r.Proved {
		t.Error(r.Violations)
	}
}

func TestNothingIsNoProof(t *testing.T) {
	_, err := verify.Run(t.Context(), verify.Options{Store: enginetest.NewFakeStore(), RawPrefix: "raw"})
	if !errors.Is(err, verify.ErrNothing) {
		t.Error(err)
	}
}

func TestAnEntryOfANewerProgramIsNotGuessedAt(t *testing.T) {
	b := newBucket(t)
	b.edit(3, func(e map[string]any) { e["format"] = 99 })
	if _, err := verify.Run(t.Context(), verify.Options{Store: b.store, RawPrefix: "raw"}); err == nil || !strings.Contains(err.Error(), "newer version") {
		t.Error(err)
	}
}

func TestATableMayBeCalledLikeLateRows(t *testing.T) {
	b := newBucket(t)
	table := cars()
	table.Name = "cars_late"
	b.put("_citystream/schema/"+table.Fingerprint()+".json", table.Canonical())
	for slot := range 4 {
		b.edit(slot, func(e map[string]any) {
			e["fingerprint"] = table.Fingerprint()
			if slot != 1 {
				return
			}
			set(files(e)[0], "table", "cars_late")
		})
		b.put(strings.Replace(slotKey(slot), "log/cars/", "log/cars_late/", 1), b.get(slotKey(slot)))
		if err := b.store.Delete(t.Context(), slotKey(slot)); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range b.verify(false, nil).Violations {
		if v.File == firstFile && strings.Contains(v.What, "in this log") {
			t.Error(v)
		}
	}
}

func TestAnOnTimeRecordMustNotBeDropped(t *testing.T) {
	for name, watermark := range map[string]int64{"late": midnight + hour, "on time": 0} {
		b := newBucket(t)
		table := cars()
		table.Late = schema.Drop
		b.put("_citystream/schema/"+table.Fingerprint()+".json", table.Canonical())
		for slot := range 4 {
			b.edit(slot, func(e map[string]any) { e["fingerprint"] = table.Fingerprint() })
		}
		drop := func(e map[string]any) { // the late row at offset 6
			c := e["counters"].(map[string]any)
			c["rows"], c["late_dropped"], c["files"] = 4, 1, 3
			c["bytes"] = json.Number(fmt.Sprint(b.bytesOf(1)))
			delete(e, "files")
		}
		b.edit(2, drop)
		b.edit(3, drop)
		for slot := 1; slot <= 3; slot++ {
			b.edit(slot, func(e map[string]any) { e["watermark"] = watermark })
		}
		if err := b.store.Delete(t.Context(), lateFile); err != nil {
			t.Fatal(err)
		}
		if r := b.verify(true, nil); r.Proved != (name == "late") {
			t.Errorf("%s: proved %t: %v", name, r.Proved, r.Violations)
		}
	}
}

// bytesOf returns how many bytes a slot has counted.
func (b *bucket) bytesOf(slot int) (n int64) {
	b.edit(slot, func(e map[string]any) {
		var err error
		if n, err = e["counters"].(map[string]any)["bytes"].(json.Number).Int64(); err != nil {
			b.Fatal(err)
		}
	})
	return n
}

// hooked is a store in which something happens before the first call of a kind.
type hooked struct {
	*enginetest.FakeStore
	list, get string // prefix of a listing, key of a get
	happens   func()
}

func (s *hooked) happen(now bool) {
	if f := s.happens; now && f != nil {
		s.happens = nil
		f()
	}
}

func (s *hooked) List(ctx context.Context, prefix, after string, limit int) ([]port.Object, error) {
	s.happen(s.list != "" && strings.HasPrefix(prefix, s.list))
	return s.FakeStore.List(ctx, prefix, after, limit)
}

func (s *hooked) Get(ctx context.Context, key string) ([]byte, string, error) {
	s.happen(s.get == key)
	return s.FakeStore.Get(ctx, key)
}

func (s *hooked) ListUploads(ctx context.Context, prefix string) ([]port.Upload, error) {
	s.happen(s.list == "" && s.get == "")
	return s.FakeStore.ListUploads(ctx, prefix)
}

func TestWhatHappensMeanwhileIsNoViolation(t *testing.T) {
	newer := strings.Replace(lateFile, "o00000000000000000006", "o00000000000000000007", 1)
	for name, at := range map[string]func(b *bucket) *hooked{
		"an entry is written": func(b *bucket) *hooked {
			return &hooked{list: "raw/", happens: func() {
				b.put(newer, b.get(lateFile))
				b.entry(4, "flush", map[string]any{"files": []any{map[string]any{"table": "cars", "key": newer}}})
			}}
		},
		"a log is begun": func(b *bucket) *hooked {
			return &hooked{list: "raw/", happens: func() {
				b.put(newer, b.get(lateFile))
				b.put(strings.Replace(slotKey(0), "/cars/0/", "/cars/1/", 1), fmt.Appendf(nil, `{"files":[{"table":"cars","key":%q}]}`, newer))
			}}
		},
		"slots are deleted": func(b *bucket) *hooked {
			return &hooked{get: slotKey(0), happens: func() {
				b.put("_citystream/low/cars/cars/0.json", []byte(`{"low":2}`))
				_ = b.store.Delete(context.Background(), slotKey(0))
				_ = b.store.Delete(context.Background(), slotKey(1))
			}}
		},
		"the last entry's file is completed": func(b *bucket) *hooked {
			body := b.get(lateFile)
			_ = b.store.Delete(context.Background(), slotKey(3))
			_ = b.store.Delete(context.Background(), lateFile)
			return &hooked{happens: func() { b.put(lateFile, body) }}
		},
		"a file is completed and the next slot is written": func(b *bucket) *hooked {
			body := b.get(lateFile)
			_ = b.store.Delete(context.Background(), lateFile)
			return &hooked{get: slotKey(3), happens: func() { b.put(lateFile, body) }}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBucket(t)
			s := at(b)
			s.FakeStore = b.store
			r, err := verify.Run(t.Context(), verify.Options{Store: s, RawPrefix: "raw"})
			if err != nil || !r.Proved || s.happens != nil {
				t.Errorf("%v, happened %t: %+v", err, s.happens == nil, r)
			}
		})
	}
}

func TestAStateOfFilesAloneIsNoProofOfRecords(t *testing.T) {
	b := newBucket(t)
	rows := []row{
		{pointer("car-0"), pointer(events[0]), pointer(int32(0)), pointer(int64(0)), pointer(kafkaTime)},
		{pointer("car-9"), pointer(events[2]), pointer(int32(0)), pointer(int64(2)), pointer(kafkaTime)},
	}
	b.resize(writeFile(b, firstFile, "cars", 1, rows, midnight, events[0], events[2], 0, 6))
	state, err := verify.OpenState(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	if r := b.verify(false, state); !r.Proved {
		t.Fatal(r.Violations)
	}
	if r := b.verify(true, state); r.Proved {
		t.Error("the records were not looked at")
	}
}

func TestAChangedValueIsFoundInComparisonWithKafka(t *testing.T) {
	b := newBucket(t)
	rows := []row{
		{pointer("car-0"), pointer(events[0]), pointer(int32(0)), pointer(int64(0)), pointer(kafkaTime)},
		{pointer("car-9"), pointer(events[2]), pointer(int32(0)), pointer(int64(2)), pointer(kafkaTime)},
	}
	b.resize(writeFile(b, firstFile, "cars", 1, rows, midnight, events[0], events[2], 0, 6))
	if r := b.verify(false, nil); !r.Proved {
		t.Fatalf("the files alone do not show it: %v", r.Violations)
	}
	r := b.verify(true, nil)
	if r.Count != 1 || !strings.Contains(r.Violations[0].String(), "column id is car-9, the record says car-2") || r.Violations[0].From != 2 {
		t.Errorf("%v", r.Violations)
	}
}

func TestAnUploadOfTheLastEntryMayStillBeOpen(t *testing.T) {
	b := newBucket(t)
	for _, key := range []string{slotKey(3), lateFile} {
		if err := b.store.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	id, err := b.store.CreateUpload(t.Context(), lateFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.edit(2, func(e map[string]any) { set(files(e)[0], "upload", id) })
	if r := b.verify(true, nil); !r.Proved || r.Logs[0].Pending != 1 {
		t.Errorf("%+v", r)
	}
}

func TestWhatTheLogSaysIsLostNeedNotBeThere(t *testing.T) {
	b := newBucket(t)
	if err := b.store.Delete(t.Context(), lateFile); err != nil {
		t.Fatal(err)
	}
	b.edit(3, func(e map[string]any) {
		e["lost"] = []any{map[string]any{"from": 6, "to": 7, "key": lateFile, "rows": 1}}
		e["counters"].(map[string]any)["lost"] = 1
	})
	if r := b.verify(true, nil); !r.Proved || r.Logs[0].Lost != 1 {
		t.Errorf("%+v", r)
	}
}

func TestSlotsBelowLowAreNotLookedAt(t *testing.T) {
	b := newBucket(t)
	b.put("_citystream/low/cars/cars/0.json", []byte(`{"low":2}`))
	for slot := range 2 {
		if err := b.store.Delete(t.Context(), slotKey(slot)); err != nil {
			t.Fatal(err)
		}
	}
	r := b.verify(true, nil)
	if !r.Proved || r.OldFiles != 3 || r.Logs[0].Entries != 2 {
		t.Errorf("%+v", r)
	}
}

func TestAnInterruptedRunGoesOnAndReadsOnlyWhatIsNew(t *testing.T) {
	b := newBucket(t)
	path := filepath.Join(t.TempDir(), "state")
	state, err := verify.OpenState(path)
	if err != nil {
		t.Fatal(err)
	}
	if r := b.verify(true, state); !r.Proved {
		t.Fatalf("%v", r.Violations)
	}
	if err := state.Save(); err != nil {
		t.Fatal(err)
	}
	if state, err = verify.OpenState(path); err != nil {
		t.Fatal(err)
	}
	b.put(firstFile, make([]byte, len(b.get(firstFile)))) // nobody reads it
	r := b.verify(true, state)
	if !r.Proved || !r.Logs[0].Unchanged {
		t.Errorf("%+v", r)
	}
	b.put(firstFile, b.get(firstFile)[:200])
	if r := b.verify(true, state); r.Proved {
		t.Error("a file that was cut off is proved")
	}
	if err := b.store.Delete(t.Context(), firstFile); err != nil {
		t.Fatal(err)
	}
	if r := b.verify(true, state); r.Proved {
		t.Error("a file that is gone is proved")
	}
}

// The record at offset 6 is in no file; the log counts it as a gap. Kafka has it.
func TestARecordBehindAFetchThatPassedAnEntryIsLookedFor(t *testing.T) {
	b := newBucket(t)
	for _, slot := range []int{2, 3} {
		b.edit(slot, func(e map[string]any) {
			var c map[string]any
			b.edit(1, func(one map[string]any) { c = one["counters"].(map[string]any) })
			c["gaps"] = 1
			e["counters"] = c
			delete(e, "files")
		})
	}
	if err := b.store.Delete(t.Context(), lateFile); err != nil {
		t.Fatal(err)
	}
	if r := b.verify(true, nil); r.Proved {
		t.Error("a lost record was proved to be there")
	}
}
