package schema

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"citystream/internal/strictyaml"
)

// What a table gets that says nothing about time.
const (
	WindowLength     = time.Hour // of every table: the grain of the Hive partitions date=/hour=
	DefaultLateness  = 2 * time.Minute
	DefaultMaxFuture = time.Hour // above the skew of clocks, below the error of a zone taken for another
)

// The default range of event times: a clock that was never set says 1970, and a wrong unit lands far outside.
var (
	DefaultTimeFrom = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	DefaultTimeTo   = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Limits of a table.
const (
	ColumnsMax  = 1000 // of a table's own columns
	nameMax     = 128  // bytes of a table's or column's name
	topicMax    = 249  // as Kafka has it
	durationMax = 366 * 24 * time.Hour
)

// Parse reads one table, or a list of tables, from YAML. file is its name in messages. The error is a *strictyaml.Error that lists
// every fault with its line and column.
func Parse(file string, text []byte) ([]*Table, error) {
	var faults strictyaml.Faults
	tables := Read(strictyaml.Parse(file, text, &faults), &faults)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return tables, nil
}

// Read reads one table, or a list of tables, from a node, and notes what is wrong with them. Tables with faults are left out. The
// result of Parse on a text that is not YAML, nil, is taken too.
func Read(n *strictyaml.Node, faults *strictyaml.Faults) []*Table {
	if n == nil {
		return nil
	}
	nodes := []*strictyaml.Node{n}
	if n.Kind == strictyaml.List {
		nodes = n.Items
	}
	if n.Kind == strictyaml.Null || len(nodes) == 0 {
		faults.At(n, "no table in it: a table has at least name, topic, eventTime and columns")
		return nil
	}
	var tables []*Table
	for _, n := range nodes {
		before := faults.Len()
		t := readTable(n, faults)
		if faults.Len() > before {
			continue
		}
		if slices.ContainsFunc(tables, func(o *Table) bool { return strings.EqualFold(o.Name, t.Name) }) {
			faults.At(n, "a second table of the name %s: Glue does not tell capital letters from small ones", t.Name)
			continue
		}
		tables = append(tables, t)
	}
	return tables
}

func readTable(n *strictyaml.Node, faults *strictyaml.Faults) *Table {
	s := strictyaml.SectionOf(n, faults)
	t := &Table{
		Name:      readTableName(s, faults),
		Topic:     readTopic(s, faults),
		Window:    WindowLength,
		Lateness:  DefaultLateness,
		MaxFuture: DefaultMaxFuture,
		TimeFrom:  DefaultTimeFrom,
		TimeTo:    DefaultTimeTo,
	}
	eventTime := s.Need("eventTime", "the name of the timestamp column that says when a record's event was")
	if v := s.Take("lateness"); v != nil {
		t.Lateness = readDuration(v, faults, 0)
	}
	if v := s.Take("maxFuture"); v != nil {
		t.MaxFuture = readDuration(v, faults, time.Microsecond)
	}
	if v := s.Take("late"); v != nil {
		if word, ok := strictyaml.Word(v, faults, lateWords...); ok {
			t.Late, _ = latePolicyOf(word)
		}
	}
	readRange(s, t, faults)
	columns := s.Need("columns", "a list of columns, each with name, type and path")
	if columns != nil {
		readColumns(columns, t, faults)
	}
	s.Done()
	if eventTime != nil && columns != nil {
		readEventTime(eventTime, columns, t, faults)
	}
	return t
}

func readTableName(s *strictyaml.Section, faults *strictyaml.Faults) string {
	n := s.Need("name", "the table's name in SQL")
	if n == nil {
		return ""
	}
	name, ok := strictyaml.Text(n, faults)
	switch {
	case !ok:
	case !IsName(name):
		faults.At(n, "%q is no name: letters, digits and _, not beginning with a digit, at most %d", name, nameMax)
	case name[0] == '_':
		faults.At(n, "a table's name does not begin with _: query engines pass over folders of such names")
	case strings.EqualFold(name, DeadLetterTable):
		faults.At(n, "%s is the table of the records that cannot be decoded", DeadLetterTable)
	}
	return name
}

func readTopic(s *strictyaml.Section, faults *strictyaml.Faults) string {
	n := s.Need("topic", "the Kafka topic that the table is read from")
	if n == nil {
		return ""
	}
	topic, ok := strictyaml.Text(n, faults)
	if ok && !IsTopic(topic) {
		faults.At(n, "%q is no name of a topic: letters, digits, dots, _ and -, at most %d", topic, topicMax)
	}
	return topic
}

// IsTopic says whether Kafka takes the name for a topic.
func IsTopic(name string) bool {
	outside := func(r rune) bool { return !isLetter(r) && !isDigit(r) && r != '.' && r != '_' && r != '-' }
	return name != "" && name != "." && name != ".." && len(name) <= topicMax && !strings.ContainsFunc(name, outside)
}

// IsName says whether SQL takes the name without quotes.
func IsName(name string) bool {
	outside := func(r rune) bool { return !isLetter(r) && !isDigit(r) && r != '_' }
	return name != "" && len(name) <= nameMax && !isDigit(rune(name[0])) && !strings.ContainsFunc(name, outside)
}

func isLetter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }
func isDigit(r rune) bool  { return '0' <= r && r <= '9' }

func readDuration(n *strictyaml.Node, faults *strictyaml.Faults, least time.Duration) time.Duration {
	if n.Kind != strictyaml.String {
		faults.At(n, "must be a duration with its unit, like 90s, 10m or 1h30m")
		return 0
	}
	d, err := time.ParseDuration(n.Scalar)
	switch {
	case err != nil:
		faults.At(n, "%q is no duration: write it with its unit, like 90s, 10m or 1h30m", n.Scalar)
	case d < least || d > durationMax:
		faults.At(n, "%s lies outside %s to %s", n.Scalar, least, durationMax)
	case d%time.Microsecond != 0:
		faults.At(n, "%s is finer than a microsecond", n.Scalar)
	}
	return d
}

func readRange(s *strictyaml.Section, t *Table, faults *strictyaml.Faults) {
	before := faults.Len()
	from, to := s.Take("timeFrom"), s.Take("timeTo")
	if from != nil {
		t.TimeFrom = readTime(from, faults)
	}
	if to != nil {
		t.TimeTo = readTime(to, faults)
	}
	at := to
	if at == nil {
		at = from
	}
	if faults.Len() == before && at != nil && !t.TimeFrom.Before(t.TimeTo) {
		faults.At(at, "the range of event times is empty: from %s to %s", t.TimeFrom.Format(time.RFC3339), t.TimeTo.Format(time.RFC3339))
	}
}

// readTime reads a day or a moment. Years before 1 and after 9999 do not fit the names of Hive partitions.
func readTime(n *strictyaml.Node, faults *strictyaml.Faults) time.Time {
	if n.Kind == strictyaml.String {
		for _, layout := range []string{time.DateOnly, time.RFC3339} {
			t, err := time.Parse(layout, n.Scalar)
			if err != nil {
				continue
			}
			if t = t.UTC(); t.Year() < 1 || t.Year() > 9999 {
				faults.At(n, "%s lies outside the years 1 to 9999", n.Scalar)
			} else if t.Nanosecond()%1000 != 0 {
				faults.At(n, "%s is finer than a microsecond", n.Scalar)
			}
			return t
		}
	}
	faults.At(n, "must be a day like 2000-01-01 or a moment like 2000-01-01T00:00:00Z")
	return time.Time{}
}

// readEventTime finds the column of event times and makes it required: a record without event time belongs to no window.
func readEventTime(n, columns *strictyaml.Node, t *Table, faults *strictyaml.Faults) {
	name, ok := strictyaml.Text(n, faults)
	if !ok {
		return
	}
	i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		faults.At(n, "there is no column %s", name)
		return
	}
	if t.Columns[i].Type == 0 {
		return // reported already
	}
	if t.Columns[i].Type != Timestamp {
		faults.At(n, "column %s must be of type %s to give the event time", name, Timestamp)
		return
	}
	if required := columnKey(columns, i, "required"); required != nil && !t.Columns[i].Required {
		faults.At(required, "column %s gives the event time, so each record must have it: remove required, or write true", name)
	}
	t.EventTime, t.Columns[i].Required = i, true
}

// columnKey returns the node of one key of the i-th column, or nil.
func columnKey(columns *strictyaml.Node, i int, key string) *strictyaml.Node {
	for _, e := range columns.Items[i].Entries {
		if e.Key == key {
			return e.Value
		}
	}
	return nil
}

// mustParse reads tables that are part of the program.
func mustParse(file string, text []byte) *Table {
	tables, err := Parse(file, text)
	if err != nil || len(tables) != 1 {
		panic(fmt.Sprintf("schema: embedded table %s: %d tables, %v", file, len(tables), err))
	}
	return tables[0]
}
