//go:build readers

package parquetfile

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go/format"

	"citystream/engine/schema"
	"citystream/internal/pythonenv"
)

// A wantColumn is a column as testdata/check_readers.py expects it.
type wantColumn struct {
	Name   string  `json:"name"`
	Type   string  `json:"type"`
	Cells  []any   `json:"cells"`
	Bounds [][]any `json:"bounds"` // a row group each
	Probes []probe `json:"probes"`
}

type wantFile struct {
	RowGroups int               `json:"row_groups"`
	CreatedBy string            `json:"created_by"`
	Metadata  map[string]string `json:"metadata"`
	Columns   []wantColumn      `json:"columns"`
}

// A probe is a filter, which readers answer with the help of statistics and dictionaries, and the number of rows that pass it.
type probe struct {
	Op    string `json:"op"` // =, <, > or null
	Value any    `json:"value"`
	Count int    `json:"count"`
	NaNs  int    `json:"nans"` // that pass besides, where NaN equals itself and is greater than all numbers
}

func TestReadersSeeWhatWasWritten(t *testing.T) {
	python, err := pythonenv.Python("parquet-readers", filepath.Join("testdata", "requirements.txt"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range filesForReaders() {
		writeWanted(t, dir, f)
	}
	out, err := exec.Command(python, filepath.Join("testdata", "check_readers.py"), dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", python, err, out)
	}
	t.Logf("%s", out)
}

// writeWanted writes a file, and what readers must find in it beside it. parquet-go reads it here.
func writeWanted(t *testing.T, dir string, rf readerFile) {
	t.Helper()
	tb := rf.table
	metadata := map[string]string{"citystream.table": rf.name, "citystream.slot": "12"}
	var pairs []KeyValue
	for k, v := range metadata {
		pairs = append(pairs, KeyValue{k, v})
	}
	f, s := writeAllRows(t, tb, rf.opt, pairs...)
	pf, cells := readBack(t, f.bytes())
	requireSameCells(t, tb, cells)
	requireRightStatistics(t, tb, pf.Metadata())
	want := wantFile{RowGroups: s.RowGroups, CreatedBy: "citystream version dev", Metadata: metadata}
	for i, c := range tb.layout {
		w := wantColumn{
			Name: c.Name, Type: typeNames[c.Type], Bounds: wantBounds(tb, i, pf.Metadata()), Probes: probesOf(c.Type, tb.cells[i]),
		}
		for _, v := range tb.cells[i] {
			w.Cells = append(w.Cells, wantCell(c.Type, v))
		}
		want.Columns = append(want.Columns, w)
	}
	body, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(dir, strings.NewReplacer(" ", "-", ",", "").Replace(rf.name))
	for path, content := range map[string][]byte{base + ".parquet": f.bytes(), base + ".json": body} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// wantBounds finds the bounds of each row group by looking at its cells. Only the lengths of the row groups come from the file.
func wantBounds(tb *table, column int, m *format.FileMetaData) [][]any {
	var all [][]any
	first := 0
	typ := tb.layout[column].Type
	for _, g := range m.RowGroups {
		_, low, high, known := bruteBounds(typ, tb.cells[column][first:first+int(g.NumRows)])
		first += int(g.NumRows)
		if !known {
			all = append(all, nil)
			continue
		}
		all = append(all, []any{wantCell(typ, plainValue(typ, low)), wantCell(typ, plainValue(typ, high))})
	}
	return all
}

// plainValue reads a bound.
func plainValue(typ schema.Type, b []byte) value {
	bits := uint64(0)
	for i, x := range b[:min(8, len(b))] {
		bits |= uint64(x) << (8 * i)
	}
	switch typ {
	case schema.String, schema.Binary:
		return string(b)
	case schema.Double:
		return math.Float64frombits(bits)
	case schema.Int:
		return int64(int32(bits))
	default:
		return int64(bits)
	}
}

func wantCell(typ schema.Type, v value) any {
	switch v := v.(type) {
	case string:
		return hex.EncodeToString([]byte(v))
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case int64:
		if typ == schema.Bool {
			return v == 1
		}
		return v
	default:
		return nil
	}
}

// probesOf asks for the ends and the middle of the values, where wrong bounds would hide rows, and for a value that may be in none.
func probesOf(typ schema.Type, cells []value) []probe {
	nulls, nans := 0, 0
	var sorted []value
	for _, v := range cells {
		if v == nil {
			nulls++
		} else if isNaN(v) {
			nans++
		} else {
			sorted = append(sorted, v)
		}
	}
	slices.SortFunc(sorted, compareValues)
	probes := []probe{{Op: "null", Count: nulls}}
	if nans > 0 {
		probes = append(probes, probe{Op: "=", Value: wantCell(typ, math.NaN()), NaNs: nans})
	}
	if len(sorted) == 0 {
		return probes
	}
	least, middle, greatest := sorted[0], sorted[len(sorted)/2], sorted[len(sorted)-1]
	asked := map[any]bool{}
	for _, v := range []value{least, middle, greatest, besides(typ, middle)} {
		if !asked[v] {
			probes = append(probes, countProbe("=", typ, v, sorted, 0))
		}
		asked[v] = true
	}
	return append(probes, countProbe("<", typ, middle, sorted, 0), countProbe(">", typ, middle, sorted, nans))
}

func countProbe(op string, typ schema.Type, v value, values []value, nans int) probe {
	p := probe{Op: op, Value: wantCell(typ, v), NaNs: nans}
	sign := map[string]int{"<": -1, "=": 0, ">": 1}[op]
	for _, x := range values {
		if compareValues(x, v) == sign {
			p.Count++
		}
	}
	return p
}

// besides returns a value next to v.
func besides(typ schema.Type, v value) value {
	switch v := v.(type) {
	case int64:
		if typ == schema.Bool {
			return 1 - v
		}
		return v ^ 1
	case float64:
		return math.Nextafter(v, 0)
	default:
		return v.(string) + "\x00"
	}
}

func isNaN(v value) bool {
	f, ok := v.(float64)
	return ok && math.IsNaN(f)
}

func compareValues(a, b value) int {
	switch a := a.(type) {
	case int64:
		return cmp.Compare(a, b.(int64))
	case float64:
		return cmp.Compare(a, b.(float64)) // the zeros are equal; NaN is kept out
	default:
		return strings.Compare(a.(string), b.(string))
	}
}
