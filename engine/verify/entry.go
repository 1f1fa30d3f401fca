package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"citystream/engine/port"
	"citystream/engine/record"
	"citystream/engine/schema"
)

// formatKnown is the newest form of entries that is understood here.
const formatKnown = 1

const (
	root        = "_citystream/"
	deadLetters = "dead_letters"
	lateSuffix  = "_late"
	page        = 1000
)

// entry is a slot's object, as docs/architecture.md has it.
type entry struct {
	Format   int    `json:"format"`
	ID       string `json:"id"`
	Previous string `json:"previous"`
	Slot     int64  `json:"slot"`
	Kind     string `json:"kind"`
	Owner    struct {
		Epoch       int64  `json:"epoch"`
		Version     int64  `json:"version"`
		Worker      string `json:"worker"`
		Incarnation string `json:"incarnation"`
	} `json:"owner"`
	Claim       *int64        `json:"claim"` // slot of the owner's claim
	TopicID     string        `json:"topic_id"`
	Fingerprint string        `json:"fingerprint"`
	Files       []file        `json:"files"`
	Lost        []loss        `json:"lost"`
	First       record.Offset `json:"first"`
	Resume      record.Offset `json:"resume"`
	ReadThrough record.Offset `json:"read_through"`
	Watermark   record.Micros `json:"watermark"`
	EventMax    record.Micros `json:"event_max"`
	Windows     []struct {
		Start          record.Micros `json:"start"`
		FlushedThrough record.Offset `json:"flushed_through"`
	} `json:"windows"`
	Counters counters `json:"counters"`
}

type counters struct {
	Rows        int64 `json:"rows"`
	DeadLetters int64 `json:"dead_letters"`
	LateDropped int64 `json:"late_dropped"`
	Tombstones  int64 `json:"tombstones"`
	Gaps        int64 `json:"gaps"`
	LateRows    int64 `json:"late_rows"`
	Future      int64 `json:"future"`
	Files       int64 `json:"files"`
	Bytes       int64 `json:"bytes"`
	Lost        int64 `json:"lost"`
}

// values returns the counters, all of which only grow.
func (n counters) values() []int64 {
	return []int64{n.Rows, n.DeadLetters, n.LateDropped, n.Tombstones, n.Gaps, n.LateRows, n.Future, n.Files, n.Bytes, n.Lost}
}

type file struct {
	Table    string        `json:"table"`
	Key      string        `json:"key"`
	Upload   string        `json:"upload"`
	Parts    []part        `json:"parts"`
	Rows     int64         `json:"rows"`
	Bytes    int64         `json:"bytes"`
	Window   record.Micros `json:"window"`
	EventMin record.Micros `json:"event_min"`
	EventMax record.Micros `json:"event_max"`
	From     record.Offset `json:"from"`
	To       record.Offset `json:"to"`
}

// part is a stretch of a file as it was uploaded, with its checksum: Base64 of the big-endian CRC-32 (IEEE).
type part struct {
	CRC32 string `json:"crc32"`
	Size  int64  `json:"size"`
}

type loss struct {
	From record.Offset `json:"from"`
	To   record.Offset `json:"to"`
	Key  string        `json:"key"`
	Rows int64         `json:"rows"`
}

// count returns how many records a loss is of.
func (l loss) count() int64 {
	if l.Key != "" {
		return l.Rows
	}
	return int64(l.To - l.From)
}

// logName is one commit log.
type logName struct {
	table     string
	tp        record.TopicPartition
	low, last int64 // slots: the first that counts, and the last that was listed
}

func (l logName) String() string { return l.table + "/" + l.tp.String() }

func (l logName) prefix() string { return root + "log/" + l.String() + "/" }

func (l logName) key(slot int64) string { return fmt.Sprintf("%s%020d.json", l.prefix(), slot) }

var slotKey = regexp.MustCompile(`^_citystream/log/([^/]+)/([^/]+)/(\d+)/(\d{20})\.json$`)

// findLogs returns every log of the bucket, whatever tables are configured, by jumping from one log's last slot to the next log.
func (v *verifier) findLogs(ctx context.Context) ([]*logName, error) {
	var logs []*logName
	after := ""
	for {
		objects, err := v.Store.List(ctx, root+"log/", after, page)
		if err != nil {
			return nil, fmt.Errorf("list the commit logs: %w", err)
		}
		for _, o := range objects {
			m := slotKey.FindStringSubmatch(o.Key)
			if m == nil {
				if v.logs != nil {
					continue // said when they were listed first
				}
				v.report.violated(Violation{Invariant: "I1", Slot: -1, File: o.Key, What: "an object among the slots that is no slot"})
				continue
			}
			partition, _ := strconv.Atoi(m[3])
			slot, _ := strconv.ParseInt(m[4], 10, 64)
			name := logName{table: m[1], tp: record.TopicPartition{Topic: m[2], Partition: record.Partition(partition)}}
			if n := len(logs); n == 0 || logs[n-1].String() != name.String() {
				if name.low, err = v.lowOf(ctx, name); err != nil {
					return nil, err
				}
				logs = append(logs, &name)
			}
			logs[len(logs)-1].last = slot
		}
		if len(objects) < page {
			return logs, nil
		}
		after = objects[len(objects)-1].Key
	}
}

// lowOf returns the first slot of a log that counts: those below were deleted, or are about to be.
func (v *verifier) lowOf(ctx context.Context, l logName) (int64, error) {
	body, _, err := v.Store.Get(ctx, root+"low/"+l.String()+".json")
	if errors.Is(err, port.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the low slot of %s: %w", l, err)
	}
	var low struct {
		Low int64 `json:"low"`
	}
	if err := json.Unmarshal(body, &low); err != nil {
		return 0, fmt.Errorf("the low slot of %s: %w", l, err)
	}
	return low.Low, nil
}

// rules are a table as it was under one fingerprint.
type rules struct {
	*schema.Table
	own map[string]int // index of a column by name
}

// rulesOf returns the table of an entry, whose text is kept beside the logs.
func (v *verifier) rulesOf(ctx context.Context, fingerprint string) (*rules, error) {
	if r := v.tables[fingerprint]; r != nil {
		return r, nil
	}
	body, _, err := v.Store.Get(ctx, root+"schema/"+fingerprint+".json")
	if err != nil {
		return nil, fmt.Errorf("schema %s of an entry: %w", fingerprint, err)
	}
	t, err := schema.FromCanonical(body)
	if err != nil {
		return nil, fmt.Errorf("schema %s of an entry: %w", fingerprint, err)
	}
	r := &rules{Table: t, own: map[string]int{}}
	for i, c := range t.Columns {
		r.own[c.Name] = i
	}
	v.tables[fingerprint] = r
	return r, nil
}

// windowOf returns the start of the window that a file's rows of that time belong to.
func (r *rules) windowOf(f *file, at record.Micros) record.Micros {
	length := record.Micros(3600 * 1_000_000) // of dead letters
	if f.Table != deadLetters {
		length = record.Micros(r.Window.Microseconds())
	}
	start := at - at%length
	if at%length < 0 {
		start -= length
	}
	return start
}
