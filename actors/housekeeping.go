package actors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"citystream/engine/commitlog"
	"citystream/engine/port"
)

// Housekeeping takes away what nobody needs any more: slots that are old and registered, and uploads that no owner can complete. One
// catalog does it; a second one for a while does the same, and no harm. The store's own clock says what is old.
//
// Deleting a slot makes it look free. So the low object is raised before, and whoever writes a slot looks at it afterwards; and slots younger than a
// day stay in any case, for a signed request lives shorter.

const (
	slotAgeMin   = 24 * time.Hour
	uploadAgeMin = time.Hour // younger uploads are left alone, though they may be orphans
)

// clockKey is an object that is written only to see the store's time.
const clockKey = commitlog.Root + "clock"

// housekeeper keeps the house. One goroutine uses it at a time.
type housekeeper struct {
	node  *Node
	board *board
	last  time.Time
}

// round goes through all logs that are registered, if it is time again.
func (h *housekeeper) round(ctx context.Context) outcome {
	logs := h.board.logs()
	if len(logs) == 0 || h.node.Housekeeping == 0 || time.Since(h.last) < h.node.Housekeeping {
		return outcome{}
	}
	return h.keep(ctx, logs)
}

// keep goes through logs. One that cannot be kept does not stop the others.
func (h *housekeeper) keep(ctx context.Context, logs []commitlog.Log) (o outcome) {
	now, err := storeTime(ctx, h.node.Store)
	if err != nil {
		return outcome{err: err}
	}
	uploads, err := h.node.Store.ListUploads(ctx, h.node.RawPrefix+"/")
	if err != nil {
		return outcome{err: fmt.Errorf("list open uploads: %w", err)}
	}
	for _, log := range logs {
		if err := h.retain(ctx, log, now); err != nil {
			o.err = errors.Join(o.err, fmt.Errorf("retention of log %s: %w", log, err))
			continue
		}
		if err := h.sweep(ctx, log, uploads, now); err != nil {
			o.err = errors.Join(o.err, fmt.Errorf("orphaned uploads of log %s: %w", log, err))
			continue
		}
		o.part = true
	}
	if o.err == nil {
		h.last = time.Now()
	}
	return o
}

func storeTime(ctx context.Context, store port.Store) (time.Time, error) {
	if err := store.Put(ctx, clockKey, nil); err != nil {
		return time.Time{}, fmt.Errorf("ask for the store's time: %w", err)
	}
	o, err := store.Head(ctx, clockKey)
	if err != nil {
		return time.Time{}, fmt.Errorf("ask for the store's time: %w", err)
	}
	return time.UnixMicro(o.Modified), nil
}

// retain deletes the slots of a log that are older than the retention, registered and loaded, but never the newest two.
func (h *housekeeper) retain(ctx context.Context, log commitlog.Log, now time.Time) error {
	if h.node.KeepLog == 0 {
		return nil
	}
	old := now.Add(-max(h.node.KeepLog, slotAgeMin)).UnixMicro()
	page, err := h.node.Store.List(ctx, log.Prefix(), "", listPage)
	if err != nil {
		return fmt.Errorf("list: %w", err)
	}
	needed := h.board.needed(log, h.node.loads(log.Table))
	var gone []port.Object
	keep := commitlog.None
	for _, o := range page[:max(0, len(page)-2)] { // two stay, so that the newest entry is always there
		slot, ok := log.SlotOf(o.Key)
		if !ok || slot >= needed || o.Modified >= old {
			break
		}
		gone, keep = append(gone, o), slot+1
	}
	if len(gone) == 0 {
		return nil
	}
	if err := h.raiseLow(ctx, log, keep); err != nil {
		return err
	}
	for _, o := range gone {
		if err := h.node.Store.Delete(ctx, o.Key); err != nil {
			return fmt.Errorf("delete %s: %w", o.Key, err)
		}
	}
	h.node.Log.Info("deleted old slots", "log", log, "count", len(gone), "first_kept", keep)
	return nil
}

// raiseLow says that the slots below one count no more. It never goes back.
func (h *housekeeper) raiseLow(ctx context.Context, log commitlog.Log, to commitlog.Slot) error {
	body, err := json.Marshal(low{to})
	if err != nil {
		return err
	}
	for {
		before, etag, err := h.node.Store.Get(ctx, log.LowKey())
		switch {
		case isNotFound(err):
			err = h.node.Store.PutIfAbsent(ctx, log.LowKey(), body)
		case err == nil:
			var l low
			if err := json.Unmarshal(before, &l); err != nil {
				return fmt.Errorf("%s: %w", log.LowKey(), err)
			}
			if l.Low >= to {
				return nil
			}
			err = h.node.Store.PutIfMatch(ctx, log.LowKey(), body, etag)
		}
		if !errors.Is(err, port.ErrConflict) && !isNotFound(err) {
			return err
		}
	}
}

// sweep aborts the uploads of a log's superseded owners: all that their entries name was completed before the claim that came after
// them (I2), so what is still open is in no entry. What an owner is making again before its own claim carries the claim that still counts.
func (h *housekeeper) sweep(ctx context.Context, log commitlog.Log, uploads []port.Upload, now time.Time) error {
	var of []port.Upload
	newest := commitlog.None
	for _, u := range uploads {
		claim, ok := log.ClaimOf(u.Key)
		if !ok || u.Initiated > now.Add(-uploadAgeMin).UnixMicro() {
			continue
		}
		if newest == commitlog.None {
			last, err := h.lastOf(ctx, log)
			if err != nil || last == nil {
				return err
			}
			newest = last.Claim
		}
		if claim < newest {
			of = append(of, u)
		}
	}
	for _, u := range of {
		if err := h.node.Store.AbortUpload(ctx, u.Key, u.ID); err != nil {
			return fmt.Errorf("abort %s: %w", u.Key, err)
		}
	}
	if len(of) > 0 {
		h.node.Log.Info("aborted orphaned uploads", "log", log, "count", len(of))
	}
	return nil
}

// lastOf returns the newest entry of a log, nil if it is empty or was just being written.
func (h *housekeeper) lastOf(ctx context.Context, log commitlog.Log) (*commitlog.Entry, error) {
	slot, err := lastSlot(ctx, h.node.Store, log, &retries{log: h.node.Log, metrics: h.node.Metrics})
	if err != nil || slot == commitlog.None {
		return nil, err
	}
	body, _, err := h.node.Store.Get(ctx, log.Key(slot))
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read slot %d: %w", slot, err)
	}
	return commitlog.Decode(slot, body)
}
