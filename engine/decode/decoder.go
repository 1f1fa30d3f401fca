package decode

import (
	"citystream/engine/columns"
	"citystream/engine/record"
	"citystream/engine/schema"
)

// A Decoder turns the records of one Kafka partition into batches of one table. Not safe for concurrent use.
type Decoder struct {
	json      *JSON
	partition record.Partition
	topic     []byte
	own       int // number of the table's own columns, which the system columns follow
	eventTime int // index of the event time's column; negative where the Kafka timestamp is the event time
	reason    []byte
}

// NewDecoder returns a decoder of a partition's records into the rows of a table.
func NewDecoder(t *schema.Table, tp record.TopicPartition) *Decoder {
	return &Decoder{json: NewJSON(t), partition: tp.Partition, topic: []byte(tp.Topic), own: len(t.Columns), eventTime: t.EventTime}
}

// Decode appends what becomes of each record to dst, in order. dst is a batch of the decoder's table. Nothing in dst points into
// the records afterwards.
func (d *Decoder) Decode(dst *Batch, records []record.Record) {
	good, dead := len(dst.Offsets), len(dst.DeadOffsets)
	for i := range records {
		r := &records[i]
		dst.take(r)
		if r.Value == nil {
			dst.Tombstones = append(dst.Tombstones, r.Offset)
		} else if err := d.json.Append(dst.Good, r.Value); err != nil {
			d.dead(dst, r)
		} else {
			d.good(dst, r)
		}
	}
	d.system(dst.Good.Columns[d.own:], dst.Offsets[good:], dst.KafkaTimes[good:])
	d.system(dst.Dead.Columns[4:], dst.DeadOffsets[dead:], dst.DeadKafkaTimes[dead:])
}

// good completes the row that was just appended.
func (d *Decoder) good(dst *Batch, r *record.Record) {
	event := r.Timestamp
	if d.eventTime >= 0 {
		times := dst.Good.Columns[d.eventTime].Ints
		event = record.Micros(times[len(times)-1])
	}
	dst.Offsets = append(dst.Offsets, r.Offset)
	dst.EventTimes = append(dst.EventTimes, event)
	dst.KafkaTimes = append(dst.KafkaTimes, r.Timestamp)
}

// dead appends a row for a record that was just refused, with the reason that the JSON decoder holds.
func (d *Decoder) dead(dst *Batch, r *record.Record) {
	c := dst.Dead.Columns // in the order of schema.DeadLetters: topic, key, value, error
	c[0].AppendBytes(d.topic)
	if r.Key == nil {
		c[1].AppendNull()
	} else {
		c[1].AppendBytes(r.Key)
	}
	c[2].AppendBytes(r.Value)
	d.reason = d.json.reason.AppendTo(d.reason[:0])
	c[3].AppendBytes(d.reason)
	dst.DeadOffsets = append(dst.DeadOffsets, r.Offset)
	dst.DeadKafkaTimes = append(dst.DeadKafkaTimes, r.Timestamp)
}

// system fills schema.SystemColumns of the rows that were appended.
func (d *Decoder) system(c []columns.Column, offsets []record.Offset, times []record.Micros) {
	for range offsets {
		c[0].AppendInt(int64(d.partition))
	}
	for _, o := range offsets {
		c[1].AppendInt(int64(o))
	}
	for _, t := range times {
		c[2].AppendInt(int64(t))
	}
}
