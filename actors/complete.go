package actors

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"citystream/engine/commitlog"
	"citystream/engine/pipeline"
	"citystream/engine/port"
)

// complete makes the files of a committed entry appear. An upload that is gone has become its object already, in an earlier try of
// this owner or of the one before; or somebody has aborted it, as a lifecycle rule of the bucket does, and the file is made again.
func (d *device) complete(e pipeline.Complete) error {
	var lost []commitlog.Loss
	for _, f := range e.Entry.Files {
		gone, err := d.completeFile(e.Entry, f)
		if err != nil {
			return fmt.Errorf("complete slot %d: %w", e.Entry.Slot, err)
		}
		if gone {
			lost = append(lost, commitlog.Loss{From: f.From, To: f.To, Key: f.Key, Rows: f.Rows})
		}
	}
	d.send(pipeline.Completed{Now: now(), Entry: e.Entry, Lost: lost})
	return nil
}

// completeFile reports whether a file is gone for good.
func (d *device) completeFile(e *commitlog.Entry, f commitlog.File) (gone bool, err error) {
	err = d.retries.do(d.ctx, "complete upload", isNoUpload, func(ctx context.Context) error {
		return d.node.Store.CompleteUpload(ctx, f.Key, f.Upload, f.Parts)
	})
	if !isNoUpload(err) {
		return false, err
	}
	exists, err := d.appeared(f)
	if exists || err != nil {
		return false, err
	}
	d.retries.log.Warn("a committed file and its upload are gone; making it again from Kafka", "key", f.Key, "rows", f.Rows, "from", f.From, "to", f.To)
	err = d.rebuild(e, f)
	var missing *goneError
	if errors.As(err, &missing) {
		d.retries.log.Error("a committed file is lost", "key", f.Key, "rows", f.Rows, "error", err)
		return true, nil
	}
	return false, err
}

// appeared reports whether a file whose upload is gone is there: with the committed size, or made again with the same rows.
func (d *device) appeared(f commitlog.File) (bool, error) {
	var o port.Object
	err := d.retries.do(d.ctx, "look at file", isNotFound, func(ctx context.Context) (err error) {
		o, err = d.node.Store.Head(ctx, f.Key)
		return err
	})
	switch {
	case isNotFound(err):
		return false, nil
	case err != nil:
		return false, err
	case o.SizeBytes != f.Bytes && !isRebuilt(o, f):
		return false, fmt.Errorf("%s has %d bytes, but %d were committed: somebody else has written it; move it away, and it is made again from Kafka",
			f.Key, o.SizeBytes, f.Bytes)
	}
	return true, nil
}

// User metadata of a file that was made again: its bytes may differ from those committed, its rows do not.
const (
	metaRebuilt = "citystream-rebuilt"
	metaFrom    = "citystream-from"
	metaTo      = "citystream-to"
	metaRows    = "citystream-rows"
)

func rebuiltMetadata(f commitlog.File) map[string]string {
	return map[string]string{
		metaRebuilt: "1",
		metaFrom:    strconv.FormatInt(int64(f.From), 10),
		metaTo:      strconv.FormatInt(int64(f.To), 10),
		metaRows:    strconv.FormatInt(f.Rows, 10),
	}
}

func isRebuilt(o port.Object, f commitlog.File) bool {
	for k, v := range rebuiltMetadata(f) {
		if o.Metadata[k] != v {
			return false
		}
	}
	return true
}
