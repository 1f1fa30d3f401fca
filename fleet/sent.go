package fleet

// Sent is which records of a drive are in the topics already: one bit a record. A nil Sent is empty. Not safe for concurrent use
// while it is added to.
type Sent struct {
	drive Drive
	key   uint64
	bits  []uint64
	count int64
}

// NewSent returns an empty set for a valid drive.
func NewSent(d Drive) *Sent {
	records := d.Vehicles * d.MostSteps() * Kinds
	return &Sent{drive: d, key: d.key(), bits: make([]uint64, (records+63)/64)}
}

// Add takes the key of a record found in a topic, and says whether it is new and one of the drive's. Keys of other drives, fleets
// and programs are passed over.
func (s *Sent) Add(key []byte) bool {
	i, ok := parseID(key)
	if !ok {
		return false
	}
	p, ok := i.decipher(s.key)
	vehicle, step := int64(p.number)-s.drive.First, int(p.step)
	switch {
	case !ok, int64(p.drive) != s.drive.Number, vehicle < 0, vehicle >= int64(s.drive.Vehicles):
		return false
	case step < 1, step > s.drive.MostSteps(), p.kind >= Kinds:
		return false
	}
	at := s.index(int(vehicle), step, p.kind)
	if s.bits[at/64]>>(at%64)&1 == 1 {
		return false
	}
	s.bits[at/64] |= 1 << (at % 64)
	s.count++
	return true
}

// Has says whether the set has a record: of the i-th vehicle of the drive, sent with its n-th step (from 1).
func (s *Sent) Has(vehicle, step int, kind Kind) bool {
	if s == nil {
		return false
	}
	at := s.index(vehicle, step, kind)
	return s.bits[at/64]>>(at%64)&1 == 1
}

// HasAll says whether the set has all records of a step.
func (s *Sent) HasAll(vehicle, step int) bool {
	for kind := range Kind(Kinds) {
		if !s.Has(vehicle, step, kind) {
			return false
		}
	}
	return true
}

// Of says whether the set is about that drive. A nil set is about any.
func (s *Sent) Of(d Drive) bool { return s == nil || s.drive == d }

// Count returns how many records the set has.
func (s *Sent) Count() int64 {
	if s == nil {
		return 0
	}
	return s.count
}

func (s *Sent) index(vehicle, step int, kind Kind) int {
	return (vehicle*s.drive.MostSteps()+step-1)*Kinds + int(kind)
}
