package fleet

import (
	"regexp"
	"testing"

	"pgregory.net/rapid"
)

func anyPlace(t *rapid.T) place {
	return place{
		drive:  rapid.Uint32().Draw(t, "drive"),
		number: rapid.Uint32().Draw(t, "number"),
		step:   rapid.Uint16().Draw(t, "step"),
		kind:   Kind(rapid.IntRange(0, 15).Draw(t, "kind")),
	}
}

func TestAnIDTellsItsPlaceToItsOwnSeedOnly(t *testing.T) {
	t.Parallel()
	shape := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	rapid.Check(t, func(t *rapid.T) {
		p, key := anyPlace(t), rapid.Uint64().Draw(t, "key")
		text := p.encipher(key).appendText(nil)
		if !shape.Match(text) {
			t.Fatalf("%s is no UUID of version 4", text)
		}
		i, ok := parseID(text)
		if !ok || i != p.encipher(key) {
			t.Fatalf("%s is read as %x", text, i)
		}
		if got, ok := i.decipher(key); !ok || got != p {
			t.Fatalf("%+v becomes %+v", p, got)
		}
		if got, ok := i.decipher(key + 1); ok {
			t.Fatalf("another seed takes %+v for its own %+v", p, got)
		}
	})
}

func TestWhatIsNoUUIDIsNoID(t *testing.T) {
	t.Parallel()
	good := string(place{drive: 1}.encipher(1).appendText(nil))
	for _, text := range []string{"", "x", good[1:], good + "0", "g" + good[1:], good[:8] + "0" + good[9:], good[:35] + "-"} {
		if _, ok := parseID([]byte(text)); ok {
			t.Errorf("%q is read as an id", text)
		}
	}
	for _, at := range []int{14, 19} { // version and variant
		i, ok := parseID([]byte(good[:at] + "1" + good[at+1:]))
		if !ok {
			t.Fatal("not read")
		}
		if _, ok := i.decipher(1); ok {
			t.Errorf("a UUID of another version passes for an id")
		}
	}
}

// Each bit of the place should change about half of the bits of the id: 61 of 122.
func TestNeighbouringPlacesHaveUnlikeIDs(t *testing.T) {
	t.Parallel()
	base := place{drive: 1, number: 1, step: 1}
	others := []place{
		{drive: 1, number: 1, step: 1, kind: 1}, {drive: 1, number: 1, step: 2}, {drive: 1, number: 2, step: 1}, {drive: 2, number: 1, step: 1},
	}
	for _, other := range others {
		differing := 0
		const seeds = 200
		for seed := range uint64(seeds) {
			key := Drive{Seed: seed}.key()
			a, b := base.encipher(key), other.encipher(key)
			for n := range 64 {
				differing += int((a.hi^b.hi)>>n&1) + int((a.lo^b.lo)>>n&1)
			}
		}
		if mean := float64(differing) / seeds; mean < 58 || mean > 64 {
			t.Errorf("%+v and %+v differ in %.1f bits on average", base, other, mean)
		}
	}
}

func TestIDsOfADriveAreUnique(t *testing.T) {
	t.Parallel()
	d := Drive{Number: 1, Seed: 42, Vehicles: 200, Start: noon}
	seen := map[string]bool{}
	for i := range d.Vehicles {
		for v := d.Vehicle(i); !v.Arrived(); {
			for kind, r := range v.Step(nil) {
				if seen[string(r.Key)] {
					t.Fatalf("vehicle %d, step %d, kind %d: the id %s was there before", i, v.Taken(), kind, r.Key)
				}
				seen[string(r.Key)] = true
			}
		}
	}
	if int64(len(seen)) != d.Records() {
		t.Errorf("%d ids of %d records", len(seen), d.Records())
	}
}

func TestSentKnowsTheDrivesOwnRecordsOnly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := anyDrive(t)
		sent := NewSent(d)
		i := rapid.IntRange(0, d.Vehicles-1).Draw(t, "vehicle")
		v := d.Vehicle(i)
		for range rapid.IntRange(1, min(d.MostSteps(), 99)).Draw(t, "step") - 1 {
			v.Skip()
		}
		readings := v.Step(nil)
		kind := Kind(rapid.IntRange(0, Kinds-1).Draw(t, "kind"))
		step := v.Taken()
		if sent.Has(i, step, kind) || !sent.Add(readings[kind].Key) || !sent.Has(i, step, kind) || sent.Add(readings[kind].Key) {
			t.Fatal("a record is not new the first time, or new the second")
		}
		for other := range Kind(Kinds) {
			if other != kind && sent.Has(i, step, other) {
				t.Fatal("a record stands for another")
			}
		}
		for _, stranger := range strangers(d) {
			if sent.Of(stranger) || !sent.Of(d) {
				t.Fatal("a set does not know its drive")
			}
			if w := stranger.Vehicle(i); sent.Add(w.Step(nil)[kind].Key) {
				t.Fatalf("a record of %+v passes for one of %+v", stranger, d)
			}
		}
		if sent.Add([]byte("x")) || sent.Add(nil) || sent.Count() != 1 || sent.HasAll(i, step) {
			t.Fatalf("%d records are in the set", sent.Count())
		}
		for _, r := range readings {
			sent.Add(r.Key)
		}
		if !sent.HasAll(i, step) || sent.Count() != Kinds {
			t.Fatal("the whole step is not in the set")
		}
	})
}

// strangers are drives that share all but one number with d.
func strangers(d Drive) []Drive {
	number, seed := d, d
	number.Number = d.Number%maxNumber + 1
	seed.Seed++
	elsewhere := d
	elsewhere.First = (d.First + int64(d.Vehicles)) % (maxNumber - MaxVehicles)
	out := []Drive{number, seed}
	if elsewhere.First > d.First {
		out = append(out, elsewhere)
	}
	return out
}

func TestANilSentIsEmpty(t *testing.T) {
	t.Parallel()
	var s *Sent
	if s.Has(0, 1, VehicleData) || s.HasAll(0, 1) || s.Count() != 0 || !s.Of(Drive{Number: 1}) {
		t.Error("a nil set has something")
	}
}
