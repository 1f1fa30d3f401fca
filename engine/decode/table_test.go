package decode_test

import (
	"time"

	"citystream/engine/columns"
	"citystream/engine/decode"
	"citystream/engine/schema"
)

func field(names ...string) schema.Path {
	var p schema.Path
	for _, n := range names {
		p = append(p, schema.Step{Field: n})
	}
	return p
}

func elem(p schema.Path, index int) schema.Path {
	return append(append(schema.Path{}, p...), schema.Step{Index: index})
}

// wide is a table with every kind of column and of path.
func wide() *schema.Table {
	return &schema.Table{
		Name: "wide", Topic: "wide", EventTime: 1,
		TimeFrom: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), TimeTo: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
		Columns: []schema.Column{
			{Name: "id", Type: schema.String, Paths: []schema.Path{field("id")}, Required: true},
			{Name: "at", Type: schema.Timestamp, Paths: []schema.Path{field("at")}, Required: true},
			{Name: "latitude", Type: schema.Double, Paths: []schema.Path{elem(field("p"), 0), field("lat")}},
			{Name: "longitude", Type: schema.Double, Paths: []schema.Path{elem(field("p"), 2), field("lon"), field("q", "lon")}},
			{Name: "place", Type: schema.String, Paths: []schema.Path{field("p")}},
			{Name: "n", Type: schema.Int, Paths: []schema.Path{field("n")}},
			{Name: "m", Type: schema.Long, Paths: []schema.Path{field("m"), field("n")}},
			{Name: "f", Type: schema.Bool, Paths: []schema.Path{field("f")}},
			{Name: "b", Type: schema.Binary, Paths: []schema.Path{field("b")}},
			{Name: "s", Type: schema.Timestamp, Unit: schema.Seconds, Paths: []schema.Path{field("s")}},
			{Name: "u", Type: schema.Timestamp, Unit: schema.Micros, Paths: []schema.Path{field("q", "u"), elem(field("q", "v"), 1)}},
			{Name: "q", Type: schema.String, Paths: []schema.Path{field("q"), field("q", "w")}},
			{Name: "none", Type: schema.Int},
		},
	}
}

// one returns a table whose column v is of the given type, beside nothing else.
func one(typ schema.Type, unit schema.TimeUnit) *schema.Table {
	return &schema.Table{EventTime: -1, Columns: []schema.Column{{Name: "v", Type: typ, Unit: unit, Paths: []schema.Path{field("v")}}}}
}

// cell returns the value of a column in a row as the reference spells it.
func cell(c *columns.Column, row int) any {
	switch {
	case c.IsNull(row):
		return nil
	case c.Type == schema.Double:
		return c.Floats[row]
	case c.Type == schema.String, c.Type == schema.Binary:
		return string(c.Bytes(row))
	}
	return c.Ints[row]
}

func rowOf(b *columns.Batch, own, row int) []any {
	var cells []any
	for i := range b.Columns[:own] {
		cells = append(cells, cell(&b.Columns[i], row))
	}
	return cells
}

// A reporter is what a test and a property have in common.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
}

// decodeValue decodes {"v": text} into a column of the type. A refused one gives the reason.
func decodeValue(t reporter, typ schema.Type, unit schema.TimeUnit, text string) (any, error) {
	t.Helper()
	table := one(typ, unit)
	b := columns.NewBatch(table.FileColumns())
	if err := decode.NewJSON(table).Append(b, []byte(`{"v": `+text+`}`)); err != nil {
		if b.Rows() != 0 || b.SizeBytes() != 0 {
			t.Errorf("%s was refused and left something behind", text)
		}
		return nil, err
	}
	return cell(&b.Columns[0], 0), nil
}
