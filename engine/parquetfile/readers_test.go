package parquetfile

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go/format"

	"citystream/engine/schema"
)

// pythonVariable names the python that has pyarrow and duckdb.
const pythonVariable = "CITYSTREAM_PYTHON"

// A wantColumn is a column as testdata/check_readers.py expects it.
type wantColumn struct {
	Name   string  `json:"name"`
	Type   string  `json:"type"`
	Cells  []any   `json:"cells"`
	Bounds [][]any `json:"bounds"` // a row group each
}

type wantFile struct {
	RowGroups int               `json:"row_groups"`
	CreatedBy string            `json:"created_by"`
	Metadata  map[string]string `json:"metadata"`
	Columns   []wantColumn      `json:"columns"`
}

var typeNames = map[schema.Type]string{
	schema.String: "string", schema.Binary: "binary", schema.Bool: "bool", schema.Int: "int", schema.Long: "long",
	schema.Double: "double", schema.Timestamp: "timestamp",
}

func TestPyarrowAndDuckDBReadTheFilesRight(t *testing.T) {
	python := os.Getenv(pythonVariable)
	if python == "" {
		t.Skipf("set %s to a python that has pyarrow and duckdb to check the files with both", pythonVariable)
	}
	dir := t.TempDir()
	for _, nulls := range nullsOf {
		writeWanted(t, dir, "types, "+nulls.name, everyPattern(300, nulls.null), Options{RowGroupRows: 100})
		writeWanted(t, dir, "pages, "+nulls.name, everyPattern(2*pageRows+100, nulls.null), Options{RowGroupRows: pageRows + 7000})
	}
	writeWanted(t, dir, "vehicles", vehicleTable(50_000), Options{RowGroupRows: 30_000, PartBytes: 100_000})
	writeWanted(t, dir, "large dictionary", &table{
		layout: []schema.Column{{Name: "fits", Type: schema.String}, {Name: "too large", Type: schema.String}},
		cells: [][]value{
			cellsOf(140_000, func(r int) value { return fmt.Sprint(r % dictionaryValues) }, nullsOf[3].null),
			cellsOf(140_000, func(r int) value { return fmt.Sprint(r % (dictionaryValues + 1)) }, nullsOf[0].null),
		},
	}, Options{})

	out, err := exec.Command(python, filepath.Join("testdata", "check_readers.py"), dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", python, err, out)
	}
	t.Logf("%s", out)
}

// everyPattern has one column for each type and value pattern, without the texts that make large files.
func everyPattern(rows int, null func(int) bool) *table {
	tb := &table{}
	for _, typ := range allTypes {
		for i, p := range valuesOf(typ, 3) {
			if rows > 1000 && p.long {
				continue
			}
			tb.layout = append(tb.layout, schema.Column{Name: fmt.Sprintf("%s %s %d", typeNames[typ], p.name, i), Type: typ})
			tb.cells = append(tb.cells, cellsOf(rows, p.at, null))
		}
	}
	return tb
}

// writeWanted writes tb as a file, and what readers must find in it beside it.
func writeWanted(t *testing.T, dir, name string, tb *table, opt Options) {
	t.Helper()
	metadata := map[string]string{"citystream.table": name, "citystream.slot": "12"}
	var pairs []KeyValue
	for k, v := range metadata {
		pairs = append(pairs, KeyValue{k, v})
	}
	f, s := writeAllRows(t, tb, opt, pairs...)
	pf, _ := readBack(t, f.bytes())
	want := wantFile{RowGroups: s.RowGroups, CreatedBy: "citystream version dev", Metadata: metadata}
	for i, c := range tb.layout {
		w := wantColumn{Name: c.Name, Type: typeNames[c.Type], Bounds: wantBounds(tb, i, pf.Metadata())}
		for _, v := range tb.cells[i] {
			w.Cells = append(w.Cells, wantCell(c.Type, v))
		}
		want.Columns = append(want.Columns, w)
	}
	body, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(dir, strings.NewReplacer(" ", "-", ",", "").Replace(name))
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
