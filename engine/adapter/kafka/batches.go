package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"citystream/engine/record"
)

// The log as it is on the wire: record batches, one after another, the last perhaps cut off. Format:
// https://kafka.apache.org/documentation/#recordbatch, of the version 2 that brokers have written since 0.11.

type codec = kgo.CompressionCodecType

// A batch is the head of one record batch, and its records, which may be compressed.
type batch struct {
	first, last record.Offset
	epoch       int32 // of the leader that appended it
	attributes  int16
	firstMillis int64 // that the records' times are relative to; -1 without times
	maxMillis   int64
	producer    int64
	count       int32
	records     []byte
}

// Attributes of a batch.
const (
	codecMask       = 7
	logAppendTime   = 1 << 3
	isTransactional = 1 << 4
	isControl       = 1 << 5
)

// Places in a batch.
const (
	lengthAt  = 8  // of what follows the length
	lengthEnd = 12 //
	magicAt   = 16
	crcAt     = 17 // of all from attributesAt on
	headEnd   = 61

	attributesAt = 21
)

var (
	errCorrupt = errors.New("a record batch is corrupt")
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// nextBatch returns the batch that log begins with, and what follows it. partial is true where it is cut off.
func nextBatch(log []byte) (b batch, rest []byte, partial bool, err error) {
	if len(log) < lengthEnd {
		return batch{}, nil, true, nil
	}
	length := int(int32(binary.BigEndian.Uint32(log[lengthAt:])))
	if length < 0 {
		return batch{}, nil, false, fmt.Errorf("%w: length %d", errCorrupt, length)
	}
	if len(log) > magicAt && log[magicAt] != 2 {
		return batch{}, nil, false, errLegacy
	}
	if len(log)-lengthEnd < length {
		return batch{}, nil, true, nil
	}
	rest = log[lengthEnd+length:]
	log = log[:lengthEnd+length]
	if len(log) < headEnd {
		return batch{}, nil, false, fmt.Errorf("%w: %d bytes", errCorrupt, len(log))
	}
	if crc32.Checksum(log[attributesAt:], castagnoli) != binary.BigEndian.Uint32(log[crcAt:]) {
		return batch{}, nil, false, fmt.Errorf("%w: checksum of the one at offset %d", errCorrupt, binary.BigEndian.Uint64(log))
	}
	b = batch{
		first: record.Offset(binary.BigEndian.Uint64(log)), epoch: int32(binary.BigEndian.Uint32(log[lengthEnd:])),
		attributes:  int16(binary.BigEndian.Uint16(log[attributesAt:])),
		firstMillis: int64(binary.BigEndian.Uint64(log[27:])), maxMillis: int64(binary.BigEndian.Uint64(log[35:])),
		producer: int64(binary.BigEndian.Uint64(log[43:])), count: int32(binary.BigEndian.Uint32(log[57:])), records: log[headEnd:],
	}
	b.last = b.first + record.Offset(int32(binary.BigEndian.Uint32(log[23:])))
	if b.first < 0 || b.last < b.first || b.count < 0 {
		return batch{}, nil, false, fmt.Errorf("%w: %d records from offset %d to %d", errCorrupt, b.count, b.first, b.last)
	}
	return b, rest, false, nil
}

// A harvest is what one partition's part of an answer holds for a reader.
type harvest struct {
	records []record.Record
	next    record.Offset // where to read on
	epoch   int32         // leader epoch of the last batch, -1 without one
	partial bool          // the log ends within a batch
	slabs   []*slab       // that hold decompressed records
}

func (h *harvest) release() {
	for _, s := range h.slabs {
		s.release()
	}
	h.slabs = h.slabs[:0]
}

// committed takes the committed records at or above from out of a part of an answer.
//
// A broker leaves three things to its readers. An answer begins with a whole batch, so with records below the wanted offset. It
// holds the records of aborted transactions, beside a list of which producers had one from which offset on; an abort marker, a
// control batch of that producer, ends it. And the position must move over all that is left out, to behind the last batch.
func (h *harvest) committed(p *kmsg.FetchResponseTopicPartition, from record.Offset, pool *slabPool) error {
	h.next, h.epoch, h.partial = from, -1, false
	aborted := abortions(p)
	for log := p.RecordBatches; len(log) > 0; {
		b, rest, partial, err := nextBatch(log)
		if err != nil {
			return err
		}
		if partial {
			h.partial = true
			break
		}
		log = rest
		takes, err := aborted.takes(&b)
		if err != nil {
			return err
		}
		if takes && b.last >= from {
			if err := h.take(&b, from, pool); err != nil {
				return err
			}
		}
		h.next = max(h.next, b.last+1)
		h.epoch = b.epoch
	}
	if len(p.RecordBatches) > 0 && h.next == from && !h.partial { // else it would be asked for again and again, in silence
		return fmt.Errorf("%w: none of those in an answer reaches the offset %d that was asked for", errCorrupt, from)
	}
	return nil
}

// An abortion list is the transactions that the answer says were aborted, and those of them that are open where reading stands.
type abortionList struct {
	waiting []kmsg.FetchResponseTopicPartitionAbortedTransaction // by first offset
	open    []int64                                              // producers; few, so a slice
}

func abortions(p *kmsg.FetchResponseTopicPartition) abortionList {
	slices.SortFunc(p.AbortedTransactions, func(a, b kmsg.FetchResponseTopicPartitionAbortedTransaction) int {
		return int(a.FirstOffset - b.FirstOffset)
	})
	return abortionList{waiting: p.AbortedTransactions}
}

// takes tells whether a batch's records are a reader's, and follows the transactions that begin or end with it.
func (a *abortionList) takes(b *batch) (bool, error) {
	for len(a.waiting) > 0 && record.Offset(a.waiting[0].FirstOffset) <= b.last {
		a.open = append(a.open, a.waiting[0].ProducerID)
		a.waiting = a.waiting[1:]
	}
	if b.attributes&isControl == 0 {
		return b.attributes&isTransactional == 0 || !slices.Contains(a.open, b.producer), nil
	}
	abort, err := b.marksAbort()
	if i := slices.Index(a.open, b.producer); abort && i >= 0 {
		a.open = slices.Delete(a.open, i, i+1)
	}
	return false, err
}

// marksAbort tells whether a control batch is an abort marker: its key is a version and a type of two bytes each, 0 for an abort.
func (b *batch) marksAbort() (bool, error) {
	if b.count == 0 {
		return false, nil
	}
	cut := cursor{b: b.records}
	r := cut.record(0, 0)
	if cut.bad {
		return false, fmt.Errorf("%w: control batch at offset %d", errCorrupt, b.first)
	}
	return len(r.Key) >= 4 && binary.BigEndian.Uint16(r.Key[2:]) == 0, nil
}

// take appends a batch's records from an offset on.
func (h *harvest) take(b *batch, from record.Offset, pool *slabPool) error {
	data := b.records
	if c := codec(b.attributes & codecMask); c != kgo.CodecNone {
		plain, err := pool.decompressor().Decompress(data, c)
		if err != nil {
			return fmt.Errorf("%w: decompress the one at offset %d: %w", errCorrupt, b.first, err)
		}
		h.slabs = append(h.slabs, pool.hold(plain))
		data = plain
	}
	if int(b.count) > len(data) { // before memory is made for them
		return fmt.Errorf("%w: %d records in %d bytes at offset %d", errCorrupt, b.count, len(data), b.first)
	}
	h.records = slices.Grow(h.records, int(b.count))
	cut, next := cursor{b: data}, b.first
	for range b.count {
		r := cut.record(b.first, b.firstMillis)
		if cut.bad || r.Offset < next || r.Offset > b.last {
			return fmt.Errorf("%w: records of the one at offset %d", errCorrupt, b.first)
		}
		if next = r.Offset + 1; r.Offset < from {
			continue
		}
		if b.attributes&logAppendTime != 0 { // the broker's clock, where the topic is set to that
			r.Timestamp = record.Micros(b.maxMillis * 1000)
		}
		h.records = append(h.records, r)
	}
	return nil
}

// A cursor cuts records off a batch's bytes. After a fault bad is set, and what it returns means nothing.
type cursor struct {
	b   []byte
	bad bool
}

// record cuts the next one off. Its key and value alias the bytes.
func (c *cursor) record(first record.Offset, firstMillis int64) (r record.Record) {
	length := c.varint()
	if c.bad || length < 1 || length > int64(len(c.b)) {
		c.bad = true
		return r
	}
	in := cursor{b: c.b[1:length:length]} // behind the attributes, which have no meaning yet
	c.b = c.b[length:]
	millis := in.varint()
	r.Timestamp = record.Micros((firstMillis + millis) * 1000)
	r.Offset = first + record.Offset(in.varint())
	r.Key = in.bytes()
	r.Value = in.bytes() // headers follow, which nobody asks for
	c.bad = in.bad
	return r
}

func (c *cursor) varint() int64 {
	if len(c.b) > 0 && c.b[0] < 0x80 { // most are of one byte
		u := c.b[0]
		c.b = c.b[1:]
		return int64(u>>1) ^ -int64(u&1)
	}
	v, n := binary.Varint(c.b)
	if n <= 0 {
		c.bad = true
		return 0
	}
	c.b = c.b[n:]
	return v
}

// bytes cuts off a length and so many bytes; -1 is for none at all.
func (c *cursor) bytes() []byte {
	n := c.varint()
	if n == -1 {
		return nil
	}
	if n < 0 || n > int64(len(c.b)) {
		c.bad = true
		return nil
	}
	v := c.b[:n:n]
	c.b = c.b[n:]
	return v
}
