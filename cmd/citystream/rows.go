package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"citystream/engine/port"
)

// A rowWriter writes a result page by page, in one of the forms.
type rowWriter interface {
	page(r *port.Result) error
	end() error
}

func (q *query) writer(w io.Writer) rowWriter {
	switch q.output {
	case "csv":
		return &csvRows{out: csv.NewWriter(w)}
	case "json":
		return &jsonRows{out: bufio.NewWriter(w)}
	default:
		return &tableRows{w: w}
	}
}

func cell(v *string) string {
	if v == nil {
		return ""
	}
	return *v
}

// cellMax is how much of a value a terminal is shown.
const cellMax = 40

// writeResult writes a whole result as a table.
func writeResult(w io.Writer, r *port.Result) error {
	t := &tableRows{w: w}
	if err := t.page(r); err != nil {
		return err
	}
	return t.end()
}

// tableRows writes a table a page: nobody knows how wide the next page's values are.
type tableRows struct {
	w    io.Writer
	rows int
	more bool
}

func (t *tableRows) page(r *port.Result) error {
	t.rows += len(r.Rows)
	if len(r.Rows) == 0 && t.more {
		return nil
	}
	t.more = true
	out, isFile := t.w.(*os.File)
	cut := isFile && isTerminal(out)
	tab := newTable(t.w)
	var header table.Row
	for _, c := range r.Columns {
		header = append(header, c.Name)
	}
	tab.AppendHeader(header)
	for _, row := range r.Rows {
		var cells table.Row
		for _, v := range row {
			text := []rune(cell(v))
			if cut && len(text) > cellMax {
				text = append(text[:cellMax-1], '…')
			}
			cells = append(cells, string(text))
		}
		tab.AppendRow(cells)
	}
	tab.Render()
	return nil
}

func (t *tableRows) end() error {
	_, err := fmt.Fprintf(t.w, "%d rows\n", t.rows)
	return err
}

// csvRows writes the names of the columns, then a line a row; NULL is nothing.
type csvRows struct {
	out  *csv.Writer
	more bool
}

func (c *csvRows) page(r *port.Result) error {
	line := make([]string, len(r.Columns))
	if !c.more {
		for i, col := range r.Columns {
			line[i] = col.Name
		}
		if err := c.out.Write(line); err != nil {
			return err
		}
		c.more = true
	}
	for _, values := range r.Rows {
		line = line[:0]
		for _, v := range values {
			line = append(line, cell(v))
		}
		if err := c.out.Write(line); err != nil {
			return err
		}
	}
	c.out.Flush()
	return c.out.Error()
}

func (c *csvRows) end() error { return nil }

// jsonRows writes an array with one object a row, a row on a line, columns in their order. Numbers and booleans are JSON's own, other
// values text, NULL is null.
type jsonRows struct {
	out  *bufio.Writer
	rows int
}

func (j *jsonRows) page(r *port.Result) error {
	for _, values := range r.Rows {
		j.out.WriteString(map[bool]string{true: "[", false: ","}[j.rows == 0])
		j.rows++
		j.out.WriteString("\n{")
		for i, v := range values {
			if i > 0 {
				j.out.WriteString(",")
			}
			j.out.Write(jsonText(r.Columns[i].Name))
			j.out.WriteString(":")
			j.out.Write(jsonValue(r.Columns[i].Type, v))
		}
		j.out.WriteString("}")
	}
	return j.out.Flush() // the first error of them all
}

func (j *jsonRows) end() error {
	if j.rows == 0 {
		j.out.WriteString("[")
	}
	j.out.WriteString("\n]\n")
	return j.out.Flush()
}

// jsonValue returns a cell as JSON: what is no number in JSON's sense, as NaN, stays text.
func jsonValue(columnType string, v *string) []byte {
	if v == nil {
		return []byte("null")
	}
	base, _, _ := strings.Cut(columnType, "(")
	switch base {
	case "tinyint", "smallint", "int", "integer", "bigint", "float", "real", "double", "decimal", "boolean":
		if json.Valid([]byte(*v)) {
			return []byte(*v)
		}
	}
	return jsonText(*v)
}

func jsonText(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // text can always be written
	}
	return b
}
