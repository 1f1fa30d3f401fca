package actors

import (
	"context"
	"encoding/json"
	"fmt"

	"citystream/engine/commitlog"
	"citystream/engine/port"
)

// low is the object at Log.LowKey: slots below it do not count, and are deleted or about to be.
type low struct {
	Low commitlog.Slot `json:"low"`
}

// readLow returns the first slot of a log that counts: 0 as long as none was deleted.
func readLow(ctx context.Context, store port.Store, log commitlog.Log) (commitlog.Slot, error) {
	body, _, err := store.Get(ctx, log.LowKey())
	if isNotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var l low
	if err := json.Unmarshal(body, &l); err != nil {
		return 0, fmt.Errorf("%s: %w", log.LowKey(), err)
	}
	return l.Low, nil
}
