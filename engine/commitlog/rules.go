package commitlog

import (
	"fmt"
	"slices"

	"citystream/engine/record"
)

// Ground is what a new owner knows before its claim: who it is, and how the topic stands.
type Ground struct {
	Owner       Owner
	ID          string // for the claim
	Now         record.Micros
	TopicID     string
	Fingerprint string        // of the table as configured
	Start       record.Offset // where a log without entries begins
	Kept        record.Offset // Kafka's log begins here; what the commit log still wants below is lost
	Lost        []Loss        // files of the last entry that are gone for good
}

// A SupersededError says that the log belongs to a newer owner. The holder of the older assignment gives the partition up.
type SupersededError struct {
	By Owner
}

func (e *SupersededError) Error() string {
	return fmt.Sprintf("the log belongs to %s of epoch %d, version %d", e.By.Worker, e.By.Epoch, e.By.Version)
}

// A TopicChangedError says that the topic was deleted and made again: its offsets mean other records now.
type TopicChangedError struct {
	Logged, Found string
}

func (e *TopicChangedError) Error() string {
	return fmt.Sprintf("the topic was deleted and made again (id %s in the log, %s in Kafka): its offsets no longer mean the same records",
		e.Logged, e.Found)
}

// NextClaim returns the claim that takes a log over whose last entry is last, nil for an empty log. The caller has completed the
// files of last before (I2), and writes the claim with a conditional create.
//
// The state is carried over unchanged. The fingerprint changes only where nothing is left to be read under the old one (the resume
// offset has reached the read-through offset), so that a record that is read again is always judged as it was the first time. Only
// where Kafka has lost what was to be read next does the state move on, and the claim says from where to where.
func NextClaim(last *Entry, g Ground) (*Entry, error) {
	claim := &Entry{
		Format: Format, ID: g.ID, Kind: Claim, Reason: ReasonTakeover, Owner: g.Owner,
		Written: g.Now, TopicID: g.TopicID, Fingerprint: g.Fingerprint,
	}
	if last == nil {
		claim.State = State{First: g.Start, Resume: g.Start, ReadThrough: g.Start, LeaderEpoch: -1}
		return claim, nil
	}
	if last.Owner.Supersedes(g.Owner) {
		return nil, &SupersededError{By: last.Owner}
	}
	if last.TopicID != g.TopicID {
		return nil, &TopicChangedError{Logged: last.TopicID, Found: g.TopicID}
	}
	claim.Slot = last.Slot + 1
	claim.Previous = last.ID
	claim.Claim = claim.Slot
	claim.State = last.State
	claim.giveUp(g)
	if claim.Resume < claim.ReadThrough {
		claim.Fingerprint = last.Fingerprint
	}
	return claim, nil
}

// giveUp writes down what is lost, and moves the state over offsets that Kafka no longer has.
func (e *Entry) giveUp(g Ground) {
	e.Lost = slices.Clone(g.Lost)
	if e.Resume < g.Kept {
		e.Lost = append(e.Lost, Loss{From: e.Resume, To: g.Kept})
		e.Resume, e.ReadThrough = g.Kept, max(e.ReadThrough, g.Kept)
		e.Windows = slices.DeleteFunc(slices.Clone(e.Windows), func(w WindowState) bool { return w.FlushedThrough <= e.Resume })
	}
	for _, l := range e.Lost {
		e.Counters.Lost += l.Count()
	}
}

// Count returns how many records a loss counts for: the rows of a file, else the offsets.
func (l Loss) Count() int64 {
	if l.Key != "" {
		return l.Rows
	}
	return int64(l.To - l.From)
}

// An Outcome is what a read-back of a slot says of a write whose answer was lost or was a refusal.
type Outcome uint8

// The outcomes.
const (
	Again Outcome = iota // the slot is free: write the same bytes again
	Won                  // the own entry is there: only its answer was lost
	Lost                 // another entry is there, be it an older one of one's own: start again from the log
)

// ReadBack decides what became of the write of mine, given what its slot holds (nil: nothing).
//
// A refused write (412, 409) is treated like one without an answer: the own earlier try may have been the one that won. While a write
// is unresolved no other entry is formed, so an own entry with another id is a stranger too.
func ReadBack(mine, found *Entry) Outcome {
	switch {
	case found == nil:
		return Again
	case found.ID == mine.ID:
		return Won
	default:
		return Lost
	}
}
