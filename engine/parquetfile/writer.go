package parquetfile

import (
	"cmp"
	"errors"
	"fmt"

	"citystream/engine/columns"
	"citystream/engine/schema"
)

// Defaults of Options.
const (
	DefaultPartBytes     = 8 << 20
	DefaultRowGroupRows  = 1 << 20
	DefaultRowGroupBytes = 32 << 20
)

// maxRowGroupBytes keeps every size of a page far from the 31 bits that its header has for it.
const maxRowGroupBytes = 1 << 30

// appendStep is the greatest number of rows that Append copies before it looks at the limits of the row group again.
const appendStep = 1024

// ErrNoRows is returned by Close for a file without rows: such a file is never written.
var ErrNoRows = errors.New("a Parquet file without rows is not written")

var errClosed = errors.New("the Parquet writer is closed")

// Options of a Writer. Zero values stand for the defaults.
type Options struct {
	// PartBytes is the length of each part but the last. S3 asks for 5 MiB at least; tests take less.
	PartBytes int
	// A row group is encoded when it has RowGroupRows rows, or when its values take RowGroupBytes (at most 1 GiB) before encoding.
	// The latter may be passed by part of one batch.
	RowGroupRows  int
	RowGroupBytes int
	// Encoders are shared by files that are written at the same time; without them the Writer makes its own.
	Encoders *Encoders
	// Version of citystream that the file names as its maker; "dev" if empty.
	Version string
}

func (o Options) withDefaults() Options {
	if o.PartBytes <= 0 {
		o.PartBytes = DefaultPartBytes
	}
	if o.RowGroupRows <= 0 {
		o.RowGroupRows = DefaultRowGroupRows
	}
	if o.RowGroupBytes <= 0 {
		o.RowGroupBytes = DefaultRowGroupBytes
	}
	o.RowGroupBytes = min(o.RowGroupBytes, maxRowGroupBytes)
	if o.Encoders == nil {
		o.Encoders = NewEncoders(1)
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	return o
}

// KeyValue is one entry of the footer's metadata.
type KeyValue struct {
	Key, Value string
}

// Summary tells what a closed file holds.
type Summary struct {
	Rows      int64
	Bytes     int64
	RowGroups int
	Parts     int
}

// A Writer writes one file. Not safe for concurrent use. After any error it is dead: every later call returns that error.
type Writer struct {
	opt     Options
	encoder *encoder   // while a call runs
	columns []column   // the open row group
	rows    int        // in the open row group
	groups  []rowGroup // those encoded
	kept    int        // memory of groups in bytes
	parts   parts
	err     error
}

// NewWriter starts a file of the given layout. Each part of the file goes to emit, in order, while Append and Close run; emit
// owns the slice that it gets: the Writer neither changes nor counts it any more. emit runs while the Writer has one of the Encoders, so
// it leaves what takes long for later. An error of emit is passed on.
func NewWriter(layout []schema.Column, opt Options, emit func(part []byte) error) *Writer {
	opt = opt.withDefaults()
	w := &Writer{opt: opt, columns: make([]column, len(layout))}
	for i, c := range layout {
		w.columns[i].name, w.columns[i].typ = c.Name, c.Type
	}
	w.parts = parts{size: opt.PartBytes, emit: emit, pool: &opt.Encoders.parts}
	return w
}

// borrow takes an encoder for a call.
func (w *Writer) borrow() (giveBack func()) {
	w.encoder = <-w.opt.Encoders.idle
	return func() {
		w.opt.Encoders.idle <- w.encoder
		w.encoder = nil
	}
}

// Append copies the named rows of b, or all of them if rows is nil, behind those that the file has. b must have the file's layout,
// text in it must be UTF-8, and the values of Int columns must fit into 32 bits. b is free again when Append returns.
func (w *Writer) Append(b *columns.Batch, rows []int32) error {
	if w.err != nil {
		return w.err
	}
	defer w.borrow()()
	w.err = w.append(b, rows)
	return w.err
}

func (w *Writer) append(b *columns.Batch, rows []int32) error {
	if err := w.checkLayout(b); err != nil {
		return err
	}
	total := len(rows)
	if rows == nil {
		total = b.Rows()
	}
	for done := 0; done < total; {
		n := min(total-done, w.room(b))
		step := w.encoder.identity(done, n)
		if rows != nil {
			step = rows[done : done+n]
		}
		for i := range w.columns {
			if err := w.columns[i].append(&b.Columns[i], step, w.encoder); err != nil {
				return fmt.Errorf("column %q: %w", w.columns[i].name, err)
			}
		}
		done += n
		w.rows += n
		if w.rows >= w.opt.RowGroupRows || w.valueBytes() >= w.opt.RowGroupBytes {
			if err := w.encodeRowGroup(); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkLayout compares the columns of a batch with those of the file.
func (w *Writer) checkLayout(b *columns.Batch) error {
	if len(b.Columns) != len(w.columns) {
		return fmt.Errorf("append to Parquet file: batch has %d columns, the file %d", len(b.Columns), len(w.columns))
	}
	for i := range w.columns {
		if b.Columns[i].Type != w.columns[i].typ {
			return fmt.Errorf("append to Parquet file: column %q has type %d in the batch, %d in the file",
				w.columns[i].name, b.Columns[i].Type, w.columns[i].typ)
		}
	}
	return nil
}

// room returns how many rows of b may be copied before the limits of the row group have to be looked at again, at least 1.
// Long rows are judged by the mean of their batch.
func (w *Writer) room(b *columns.Batch) int {
	mean := b.SizeBytes()/max(b.Rows(), 1) + 1
	return max(1, min(appendStep, w.opt.RowGroupRows-w.rows, (w.opt.RowGroupBytes-w.valueBytes())/mean))
}

// valueBytes returns the size of the open row group before encoding.
func (w *Writer) valueBytes() int {
	n := 0
	for i := range w.columns {
		n += w.columns[i].sizeBytes()
	}
	return n
}

func (w *Writer) encodeRowGroup() error {
	if w.parts.offset == 0 {
		if err := w.parts.write([]byte(magic)); err != nil {
			return fmt.Errorf("write row group 0: %w", err)
		}
	}
	group := rowGroup{rows: w.rows, offset: w.parts.offset, columns: make([]chunk, len(w.columns))}
	for i := range w.columns {
		c := &w.columns[i]
		var err error
		if group.columns[i], err = w.encoder.encodeChunk(c, &w.parts); err != nil {
			return fmt.Errorf("write row group %d, column %q: %w", len(w.groups), c.name, err)
		}
		c.reset(w.encoder)
	}
	w.groups = append(w.groups, group)
	w.kept += group.memoryBytes()
	w.rows = 0
	return nil
}

// Close writes what is left: the last row group, the footer with the metadata, and the last part. Without any row it emits
// nothing and returns ErrNoRows. The Writer's memory goes back to the Encoders in any case. A file that is given up is not
// closed: its Writer is dropped.
func (w *Writer) Close(metadata []KeyValue) (Summary, error) {
	defer w.borrow()()
	var s Summary
	err := w.err
	if err == nil {
		s, err = w.close(metadata)
		w.err = cmp.Or(err, errClosed)
	}
	for i := range w.columns {
		w.columns[i].release(w.encoder)
	}
	w.columns, w.groups, w.kept, w.parts.buf = nil, nil, 0, nil
	return s, err
}

func (w *Writer) close(metadata []KeyValue) (Summary, error) {
	if w.rows > 0 {
		if err := w.encodeRowGroup(); err != nil {
			return Summary{}, err
		}
	}
	if len(w.groups) == 0 {
		return Summary{}, ErrNoRows
	}
	s := Summary{RowGroups: len(w.groups)}
	for _, g := range w.groups {
		s.Rows += int64(g.rows)
	}
	footer := appendFooter(nil, fileMetadata{
		columns: w.columns, rows: s.Rows, groups: w.groups, keyValues: metadata, createdBy: "citystream version " + w.opt.Version,
	})
	if err := w.parts.write(footer); err != nil {
		return Summary{}, fmt.Errorf("write footer: %w", err)
	}
	if err := w.parts.flush(); err != nil {
		return Summary{}, fmt.Errorf("write footer: %w", err)
	}
	s.Bytes, s.Parts = w.parts.offset, w.parts.emitted
	return s, nil
}

// BufferedBytes returns the memory that the file holds: the buffers of the open row group, the part not yet emitted, and what the
// footer needs of earlier row groups. Buffers count in full, also where they are kept for the next row group. The Encoders'
// memory is not part of it.
func (w *Writer) BufferedBytes() int {
	n := cap(w.parts.buf) + w.kept
	for i := range w.columns {
		n += w.columns[i].memoryBytes()
	}
	return n
}
