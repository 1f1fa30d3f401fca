// Package reign numbers the reigns of masters.
//
// Every master begins its reign by raising a number in the object store with a conditional write: its epoch. Commands and claims
// carry it, so that the word of an older master is refused wherever a newer one's has been heard.
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
}

// Begin takes a new epoch, above that of every reign before and above the given one. A try that loses against another master, or
// whose answer is lost, is followed by another until ctx ends; a number that was taken in vain is never used.
func Begin(ctx context.Context, store port.Store, above commitlog.Epoch) (commitlog.Epoch, error) {
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		epoch, err := try(ctx, store, above)
		if err == nil {
			return epoch, nil
		}
		if errors.Is(err, port.ErrForbidden) {
			return 0, fmt.Errorf("begin a reign: %w", err)
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("begin a reign: %w", errors.Join(ctx.Err(), err))
		case <-time.After(wait/2 + rand.N(wait/2)):
		}
	}
}

func try(ctx context.Context, store port.Store, above commitlog.Epoch) (commitlog.Epoch, error) {
	body, etag, err := store.Get(ctx, key)
	if errors.Is(err, port.ErrNotFound) {
		epoch := above + 1
		return epoch, store.PutIfAbsent(ctx, key, encode(epoch))
	}
	if err != nil {
		return 0, err
	}
	var n newest
	if err := json.Unmarshal(body, &n); err != nil {
		return 0, fmt.Errorf("%s: %w", key, err)
	}
	epoch := max(n.Epoch, above) + 1
	return epoch, store.PutIfMatch(ctx, key, encode(epoch), etag)
}

func encode(e commitlog.Epoch) []byte {
	b, err := json.Marshal(newest{e})
	if err != nil {
		panic(err) // one integer: cannot fail
	}
	return b
}
