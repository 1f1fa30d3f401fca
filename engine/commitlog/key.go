package commitlog

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"citystream/engine/record"
)

// Root is the prefix of everything that citystream keeps in a bucket for itself, outside every table's location. Readers of
// tables skip names that begin with an underscore.
const Root = "_citystream/"

// A Log names the commit log of one table and Kafka partition.
type Log struct {
	Table string
	record.TopicPartition
}

// String returns table/topic/partition.
func (l Log) String() string { return l.Table + "/" + l.TopicPartition.String() }

// Prefix returns the prefix of the log's slots.
func (l Log) Prefix() string {
	return fmt.Sprintf("%slog/%s/%s/%d/", Root, l.Table, l.Topic, l.Partition)
}

// Key returns the key of a slot. Keys sort as slots do.
func (l Log) Key(s Slot) string { return fmt.Sprintf("%s%020d.json", l.Prefix(), s) }

// HintKey returns the key of the object that names a slot near the log's end, so that a long log need not be listed from its beginning.
func (l Log) HintKey() string {
	return fmt.Sprintf("%shint/%s/%s/%d.json", Root, l.Table, l.Topic, l.Partition)
}

// LowKey returns the key of the object that says which slots still count: those from its number on. It is raised before slots
// are deleted, and whoever has written a slot looks at it afterwards, so that a writer of long ago cannot mistake a deleted slot for a free one.
func (l Log) LowKey() string {
	return fmt.Sprintf("%slow/%s/%s/%d.json", Root, l.Table, l.Topic, l.Partition)
}

// SlotOf returns the slot whose key is given, if it is one of the log's.
func (l Log) SlotOf(key string) (Slot, bool) {
	name, ok := strings.CutPrefix(key, l.Prefix())
	if !ok {
		return None, false
	}
	digits, ok := strings.CutSuffix(name, ".json")
	if !ok || len(digits) != 20 {
		return None, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 {
		return None, false
	}
	return Slot(n), true
}

// SchemaKey returns the key under which the text of a schema with this fingerprint is kept.
func SchemaKey(fingerprint string) string { return Root + "schema/" + fingerprint + ".json" }

// FileKey returns the key of a file of a table: in the Hive partition of its window, named by its log, the claim of its owner and
// its first offset. A claim's slot belongs to one owner (I1), and an owner's files of a window begin at different offsets, so no
// two files share a key: not even the dead letters of two tables that read one topic, for no table's name has a dot.
func (l Log) FileKey(prefix, table string, epoch Epoch, claim Slot, window record.Micros, from record.Offset) string {
	return fmt.Sprintf("%s/%s/%s/%s-%05d-e%06d-s%012d-o%020d.parquet",
		prefix, table, HivePath(window), l.origin(), l.Partition, epoch, claim, from)
}

// origin returns the log's part of its files' names: the topic, with the table before it where that has another name.
func (l Log) origin() string {
	if l.Table == l.Topic {
		return l.Topic
	}
	return l.Table + "." + l.Topic
}

// fileName is how FileKey names files; topics may have any of its letters, so it is read from the end.
var fileName = regexp.MustCompile(`^(.+)-([0-9]{5,})-e[0-9]{6,}-s([0-9]{12,})-o[0-9]{20}\.parquet$`)

// ClaimOf returns the slot of the claim under which a file of the log was begun, if the key is one of a file of this log.
func (l Log) ClaimOf(key string) (Slot, bool) {
	m := fileName.FindStringSubmatch(path.Base(key))
	if m == nil || m[1] != l.origin() || m[2] != fmt.Sprintf("%05d", l.Partition) {
		return None, false
	}
	n, err := strconv.ParseInt(m[3], 10, 64)
	return Slot(n), err == nil
}

// HivePath returns the folder of a window's Hive partition, date=2026-11-22/hour=06, in UTC.
func HivePath(window record.Micros) string {
	v := HiveValues(window)
	return "date=" + v[0] + "/hour=" + v[1]
}

// HiveValues returns the values of the partition keys date and hour of a window, in UTC.
func HiveValues(window record.Micros) [2]string {
	t := window.Time()
	return [2]string{t.Format("2006-01-02"), t.Format("15")}
}
