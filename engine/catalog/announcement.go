package catalog

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"citystream/engine/commitlog"
	"citystream/engine/port"
	"citystream/engine/record"
)

// A Revision counts how often a Hive partition was announced complete: 1 the first time, one more for late files. 0 is never.
type Revision int64

// An Announcement says that a Hive partition of a table is complete: the watermark of each Kafka partition has passed its end, and the
// files of the slots that are named are all that there are. Each revision is an object of its own, which is written once and stays.
type Announcement struct {
	Table      string        `json:"table"`
	Topic      string        `json:"topic"`
	Window     record.Micros `json:"window"`
	Date       string        `json:"date"` // the values of the Hive keys, for people and for what listens to the bucket
	Hour       string        `json:"hour"`
	Location   string        `json:"location"` // s3:// of the files
	Revision   Revision      `json:"revision"`
	Through    Slots         `json:"through"`     // files of these slots, and those before, are counted
	Closed     record.Micros `json:"closed"`      // the least watermark
	CompleteAt time.Time     `json:"complete_at"` // by the catalog's clock; for people, nothing depends on it
}

// AnnouncementsPrefix returns the prefix of all announcements of a table. They lie outside the tables' folders, where readers exist that take
// every object for a file of rows.
func AnnouncementsPrefix(table string) string { return commitlog.Root + "complete/" + table + "/" }

// RevisionsPrefix returns the prefix of the announcements of one window. They sort as their revisions do.
func RevisionsPrefix(table string, window record.Micros) string {
	return AnnouncementsPrefix(table) + commitlog.HivePath(window) + "/"
}

// AnnouncementKey returns the key of an announcement.
func AnnouncementKey(table string, window record.Micros, r Revision) string {
	return fmt.Sprintf("%sr%06d.json", RevisionsPrefix(table, window), r)
}

// ParseAnnouncementKey reads the window and the revision off the key of one of a table's announcements.
func ParseAnnouncementKey(table, key string) (record.Micros, Revision, bool) {
	rest, ok := strings.CutPrefix(key, AnnouncementsPrefix(table))
	if !ok {
		return 0, 0, false
	}
	window, name, ok := cutWindow(rest)
	if !ok {
		return 0, 0, false
	}
	digits, ok := strings.CutSuffix(strings.TrimPrefix(name, "r"), ".json")
	n, err := strconv.ParseInt(digits, 10, 64)
	return window, Revision(n), ok && name[0] == 'r' && err == nil && n > 0
}

// cutWindow reads a window off the folders date=.../hour=.../ that a text begins with, and returns what follows them.
func cutWindow(text string) (window record.Micros, rest string, ok bool) {
	const layout = "date=2006-01-02/hour=15"
	if len(text) < len(layout)+2 || text[len(layout)] != '/' {
		return 0, "", false
	}
	t, err := time.Parse(layout, text[:len(layout)])
	return record.MicrosOf(t), text[len(layout)+1:], err == nil
}

// WindowOfFile returns the window of a file, date=.../hour=.../name, below the folder of its table.
func WindowOfFile(path string) (record.Micros, bool) {
	window, name, ok := cutWindow(path)
	return window, ok && !strings.Contains(name, "/")
}

// WindowOf returns the window of a Hive partition with the given values.
func WindowOf(values []string) (record.Micros, bool) {
	if len(values) != 2 {
		return 0, false
	}
	t, err := time.Parse("2006-01-02 15", values[0]+" "+values[1])
	return record.MicrosOf(t), err == nil
}

// Counts reports whether an announcement counts the files of all the slots; nil counts none, and is asked only where there are files.
func (a *Announcement) Counts(touched Slots) bool {
	if a == nil {
		return false
	}
	for p, slot := range touched {
		if through, ok := a.Through[p]; !ok || through < slot {
			return false
		}
	}
	return true
}

// Announce returns the announcement that has to follow the last one of a window (nil: there is none), at the present progress.
func Announce(last *Announcement, topic string, place Place, bucket string, p Progress, partitions int, now time.Time) *Announcement {
	v := commitlog.HiveValues(place.Window)
	a := &Announcement{
		Table: place.Table, Topic: topic, Window: place.Window, Date: v[0], Hour: v[1], Location: place.Partition(bucket).Location,
		Revision: 1, Through: Slots{}, Closed: p.Closed(partitions), CompleteAt: now.UTC().Truncate(time.Millisecond),
	}
	if last != nil {
		a.Revision = last.Revision + 1
		a.Through = maps.Clone(last.Through)
	}
	for n, c := range p.Logs {
		if through, ok := a.Through[n]; !ok || through < c.Slot {
			a.Through[n] = c.Slot
		}
	}
	return a
}

// Names of the parameters of a Hive partition.
const (
	ParamCompleteAt = "complete_at" // RFC 3339
	ParamRevision   = "revision"
)

// Partition returns the Hive partition as the catalog is to show it.
func (a *Announcement) Partition() port.HivePartition {
	return port.HivePartition{Values: []string{a.Date, a.Hour}, Location: a.Location, Parameters: map[string]string{
		ParamCompleteAt: a.CompleteAt.Format(time.RFC3339), ParamRevision: strconv.FormatInt(int64(a.Revision), 10),
	}}
}

// Encode returns the bytes of the announcement's object.
func (a *Announcement) Encode() []byte { return encode(a) }

// DecodeAnnouncement reads an announcement's object.
func DecodeAnnouncement(b []byte) (*Announcement, error) {
	var a Announcement
	if err := json.Unmarshal(b, &a); err != nil {
		return nil, fmt.Errorf("announcement: %w", err)
	}
	if a.Revision < 1 || a.Table == "" {
		return nil, fmt.Errorf("announcement of table %q, revision %d: not one", a.Table, a.Revision)
	}
	if a.Through == nil {
		a.Through = Slots{}
	}
	return &a, nil
}
