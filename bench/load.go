package main

import (
	"context"
	"encoding/hex"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/IBM/sarama"

	"citystream/engine/adapter/kafka"
)

// topic is that of the table vehicle_data, whose records the benchmark writes.
const topic = "vehicle_data"

// began is the event time of the first record: a fixed one, so that each run makes the same Hive partitions.
var began = time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)

// A load is what is written to the topic.
type load struct {
	partitions int
	codec      sarama.CompressionCodec
	fill       int           // bytes of an unknown field in each record; 0 is without
	tiny       bool          // records of tinyBytes, for a table of one column
	windows    int           // event times are spread over so many hours, all at the same time; 0 is one after another
	step       time.Duration // of event time from record to record of a partition
}

// tinyBytes is the length of a record with nothing but a time.
const tinyBytes = 16

// batchRecords is how many records of the usual length a producer's batch has.
const batchRecords = 1000

// An author makes the records of one partition. Not safe for concurrent use.
type author struct {
	load
	random *rand.Rand
	at     time.Time
	made   int
	fill   []byte
}

func newAuthor(l load, partition int) *author {
	return &author{load: l, random: rand.New(rand.NewPCG(uint64(partition), 1)), at: began, fill: make([]byte, 0, l.fill)}
}

var (
	directions = []string{"North", "North-East", "East", "South-East", "South", "South-West", "West", "North-West"}
	makes      = []string{"BMW", "Ford", "Tesla", "Toyota", "Vauxhall"}
	models     = []string{"C500", "Focus", "Model 3", "Corolla", "Astra"}
	fuels      = []string{"Hybrid", "Petrol", "Diesel", "Electric"}
)

// appendRecord appends one record as the Python producer of the same data spells it: json.dumps with its blanks.
func (a *author) appendRecord(b []byte) []byte {
	r := a.random
	at := a.at.Add(time.Duration(r.Int64N(int64(time.Second))))
	a.at = a.at.Add(a.step)
	if a.windows > 0 {
		at = began.Add(time.Duration(a.made%a.windows)*time.Hour + time.Duration(r.Int64N(int64(time.Hour))))
	}
	a.made++
	if a.tiny {
		b = append(b, `{"t":`...)
		b = strconv.AppendInt(b, at.Unix(), 10)
		return append(b, '}')
	}
	n := r.IntN(len(makes))
	b = append(b, `{"id": "`...)
	b = appendUUID(b, r)
	b = append(b, `", "deviceId": "vehicle-`...)
	b = strconv.AppendInt(b, 10000+int64(r.IntN(2000)), 10)
	b = append(b, `", "timestamp": "`...)
	b = at.AppendFormat(b, "2006-01-02T15:04:05.000000")
	b = append(b, `", "location": [`...)
	b = strconv.AppendFloat(b, 51.5074+float64(r.IntN(1e6))/1e6, 'f', 6, 64)
	b = append(b, ", "...)
	b = strconv.AppendFloat(b, -0.1278-float64(r.IntN(1_700_000))/1e6, 'f', 6, 64)
	b = append(b, `], "speed": `...)
	b = strconv.AppendFloat(b, 10+float64(r.IntN(3000))/100, 'f', 2, 64)
	b = append(b, `, "direction": "`...)
	b = append(b, directions[r.IntN(len(directions))]...)
	b = append(b, `", "make": "`...)
	b = append(b, makes[n]...)
	b = append(b, `", "model": "`...)
	b = append(b, models[n]...)
	b = append(b, `", "year": `...)
	b = strconv.AppendInt(b, 2010+int64(r.IntN(15)), 10)
	b = append(b, `, "fuelType": "`...)
	b = append(b, fuels[r.IntN(len(fuels))]...)
	if cap(a.fill) > 0 {
		b = append(b, `", "note": "`...)
		for len(b) > 0 && len(a.fill) < cap(a.fill) {
			a.fill = append(a.fill, byte('a'+r.IntN(26)))
		}
		b = append(b, a.fill...)
	}
	return append(b, `"}`...)
}

func appendUUID(b []byte, r *rand.Rand) []byte {
	var raw [16]byte
	for i := range 8 {
		raw[i], raw[8+i] = byte(r.Uint32()), byte(r.Uint32())
	}
	raw[6], raw[8] = raw[6]&0x0f|0x40, raw[8]&0x3f|0x80
	for i, part := range [][]byte{raw[:4], raw[4:6], raw[6:8], raw[8:10], raw[10:]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	return b
}

// batch makes a batch of n records as a producer sends it.
func (a *author) batch(n int, at time.Time) *sarama.RecordBatch {
	b := &sarama.RecordBatch{
		Version: 2, Codec: a.codec, CompressionLevel: sarama.CompressionLevelDefault, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1,
		FirstTimestamp: at, MaxTimestamp: at, LastOffsetDelta: int32(n - 1), Records: make([]*sarama.Record, n),
	}
	text := make([]byte, 0, n*(320+a.load.fill))
	for i := range n {
		from := len(text)
		text = a.appendRecord(text)
		b.Records[i] = &sarama.Record{OffsetDelta: int64(i), Value: text[from:len(text):len(text)]}
	}
	return b
}

// batchOf is how many records make a batch of about 256 KiB at most.
func (l load) batchOf() int { return max(1, min(batchRecords, (256<<10)/(280+l.fill))) }

// A kafkaCluster is the broker of a run.
type kafkaCluster struct {
	lab  *lab
	addr string
}

// makeTopic makes the topic with the load's partitions.
func (k *kafkaCluster) makeTopic(name string, partitions int) {
	source, err := kafka.NewSource(kafka.Options{Brokers: []string{k.addr}})
	k.lab.check(err)
	defer source.Close()
	_, err = source.EnsureTopics(context.Background(), []kafka.TopicSpec{{Name: name, Partitions: int32(partitions)}})
	k.lab.check(err)
}

// connect opens a connection to the broker, which is the only one.
func (k *kafkaCluster) connect() *sarama.Broker {
	config := sarama.NewConfig()
	config.Version = sarama.V3_6_0_0
	b := sarama.NewBroker(k.addr)
	k.lab.check(b.Open(config))
	return b
}

// send writes one batch and returns the offset of its first record.
func (k *kafkaCluster) send(b *sarama.Broker, partition int, batch *sarama.RecordBatch) int64 {
	for deadline := time.Now().Add(30 * time.Second); ; {
		request := &sarama.ProduceRequest{Version: 7, RequiredAcks: sarama.WaitForAll, Timeout: 10_000}
		request.AddBatch(topic, int32(partition), batch)
		response, err := b.Produce(request)
		k.lab.check(err)
		block := response.GetBlock(topic, int32(partition))
		switch {
		case block == nil:
			k.lab.Fatalf("produce to partition %d: no answer", partition)
		case block.Err == sarama.ErrNoError:
			return block.Offset
		case time.Now().After(deadline):
			k.lab.Fatalf("produce to partition %d: %v", partition, block.Err)
		}
		<-time.After(50 * time.Millisecond) // a topic that was just made has no leader yet
	}
}

// fill writes n records, the same number to each partition.
func (k *kafkaCluster) fill(l load, n int) {
	b := k.connect()
	defer b.Close()
	authors := make([]*author, l.partitions)
	for p := range authors {
		authors[p] = newAuthor(l, p)
	}
	for left := n / l.partitions; left > 0; {
		size := min(left, l.batchOf())
		for p, a := range authors {
			k.send(b, p, a.batch(size, time.Now()))
		}
		left -= size
	}
}
