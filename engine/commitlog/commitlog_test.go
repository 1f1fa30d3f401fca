package commitlog

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"citystream/engine/port"
	"citystream/engine/record"
)

var orders = Log{Table: "orders", TopicPartition: record.TopicPartition{Topic: "orders.v1", Partition: 3}}

func TestSlotsSortAsTheirKeysAndAreReadBackFromThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Slot(rapid.Int64Range(0, 1<<62).Draw(t, "a"))
		b := Slot(rapid.Int64Range(0, 1<<62).Draw(t, "b"))
		if (a < b) != (orders.Key(a) < orders.Key(b)) {
			t.Fatalf("%d and %d sort differently from their keys", a, b)
		}
		if got, ok := orders.SlotOf(orders.Key(a)); !ok || got != a {
			t.Fatalf("slot %d came back as %d, %v", a, got, ok)
		}
	})
}

func TestKeysThatAreNoSlotsAreRefused(t *testing.T) {
	for _, key := range []string{
		"", orders.Prefix(), orders.Prefix() + "7.json", orders.Prefix() + "0000000000000000000x.json",
		orders.Prefix() + "-0000000000000000001.json", orders.HintKey(),
		Log{Table: "orders", TopicPartition: record.TopicPartition{Topic: "orders.v1", Partition: 33}}.Key(1),
	} {
		if s, ok := orders.SlotOf(key); ok {
			t.Errorf("%q was read as slot %d", key, s)
		}
	}
}

func TestAnEntryComesBackFromItsBytes(t *testing.T) {
	e := &Entry{
		Format: Format, ID: "e7", Previous: "e6", Slot: 7, Kind: Flush, Reason: ReasonAge, Owner: Owner{2, 5, "w1", "i1"}, Written: 12,
		TopicID: "t", Fingerprint: "f",
		Files: []File{{Table: "orders", Key: "k", Upload: "u", Parts: []port.Part{{Number: 1, ETag: "x", CRC32: "c", SizeBytes: 9}}, Rows: 2, From: 3, To: 9}},
		State: State{First: 1, Resume: 4, ReadThrough: 9, LeaderEpoch: 2, Watermark: 77, Windows: []WindowState{{Start: 3600, FlushedThrough: 9}}},
	}
	got, err := Decode(7, e.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(e, got); d != "" {
		t.Fatal(d)
	}
}

func TestWhatIsNotTheSlotsEntryIsRefused(t *testing.T) {
	whole := (&Entry{Format: Format, ID: "a", Slot: 4}).Encode()
	newer := (&Entry{Format: Format + 1, ID: "a", Slot: 4}).Encode()
	for name, c := range map[string]struct {
		slot Slot
		b    []byte
	}{
		"cut off":            {4, whole[:len(whole)-1]},
		"of another slot":    {5, whole},
		"of a newer format":  {4, newer},
		"without an id":      {4, (&Entry{Format: Format, Slot: 4}).Encode()},
		"something else":     {0, []byte(`{"hello":1}`)},
		"nothing":            {0, nil},
		"without any format": {4, (&Entry{ID: "a", Slot: 4}).Encode()},
	} {
		if _, err := Decode(c.slot, c.b); err == nil {
			t.Errorf("an entry %s was accepted", name)
		}
	}
}

func TestAClaim(t *testing.T) {
	last := func(change func(*Entry)) *Entry {
		e := &Entry{
			Format: Format, ID: "e9", Slot: 9, Kind: Flush, Owner: Owner{Epoch: 3, Version: 4, Worker: "old"}, TopicID: "t1", Fingerprint: "old",
			Files: []File{{Key: "k"}},
			State: State{First: 5, Resume: 40, ReadThrough: 50, LeaderEpoch: 7, Watermark: 99, Windows: []WindowState{{3600, 45}}, Counters: Counters{Rows: 30}},
		}
		if change != nil {
			change(e)
		}
		return e
	}
	ground := Ground{Owner: Owner{Epoch: 3, Version: 5, Worker: "new"}, ID: "mine", Now: 1, TopicID: "t1", Fingerprint: "new", Start: 17}

	t.Run("of an empty log fixes where reading begins", func(t *testing.T) {
		c, err := NextClaim(nil, ground)
		if err != nil || c.Slot != 0 || c.First != 17 || c.Resume != 17 || c.ReadThrough != 17 || c.Fingerprint != "new" {
			t.Fatalf("%+v, %v", c, err)
		}
	})
	t.Run("carries the state over and leaves the files behind", func(t *testing.T) {
		l := last(nil)
		c, err := NextClaim(l, ground)
		if err != nil {
			t.Fatal(err)
		}
		if c.Slot != 10 || c.Previous != "e9" || len(c.Files) != 0 || c.Owner.Worker != "new" || c.Kind != Claim {
			t.Fatalf("%+v", c)
		}
		if d := cmp.Diff(l.State, c.State); d != "" {
			t.Fatal(d)
		}
	})
	t.Run("keeps the old fingerprint while records under it are to be read again", func(t *testing.T) {
		c, _ := NextClaim(last(nil), ground)
		if c.Fingerprint != "old" {
			t.Fatal(c.Fingerprint)
		}
	})
	t.Run("takes the new fingerprint where nothing is to be read again", func(t *testing.T) {
		c, _ := NextClaim(last(func(e *Entry) { e.Resume = e.ReadThrough }), ground)
		if c.Fingerprint != "new" {
			t.Fatal(c.Fingerprint)
		}
	})
	for name, change := range map[string]func(*Entry){
		"yields to a newer epoch":   func(e *Entry) { e.Owner = Owner{Epoch: 4, Version: 0} },
		"yields to a newer version": func(e *Entry) { e.Owner = Owner{Epoch: 3, Version: 6} },
	} {
		t.Run(name, func(t *testing.T) {
			var superseded *SupersededError
			if _, err := NextClaim(last(change), ground); !errors.As(err, &superseded) {
				t.Fatal(err)
			}
		})
	}
	t.Run("is refused when the topic was made again", func(t *testing.T) {
		var changed *TopicChangedError
		if _, err := NextClaim(last(func(e *Entry) { e.TopicID = "t0" }), ground); !errors.As(err, &changed) {
			t.Fatal(err)
		}
	})
}

func TestReadBack(t *testing.T) {
	mine := &Entry{ID: "mine", Slot: 4, Owner: Owner{Worker: "w"}}
	for name, c := range map[string]struct {
		found *Entry
		want  Outcome
	}{
		"free slot":                     {nil, Again},
		"own entry: the reply was lost": {&Entry{ID: "mine"}, Won},
		"other owner":                   {&Entry{ID: "x", Owner: Owner{Worker: "v"}}, Lost},
		"own worker, another entry":     {&Entry{ID: "older", Owner: Owner{Worker: "w"}}, Lost},
	} {
		if got := ReadBack(mine, c.found); got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
}

func TestAFilesKeyNamesItsHivePartitionAndOwner(t *testing.T) {
	got := orders.FileKey("raw", "orders", 2, 9, record.Micros(1763791200*1_000_000), 1234)
	want := "raw/orders/date=2025-11-22/hour=06/orders.orders.v1-00003-e000002-s000000000009-o00000000000000001234.parquet"
	if got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}
