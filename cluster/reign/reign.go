// Package reign numbers the reigns of masters.
//
// Every master begins its reign by raising a number in the object store with a conditional write: its epoch. Commands and claims
// carry it, so that the word of an older master is refused wherever a newer one's has been heard. A master whose workers have all ended says so when
// its reign ends: the next one then need not wait for any.
package reign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"citystream/engine/commitlog"
	"citystream/engine/port"
)

// key is where the number of the newest reign is kept.
const key = commitlog.Root + "reign.json"

type newest struct {
	Epoch commitlog.Epoch `json:"epoch"`
	Idle  bool            `json:"idle,omitempty"` // its reign has ended, and it had no workers then
}

// A Beginning is what a new reign begins with.
type Beginning struct {
	Epoch commitlog.Epoch
	Fresh bool // there was no reign before, or no worker can be left of it
}

// Begin takes a new epoch, above that of every reign before and above the given one. A try that loses against another master, or
// whose answer is lost, is followed by another until ctx ends; a number that was taken in vain is never used.
func Begin(ctx context.Context, store port.Store, above commitlog.Epoch) (Beginning, error) {
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		begun, err := try(ctx, store, above)
		if err == nil {
			return begun, nil
		}
		if errors.Is(err, port.ErrForbidden) {
			return Beginning{}, fmt.Errorf("begin a reign: %w", err)
		}
		select {
		case <-ctx.Done():
			return Beginning{}, fmt.Errorf("begin a reign: %w", errors.Join(ctx.Err(), err))
		case <-time.After(wait/2 + rand.N(wait/2)):
		}
	}
}

func try(ctx context.Context, store port.Store, above commitlog.Epoch) (Beginning, error) {
	body, etag, err := store.Get(ctx, key)
	if errors.Is(err, port.ErrNotFound) {
		epoch := above + 1
		return Beginning{epoch, true}, store.PutIfAbsent(ctx, key, encode(newest{Epoch: epoch}))
	}
	if err != nil {
		return Beginning{}, err
	}
	var n newest
	if err := json.Unmarshal(body, &n); err != nil {
		return Beginning{}, fmt.Errorf("%s: %w", key, err)
	}
	epoch := max(n.Epoch, above) + 1
	return Beginning{epoch, n.Idle}, store.PutIfMatch(ctx, key, encode(newest{Epoch: epoch}), etag)
}

// EndIdle says that the reign of an epoch has ended, and that it had no workers then. It tries once: without that word, or if another reign has
// begun since, the next one waits in vain.
func EndIdle(ctx context.Context, store port.Store, epoch commitlog.Epoch) error {
	body, etag, err := store.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("end a reign: %w", err)
	}
	var n newest
	if err := json.Unmarshal(body, &n); err != nil {
		return fmt.Errorf("end a reign: %s: %w", key, err)
	}
	if n.Epoch != epoch {
		return nil
	}
	n.Idle = true
	if err := store.PutIfMatch(ctx, key, encode(n), etag); err != nil && !errors.Is(err, port.ErrConflict) {
		return fmt.Errorf("end a reign: %w", err)
	}
	return nil
}

func encode(n newest) []byte {
	b, err := json.Marshal(n)
	if err != nil {
		panic(err) // an integer and a bool: cannot fail
	}
	return b
}
