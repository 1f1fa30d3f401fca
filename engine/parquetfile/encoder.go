package parquetfile

import (
	"fmt"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/format"

	"citystream/internal/bytepool"
)

// compressWindow is the memory of zstd for what it has seen: no page, except one of a single long value, is much longer.
const compressWindow = 1 << 20

// Encoders are what files that are written at the same time share. A Writer takes one for as long as a call of it runs, and a call waits
// while all are in use: so their number is that of the processors, whatever the number of files. Safe for concurrent use.
type Encoders struct {
	idle  chan *encoder
	parts bytepool.Pool
}

// NewEncoders returns n encoders.
func NewEncoders(n int) *Encoders {
	s := &Encoders{idle: make(chan *encoder, n)}
	for range n {
		s.idle <- newEncoder()
	}
	return s
}

// Recycle takes the memory of a part that nobody reads any more.
func (s *Encoders) Recycle(part []byte) { s.parts.Give(part) }

// An encoder makes pages of column buffers. It holds the scratch memory and the compressor, which are large compared with a
// file's own buffers. Not safe for concurrent use.
type encoder struct {
	zstd         *zstd.Encoder
	memory       memory
	dictionaries []*dictionary // that no column has
	levelCodec   rle.Encoding
	indexCodec   rle.DictionaryEncoding
	deltaCodec   delta.BinaryPackedEncoding

	rows    [appendStep]int32 // row numbers 0, 1, 2 ... of a step of Append
	present [appendStep]int32 // row numbers that are not null

	header, levels, body, packed []byte // of the page that is being made
	text                         []byte // likewise
	int32s                       []int32
	int64s                       []int64
	doubles                      []float64
}

func newEncoder() *encoder {
	// Pages are compressed whole, so no goroutines are needed. Entropy coding of literals without matches costs no time that could
	// be measured and makes ids and numbers, most of a file, a tenth smaller.
	z, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithAllLitEntropyCompression(true),
		zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(compressWindow),
		zstd.WithEncoderCRC(false),
	)
	if err != nil {
		panic(fmt.Sprintf("parquetfile: zstd refuses constant options: %v", err))
	}
	return &encoder{zstd: z, levelCodec: rle.Encoding{BitWidth: 1}}
}

// Limits of what is kept for the columns to come: the dictionaries of a few files, and none that long values have made large.
const (
	dictionariesMax   = 32
	dictionaryKeepMax = 128 << 10 // it may be taken next by a file of few rows
)

func (e *encoder) takeDictionary() *dictionary {
	last := len(e.dictionaries) - 1
	if last < 0 {
		return newDictionary()
	}
	d := e.dictionaries[last]
	e.dictionaries = e.dictionaries[:last]
	return d
}

func (e *encoder) giveDictionary(d *dictionary) {
	d.reset()
	if len(e.dictionaries) < dictionariesMax && d.memoryBytes() <= dictionaryKeepMax {
		e.dictionaries = append(e.dictionaries, d)
	}
}

// identity returns the row numbers from first on, n <= appendStep of them, valid until the next call.
func (e *encoder) identity(first, n int) []int32 {
	rows := e.rows[:n]
	for i := range rows {
		rows[i] = int32(first + i)
	}
	return rows
}

// attempts decides when it is worth trying again what did not pay: after the n-th failure in a row the next 2^n-1 chances, at
// most 31, are passed by.
type attempts struct {
	failures uint8
	skip     uint8
}

func (a *attempts) due() bool {
	if a.skip > 0 {
		a.skip--
		return false
	}
	return true
}

func (a *attempts) record(paid bool) {
	if paid {
		*a = attempts{}
		return
	}
	a.failures = min(a.failures+1, 5)
	a.skip = 1<<a.failures - 1
}

// pack returns body as zstd, or body itself and false where that would win less than a sixteenth.
func (e *encoder) pack(body []byte, a *attempts) ([]byte, bool) {
	if len(body) == 0 || !a.due() {
		return body, false
	}
	e.packed = e.zstd.EncodeAll(body, e.packed[:0])
	paid := len(e.packed) < len(body)-len(body)/16
	a.record(paid)
	if !paid {
		return body, false
	}
	return e.packed, true
}

// codec is that of every column chunk. A chunk without a single compressed page could be marked as uncompressed, but some readers
// take the codec of a column in the first row group for that of all.
const codec = format.Zstd

// writeDictionaryPage writes the values of a dictionary, in PLAIN encoding. Such a page has no mark for raw bytes: it is always
// compressed.
func (e *encoder) writeDictionaryPage(ch *chunk, values int, body []byte, out *parts) error {
	e.packed = e.zstd.EncodeAll(body, e.packed[:0])
	h := pageHeader{kind: format.DictionaryPage, encoding: format.Plain, values: values, rawBytes: len(body), bytes: len(e.packed)}
	e.header = h.append(e.header[:0])
	ch.dictionaryPage = true
	ch.addPage(len(e.header)+len(body), len(e.header)+len(e.packed))
	return out.writeAll(e.header, e.packed)
}

// writeDataPage writes one page of c. A page of nulls alone has an empty body and may not be marked as DELTA_BINARY_PACKED, for
// its readers expect a header in the body.
func (e *encoder) writeDataPage(c *column, ch *chunk, p span, enc format.Encoding, body []byte, out *parts) error {
	if err := e.makeLevels(c, p); err != nil {
		return err
	}
	packed, compressed := e.pack(body, &c.compress)
	h := pageHeader{
		kind: format.DataPageV2, encoding: enc, values: p.rows, nulls: p.rows - p.values, levelBytes: len(e.levels),
		compressed: compressed, rawBytes: len(e.levels) + len(body), bytes: len(e.levels) + len(packed),
	}
	e.header = h.append(e.header[:0])
	if ch.dataOffset == 0 {
		ch.dataOffset = out.offset
	}
	ch.dataPages[enc]++
	ch.addPage(len(e.header)+h.rawBytes, len(e.header)+h.bytes)
	return out.writeAll(e.header, e.levels, packed)
}

// makeLevels encodes the definition levels of a page: a single run where they are all alike.
func (e *encoder) makeLevels(c *column, p span) error {
	switch p.values {
	case p.rows:
		e.levels = appendRun(e.levels[:0], p.rows, 1)
	case 0:
		e.levels = appendRun(e.levels[:0], p.rows, 0)
	default:
		var err error
		if e.levels, err = e.levelCodec.EncodeLevels(e.levels, c.levels[p.row:p.row+p.rows]); err != nil {
			return fmt.Errorf("encode definition levels: %w", err)
		}
	}
	return nil
}
