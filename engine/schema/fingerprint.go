package schema

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// CanonicalFormat is the number of the canonical text's form. It grows when the text says something that an older program would
// miss.
const CanonicalFormat = 1

// DecoderVersion is part of every fingerprint: it grows whenever package decode makes another row of the same record and table, so
// that rows to be written again come out as they were.
const DecoderVersion = 1

// ErrNewer is the error of a canonical text that a newer program wrote: its meaning cannot be known here.
var ErrNewer = errors.New("written by a newer version of citystream: use that version, or a later one, on this data")

// canonical is a table as its canonical text: everything that decides what a record becomes, and nothing else. Comments are left out,
// so that a better one does not make another table.
type canonical struct {
	Format    int               `json:"format"`
	Decoder   int               `json:"decoder"`
	Name      string            `json:"name"`
	Topic     string            `json:"topic"`
	EventTime string            `json:"eventTime"` // a column; empty is the Kafka timestamp
	Window    string            `json:"window"`
	Lateness  string            `json:"lateness"`
	MaxFuture string            `json:"maxFuture"`
	Late      string            `json:"late"`
	TimeFrom  time.Time         `json:"timeFrom"`
	TimeTo    time.Time         `json:"timeTo"`
	Columns   []canonicalColumn `json:"columns"`
}

type canonicalColumn struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"`
	Paths    []string `json:"paths"`
	Required bool     `json:"required"`
	Unit     string   `json:"unit"`
}

// Canonical returns the text, in JSON, of everything that decides what a record of the table's topic becomes. Equal tables have equal
// texts. FromCanonical reads it back.
func (t *Table) Canonical() []byte {
	c := canonical{
		Format: CanonicalFormat, Decoder: DecoderVersion,
		Name: t.Name, Topic: t.Topic,
		Window: t.Window.String(), Lateness: t.Lateness.String(), MaxFuture: t.MaxFuture.String(),
		Late: t.Late.String(), TimeFrom: t.TimeFrom.UTC(), TimeTo: t.TimeTo.UTC(),
		Columns: make([]canonicalColumn, len(t.Columns)),
	}
	if t.EventTime >= 0 {
		c.EventTime = t.Columns[t.EventTime].Name
	}
	for i, col := range t.Columns {
		paths := make([]string, len(col.Paths))
		for j, p := range col.Paths {
			paths[j] = p.String()
		}
		c.Columns[i] = canonicalColumn{Name: col.Name, Type: col.Type.String(), Paths: paths, Required: col.Required, Unit: col.Unit.String()}
	}
	text, err := json.Marshal(c)
	if err != nil {
		panic("schema: canonical text of " + t.Name + ": " + err.Error()) // strings, numbers and years 1 to 9999 only
	}
	return text
}

// Fingerprint returns the name of the table's canonical text: 32 hexadecimal digits, the first half of its SHA-256.
func (t *Table) Fingerprint() string {
	sum := sha256.Sum256(t.Canonical())
	return hex.EncodeToString(sum[:16])
}

// FromCanonical returns the table of a canonical text, without comments. Its fingerprint is that of the text. The error is ErrNewer if
// a newer program wrote the text.
func FromCanonical(text []byte) (*Table, error) {
	var version struct{ Format, Decoder int }
	if err := json.Unmarshal(text, &version); err != nil {
		return nil, fmt.Errorf("read canonical schema: %w", err)
	}
	if version.Format > CanonicalFormat || version.Decoder > DecoderVersion {
		return nil, fmt.Errorf("read canonical schema of format %d, decoder %d (known: %d, %d): %w",
			version.Format, version.Decoder, CanonicalFormat, DecoderVersion, ErrNewer)
	}
	var c canonical
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields() // an unknown field might decide something
	if err := d.Decode(&c); err != nil {
		return nil, fmt.Errorf("read canonical schema: %w", err)
	}
	t, err := c.table()
	if err != nil {
		return nil, fmt.Errorf("read canonical schema of %s: %w", c.Name, err)
	}
	if !bytes.Equal(t.Canonical(), text) {
		return nil, fmt.Errorf("read canonical schema of %s: the text says more than is understood", c.Name)
	}
	return t, nil
}

func (c *canonical) table() (*Table, error) {
	t := &Table{Name: c.Name, Topic: c.Topic, EventTime: -1, TimeFrom: c.TimeFrom.UTC(), TimeTo: c.TimeTo.UTC()}
	for _, d := range []struct {
		text string
		into *time.Duration
	}{{c.Window, &t.Window}, {c.Lateness, &t.Lateness}, {c.MaxFuture, &t.MaxFuture}} {
		var err error
		if *d.into, err = time.ParseDuration(d.text); err != nil {
			return nil, err
		}
	}
	var ok bool
	if t.Late, ok = latePolicyOf(c.Late); !ok {
		return nil, fmt.Errorf("late policy %q", c.Late)
	}
	for i := range c.Columns {
		col, err := c.Columns[i].column()
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", c.Columns[i].Name, err)
		}
		t.Columns = append(t.Columns, col)
		if col.Name == c.EventTime {
			t.EventTime = i
		}
	}
	return t, nil
}

func (c *canonicalColumn) column() (Column, error) {
	col := Column{Name: c.Name, Required: c.Required}
	var ok bool
	if col.Type, ok = typeOf(c.Type); !ok {
		return Column{}, fmt.Errorf("type %q", c.Type)
	}
	if col.Unit, ok = unitOf(c.Unit); !ok {
		return Column{}, fmt.Errorf("unit %q", c.Unit)
	}
	for _, text := range c.Paths {
		p, err := ParsePath(text)
		if err != nil {
			return Column{}, err
		}
		col.Paths = append(col.Paths, p)
	}
	return col, nil
}
