package actors

import (
	"context"
	"errors"
	"strconv"

	"citystream/engine/columns"
	"citystream/engine/commitlog"
	"citystream/engine/parquetfile"
	"citystream/engine/pipeline"
	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/schema"
)

// openFile is a Parquet file on its way to the store: a writer whose parts go to a multipart upload that begins with the first of them.
type openFile struct {
	id       pipeline.FileID // 0 for a file that is made again, which is not counted
	key      string
	table    string
	metadata map[string]string
	upload   string
	parts    []port.Part
	writer   *parquetfile.Writer
	ready    [][]byte // parts that are not uploaded yet
	lost     bool     // the store has forgotten the upload: the rows are read again
}

func (d *device) open(e pipeline.Open) { d.files[e.File] = d.newFile(e.File, e.Key, e.Table, nil) }

func (d *device) newFile(id pipeline.FileID, key string, t *schema.Table, metadata map[string]string) *openFile {
	f := &openFile{id: id, key: key, table: t.Name, metadata: metadata}
	f.writer = parquetfile.NewWriter(t.FileColumns(), parquetfile.Options{
		PartBytes: d.node.PartBytes, Encoders: d.share.budget.encoders, Version: d.node.Version, RowGroupBytes: d.node.rowGroupBytes(),
	}, func(part []byte) error {
		f.ready = append(f.ready, part) // uploaded when the encoder is free again
		return nil
	})
	return f
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
	if err := d.write(f, rows, e.Rows); err != nil {
		return d.orLost(e.File, f, err)
	}
	return nil
}

// count tells the budget what a file holds, with the parts that wait for the store.
func (d *device) count(f *openFile) {
	if f.id == 0 {
		return
	}
	bytes := f.writer.BufferedBytes()
	for _, part := range f.ready {
		bytes += cap(part)
	}
	d.share.file(f.id, int64(bytes))
}

// write appends rows to a file and uploads the parts that are full.
func (d *device) write(f *openFile, b *columns.Batch, rows []int32) error {
	if err := f.writer.Append(b, rows); err != nil {
		return err
	}
	return d.uploadReady(f)
}

// finish writes the file's end and uploads its last part.
func (d *device) finish(f *openFile, slot commitlog.Slot, from, to record.Offset) (parquetfile.Summary, error) {
	summary, err := f.writer.Close(d.footer(f, slot, from, to))
	if err != nil {
		return summary, err
	}
	return summary, d.uploadReady(f)
}

// close writes the file's end and its last part.
func (d *device) close(e pipeline.Close) error {
	f := d.files[e.File]
	if f == nil {
		return nil
	}
	if f.lost { // said before, but an entry was being written then
		d.send(pipeline.UploadLost{File: e.File})
		return nil
	}
	summary, err := d.finish(f, e.Slot, e.From, e.To)
	if err != nil {
		return d.orLost(e.File, f, err)
	}
	delete(d.files, e.File)
	d.share.file(e.File, 0)
	d.send(pipeline.Closed{File: e.File, Now: now(), Upload: f.upload, Parts: f.parts, Rows: summary.Rows, Bytes: summary.Bytes})
	return nil
}

// footer names in the file itself where its rows come from.
func (d *device) footer(f *openFile, slot commitlog.Slot, from, to record.Offset) []parquetfile.KeyValue {
	return []parquetfile.KeyValue{
		{Key: "citystream.table", Value: f.table},
		{Key: "citystream.topic", Value: d.cfg.Log.Topic},
		{Key: "citystream.partition", Value: strconv.Itoa(int(d.cfg.Log.Partition))},
		{Key: "citystream.log", Value: d.cfg.Log.String()},
		{Key: "citystream.slot", Value: strconv.FormatInt(int64(slot), 10)},
		{Key: "citystream.offset.from", Value: strconv.FormatInt(int64(from), 10)},
		{Key: "citystream.offset.to", Value: strconv.FormatInt(int64(to), 10)},
	}
}

// orLost tells the partition that an upload is gone; other errors are passed on.
func (d *device) orLost(id pipeline.FileID, f *openFile, err error) error {
	if !errors.Is(err, port.ErrNoUpload) {
		return err
	}
	d.retries.log.Warn("an upload is gone before it was committed; its rows are read again", "key", f.key)
	f.lost, f.writer, f.ready = true, nil, nil
	d.share.file(id, 0)
	d.send(pipeline.UploadLost{File: id})
	return nil
}

// uploadReady uploads the parts that the writer has filled, in order.
func (d *device) uploadReady(f *openFile) error {
	d.count(f)
	for len(f.ready) > 0 {
		if err := d.uploadPart(f, f.ready[0]); err != nil {
			return err
		}
		f.ready[0] = nil
		f.ready = f.ready[1:]
		d.count(f)
	}
	f.ready = nil
	return nil
}

func (d *device) uploadPart(f *openFile, part []byte) error {
	if f.upload == "" {
		err := d.retries.do(d.ctx, "begin upload", nil, func(ctx context.Context) (err error) {
			f.upload, err = d.node.Store.CreateUpload(ctx, f.key, f.metadata)
			return err
		})
		if err != nil {
			return err
		}
	}
	number := int32(len(f.parts) + 1)
	tries := 0
	err := d.retries.do(d.ctx, "upload part", isNoUpload, func(ctx context.Context) error {
		done, err := d.share.budget.uploading(ctx)
		if err != nil {
			return err
		}
		defer done()
		tries++
		p, err := d.node.Store.UploadPart(ctx, f.key, f.upload, number, part)
		if err == nil {
			f.parts = append(f.parts, p)
		}
		return err
	})
	if err == nil && tries == 1 { // else an older connection may still read it; what that sends then fails by its checksum, at the latest
		d.share.budget.encoders.Recycle(part)
	}
	return err
}

func isNoUpload(err error) bool { return errors.Is(err, port.ErrNoUpload) }

// discard forgets an open file and gives its upload back.
func (d *device) discard(e pipeline.Discard) {
	f := d.files[e.File]
	if f == nil {
		return
	}
	delete(d.files, e.File)
	d.share.file(e.File, 0)
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
