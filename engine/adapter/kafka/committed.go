package kafka

import (
	"encoding/binary"
	"reflect"
	"slices"

	"github.com/IBM/sarama"

	"citystream/engine/record"
)

// A harvest is what one partition's part of a fetch response holds for a reader.
type harvest struct {
	records []record.Record
	next    record.Offset // where to read on
	epoch   int32         // leader epoch of the last batch, -1 without one
	partial bool          // the response ends within a batch
}

// committed appends the committed records at or above from to dst.
//
// A broker leaves three things to its readers. A response begins with a whole batch, so with records below the wanted offset. It
// holds the records of aborted transactions, beside a list of which producers had one from which offset on; an abort marker, a
// control batch of that producer, ends it. And the position must move over all that is left out, to behind the last batch.
func committed(dst []record.Record, block *sarama.FetchResponseBlock, from record.Offset) (harvest, error) {
	h := harvest{records: dst, next: from, epoch: -1, partial: block.Partial}
	aborted := abortions(block)
	for _, set := range block.RecordsSet {
		batch := set.RecordBatch
		if batch == nil {
			return harvest{}, errLegacy
		}
		if batch.PartialTrailingRecord {
			h.partial = true
			break
		}
		if takes(&aborted, batch) {
			h.records = appendBatch(h.records, batch, from)
		}
		h.next = max(h.next, record.Offset(batch.LastOffset()+1))
		h.epoch = batch.PartitionLeaderEpoch
	}
	if len(block.RecordsSet) == 0 && !h.partial { // sarama counts a batch that is cut off behind others as read, too
		h.next = max(h.next, behindEmptyBatches(block))
	}
	return h, nil
}

// An abortion list is the transactions that the response says were aborted, and those of them that are open where reading stands.
type abortionList struct {
	waiting []*sarama.AbortedTransaction // by first offset
	open    []int64                      // producers; few, so a slice
}

func abortions(block *sarama.FetchResponseBlock) abortionList {
	waiting := slices.Clone(block.AbortedTransactions)
	slices.SortFunc(waiting, func(a, b *sarama.AbortedTransaction) int { return int(a.FirstOffset - b.FirstOffset) })
	return abortionList{waiting: waiting}
}

// takes tells whether a batch's records are a reader's, and follows the transactions that begin or end with it.
func takes(a *abortionList, batch *sarama.RecordBatch) bool {
	for len(a.waiting) > 0 && a.waiting[0].FirstOffset <= batch.LastOffset() {
		a.open = append(a.open, a.waiting[0].ProducerID)
		a.waiting = a.waiting[1:]
	}
	if batch.Control {
		if marksAbort(batch) {
			if i := slices.Index(a.open, batch.ProducerID); i >= 0 {
				a.open = slices.Delete(a.open, i, i+1)
			}
		}
		return false
	}
	return !batch.IsTransactional || !slices.Contains(a.open, batch.ProducerID)
}

// marksAbort tells whether a control batch is an abort marker: its key is a version and a type of two bytes each, 0 for an abort.
func marksAbort(batch *sarama.RecordBatch) bool {
	if len(batch.Records) == 0 || len(batch.Records[0].Key) < 4 {
		return false
	}
	return binary.BigEndian.Uint16(batch.Records[0].Key[2:]) == 0
}

// appendBatch appends a batch's records from an offset on.
func appendBatch(dst []record.Record, batch *sarama.RecordBatch, from record.Offset) []record.Record {
	dst = slices.Grow(dst, len(batch.Records))
	first, appended := record.MicrosOf(batch.FirstTimestamp), record.MicrosOf(batch.MaxTimestamp)
	if batch.FirstTimestamp.IsZero() {
		first = noTimestamp
	}
	for _, r := range batch.Records {
		offset := record.Offset(batch.FirstOffset + r.OffsetDelta)
		if offset < from {
			continue
		}
		at := appended // the broker's clock, where the topic is set to that
		if !batch.LogAppendTime {
			at = first.Add(r.TimestampDelta)
		}
		dst = append(dst, record.Record{Offset: offset, Timestamp: at, Key: r.Key, Value: r.Value})
	}
	return dst
}

// noTimestamp is Kafka's own mark, -1 ms, on records without a time.
const noTimestamp record.Micros = -1000

// behindEmptyBatches returns the offset behind the last batch of the response, counting batches without any record, which
// compaction leaves behind to remember a producer; 0 if the response has none.
//
// Sarama drops such batches and keeps to itself how far they reached. Without that a reader would stand still before one at the
// end of a log, so it is read by reflection; a test fails should the field go away.
func behindEmptyBatches(block *sarama.FetchResponseBlock) record.Offset {
	next := reflect.ValueOf(block).Elem().FieldByName("recordsNextOffset")
	if !next.IsValid() || next.Kind() != reflect.Pointer || next.IsNil() {
		return 0
	}
	return record.Offset(next.Elem().Int())
}
