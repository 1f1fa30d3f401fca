package actors

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"citystream/engine/parquetfile"
	"citystream/engine/pipeline"
	"citystream/engine/port"
)

// openFile is a Parquet file on its way to the store: a writer whose parts go to a multipart upload that begins with the first of them.
type openFile struct {
	key    string
	table  string
	upload string
	parts  []port.Part
	writer *parquetfile.Writer
	lost   bool // the store has forgotten the upload: the rows are read again
}

func (d *device) open(e pipeline.Open) {
	f := &openFile{key: e.Key, table: e.Table.Name}
	f.writer = parquetfile.NewWriter(e.Table.FileColumns(), parquetfile.Options{PartBytes: d.node.PartBytes, Encoder: d.encoder, Version: d.node.Version},
		func(part []byte) error { return d.uploadPart(f, part) })
	d.files[e.File] = f
}

// append encodes rows; whole parts leave for the store on the way.
func (d *device) append(e pipeline.Append) error {
	f := d.files[e.File]
	if f == nil || f.lost {
		return nil
	}
	rows := e.Batch.Good
	if e.Dead {
		rows = e.Batch.Dead
	}
	return d.orLost(e.File, f, f.writer.Append(rows, e.Rows))
}

// close writes the file's end and its last part.
func (d *device) close(e pipeline.Close) error {
	f := d.files[e.File]
	if f == nil || f.lost {
		return nil
	}
	summary, err := f.writer.Close([]parquetfile.KeyValue{
		{Key: "citystream.table", Value: f.table},
		{Key: "citystream.topic", Value: d.cfg.Log.Topic},
		{Key: "citystream.partition", Value: strconv.Itoa(int(d.cfg.Log.Partition))},
		{Key: "citystream.log", Value: d.cfg.Log.String()},
		{Key: "citystream.slot", Value: strconv.FormatInt(int64(e.Slot), 10)},
		{Key: "citystream.offset.from", Value: strconv.FormatInt(int64(e.From), 10)},
		{Key: "citystream.offset.to", Value: strconv.FormatInt(int64(e.To), 10)},
	})
	if err != nil {
		return d.orLost(e.File, f, err)
	}
	delete(d.files, e.File)
	bytes := int64(0)
	for _, p := range f.parts {
		bytes += p.SizeBytes
	}
	d.send(pipeline.Closed{File: e.File, Now: now(), Upload: f.upload, Parts: f.parts, Rows: summary.Rows, Bytes: bytes})
	return nil
}

// orLost tells the partition that an upload is gone; other errors are passed on.
func (d *device) orLost(id pipeline.FileID, f *openFile, err error) error {
	if !errors.Is(err, port.ErrNoUpload) {
		return err
	}
	d.retries.log.Warn("an upload is gone before it was committed; its rows are read again", "key", f.key)
	f.lost, f.writer = true, nil
	d.send(pipeline.UploadLost{File: id})
	return nil
}

func (d *device) uploadPart(f *openFile, part []byte) error {
	if f.upload == "" {
		err := d.retries.do(d.ctx, "begin upload", nil, func(ctx context.Context) (err error) {
			f.upload, err = d.node.Store.CreateUpload(ctx, f.key, nil)
			return err
		})
		if err != nil {
			return err
		}
	}
	number := int32(len(f.parts) + 1)
	return d.retries.do(d.ctx, "upload part", isNoUpload, func(ctx context.Context) error {
		p, err := d.node.Store.UploadPart(ctx, f.key, f.upload, number, part)
		if err == nil {
			f.parts = append(f.parts, p)
		}
		return err
	})
}

func isNoUpload(err error) bool { return errors.Is(err, port.ErrNoUpload) }

// complete makes the files of a committed entry appear. An upload that is gone has become its object already, in an earlier try
// of this owner or of the one before.
func (d *device) complete(e pipeline.Complete) error {
	for _, f := range e.Entry.Files {
		err := d.retries.do(d.ctx, "complete upload", isNoUpload, func(ctx context.Context) error {
			return d.node.Store.CompleteUpload(ctx, f.Key, f.Upload, f.Parts)
		})
		if isNoUpload(err) {
			err = d.appeared(f.Key, f.Bytes)
		}
		if err != nil {
			return fmt.Errorf("complete slot %d: %w", e.Entry.Slot, err)
		}
	}
	d.send(pipeline.Completed{Now: now(), Entry: e.Entry})
	return nil
}

// appeared checks that a file whose upload is gone is there, whole.
func (d *device) appeared(key string, bytes int64) error {
	var o port.Object
	err := d.retries.do(d.ctx, "look at file", isNotFound, func(ctx context.Context) (err error) {
		o, err = d.node.Store.Head(ctx, key)
		return err
	})
	switch {
	case isNotFound(err):
		return fmt.Errorf("%s is committed, but neither the file nor its upload exists: the upload was aborted, or the file deleted, by somebody else", key)
	case err != nil:
		return err
	case o.SizeBytes != bytes:
		return fmt.Errorf("%s has %d bytes, but %d were committed: somebody else has written it", key, o.SizeBytes, bytes)
	}
	return nil
}

// discard forgets an open file and gives its upload back.
func (d *device) discard(e pipeline.Discard) {
	f := d.files[e.File]
	if f == nil {
		return
	}
	delete(d.files, e.File)
	if f.upload != "" && !f.lost {
		d.abort(f.key, f.upload)
	}
}

// abort tries once: an upload that stays is an orphan that no entry names, and costs its bytes until it is swept.
func (d *device) abort(key, upload string) {
	if err := d.node.Store.AbortUpload(d.ctx, key, upload); err != nil && d.ctx.Err() == nil {
		d.retries.log.Warn("an unwanted upload could not be aborted and stays as an orphan", "key", key, "error", err)
	}
}
